//! Event streams.

use rollcall_events::log::{EventType, SubjectType};
use rollcall_events::request::{ChangeStream, Request, StreamChange};
use rollcall_events::stream::StreamSettings;
use rollcall_events::{OrganizationId, StreamId, Timestamp};
use rollcall_scim::ScimError;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::kind::{ChangeRequest, Kind, Listeners, SettingFact, checked, no_workspace};
use crate::db::{StatementBatch, rows, seq_column};
use crate::fact::{Fact, MalformedFact};
use crate::pipeline::decision::Interrupt;
use crate::pipeline::rows::{Ids, RowKey, delete_by};
use crate::pipeline::state::{Key, NotLoaded, State, look_up_all};

impl ChangeRequest for ChangeStream {
    fn subject(&self, _: OrganizationId) -> (SubjectType, Uuid) {
        (SubjectType::Stream, self.stream_id.0)
    }

    fn operation(&self) -> &'static str {
        match self.change {
            StreamChange::Create(_) => "createStream",
            StreamChange::Pause { .. } => "pauseStream",
            StreamChange::Resume => "resumeStream",
            StreamChange::Delete => "deleteStream",
        }
    }

    fn keys(&self, organization: OrganizationId) -> Vec<Key> {
        let mut keys = vec![Key::Stream(organization, self.stream_id)];
        if let StreamChange::Create(settings) = &self.change {
            keys.extend(settings.workspaces.iter().map(|id| Key::Workspace(organization, *id)));
        }
        keys
    }

    fn check(&self) -> Result<(), ScimError> {
        let StreamChange::Create(settings) = &self.change else { return Ok(()) };
        checked("label", settings.label.check())?;
        checked("audience", settings.audience.check())
    }

    fn decide(&self, state: &State, request: &Request) -> Result<SettingFact, Interrupt> {
        let (organization, id, at) = (request.organization_id, self.stream_id, request.requested_at);
        match (&self.change, state.stream(organization, id)?) {
            (StreamChange::Create(_), Some(_)) => {
                Err(ScimError::uniqueness("there is an event stream with this id already").into())
            }
            (StreamChange::Create(settings), None) => {
                let named = look_up_all(&settings.workspaces, |id| state.workspace(organization, **id))?;
                if let Some((unknown, _)) = named.iter().find(|(_, workspace)| workspace.is_none()) {
                    return Err(no_workspace(**unknown).into());
                }
                let stream = Stream { id, settings: settings.clone(), created_at: at };
                Ok((EventType::StreamCreated, json!({"stream": stream})))
            }
            (_, None) => Err(ScimError::new(404, "there is no such event stream").into()),
            (StreamChange::Pause { reason }, Some(true)) => {
                Ok((EventType::StreamPaused, json!({"at": at, "reason": reason})))
            }
            (StreamChange::Pause { .. }, Some(false)) => {
                Err(ScimError::new(409, "the event stream is paused already").into())
            }
            (StreamChange::Resume, Some(false)) => Ok((EventType::StreamResumed, json!({"at": at}))),
            (StreamChange::Resume, Some(true)) => Err(ScimError::new(409, "the event stream is not paused").into()),
            (StreamChange::Delete, Some(_)) => Ok((EventType::StreamDeleted, json!({"operation": self.operation()}))),
        }
    }
}

/// An event stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stream {
    id: StreamId,
    settings: StreamSettings,
    created_at: Timestamp,
}

/// A change of an event stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    Put(Stream),
    /// `reason` says why the stream is paused; `None` if it is resumed.
    Switch {
        id: StreamId,
        at: Timestamp,
        reason: Option<String>,
    },
    Delete(StreamId),
}

/// Reads the change from a `StreamCreated` fact.
pub(super) fn created(fact: &Fact) -> Result<Change, MalformedFact> {
    fact.read("stream").map(Change::Put)
}

/// Reads the change from a `StreamPaused` fact.
pub(super) fn paused(fact: &Fact) -> Result<Change, MalformedFact> {
    Ok(Change::Switch { id: StreamId(fact.subject()?), at: fact.read("at")?, reason: Some(fact.read("reason")?) })
}

/// Reads the change from a `StreamResumed` fact.
pub(super) fn resumed(fact: &Fact) -> Result<Change, MalformedFact> {
    Ok(Change::Switch { id: StreamId(fact.subject()?), at: fact.read("at")?, reason: None })
}

/// Reads the change from a `StreamDeleted` fact.
pub(super) fn deleted(fact: &Fact) -> Result<Change, MalformedFact> {
    Ok(Change::Delete(StreamId(fact.subject()?)))
}

