//! The request client: submits a request and awaits what becomes of it.

use rollcall_events::EventId;
use rollcall_events::outcome::Outcome;
use rollcall_events::request::Request;
use rollcall_scim::resource::Attributes;
use std::time::{Duration, Instant};

use crate::error::ApiError;
use crate::pending::PendingReplies;
use crate::publish::{NotConfirmed, Publisher};
use crate::scim::Prefer;

/// Submits requests.
pub(crate) struct RequestClient {
    publisher: Publisher,
    waiting: PendingReplies,
    wait: Duration,
}

/// What is known of a request when its caller is answered.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    /// It is committed; the resource as it is now, as far as there is one.
    Applied(Option<Attributes>),
    /// It is on a durable queue and will be decided.
    Accepted(EventId),
}

impl RequestClient {
    /// A client where calls wait for at most `wait`.
    pub(crate) fn new(publisher: Publisher, waiting: PendingReplies, wait: Duration) -> Self {
        Self { publisher, waiting, wait }
    }

    /// `RabbitMQ`, as the request client sees it.
    pub(crate) fn publisher(&self) -> &Publisher {
        &self.publisher
    }

    /// The calls that wait.
    pub(crate) fn waiting(&self) -> &PendingReplies {
        &self.waiting
    }

    /// Submits a request and waits for its outcome for as long as the caller and the settings allow.
    ///
    /// # Errors
    /// The refusal where it was refused; 503 where it is not certain that `RabbitMQ` has it: then it may be applied all the same.
    pub(crate) async fn submit(&self, request: Request, prefer: &Prefer) -> Result<Answer, ApiError> {
        let deadline = self.deadline(prefer);
        if prefer.respond_async {
            self.publish(&request).await?;
            return Ok(Answer::Accepted(request.id));
        }
        let slot = self.waiting.enter().ok_or(ApiError::Unavailable("too many calls wait for their outcomes"))?;
        let publishing = self.publisher.publish(&request, Some(&slot))?;
        // What has an outcome is committed, and needs no confirm besides.
        let Some(outcome) = slot.outcome(deadline).await else {
            publishing.confirmed().await?;
            return Ok(Answer::Accepted(request.id));
        };
        answer(request.id, outcome)
    }

    /// Until when an outcome is awaited: as long as the caller and the settings allow.
    pub(crate) fn deadline(&self, prefer: &Prefer) -> Instant {
        Instant::now() + prefer.wait.unwrap_or(self.wait).min(self.wait)
    }

    /// Submits requests of one organization in their order, and waits for the outcome of each.
    pub(crate) async fn submit_all(&self, requests: &[Request], deadline: Instant) -> Vec<Result<Answer, ApiError>> {
        let tickets: Vec<_> = requests.iter().map_while(|_| self.waiting.enter()).collect();
        let confirms = self.publisher.publish_all(requests.iter().zip(&tickets).map(|(request, slot)| (request, Some(slot)))).await;
        let mut answers = Vec::with_capacity(requests.len());
        for ((request, slot), confirm) in requests.iter().zip(tickets).zip(confirms) {
            answers.push(match confirm {
                Ok(()) => slot.outcome(deadline).await.map_or(Ok(Answer::Accepted(request.id)), |outcome| answer(request.id, outcome)),
                Err(error) => Err(error.into()),
            });
        }
        answers.resize_with(requests.len(), || Err(ApiError::Unavailable("too many calls wait for their outcomes")));
        answers
    }

    /// Publishes requests of one organization in their order, whose outcomes nobody awaits.
    ///
    /// # Errors
    /// Where it is not certain that `RabbitMQ` has all of them.
    pub(crate) async fn publish_all(&self, requests: &[Request]) -> Result<(), ApiError> {
        let confirms = self.publisher.publish_all(requests.iter().map(|request| (request, None))).await;
        confirms.into_iter().collect::<Result<(), _>>().map_err(ApiError::from)
    }

    /// Publishes a request whose outcome nobody awaits.
    ///
    /// # Errors
    /// Where it is not certain that `RabbitMQ` has it.
    pub(crate) async fn publish(&self, request: &Request) -> Result<(), NotConfirmed> {
        self.publisher.publish(request, None)?.confirmed().await
    }
}

fn answer(id: EventId, outcome: Outcome) -> Result<Answer, ApiError> {
    match outcome {
        Outcome::Applied { resource } => {
            let unreadable =
                |error| ApiError::Internal(format!("the outcome of {id} cannot be read: {error}; are api and worker of the same version?"));
            Ok(Answer::Applied(resource.map(|committed| committed.read()).transpose().map_err(unreadable)?))
        }
        Outcome::Rejected(error) => Err(error.into()),
        Outcome::Failed => Err(ApiError::Internal(format!("the request {id} is a dead letter"))),
    }
}

impl From<NotConfirmed> for ApiError {
    fn from(error: NotConfirmed) -> Self {
        tracing::warn!(%error, "a request is not confirmed");
        // Even one that was not sent for sure is told of in this way: a caller that repeats it with its key is right in every case.
        Self::Unsettled("rabbitmq")
    }
}
