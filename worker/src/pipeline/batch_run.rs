//! Works through the messages of a batch. A batch that fails as a whole is halved until the requests that cannot be applied stand alone: those become dead letters, and all
//! the others are applied in their order. If the fault is not the requests', nothing becomes a dead letter: the partition stops.

use lapin::Acker;
use lapin::message::Delivery;
use rollcall_events::UserId;
use rollcall_events::outcome::Outcome;
use rollcall_events::request::{Request, RequestBody, SettingsRequested};
use rollcall_queue::envelope::{DecodeError, decode, reply_to};
use rollcall_queue::framing::{Message, awaited, unpack};
use std::collections::HashSet;
use std::ops::Range;
use std::time::Instant;

use super::apply::{Applied, Batch, apply};
use super::dead_letter::DeadLetters;
use super::error::RunError;
use super::load::{Expected, Prefetch};
use super::notify::Notifications;
use super::reply::Reply;
use super::suspicion::{Failure, Kind, Suspicions};
use super::trial::Trial;
use crate::db::{Ending, Remedy, Store, StoreError};

/// What there is to do, and what was done of it: a server that fails in between costs no part of it twice.
pub(crate) struct BatchRun {
    /// How many deliveries it came in, and what acknowledges the last of them.
    deliveries: usize,
    last: Acker,
    expected: Expected,
    /// The requests, and the message of each at the same place.
    requests: Vec<Request>,
    messages: Vec<Message>,
    /// Messages that are no requests.
    unreadable: Vec<(Message, DecodeError)>,
    /// The requests that are still to be applied; the next ones are on top.
    spans: Vec<Range<usize>>,
    /// Requests that cannot be applied, each alone.
    failed: Vec<(usize, StoreError)>,
    /// Since when some request fails that is among these.
    failing_since: Option<Instant>,
    /// Requests that took too long, each alone, and are tried once more.
    slow: HashSet<usize>,
    /// Requests that come after a failed one of their organization, in their order. They wait until it is decided what becomes of that.
    deferred: Vec<Range<usize>>,
    replies: Vec<Reply>,
    /// Users whom the requests erased.
    erased: Vec<UserId>,
    /// What listeners are to be told.
    notifications: Notifications,
    /// Whether something became a dead letter.
    has_buried: bool,
    /// How many keys had to be loaded on demand.
    demand_loads: usize,
}

/// What is done, and to be answered, told and acknowledged.
pub(crate) struct Finished {
    pub(crate) replies: Vec<Reply>,
    pub(crate) notifications: Notifications,
    /// How many deliveries are to be acknowledged, and by what: all of them with the last.
    pub(crate) deliveries: usize,
    pub(crate) last: Acker,
    /// Whether something became a dead letter.
    pub(crate) has_buried: bool,
}

/// What working through a batch needs.
pub(crate) struct Tools<'a> {
    pub(crate) store: &'a Store,
    pub(crate) dead: &'a DeadLetters,
    pub(crate) suspicions: &'a Suspicions,
    pub(crate) prefetch: Prefetch,
}

impl BatchRun {
    /// Begins with one delivery.
    pub(crate) fn of(first: Delivery) -> Self {
        let mut work = Self {
            deliveries: 0,
            last: first.acker.clone(),
            expected: Expected::New,
            spans: Vec::new(),
            failed: Vec::new(),
            failing_since: None,
            slow: HashSet::new(),
            deferred: Vec::new(),
            replies: Vec::new(),
            erased: Vec::new(),
            notifications: Notifications::default(),
            has_buried: false,
            demand_loads: 0,
            requests: Vec::new(),
            messages: Vec::new(),
            unreadable: Vec::new(),
        };
        work.add(first);
        work
    }

    /// Reads a further delivery.
    pub(crate) fn add(&mut self, delivery: Delivery) {
        self.deliveries += 1;
        self.last = delivery.acker;
        if delivery.redelivered {
            self.expected = Expected::Repeats;
        }
        let message = Message { properties: delivery.properties, body: delivery.data };
        match unpack(&message) {
            Ok(None) => self.read(message),
            Ok(Some(messages)) => messages.into_iter().for_each(|message| self.read(message)),
            Err(error) => self.unreadable.push((message, error)),
        }
        self.spans = std::iter::once(0..self.requests.len()).collect();
    }

    fn read(&mut self, message: Message) {
        match decode(&message.properties, &message.body) {
            Ok(request) => {
                self.requests.push(request);
                self.messages.push(message);
            }
            Err(error) => self.unreadable.push((message, error)),
        }
    }

    /// How many requests there are.
    pub(crate) fn len(&self) -> usize {
        self.requests.len() + self.unreadable.len()
    }

    /// How many keys had to be loaded on demand.
    pub(crate) fn demand_loads(&self) -> usize {
        self.demand_loads
    }

    /// Whom the requests have erased by now.
    pub(crate) fn erased(&self) -> &[UserId] {
        &self.erased
    }

    /// What is left to do once everything is applied.
    pub(crate) fn finish(self) -> Finished {
        let Self { replies, notifications, deliveries, last, has_buried, .. } = self;
        Finished { replies, notifications, deliveries, last, has_buried }
    }

