//! Authentication: who calls, from where, how often.
//!
//! [`gate`] stands before every SCIM route, so that a body is not even read before its caller is known; a handler gets the [`Caller`] that it let in.

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
