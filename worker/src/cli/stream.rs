//! `stream`: the event streams of an organization.

use clap::{Args, Subcommand};
use rollcall_events::address::AllowList;
use rollcall_events::name::{DisplayName, Label};
use rollcall_events::request::{ChangeStream, StreamChange};
use rollcall_events::stream::{Delivery, Endpoint, StreamSettings};
use rollcall_events::token::Token;
use rollcall_events::{OrganizationId, StreamId, WorkspaceId};
use rollcall_scim::event::Event;
use serde_json::json;
use std::collections::BTreeSet;

use super::error::CommandError;
use super::list;
use super::print::print;
use crate::background::push::check_endpoint;
use crate::settings::Settings;
use crate::submit::submit;

#[derive(Debug, Subcommand)]
pub(crate) enum StreamCommand {
    /// Create a stream. By default the receiver polls it (RFC 8936) with a token, which is printed and cannot
    /// be shown again. With --push the worker sends the events to the receiver.
    Create(Box<CreateStream>),
    /// List an organization's streams with their delivery positions.
    List {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
    },
    /// Resume a stream that was paused because its receiver failed. Delivery continues after the last
    /// accepted event.
    Resume {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
        /// Id of the stream.
        stream: StreamId,
    },
    /// Delete a stream, effective immediately.
    Delete {
        /// Id of the organization.
        #[arg(long)]
        organization: OrganizationId,
        /// Id of the stream.
        stream: StreamId,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CreateStream {
    /// Id of the organization.
    #[arg(long)]
    pub(super) organization: OrganizationId,
    /// A display name.
    #[arg(long)]
    pub(super) label: Label,
    /// Audience of the events: the `aud` claim that the receiver expects, such as receiver.example.com.
    #[arg(long)]
    pub(super) audience: DisplayName,
    /// Event type to deliver, such as prov:create:full or prov:delete. Repeat for several types. Default: all
    /// types, as events that contain the changed data.
    #[arg(long = "event")]
    pub(super) events: Vec<Event>,
    /// Deliver only events about members of this workspace. Repeat for several workspaces.
    #[arg(long = "workspace")]
    pub(super) workspaces: Vec<WorkspaceId>,
    /// Also deliver events from before the stream was created.
    #[arg(long)]
    pub(super) from_start: bool,
    /// Endpoint to push events to (RFC 8935).
    #[arg(long, conflicts_with = "allow")]
    pub(super) push: Option<Endpoint>,
    /// Addresses that the receiver may poll from: a comma-separated list of addresses, networks and
    /// first-last ranges. Default: all.
    #[arg(long)]
    pub(super) allow: Option<AllowList>,
}

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
