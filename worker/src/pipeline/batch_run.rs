//! Processes the messages of a batch. A batch that fails is bisected until each request that cannot be
//! applied stands alone. Those requests become dead letters, and all others are applied in order. If the
//! fault is systemic, nothing becomes a dead letter: the partition stops.

use lapin::Acker;
use rollcall_events::UserId;
use rollcall_events::outcome::Outcome;
use rollcall_events::request::{EraseUser, Request, RequestBody, SettingsRequested};
use rollcall_queue::envelope::{DecodeError, reply_to};
use rollcall_queue::framing::{Message, awaited};
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use super::apply::apply;
use super::dead_letter::DeadLetters;
use super::error::RunError;
use super::known::{Expected, KnownLogs};
use super::load::Start;
use super::notifications::Notifications;
use super::prepare::{Batch, BatchOutcome, PreparedBatch, prepare};
use super::receive::MessageBatch;
use super::reply::Reply;
use super::span::RequestSpan;
use super::state::State;
use super::suspicion::{Failure, Kind, Suspicions};
use super::trial::Trial;
use crate::db::{Ending, Remedy, Store, StoreError};
use crate::log::signer::{Guard, SignedLogs};
use crate::settings::Prefetch;

/// The remaining work of a batch and its results. After an outage, `resume` continues without repeating
/// finished work.
pub(crate) struct BatchRun {
    /// The number of deliveries, and the acker of the last one.
    deliveries: usize,
    last: Acker,
    /// When the first message was sent, in Unix seconds.
    sent: i64,
    expected: Expected,
    /// The whole batch, ready to be written over the connection with this id.
    prepared: Option<(u64, PreparedBatch)>,
    /// Whether the batch could not be prepared.
    is_unprepared: bool,
    /// The result of the preparation.
    end: PreparationEnd,
    /// The requests, and their messages at the same index.
    requests: Arc<[Request]>,
    messages: Vec<Message>,
    /// Messages that cannot be read as requests.
    unreadable: Vec<(Message, DecodeError)>,
    /// The requests that are not applied yet. The last span is next.
    spans: Vec<Range<usize>>,
    /// Requests that cannot be applied, with their errors.
    failed: Vec<(usize, StoreError)>,
    /// The time at which a request of this batch first failed.
    failing_since: Option<Instant>,
    /// Requests that timed out alone and are retried once.
    slow: HashSet<usize>,
    /// Requests that follow a failed request of their organization, in order. They wait until it is decided
    /// whether that request is retried or becomes a dead letter.
    deferred: Vec<Range<usize>>,
    replies: Vec<Reply>,
    /// The users that the requests erased.
    erased: Vec<UserId>,
    /// The notifications to send.
    notifications: Notifications,
    /// Whether a request became a dead letter.
    has_dead_letters: bool,
    /// The number of keys that were loaded on demand.
    demand_loads: usize,
}

/// The result of preparing a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PreparationEnd {
    /// The batch was not prepared, or was decided again. So the state after it is unknown.
    Unused,
    /// As `Unused`, because a request or a name was not new.
    Collided,
    /// The batch was written as it was prepared.
    Written,
}

/// The results of a finished batch: the notifications, and the deliveries to acknowledge.
pub(crate) struct BatchResults {
    pub(crate) notifications: Notifications,
    /// The number of deliveries, and the acker of the last one, which acknowledges all of them.
    pub(crate) deliveries: usize,
    pub(crate) last: Acker,
    /// Whether a request became a dead letter.
    pub(crate) has_dead_letters: bool,
}

/// The dependencies of a run.
pub(crate) struct Tools<'a> {
    pub(crate) store: &'a Store,
    pub(crate) dead: &'a DeadLetters,
    pub(crate) suspicions: &'a Suspicions,
    pub(crate) signed: &'a SignedLogs,
    pub(crate) prefetch: Prefetch,
}

impl BatchRun {
    /// The run of a new batch.
    pub(super) fn of(batch: MessageBatch) -> Self {
        let MessageBatch { deliveries, last, sent, is_redelivered, requests, messages, unreadable } = batch;
        Self {
            deliveries,
            last,
            sent,
            prepared: None,
            is_unprepared: false,
            end: PreparationEnd::Unused,
            expected: if is_redelivered { Expected::Repeats } else { Expected::New },
            spans: std::iter::once(0..requests.len()).collect(),
            requests: requests.into(),
            messages,
            unreadable,
            failed: Vec::new(),
            failing_since: None,
            slow: HashSet::new(),
            deferred: Vec::new(),
            replies: Vec::new(),
            erased: Vec::new(),
            notifications: Notifications::default(),
            has_dead_letters: false,
            demand_loads: 0,
        }
    }

    /// When the first message was sent, in Unix seconds.
    pub(crate) fn sent(&self) -> i64 {
        self.sent
    }

