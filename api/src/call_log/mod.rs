//! The call log. It helps administrators find out why provisioning fails. See
//! docs/architecture/operations.md, "The call log".

mod body;
mod meaning;
mod middleware;
mod recorder;

pub(crate) use body::RequestBody;
pub(crate) use meaning::CallMeaning;
pub(crate) use middleware::{CallToken, observe};
pub(crate) use recorder::CallRecorder;
