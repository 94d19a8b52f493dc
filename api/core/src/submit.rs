//! The request client: publishes requests and waits for their outcomes.

use rollcall_events::EventId;
use rollcall_events::outcome::Outcome;
use rollcall_events::request::Request;
use rollcall_scim::resource::Attributes;
use std::time::{Duration, Instant};

use crate::error::ApiError;
use crate::http::Prefer;
use crate::pending::PendingReplies;
use crate::publish::{NotConfirmed, Publisher};

/// Publishes requests and waits for their outcomes.
pub struct RequestClient {
    publisher: Publisher,
    pending: PendingReplies,
    wait: Duration,
}

/// The result of a submitted request.
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// The request was applied and committed. With the resource after the change, if there is one.
    Applied(Option<Attributes>),
    /// The request is on a durable queue. Its outcome is not known yet.
    Accepted(EventId),
}

impl RequestClient {
    /// A client whose calls wait for at most `wait`.
    pub fn new(publisher: Publisher, pending: PendingReplies, wait: Duration) -> Self {
        Self { publisher, pending, wait }
    }

    /// The publisher of this client.
    pub fn publisher(&self) -> &Publisher {
        &self.publisher
    }

    /// The pending replies of this client.
    pub fn pending(&self) -> &PendingReplies {
        &self.pending
    }

    /// Submits a request and waits for its outcome, for as long as the caller and the settings allow.
    ///
    /// # Errors
    /// The SCIM error of a rejection. 503 if it is not certain that `RabbitMQ` has the request; it may be
    /// applied nevertheless.
    pub async fn submit(&self, request: Request, prefer: &Prefer) -> Result<Answer, ApiError> {
        let deadline = self.deadline(prefer);
        if prefer.respond_async {
            self.publish(&request).await?;
            return Ok(Answer::Accepted(request.id));
        }
        let slot = self.pending.reserve().ok_or(ApiError::Unavailable("too many calls wait for their outcomes"))?;
        let publishing = self.publisher.publish(&request, Some(&slot))?;
        // An outcome means that the request is committed. The confirm does not matter then.
        let Some(outcome) = slot.outcome(deadline).await else {
            publishing.confirmed().await?;
            return Ok(Answer::Accepted(request.id));
        };
        answer(request.id, outcome)
    }

    /// The time until which an outcome is awaited. The caller can shorten the wait of the settings.
    pub fn deadline(&self, prefer: &Prefer) -> Instant {
        Instant::now() + prefer.wait.unwrap_or(self.wait).min(self.wait)
    }

    /// Submits requests of one organization in their order, and waits for their outcomes until `deadline`.
    pub async fn submit_all(&self, requests: &[Request], deadline: Instant) -> Vec<Result<Answer, ApiError>> {
        let slots: Vec<_> = requests.iter().map_while(|_| self.pending.reserve()).collect();
        let confirms =
            self.publisher.publish_all(requests.iter().zip(&slots).map(|(request, slot)| (request, Some(slot)))).await;
        let mut answers = Vec::with_capacity(requests.len());
        for ((request, slot), confirm) in requests.iter().zip(slots).zip(confirms) {
            answers.push(match confirm {
                Ok(()) => slot
                    .outcome(deadline)
                    .await
                    .map_or(Ok(Answer::Accepted(request.id)), |outcome| answer(request.id, outcome)),
                Err(error) => Err(error.into()),
            });
        }
        answers.resize_with(requests.len(), || Err(ApiError::Unavailable("too many calls wait for their outcomes")));
        answers
    }

    /// Publishes requests of one organization in their order, without waiting for their outcomes.
    ///
    /// # Errors
    /// If it is not certain that `RabbitMQ` has all of them.
    pub async fn publish_all(&self, requests: &[Request]) -> Result<(), ApiError> {
        let confirms = self.publisher.publish_all(requests.iter().map(|request| (request, None))).await;
        confirms.into_iter().collect::<Result<(), _>>().map_err(ApiError::from)
    }

    /// Publishes a request without waiting for its outcome.
    ///
    /// # Errors
    /// If it is not certain that `RabbitMQ` has it.
    pub async fn publish(&self, request: &Request) -> Result<(), NotConfirmed> {
        self.publisher.publish(request, None)?.confirmed().await
    }
}

fn answer(id: EventId, outcome: Outcome) -> Result<Answer, ApiError> {
    match outcome {
        Outcome::Applied { resource } => {
            let unreadable = |error| {
                ApiError::Internal(format!(
                    "the outcome of {id} cannot be read: {error}; do the api and the worker have the same version?"
                ))
            };
            Ok(Answer::Applied(resource.map(|committed| committed.read()).transpose().map_err(unreadable)?))
        }
        Outcome::Rejected(error) => Err(error.into()),
        Outcome::Failed => Err(ApiError::Internal(format!("the request {id} became a dead letter"))),
    }
}

impl From<NotConfirmed> for ApiError {
    fn from(error: NotConfirmed) -> Self {
        tracing::warn!(%error, "a request was not confirmed");
        // This is the answer even if the request was certainly not sent. A caller that repeats it with the
        // same Idempotency-Key is right in both cases.
        Self::OutcomeUnknown("rabbitmq")
    }
}
