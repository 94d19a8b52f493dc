//! `stream`: the event streams of an organization.

use rollcall_events::StreamId;
use rollcall_events::request::{ChangeStream, StreamChange};
use rollcall_events::stream::{Delivery, StreamSettings};
use rollcall_events::token::Token;
use rollcall_scim::event::Event;
use serde_json::json;
use std::collections::BTreeSet;

use super::args::{CreateStream, StreamCommand};
use super::error::CommandError;
use super::list;
use super::print::print;
use crate::background::push::check_endpoint;
use crate::settings::Settings;
use crate::submit::submit;

pub(super) async fn run(settings: &Settings, command: StreamCommand) -> Result<(), CommandError> {
    match command {
        StreamCommand::Create(create) => self::create(settings, *create).await,
        StreamCommand::List { organization } => list::streams(settings, organization).await,
        StreamCommand::Resume { organization, stream } => {
            submit(settings, organization, ChangeStream { stream_id: stream, change: StreamChange::Resume }).await?;
            print(&json!({"id": stream, "resumed": true}));
            Ok(())
        }
        StreamCommand::Delete { organization, stream } => {
            submit(settings, organization, ChangeStream { stream_id: stream, change: StreamChange::Delete }).await?;
            print(&json!({"id": stream, "deleted": true}));
            Ok(())
        }
    }
}

async fn create(settings: &Settings, create: CreateStream) -> Result<(), CommandError> {
    let stream_id = StreamId::generate();
    let (delivery, token) = if let Some(endpoint) = create.push {
        check_endpoint(&endpoint, settings.push_to_private_addresses)?;
        (Delivery::Push { endpoint }, None)
    } else {
        let token = Token::generate()?;
        (Delivery::Poll { digest: token.digest(), allow_list: create.allow }, Some(token))
    };
    let chosen = StreamSettings {
        label: create.label,
        audience: create.audience,
        events: if create.events.is_empty() { default_events() } else { create.events.into_iter().collect() },
        workspaces: create.workspaces.into_iter().collect(),
        from_start: create.from_start,
        delivery,
    };
    submit(settings, create.organization, ChangeStream { stream_id, change: StreamChange::Create(chosen) }).await?;
    print(&match token {
        Some(token) => {
            json!({
                "id": stream_id, "token": token.reveal(),
                "poll": format!("{}/streams/v1/{stream_id}/poll", settings.public_url)
            })
        }
        None => json!({"id": stream_id}),
    });
    Ok(())
}

/// The default events: all except the notices, because the full events already contain the changed data.
fn default_events() -> BTreeSet<Event> {
    let notices = [Event::CreateNotice, Event::PatchNotice, Event::PutNotice];
    Event::ALL.iter().copied().filter(|event| !notices.contains(event)).collect()
}