    /// Prepares the whole batch, so that `resume` only has to write it over the connection `writer`. The batch begins
    /// with the known logs and the state after the batch before. If this fails, `resume` starts from the beginning and
    /// meets the same fault. A batch that changes settings is not prepared: many things depend on settings.
    pub(crate) async fn prepare(&mut self, tools: &Tools<'_>, writer: u64, known: &mut KnownLogs, state: State) {
        let changes_settings = |request: &Request| matches!(request.body, RequestBody::SettingsRequested(_));
        let is_done = self.prepared.is_some() || self.is_unprepared;
        if is_done || self.requests.is_empty() || self.requests.iter().any(changes_settings) {
            return;
        }
        known.rely_on(writer);
        let expected = known.expect_next(self.expected);
        let batch = Batch { expected, ..self.batch(tools, 0..self.requests.len()) };
        match prepare(tools.store, &batch, Start { known: Some(known), state }).await {
            Ok(prepared) => {
                known.advance(prepared.heads(), &self.requests, prepared.state());
                self.prepared = Some((writer, prepared));
            }
            Err(error) => {
                tracing::debug!(%error, "a batch could not be prepared and is decided when its turn comes");
                self.is_unprepared = true;
                known.forget(false);
            }
        }
    }

    /// The state after the prepared batch; `None` if the batch is not prepared.
    pub(crate) fn take_state(&mut self) -> Option<State> {
        self.prepared.as_mut().map(|(_, prepared)| prepared.take_state())
    }

    /// Discards the preparation, because the batch before failed or was decided again.
    pub(crate) fn discard_preparation(&mut self) {
        self.prepared = None;
    }

    /// The result of the preparation.
    pub(crate) fn preparation_end(&self) -> PreparationEnd {
        self.end
    }

    /// Takes the replies to send.
    pub(crate) fn take_replies(&mut self) -> Vec<Reply> {
        std::mem::take(&mut self.replies)
    }

    /// The number of keys that were loaded on demand.
    pub(crate) fn demand_loads(&self) -> usize {
        self.demand_loads
    }

    /// The users that the requests have erased so far.
    pub(crate) fn erased(&self) -> &[UserId] {
        &self.erased
    }

    /// Returns the results once everything is applied.
    pub(crate) fn finish(self) -> BatchResults {
        let Self { notifications, deliveries, last, has_dead_letters, .. } = self;
        BatchResults { notifications, deliveries, last, has_dead_letters }
    }

    /// Applies all requests that can be applied, and makes dead letters of the others.
    ///
    /// # Errors
    /// If a server fails, or the partition must stop. The caller may call this again later.
    pub(crate) async fn resume(&mut self, tools: &Tools<'_>) -> Result<(), RunError> {
        self.dead_letter_unreadable(tools.dead).await?;
        loop {
            self.apply_all(tools).await?;
            self.judge(tools).await?;
            if self.deferred.is_empty() {
                return Ok(());
            }
            self.spans.extend(self.deferred.drain(..).rev());
        }
    }

    async fn apply_all(&mut self, tools: &Tools<'_>) -> Result<(), RunError> {
        while let Some(span) = self.spans.pop() {
            if span.is_empty() {
                continue;
            }
            if self.follows_a_failure(&span) {
                self.defer(span);
                continue;
            }
            match self.apply(tools, span.clone()).await {
                Ok(BatchOutcome { outcomes, notifications, demand_loads }) => {
                    tools.suspicions.applied(self.requests[span.clone()].iter().map(Kind::of));
                    self.notifications.extend(notifications);
                    self.demand_loads += demand_loads;
                    span.zip(outcomes).for_each(|(index, outcome)| self.reply(index, outcome));
                }
                Err(error) if error.remedy() == Remedy::Poison => self.isolate(span, error)?,
                Err(error) => {
                    self.put_back(span);
                    return Err(RunError::of(error));
                }
            }
        }
        Ok(())
    }

    /// Halves a failing span until each failing request stands alone.
    fn isolate(&mut self, span: Range<usize>, error: StoreError) -> Result<(), RunError> {
        self.failing_since.get_or_insert_with(Instant::now);
        if span.len() > 1 {
            self.halve(span);
        } else if error.is_timeout() && self.slow.insert(span.start) {
            // The server may have been slow, and not the request.
            self.put_back(span);
            return Err(RunError::Slow(error));
        } else {
            self.failed.push((span.start, error));
        }
        Ok(())
    }

    fn halve(&mut self, span: Range<usize>) {
        let middle = span.start + span.len() / 2;
        // Push the first half last, so that it is next and the order is kept.
        self.spans.extend([middle..span.end, span.start..middle]);
    }

    /// Whether the span contains a request of an organization that has a failed request. That one may be
    /// retried, and later requests must not be applied before it.
    fn follows_a_failure(&self, span: &Range<usize>) -> bool {
        let failed = self.failed.iter().filter(|(_, error)| !error.is_about_a_value());
        let failed: HashSet<_> = failed.map(|(index, _)| self.requests[*index].organization_id).collect();
        !failed.is_empty()
            && self.requests[span.clone()].iter().any(|request| failed.contains(&request.organization_id))
    }

