//! The types that the api and the worker share: requests, facts, outcomes, tokens. The format of the log is
//! in the crate `rollcall-log`, the queue in `rollcall-queue`.

#![cfg_attr(test, allow(clippy::needless_pass_by_value, reason = "tests pass literals"))]

pub mod address;
pub mod call_log;
pub mod feed;
pub mod members;
pub mod membership;
pub mod name;
pub mod origin;
pub mod outcome;
pub mod rate;
pub mod request;
pub mod session;
pub mod set;
pub mod stream;
pub mod token;

pub use rollcall_log as log;
pub use rollcall_log::ids::{
    CorrelationId, DeadLetterId, EntitlementId, EventId, GroupId, OrganizationId, SessionId, StreamId, TokenId, UserId,
    WorkspaceId,
};
pub use rollcall_log::{Timestamp, actor};
