//! Reads everything that a batch needs: the log heads, the requests that are recorded already, and the state.
//!
//! Nothing is locked. The heads are read first, in the same snapshot as the keys that nearly every batch
//! looks up. Everything that is read later is at least as new as the heads. If a batch was decided on newer
//! state, or on state that has changed since, its head has moved by the time it is written.
//!
//! A head that the partition knows is not read. It can be newer than the rows, if the batch before is not committed
//! yet. That batch's changes then hide the rows that it changes, and all others are the same before and after it.

mod batch;
mod loaded;
mod prefetch;
mod statements;

pub(crate) use batch::{load, load_more, load_subjects};
pub(crate) use loaded::{LoadedBatch, RecordedRequest, Start};
pub(crate) use statements::statements;
