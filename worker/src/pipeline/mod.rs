//! The write path of the worker, in the order in which a batch passes through it:
//!
//! 1. [`receive`] takes the messages of a partition that are delivered already, and reads their requests,
//! 2. [`load`] reads the log heads and the state that the requests need,
//! 3. [`decide`] decides each request in order on the [`state`], without I/O,
//! 4. [`project`] turns the decisions into rows, and they are written with the log in one transaction,
//! 5. [`reply`] sends the outcomes to the apis,
//! 6. [`ack`] sends the [`notifications`] and acknowledges the messages.
//!
//! No stage imports a later one (the test `structure` has the whole order). [`settings`] has everything about
//! each kind of setting in one file: keys, decision, change and rows. The stages call it. [`serve`] is the
//! loop that calls the stages for batch after batch. [`batch_run`] carries one batch through stages 2 to 4
//! ([`prepare`] and [`apply`]), collects its replies and notifications, and bisects it if a request fails.
//! [`overlap`] writes a batch while the next one is received and prepared.

mod ack;
mod apply;
mod batch_run;
mod dead_letter;
pub(crate) mod decide;
mod decision;
mod direct;
mod error;
mod hold;
mod in_flight;
mod known;
pub(crate) mod load;
mod notifications;
mod overlap;
pub(crate) mod positions;
mod prepare;
pub(crate) mod project;
mod reader;
mod receive;
mod reply;
mod rows;
mod serve;
mod session;
mod settings;
mod span;
pub(crate) mod state;
mod statements;
mod suspicion;
mod trial;

pub(crate) use direct::DirectApply;
pub(crate) use in_flight::{InFlight, PartitionRows};
pub(crate) use serve::serve;
pub(crate) use session::WorkerContext;
pub(crate) use statements::of_batches;
pub(crate) use suspicion::Suspicions;