    /// Applies what can be applied and dead-letters the rest.
    ///
    /// # Errors
    /// Where a server fails, or the partition has to stop. To go on later is right then.
    pub(crate) async fn resume(&mut self, tools: &Tools<'_>) -> Result<(), RunError> {
        self.bury_unreadable(tools.dead).await?;
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
                Ok(Applied { outcomes, notifications, demand_loads }) => {
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

    /// Halves a span in which some request cannot be applied, until that stands alone.
    fn isolate(&mut self, span: Range<usize>, error: StoreError) -> Result<(), RunError> {
        self.failing_since.get_or_insert_with(Instant::now);
        if span.len() > 1 {
            self.halve(span);
        } else if error.is_timeout() && self.slow.insert(span.start) {
            // Perhaps the server was slow, and not the request.
            self.put_back(span);
            return Err(RunError::Slow(error));
        } else {
            self.failed.push((span.start, error));
        }
        Ok(())
    }

    fn halve(&mut self, span: Range<usize>) {
        let middle = span.start + span.len() / 2;
        // The first half goes on top: order is kept.
        self.spans.extend([middle..span.end, span.start..middle]);
    }

    /// Whether a request may be tried again of whose organization there is one in the span: what comes later must not be applied before it.
    fn follows_a_failure(&self, span: &Range<usize>) -> bool {
        let failed = self.failed.iter().filter(|(_, error)| !error.is_about_a_value());
        let failed: HashSet<_> = failed.map(|(index, _)| self.requests[*index].organization_id).collect();
        !failed.is_empty() && self.requests[span.clone()].iter().any(|request| failed.contains(&request.organization_id))
    }

    fn defer(&mut self, span: Range<usize>) {
        match self.deferred.last_mut() {
            _ if span.len() > 1 => self.halve(span),
            Some(last) if last.end == span.start => last.end = span.end,
            _ => self.deferred.push(span),
        }
    }

    async fn apply(&self, tools: &Tools<'_>, span: Range<usize>) -> Result<Applied, StoreError> {
        let bytes = self.bytes(&span);
        let (expected, prefetch) = (self.expected, tools.prefetch);
        let batch = Batch { requests: &self.requests[span], bytes, expected, prefetch, ending: Ending::Commit };
        apply(tools.store, batch).await
    }

    /// Keeps a span for later. A connection that broke may have broken after the commit.
    fn put_back(&mut self, span: Range<usize>) {
        self.spans.push(span);
        self.expected = Expected::Repeats;
    }

    /// Makes dead letters of the requests that cannot be applied, unless the fault is not theirs.
    async fn judge(&mut self, tools: &Tools<'_>) -> Result<(), RunError> {
        let failures = self.failed.iter().map(|(index, error)| Failure::of(&self.requests[*index], error));
        if tools.suspicions.are_systemic(failures, self.failing_since.unwrap_or_else(Instant::now)) {
            return Err(self.take_back_failures());
        }
        while let Some((index, error)) = self.failed.last() {
            let message = &self.messages[*index];
            tools.dead.bury(&message.properties, &message.body, &error.to_string()).await?;
            self.has_buried = true;
            let index = *index;
            self.failed.pop();
            self.reply(index, Outcome::Failed);
        }
        Ok(())
    }

    fn bytes(&self, span: &Range<usize>) -> usize {
        self.messages[span.clone()].iter().map(|message| message.body.len()).sum()
    }

    /// Ends the work before it is done. What failed is to be tried before its messages are taken again.
    pub(crate) fn give_back(mut self) -> Trial {
        let next = self.spans.pop().unwrap_or_default();
        let bytes = self.bytes(&next);
        let requests = self.requests.drain(next).collect();
        Trial { requests, bytes, erased: self.erased }
    }

    /// Keeps the requests that failed for later, in their order, and returns why.
    fn take_back_failures(&mut self) -> RunError {
        self.expected = Expected::Repeats;
        let mut why = StoreError::Contradiction;
        self.spans.append(&mut self.deferred);
        for (index, error) in self.failed.drain(..) {
            self.spans.push(index..index + 1);
            why = error;
        }
        self.spans.sort_by_key(|span| std::cmp::Reverse(span.start));
        RunError::Stopped(why)
    }

    /// Messages that are no requests become dead letters. Their callers are told at once, as far as the messages say who they are.
    async fn bury_unreadable(&mut self, dead: &DeadLetters) -> Result<(), RunError> {
        while let Some((message, error)) = self.unreadable.last() {
            dead.bury(&message.properties, &message.body, &error.to_string()).await?;
            self.has_buried = true;
            for to in awaited(message) {
                let (queue, correlation_id) = (to.queue.to_owned(), to.correlation_id);
                self.replies.push(Reply { queue, correlation_id, outcome: Outcome::Failed });
            }
            self.unreadable.pop();
        }
        Ok(())
    }

    fn reply(&mut self, index: usize, outcome: Outcome) {
        if let (RequestBody::SettingsRequested(SettingsRequested::EraseUser { user_id }), Outcome::Applied { .. }) =
            (&self.requests[index].body, &outcome)
        {
            self.erased.push(*user_id);
        }
        if let Some(to) = reply_to(&self.messages[index].properties) {
            self.replies.push(Reply { queue: to.queue.to_owned(), correlation_id: to.correlation_id, outcome });
        }
    }
}
