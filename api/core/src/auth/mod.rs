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

pub use address::{Proxies, ProxyHeader};
pub use auditor::{Auditor, audit_gate};
pub use caller::Caller;
pub use denials::Denials;
pub use gate::{Authentication, gate};
pub use limit::Limits;
pub use receiver::{Receiver, stream_gate};
pub use tokens::{Tokens, calls_per_second, follow_changes};
