//! The call log. It helps administrators find out why provisioning fails: see ARCHITECTURE.md, "Requests".

mod body;
mod meaning;
mod middleware;
mod recorder;

pub(crate) use body::RequestBody;
pub(crate) use meaning::Meant;
pub(crate) use middleware::{Attributed, observe};
pub(crate) use recorder::CallRecorder;
