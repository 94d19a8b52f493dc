//! The service log: one public log of commitments to the checkpoints of all organizations' logs, which witnesses
//! cosign.

mod address;
mod append;
mod guard;
mod keep;
mod settings;
mod sign;
mod verify;
mod witnesses;

pub(crate) use keep::keep_service_log;
pub(crate) use settings::ServiceLog;
pub(crate) use verify::verify_service_log;
