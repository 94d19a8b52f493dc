//! The parts of the end-to-end tests: the real servers and services, a client, and an auditor who recomputes
//! everything.
//!
//! `./dev test` starts one stack that all tests share. Each test works in an organization of its own. A test
//! that kills or breaks something starts a stack of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a test panics at the first fault"
)]

pub mod amqp;
pub mod audit;
pub mod client;
pub mod collector;
pub mod imports;
pub mod instance;
pub mod receiver;
pub mod requests;
pub mod service;
pub mod set;
pub mod stack;
pub mod syslog;
pub mod wait;
pub mod witness;

pub use client::{Answer, Client};
pub use stack::{Organization, Stack};
pub use wait::{eventually, within};
