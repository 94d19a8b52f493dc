//! The types that the api and the worker share: requests, facts, outcomes, their AMQP messages, and the log
//! with its proofs.
//!
//! Nothing in this crate opens a connection. [`topology`] declares the queues on a channel that the caller
//! provides.

#![cfg_attr(test, allow(clippy::needless_pass_by_value, reason = "tests pass literals"))]

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
