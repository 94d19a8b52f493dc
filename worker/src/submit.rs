//! Publishes a request in the same way as the api, and waits for its outcome.

use futures_util::StreamExt;
use lapin::Consumer;
use lapin::options::{BasicConsumeOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use rollcall_events::actor::Actor;
use rollcall_events::outcome::Outcome;
use rollcall_events::request::{Request, RequestBody, SettingsRequested};
use rollcall_events::{CorrelationId, EventId, OrganizationId, Timestamp};
use rollcall_queue::envelope::{ReplyTo, decode_outcomes, encode, properties};
use rollcall_queue::publish::{ConfirmingChannel, PublishError};
use rollcall_queue::topology::{REQUESTED_EXCHANGE, declare, partition, queue_name};
use std::time::Duration;

use crate::db::{TaskError, answered, broker};
use crate::settings::Settings;
use crate::wait::ANSWER;

/// The request was not applied, or its outcome is unknown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubmitError {
    #[error("rabbitmq: {0}; is it running, and is amqp_url right?")]
    Broker(#[from] lapin::Error),
    #[error("{0}; are postgres and rabbitmq running, and are database_url and amqp_url right?")]
    Server(#[from] TaskError),
    #[error("the request is not confirmed: {0}")]
    NotConfirmed(#[from] PublishError),
    #[error(
        "rabbitmq closed the reply queue; the request is queued and will be applied once a worker serves its partition"
    )]
    RepliesEnded,
    #[error(
        "no outcome came within {seconds} s; the request {event_id} is queued and will be applied once a worker serves \
        its partition"
    )]
    NoOutcome { event_id: EventId, seconds: u64 },
    #[error("rejected: {0}")]
    Rejected(rollcall_scim::ScimError),
    #[error("the worker could not process the request {0}; see its log")]
    Failed(EventId),
    #[error("an outcome cannot be read: {0}; do api and worker have the same version?")]
    Unreadable(#[from] rollcall_queue::envelope::DecodeError),
    #[error("the request cannot be serialized: {0}")]
    NotSerializable(#[from] serde_json::Error),
}

impl SubmitError {
    /// Whether the worker rejected the request.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::Rejected(_))
    }
}

const APP_ID: &str = "rollcall-worker";

/// Requests a change of settings. Returns once the change is committed.
pub(crate) async fn submit(
    settings: &Settings,
    organization_id: OrganizationId,
    change: impl Into<SettingsRequested>,
) -> Result<(), SubmitError> {
    let actor = Actor::operator("rollcall-worker");
    submit_as(settings, organization_id, EventId::generate(), actor, change.into()).await
}

/// Requests a change of settings in the name of the service, under a given event id. Repeated requests with
/// the same id are applied once.
pub(crate) async fn submit_by_service(
    settings: &Settings,
    organization_id: OrganizationId,
    id: EventId,
    change: impl Into<SettingsRequested>,
) -> Result<(), SubmitError> {
    submit_as(settings, organization_id, id, Actor::service("rollcall-worker"), change.into()).await
}

async fn submit_as(
    settings: &Settings,
    organization_id: OrganizationId,
    id: EventId,
    actor: Actor,
    change: SettingsRequested,
) -> Result<(), SubmitError> {
    let request = Request {
        id,
        organization_id,
        requested_at: Timestamp::now(),
        actor,
        fingerprint: None,
        body: RequestBody::settings(change),
    };
    let connection = broker(&settings.amqp_url, APP_ID).await?;
    let channel = answered(connection.create_channel()).await?;
    answered(declare(&channel, settings.partitions)).await?;
    let exclusive = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
    let answers = answered(channel.queue_declare("".into(), exclusive, FieldTable::default())).await?;
    let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
    let consumer =
        answered(channel.basic_consume(answers.name().clone(), "answers".into(), options, FieldTable::default()))
            .await?;
    let key = queue_name(partition(organization_id, settings.partitions));
    let reply = ReplyTo { queue: answers.name().as_str(), correlation_id: CorrelationId::generate() };
    let properties = properties(&request, APP_ID, Some(reply));
    ConfirmingChannel::open(channel, ANSWER)
        .await?
        .publish(REQUESTED_EXCHANGE, &key, &encode(&request)?, properties)
        .await?;
    let seconds = settings.command_timeout_seconds;
    let outcome = tokio::time::timeout(Duration::from_secs(seconds), answer(consumer, reply.correlation_id)).await;
    match outcome.map_err(|_| SubmitError::NoOutcome { event_id: request.id, seconds })?? {
        Outcome::Applied { .. } => Ok(()),
        Outcome::Rejected(error) => Err(SubmitError::Rejected(error)),
        Outcome::Failed => Err(SubmitError::Failed(request.id)),
    }
}

async fn answer(mut consumer: Consumer, id: CorrelationId) -> Result<Outcome, SubmitError> {
    while let Some(delivery) = consumer.next().await {
        let outcomes = decode_outcomes(&delivery?.data)?.outcomes;
        if let Some((_, outcome)) = outcomes.into_iter().find(|(answered, _)| *answered == id) {
            return Ok(outcome);
        }
    }
    Err(SubmitError::RepliesEnded)
}
