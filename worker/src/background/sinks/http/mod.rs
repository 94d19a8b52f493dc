//! Delivery to HTTP servers: a batch is one POST, and the answer says whether it was accepted.

mod answer;
mod envelope;
mod target;

pub(super) use target::HttpTarget;
