//! Delivery to rotating files: one JSON text on each line, on the disk before the position advances.

mod rotating;
mod target;

pub(super) use target::FileTarget;
