//! Tests that run the real api and worker against the real Postgres and RabbitMQ. `./dev test` runs the modules one
//! after the other. They are one program because linking is slow.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test panics at the first fault")]

mod assigned_by_name;
mod audit;
mod authentication;
mod bad_input;
mod bulk;
mod clients;
mod dead_letters;
mod delivery;
mod entitlements;
mod erased_administrators;
mod erasure;
mod exports;
mod fairness;
mod faults;
mod filters;
mod groups;
mod heads;
mod log;
mod metrics;
mod overlap;
mod pages;
mod paging;
mod proof_files;
mod proofs;
mod provisioning;
mod raw_requests;
mod replay;
mod rollback;
mod shutdown;
mod sinks;
mod streams;
mod systemic;
mod tags;
mod tiles;
mod witness;
mod workspaces;
