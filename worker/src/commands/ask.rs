//! Publishes a request like the api does, and awaits its outcome.

use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Confirmation, Consumer};
use rollcall_events::actor::Actor;
use rollcall_events::envelope::{ReplyTo, decode_outcomes, encode, properties};
use rollcall_events::outcome::Outcome;
use rollcall_events::request::{Request, RequestBody, SettingsRequested};
use rollcall_events::topology::{REQUESTED_EXCHANGE, declare, partition, queue_name};
use rollcall_events::{CorrelationId, EventId, OrganizationId, Timestamp};
use std::time::Duration;

use super::CommandError;
use crate::database::{answered, broker};
use crate::settings::Settings;

const APP_ID: &str = "rollcall-worker";

/// Asks for a change of settings; returns once it is committed.
pub(crate) async fn ask(settings: &Settings, organization_id: OrganizationId, change: SettingsRequested) -> Result<(), CommandError> {
    ask_as(settings, organization_id, EventId::generate(), change).await
}

/// The same under an id of one's own: however often it is asked for, it is recorded once.
pub(crate) async fn ask_as(
    settings: &Settings,
    organization_id: OrganizationId,
    id: EventId,
    change: SettingsRequested,
) -> Result<(), CommandError> {
    let request = Request {
        id,
        organization_id,
        requested_at: Timestamp::now(),
        actor: Actor::operator("rollcall-worker"),
        fingerprint: None,
        body: RequestBody::SettingsRequested(change),
    };
    let connection = broker(&settings.amqp_url, APP_ID).await?;
    let channel = answered(connection.create_channel()).await?;
    answered(channel.confirm_select(ConfirmSelectOptions::default())).await?;
    answered(declare(&channel, settings.partitions)).await?;
    let exclusive = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
    let answers = answered(channel.queue_declare("".into(), exclusive, FieldTable::default())).await?;
    let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
    let consumer = answered(channel.basic_consume(answers.name().clone(), "answers".into(), options, FieldTable::default())).await?;
    let key = queue_name(partition(organization_id, settings.partitions));
    let reply = ReplyTo { queue: answers.name().as_str(), correlation_id: CorrelationId::generate() };
    let properties = properties(&request, APP_ID, Some(reply));
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let body = encode(&request)?;
    let confirm = answered(channel.basic_publish(REQUESTED_EXCHANGE.into(), key.as_str().into(), options, &body, properties)).await?;
    if !matches!(answered(confirm).await?, Confirmation::Ack(None)) {
        return Err(CommandError::NotConfirmed);
    }
    let seconds = settings.command_timeout_seconds;
    let outcome = tokio::time::timeout(Duration::from_secs(seconds), answer(consumer, reply.correlation_id)).await;
    match outcome.map_err(|_| CommandError::NoOutcome { event_id: request.id, seconds })?? {
        Outcome::Applied { .. } => Ok(()),
        Outcome::Rejected(error) => Err(CommandError::Refused(error)),
        Outcome::Failed => Err(CommandError::Failed(request.id)),
    }
}

async fn answer(mut consumer: Consumer, id: CorrelationId) -> Result<Outcome, CommandError> {
    while let Some(delivery) = consumer.next().await {
        let outcomes = decode_outcomes(&delivery?.data)?.outcomes;
        if let Some((_, outcome)) = outcomes.into_iter().find(|(answered, _)| *answered == id) {
            return Ok(outcome);
        }
    }
    Err(CommandError::NotConfirmed)
}
