//! The write path of the worker, in the order in which a batch passes through it:
//!
//! 1. [`receive`] takes the messages of a partition that are delivered already,
//! 2. [`load`] reads the log heads and the state that the requests need,
//! 3. [`decide`] decides each request in order on the [`state`], without I/O,
//! 4. [`project`] turns the decisions into rows, and [`apply`] writes log and projections in one transaction,
//! 5. [`reply`] sends the outcomes to the apis,
//! 6. [`notify`] and [`ack`] notify listeners and acknowledge the messages.
//!
//! No stage imports a later one. [`settings`] has everything about each kind of setting in one file: keys,
//! decision, change and rows. The stages call it. [`batch_run`] carries one batch through stages 2 to 5 and
//! bisects it if a request fails.

mod ack;
mod apply;
mod batch_run;
mod dead_letter;
pub(crate) mod decide;
mod decision;
mod direct;
mod error;
pub(crate) mod fact;
mod hold;
mod in_flight;
pub(crate) mod load;
mod notify;
pub(crate) mod positions;
pub(crate) mod project;
mod receive;
mod reply;
mod rows;
mod session;
mod settings;
pub(crate) mod state;
mod statements;
mod suspicion;
mod trial;

pub(crate) use direct::DirectApply;
pub(crate) use in_flight::{InFlight, PartitionRows};
pub(crate) use receive::serve;
pub(crate) use session::Shared;
pub(crate) use statements::of_batches;
pub(crate) use suspicion::Suspicions;
