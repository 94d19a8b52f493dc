//! Writes a batch while the next one is received and prepared.
//!
//! The next batch is decided on the state that this one leaves, before this one is committed. It is written only after
//! that: its replies can promise nothing that is lost. If this batch fails or has to be decided again, the preparation
//! of the next one is discarded. If another writer comes in between, the version of a head refuses it.

use futures_util::StreamExt;
use lapin::Consumer;
use std::pin::Pin;

use super::batch_run::{BatchResults, BatchRun, PreparationEnd, Tools};
use super::dead_letter::DeadLetters;
use super::error::RunError;
use super::hold::Hold;
use super::known::KnownLogs;
use super::receive::drain;
use super::reply::Replier;
use super::session::{Place, Session, WorkerContext, connect_reader};
use super::state::State;
use super::trial::Trial;
use crate::db::{Remedy, Store};
use crate::erasure::forget;
use crate::wait::{OPEN, within};

/// Applies a batch, then sends its replies, so that no reply promises a change that can still be lost. Returns the next
/// batch, if one has arrived meanwhile.
pub(super) async fn process(
    place: &Place<'_>,
    session: &mut Session,
    mut batch: BatchRun,
    given_back: &mut Option<Trial>,
) -> Result<Option<BatchRun>, RunError> {
    let Session { store, reader, consumer, replier, dead, known, pending_acks, .. } = session;
    batch.prepare(&tools(place, store, dead), known, State::default()).await;
    let state = batch.take_state().filter(|_| !place.stop.is_cancelled());
    let writing = Box::pin(write(place, store, dead, replier, &mut batch));
    let written = match state {
        Some(state) => Next { place, reader, consumer, dead, known }.prepare_beside(writing, state).await,
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

/// What receiving and preparing the next batch needs.
struct Next<'a> {
    place: &'a Place<'a>,
    reader: &'a mut Option<Store>,
    consumer: &'a mut Consumer,
    dead: &'a DeadLetters,
    known: &'a mut KnownLogs,
}

impl Next<'_> {
    /// Receives the next batch and prepares it on the `state` that the batch before leaves, until that batch is
    /// written. Returns nothing if no message arrives before.
    async fn prepare_beside(
        self,
        mut writing: Pin<Box<impl Future<Output = Result<(), RunError>>>>,
        state: State,
    ) -> Result<Option<BatchRun>, RunError> {
        let delivery = tokio::select! {
            biased;
            written = &mut writing => return written.map(|()| None),
            delivery = self.consumer.next() => delivery,
        };
        let first = delivery.ok_or(RunError::ConsumerClosed).and_then(|delivery| Ok(delivery?));
        let received =
            first.and_then(|first| Ok(drain(first, self.consumer, self.place.shared.settings.batch_size.into())?));
        let mut next = match received {
            Ok(batch) => BatchRun::of(batch),
            Err(error) => {
                writing.await?;
                return Err(error);
            }
        };
        let preparing = Box::pin(async {
            if let Some(reader) = open_reader(self.place, self.reader).await {
                next.prepare(&tools(self.place, reader, self.dead), self.known, state).await;
            }
        });
        let (written, ()) = tokio::join!(writing, preparing);
        written.map(|()| Some(next))
    }
}

/// The connection that reads while the other one writes. Returns `None` if Postgres is unavailable; the batch is then
/// decided when its turn comes.
async fn open_reader<'a>(place: &Place<'_>, reader: &'a mut Option<Store>) -> Option<&'a Store> {
    if reader.as_ref().is_none_or(Store::is_closed) {
        let opened = within("a session with postgres", OPEN, connect_reader(&place.shared.settings, place.name)).await;
        *reader = opened.ok().and_then(Result::ok);
    }
    reader.as_ref()
}
