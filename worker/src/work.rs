//! Works through the messages of a batch. A batch that fails as a whole is halved until the one that cannot be applied stands alone:
//! that one becomes a dead letter, and all the others are applied in their order.

use lapin::Acker;
use lapin::message::Delivery;
use rollcall_events::UserId;
use rollcall_events::batch::{Message, unpack};
use rollcall_events::envelope::{DecodeError, decode, reply_to};
use rollcall_events::outcome::Outcome;
use rollcall_events::request::{Request, RequestBody, SettingsRequested};
use std::ops::Range;

use crate::batch::{self, Applied};
use crate::consume::RunError;
use crate::dead::DeadLetters;
use crate::load::Expected;
use crate::news::News;
use crate::reply::Reply;
use crate::store::Store;

/// What there is to do, and what was done of it: a server that fails in between costs no part of it twice.
pub(crate) struct Work {
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
    replies: Vec<Reply>,
    /// Users whom the requests erased.
    erased: Vec<UserId>,
    /// What listeners are to be told.
    news: News,
    /// Whether something became a dead letter.
    has_buried: bool,
}

/// What is done, and to be answered, told and acknowledged.
pub(crate) struct Finished {
    pub(crate) replies: Vec<Reply>,
    pub(crate) news: News,
    /// How many deliveries are to be acknowledged, and by what: all of them with the last.
    pub(crate) deliveries: usize,
    pub(crate) last: Acker,
    /// Whether something became a dead letter.
    pub(crate) has_buried: bool,
}

impl Work {
    /// Begins with one delivery.
    pub(crate) fn of(first: Delivery) -> Self {
        let mut work = Self {
            deliveries: 0,
            last: first.acker.clone(),
            expected: Expected::News,
            spans: Vec::new(),
            replies: Vec::new(),
            erased: Vec::new(),
            news: News::default(),
            has_buried: false,
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

    /// Whom the requests have erased by now.
    pub(crate) fn erased(&self) -> &[UserId] {
        &self.erased
    }

    /// What is left to do once everything is applied.
    pub(crate) fn finish(self) -> Finished {
        let Self { replies, news, deliveries, last, has_buried, .. } = self;
        Finished { replies, news, deliveries, last, has_buried }
    }

    /// Applies what can be applied and dead-letters the rest.
    ///
    /// # Errors
    /// Where a server fails. To go on later is right then.
    pub(crate) async fn go_on(&mut self, store: &Store, dead: &DeadLetters) -> Result<(), RunError> {
        while let Some((message, error)) = self.unreadable.last() {
            dead.bury(&message.properties, &message.body, &error.to_string()).await?;
            self.has_buried = true;
            self.unreadable.pop();
        }
        while let Some(span) = self.spans.last().cloned() {
            if span.is_empty() {
                self.spans.pop();
                continue;
            }
            let rest = match batch::apply(store, &self.requests[span.clone()], self.expected).await {
                Ok(Applied { outcomes, news }) => {
                    self.news.extend(news);
                    span.zip(outcomes).for_each(|(index, outcome)| self.reply(index, outcome));
                    Vec::new()
                }
                Err(error) if !error.is_lasting() => return Err(error.into()),
                Err(error) if span.len() == 1 => {
                    let message = &self.messages[span.start];
                    dead.bury(&message.properties, &message.body, &error.to_string()).await?;
                    self.has_buried = true;
                    self.reply(span.start, Outcome::Failed);
                    Vec::new()
                }
                Err(_) => {
                    let middle = span.start + span.len() / 2;
                    // The first half goes on top: order is kept.
                    vec![middle..span.end, span.start..middle]
                }
            };
            self.spans.pop();
            self.spans.extend(rest);
        }
        Ok(())
    }

    fn reply(&mut self, index: usize, outcome: Outcome) {
        if let (RequestBody::SettingsRequested(SettingsRequested::EraseUser { user_id }), Outcome::Applied { .. }) =
            (&self.requests[index].body, &outcome)
        {
            self.erased.push(*user_id);
        }
        let outcome = match outcome {
            Outcome::Applied { resource: Some(resource) } if self.requests[index].has_created(&resource) => Outcome::Created,
            outcome => outcome,
        };
        if let Some(to) = reply_to(&self.messages[index].properties) {
            self.replies.push(Reply { queue: to.queue.to_owned(), correlation_id: to.correlation_id, outcome });
        }
    }
}
