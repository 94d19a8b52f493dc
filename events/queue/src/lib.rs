//! The queue between the api and the worker: its topology, the messages, and publishing.
//!
//! Nothing in this crate opens a connection. [`topology`] and [`publish`] use a channel that the caller
//! provides.

#![cfg_attr(test, allow(clippy::needless_pass_by_value, reason = "tests pass literals"))]

pub mod envelope;
pub mod framing;
pub mod publish;
pub mod topology;
