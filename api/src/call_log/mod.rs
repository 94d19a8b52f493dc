//! What is observed of calls, for administrators who wonder why provisioning does not work: see ARCHITECTURE.md, "Requests".

mod body;
mod meaning;
mod middleware;
mod recorder;

pub(crate) use body::RequestBody;
pub(crate) use meaning::Meant;
pub(crate) use middleware::{Attributed, observe};
pub(crate) use recorder::CallRecorder;
