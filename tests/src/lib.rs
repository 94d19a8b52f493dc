//! What the end-to-end tests are made of: the real servers and services, a client, and an auditor who recomputes what he is told.
//!
//! `./dev test` starts one stack that all tests share; each test works in an organization of its own. A test that kills something
//! starts a stack of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc, reason = "in a test, what goes wrong is to be seen at once")]

pub mod amqp;
pub mod audit;
pub mod client;
pub mod instance;
pub mod receiver;
pub mod requests;
pub mod service;
pub mod set;
pub mod stack;
pub mod wait;

pub use client::{Answer, Client};
pub use stack::{Organization, Stack};
pub use wait::{eventually, within};
