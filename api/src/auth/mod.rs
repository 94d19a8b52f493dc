//! Authentication: who calls, from where, and how often.
//!
//! [`gate`] wraps every SCIM route, so that the body of an unauthenticated call is not even read. It passes
//! the [`Caller`] to the handler.

mod address;
mod auditor;
mod bearer;
mod caller;
mod credential;
mod denials;
mod gate;
mod limit;
mod origin;
mod receiver;
mod tokens;

pub(crate) use address::{Proxies, ProxyHeader};
pub(crate) use auditor::{Auditor, audit_gate};
pub(crate) use caller::Caller;
pub(crate) use denials::Denials;
pub(crate) use gate::{Authentication, gate};
pub(crate) use limit::Limits;
pub(crate) use receiver::{Receiver, stream_gate};
pub(crate) use tokens::{Tokens, calls_per_second, follow_changes};
