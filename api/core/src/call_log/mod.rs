//! The call log. It helps administrators find out why provisioning fails. See
//! docs/architecture/operations.md, "The call log".

mod body;
mod meaning;
mod middleware;
mod recorder;

pub use body::RequestBody;
pub use meaning::CallMeaning;
pub use middleware::{CallToken, record_call};
pub use recorder::CallRecorder;