    fn defer(&mut self, span: Range<usize>) {
        match self.deferred.last_mut() {
            _ if span.len() > 1 => self.halve(span),
            Some(last) if last.end == span.start => last.end = span.end,
            _ => self.deferred.push(span),
        }
    }

    async fn apply(&mut self, tools: &Tools<'_>, span: Range<usize>) -> Result<BatchOutcome, StoreError> {
        let is_whole = span == (0..self.requests.len());
        let prepared = self.prepared.take().filter(|(writer, _)| is_whole && *writer == tools.store.id());
        if let Some((_, prepared)) = prepared {
            prepared.check(Guard::Signed(tools.signed))?;
            match prepared.write(tools.store, Ending::Commit).await {
                Ok(outcome) => {
                    self.end = PreparationEnd::Written;
                    return Ok(outcome);
                }
                Err(StoreError::AlreadyRecorded) => self.end = PreparationEnd::Collided,
                Err(StoreError::HeadMoved) => {}
                Err(error) => return Err(error),
            }
            // The entries that moved the head may come from these same requests.
            self.expected = Expected::Repeats;
        }
        apply(tools.store, self.batch(tools, span), Ending::Commit).await
    }

    fn batch<'a>(&self, tools: &Tools<'a>, span: Range<usize>) -> Batch<'a> {
        Batch {
            bytes: self.bytes(&span),
            requests: RequestSpan::of(&self.requests, span),
            expected: self.expected,
            prefetch: tools.prefetch,
            guard: Guard::Signed(tools.signed),
        }
    }

    /// Keeps a span for later. If the connection broke, the commit may have succeeded.
    fn put_back(&mut self, span: Range<usize>) {
        self.spans.push(span);
        self.expected = Expected::Repeats;
    }

    /// Makes dead letters of the failed requests, unless the fault is systemic.
    async fn judge(&mut self, tools: &Tools<'_>) -> Result<(), RunError> {
        let failures = self.failed.iter().map(|(index, error)| Failure::of(&self.requests[*index], error));
        if tools.suspicions.are_systemic(failures, self.failing_since.unwrap_or_else(Instant::now)) {
            return Err(self.take_back_failures());
        }
        while let Some((index, error)) = self.failed.last() {
            let message = &self.messages[*index];
            tools.dead.publish(&message.properties, &message.body, &error.to_string()).await?;
            self.has_dead_letters = true;
            let index = *index;
            self.failed.pop();
            self.reply(index, Outcome::Failed);
        }
        Ok(())
    }

    fn bytes(&self, span: &Range<usize>) -> usize {
        self.messages[span.clone()].iter().map(|message| message.body.len()).sum()
    }

    /// Ends the run early. The failing requests are applied as a trial before their messages are consumed
    /// again.
    pub(crate) fn give_back(mut self) -> Trial {
        let next = self.spans.pop().unwrap_or_default();
        let bytes = self.bytes(&next);
        let requests = RequestSpan::of(&self.requests, next);
        Trial { requests, bytes, erased: self.erased }
    }

    /// Keeps the failed requests for later, in order. Returns the error.
    fn take_back_failures(&mut self) -> RunError {
        self.expected = Expected::Repeats;
        let mut reason = StoreError::Contradiction;
        self.spans.append(&mut self.deferred);
        for (index, error) in self.failed.drain(..) {
            self.spans.push(index..index + 1);
            reason = error;
        }
        self.spans.sort_by_key(|span| std::cmp::Reverse(span.start));
        RunError::Stopped(reason)
    }

    /// Makes dead letters of unreadable messages. Their callers get a reply at once, if the message names a
    /// reply queue.
    async fn dead_letter_unreadable(&mut self, dead: &DeadLetters) -> Result<(), RunError> {
        while let Some((message, error)) = self.unreadable.last() {
            dead.publish(&message.properties, &message.body, &error.to_string()).await?;
            self.has_dead_letters = true;
            for to in awaited(message) {
                let (queue, correlation_id) = (to.queue.to_owned(), to.correlation_id);
                self.replies.push(Reply { queue, correlation_id, outcome: Outcome::Failed });
            }
            self.unreadable.pop();
        }
        Ok(())
    }

    fn reply(&mut self, index: usize, outcome: Outcome) {
        if let (
            RequestBody::SettingsRequested(SettingsRequested::EraseUser(EraseUser { user_id })),
            Outcome::Applied { .. },
        ) = (&self.requests[index].body, &outcome)
        {
            self.erased.push(*user_id);
        }
        if let Some(to) = reply_to(&self.messages[index].properties) {
            self.replies.push(Reply { queue: to.queue.to_owned(), correlation_id: to.correlation_id, outcome });
        }
    }
}
