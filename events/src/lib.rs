//! The language that the api and the worker share: what is asked for, what happened, how it travels and how it is proved.
//!
//! Nothing here opens a connection but [`topology`], which declares the queues on a channel it is given.

#![cfg_attr(test, allow(clippy::needless_pass_by_value, reason = "tests hand literals over"))]

pub mod actor;
pub mod address;
pub mod call_log;
pub mod envelope;
pub mod feed;
pub mod framing;
pub mod ids;
pub mod log;
pub mod members;
pub mod membership;
pub mod origin;
pub mod outcome;
pub mod request;
pub mod session;
pub mod set;
pub mod stream;
pub mod time;
pub mod token;
pub mod topology;

pub use ids::{
    CorrelationId, DeadLetterId, EntitlementId, EventId, GroupId, OrganizationId, SessionId, StreamId, TokenId, UserId, WorkspaceId,
};
pub use time::Timestamp;
