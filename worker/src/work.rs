//! Works through the messages of a batch. A batch that fails as a whole is halved until the one that cannot be applied stands alone:
//! that one becomes a dead letter, and all the others are applied in their order.

use lapin::BasicProperties;
use lapin::message::Delivery;
use rollcall_events::UserId;
use rollcall_events::envelope::{self, DecodeError, reply_to};
use rollcall_events::outcome::Outcome;
use rollcall_events::request::{Request, RequestBody, SettingsRequested};
use std::ops::Range;

use crate::batch::{self, Applied};
use crate::consume::RunError;
use crate::dead::DeadLetters;
use crate::news::News;
use crate::reply::Reply;
use crate::store::Store;

/// A message as it came.
struct Message {
    properties: BasicProperties,
    data: Vec<u8>,
}

/// What there is to do, and what was done of it: a server that fails in between costs no part of it twice.
pub(crate) struct Work {
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

impl Work {
    /// Reads what was delivered.
    pub(crate) fn read(deliveries: Vec<Delivery>) -> Self {
        let (mut requests, mut messages, mut unreadable) =
            (Vec::with_capacity(deliveries.len()), Vec::with_capacity(deliveries.len()), Vec::new());
        for delivery in deliveries {
            let message = Message { properties: delivery.properties, data: delivery.data };
            match envelope::decode(&message.properties, &message.data) {
                Ok(request) => {
                    requests.push(request);
                    messages.push(message);
                }
                Err(error) => unreadable.push((message, error)),
            }
        }
        Self {
            spans: std::iter::once(0..requests.len()).collect(),
            replies: Vec::with_capacity(requests.len()),
            erased: Vec::new(),
            news: News::default(),
            has_buried: false,
            requests,
            messages,
            unreadable,
        }
    }

    /// How many messages there are.
    pub(crate) fn len(&self) -> usize {
        self.messages.len() + self.unreadable.len()
    }

    /// Whom the requests have erased by now.
    pub(crate) fn erased(&self) -> &[UserId] {
        &self.erased
    }

    /// Whether something became a dead letter.
    pub(crate) fn has_buried(&self) -> bool {
        self.has_buried
    }

    /// What there is to answer and to tell once everything is done.
    pub(crate) fn into_replies_and_news(self) -> (Vec<Reply>, News) {
        (self.replies, self.news)
    }

    /// Applies what can be applied and dead-letters the rest.
    ///
    /// # Errors
    /// Where a server fails. To go on later is right then.
    pub(crate) async fn go_on(&mut self, store: &Store, dead: &DeadLetters) -> Result<(), RunError> {
        while let Some((message, error)) = self.unreadable.last() {
            dead.bury(&message.properties, &message.data, &error.to_string()).await?;
            self.has_buried = true;
            self.unreadable.pop();
        }
        while let Some(span) = self.spans.last().cloned() {
            if span.is_empty() {
                self.spans.pop();
                continue;
            }
            let rest = match batch::apply(store, &self.requests[span.clone()]).await {
                Ok(Applied { outcomes, news }) => {
                    self.news.extend(news);
                    span.zip(outcomes).for_each(|(index, outcome)| self.reply(index, outcome));
                    Vec::new()
                }
                Err(error) if !error.is_lasting() => return Err(error.into()),
                Err(error) if span.len() == 1 => {
                    let message = &self.messages[span.start];
                    dead.bury(&message.properties, &message.data, &error.to_string()).await?;
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
