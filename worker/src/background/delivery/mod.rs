//! What event streams and sinks have in common: deliveries of the log, each in a task of its own, from a
//! position, with a growing delay after a failure, by one worker at a time.

mod lock;
mod progress;
mod running;
mod scope;

pub(super) use lock::try_lock;
pub(super) use progress::{Delivery, Progress};
pub(super) use running::Deliveries;
pub(super) use scope::Scope;