/// The changes of a batch to event streams.
#[derive(Default)]
pub(crate) struct Streams {
    /// The new streams, each with the seq of its creation.
    put: BTreeMap<RowKey<StreamId>, (u64, Stream)>,
    /// When each stream was last paused or resumed, and why it was paused.
    switched: BTreeMap<RowKey<StreamId>, (Timestamp, Option<String>)>,
    deleted: BTreeSet<RowKey<StreamId>>,
}

rows! {
    /// New event streams, each with the seq of its creation.
    struct CreatedRows {
        organization_id: OrganizationId => "uuid",
        id: StreamId => "uuid",
        settings: Json<StreamSettings> => "jsonb",
        seq: i64 => "bigint",
        created_at: Timestamp => "timestamptz",
    }
}

rows! {
    /// Event streams that are paused, with a reason, or resumed.
    struct SwitchedRows {
        organization_id: OrganizationId => "uuid",
        id: StreamId => "uuid",
        at: Timestamp => "timestamptz",
        reason: Option<String> => "text",
    }
}

/// The rows of event streams that a batch writes.
#[derive(Default)]
pub(crate) struct StreamRows {
    created: CreatedRows,
    switched: SwitchedRows,
    deleted: Ids,
}

static INSERT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO event_streams (
            organization_id, id, label, audience, events, workspaces, digest, allow_list, endpoint,
            begins_after, created_at, enabled, enabled_at
        )
        SELECT r.organization_id, r.id, r.settings ->> 'label', r.settings ->> 'audience',
            ARRAY (SELECT jsonb_array_elements_text(r.settings -> 'events')),
            ARRAY (SELECT jsonb_array_elements_text(r.settings -> 'workspaces')::uuid),
            decode(r.settings #>> '{{delivery,poll,digest}}', 'hex'), r.settings #>> '{{delivery,poll,allow_list}}',
            r.settings #>> '{{delivery,push,endpoint}}',
            CASE WHEN (r.settings ->> 'from_start')::boolean THEN 0 ELSE r.seq END, r.created_at, true, r.created_at
        FROM {}",
        CreatedRows::source(1)
    )
});

static SWITCH: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE event_streams s SET enabled = r.reason IS NULL, enabled_at = r.at, reason = r.reason
        FROM {} WHERE s.organization_id = r.organization_id AND s.id = r.id",
        SwitchedRows::source(1)
    )
});

static DELETE: LazyLock<String> = LazyLock::new(|| delete_by("event_streams", "id"));

impl Kind for Streams {
    type Change = Change;
    type Rows = StreamRows;

    fn statements() -> Vec<&'static str> {
        vec![&INSERT, &SWITCH, &DELETE]
    }

    fn apply(change: &Change, organization: OrganizationId, state: &mut State) -> Result<(), NotLoaded> {
        match change {
            Change::Put(stream) => state.put_stream(organization, stream.id, Some(true)),
            Change::Switch { id, reason, .. } => state.put_stream(organization, *id, Some(reason.is_none())),
            Change::Delete(id) => state.put_stream(organization, *id, None),
        }
        Ok(())
    }

    fn listeners(_: &Change) -> Listeners {
        Listeners::SERVICES
    }

    fn take(&mut self, organization: OrganizationId, seq: u64, change: Change) {
        match change {
            Change::Put(stream) => {
                self.put.insert((organization, stream.id), (seq, stream));
            }
            Change::Switch { id, at, reason } => {
                self.switched.insert((organization, id), (at, reason));
            }
            Change::Delete(id) => {
                self.deleted.insert((organization, id));
            }
        }
    }

    fn rows(&self) -> StreamRows {
        let deleted = self.deleted.iter().map(|(of, id)| (*of, id.0)).collect();
        let mut rows = StreamRows { deleted, ..StreamRows::default() };
        for ((organization, id), (seq, stream)) in &self.put {
            rows.created.organization_id.push(*organization);
            rows.created.id.push(*id);
            rows.created.settings.push(Json(stream.settings.clone()));
            rows.created.seq.push(seq_column(*seq));
            rows.created.created_at.push(stream.created_at);
        }
        for ((organization, id), (at, reason)) in &self.switched {
            rows.switched.organization_id.push(*organization);
            rows.switched.id.push(*id);
            rows.switched.at.push(*at);
            rows.switched.reason.push(reason.clone());
        }
        rows
    }

    /// Adds the deletions last, so that a stream that is created and deleted in one batch is gone.
    fn add_to<'a>(rows: &'a StreamRows, batch: &mut StatementBatch<'a>) {
        batch.add_if(!rows.created.is_empty(), &INSERT, || rows.created.parameters());
        batch.add_if(!rows.switched.is_empty(), &SWITCH, || rows.switched.parameters());
        batch.add_if(!rows.deleted.is_empty(), &DELETE, || rows.deleted.parameters());
    }
}
