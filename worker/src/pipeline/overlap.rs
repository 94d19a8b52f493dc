//! Writes a batch while the next one is received and prepared.
//!
//! The next batch is decided on the state after this one, before this one is committed. It is written only after the
//! commit, so its replies cannot promise a lost change. If this batch fails or has to be decided again, the preparation
//! of the next one is discarded. If another writer comes in between, the version of a head refuses it.

use futures_util::StreamExt;
use lapin::Consumer;
use std::pin::Pin;
use std::time::Duration;

use super::batch_run::{BatchResults, BatchRun, PreparationEnd, Tools};
use super::dead_letter::DeadLetters;
use super::error::RunError;
use super::hold::Hold;
use super::known::KnownLogs;
use super::reader::Reader;
use super::receive::drain;
use super::reply::Replier;
use super::session::{Place, Session, WorkerContext};
use super::state::State;
use super::trial::Trial;
use crate::db::{Remedy, Store};
use crate::erasure::forget;

/// How long a batch that is written waits for the preparation of the next one.
const PATIENCE: Duration = Duration::from_secs(2);

/// Applies a batch, then sends its replies, so that no reply promises a change that can still be lost. Returns the next
/// batch, if one has arrived meanwhile.
pub(super) async fn process(
    place: &Place<'_>,
    session: &mut Session,
    mut batch: BatchRun,
    given_back: &mut Option<Trial>,
) -> Result<Option<BatchRun>, RunError> {
    let Session { store, reader, consumer, replier, dead, known, pending_acks, .. } = session;
    let writer = store.id();
    batch.prepare(&tools(place, store, dead), writer, known, State::default()).await;
    let state = batch.take_state().filter(|_| !place.stop.is_cancelled());
    let writing = Box::pin(write(place, store, dead, replier, &mut batch));
    let written = match state {
        Some(state) => NextBatch { place, writer, reader, consumer, dead, known }.prepare_beside(writing, state).await,
        None => writing.await.map(|()| None),
    };
    let mut next = match written {
        Ok(next) => next,
        Err(error) => {
            *given_back = Some(batch.give_back());
            return Err(error);
        }
    };
    if batch.preparation_end() != PreparationEnd::Written {
        known.forget(batch.preparation_end() == PreparationEnd::Collided);
        next.iter_mut().for_each(BatchRun::discard_preparation);
    }
    place.shared.in_flight.resume(place.partition, batch.demand_loads());
    let BatchResults { notifications, deliveries, last, has_dead_letters } = batch.finish();
    pending_acks.take(last, deliveries, notifications, has_dead_letters);
    Ok(next)
}

fn tools<'a>(place: &Place<'a>, store: &'a Store, dead: &'a DeadLetters) -> Tools<'a> {
    let WorkerContext { suspicions, signed, settings, .. } = place.shared;
    Tools { store, dead, suspicions, signed, prefetch: settings.prefetch }
}

/// Runs a batch to its end, completes its erasures, and sends its replies. The erasures are completed before the ack:
/// if the worker breaks off, the broker delivers the batch again.
async fn write(
    place: &Place<'_>,
    store: &mut Store,
    dead: &DeadLetters,
    replier: &Replier,
    batch: &mut BatchRun,
) -> Result<(), RunError> {
    let mut hold = Hold::begin();
    while let Err(error) = batch.resume(&tools(place, store, dead)).await {
        hold.recover(place, error, store).await?;
    }
    while let Err(error) = forget(store, batch.erased()).await {
        if error.remedy() == Remedy::Poison {
            tracing::error!(%error, "an erasure is incomplete; a background task removes the remaining names");
            break;
        }
        hold.recover(place, RunError::of(error), store).await?;
    }
    replier.answer(batch.take_replies()).await
}

/// The dependencies for receiving and preparing the next batch.
struct NextBatch<'a> {
    place: &'a Place<'a>,
    /// The id of the connection that writes.
    writer: u64,
    reader: &'a mut Reader,
    consumer: &'a mut Consumer,
    dead: &'a DeadLetters,
    known: &'a mut KnownLogs,
}

impl NextBatch<'_> {
    /// Receives the next batch and prepares it on the `state` after the batch before, until that batch is
    /// written. Returns nothing if no message arrives before.
    async fn prepare_beside(
        self,
        mut writing: Pin<Box<impl Future<Output = Result<(), RunError>>>>,
        state: State,
    ) -> Result<Option<BatchRun>, RunError> {
        let Self { place, writer, reader, consumer, dead, known } = self;
        let delivery = tokio::select! {
            biased;
            written = &mut writing => return written.map(|()| None),
            delivery = consumer.next() => delivery,
        };
        let settings = &place.shared.settings;
        let mut next = match drain(delivery, consumer, settings.batch_size.into()) {
            Ok(batch) => BatchRun::of(batch),
            Err(error) => {
                writing.await?;
                return Err(error);
            }
        };
        let mut preparing = Box::pin(async {
            if let Some(store) = reader.beside(writer, settings, place.name).await {
                next.prepare(&tools(place, store, dead), writer, known, state).await;
            }
        });
        let (written, is_late) = tokio::select! {
            biased;
            written = &mut writing => (written, tokio::time::timeout(PATIENCE, &mut preparing).await.is_err()),
            () = &mut preparing => (writing.await, false),
        };
        drop(preparing);
        if is_late {
            tracing::warn!(partition = place.partition, "the second connection to postgres is slow and is given up");
            reader.pause();
            known.forget(false);
        }
        written.map(|()| Some(next))
    }
}
