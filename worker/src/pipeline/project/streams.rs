//! Projects event streams.

use rollcall_events::stream::StreamSettings;
use rollcall_events::{OrganizationId, StreamId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use tokio_postgres::types::Json;

use super::rows::{Ids, Key, delete_by};
use crate::db::{StatementBatch, rows, seq_column};
use crate::pipeline::decide::Stream;

/// All statements of this module, to be prepared.
pub(super) fn statements() -> impl Iterator<Item = &'static str> {
    [&INSERT_STREAMS, &SWITCH_STREAMS, &DELETE_STREAMS].into_iter().map(|sql| sql.as_str())
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

static INSERT_STREAMS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO event_streams (
            organization_id, id, label, audience, events, workspaces, digest, allow_list, endpoint, begins_after, created_at, enabled, enabled_at
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

static SWITCH_STREAMS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE event_streams s SET enabled = r.reason IS NULL, enabled_at = r.at, reason = r.reason
        FROM {} WHERE s.organization_id = r.organization_id AND s.id = r.id",
        SwitchedRows::source(1)
    )
});

static DELETE_STREAMS: LazyLock<String> = LazyLock::new(|| delete_by("event_streams", "id"));

/// The changes of a batch to event streams.
#[derive(Default)]
pub(super) struct Streams {
    /// The new streams, each with the seq of its creation.
    put: BTreeMap<Key<StreamId>, (u64, Stream)>,
    /// When each stream was last paused or resumed, and why it was paused.
    switched: BTreeMap<Key<StreamId>, (Timestamp, Option<String>)>,
    deleted: BTreeSet<Key<StreamId>>,
}

impl Streams {
    pub(super) fn put(&mut self, organization: OrganizationId, seq: u64, stream: Stream) {
        self.put.insert((organization, stream.id), (seq, stream));
    }

    pub(super) fn switch(&mut self, organization: OrganizationId, id: StreamId, at: Timestamp, reason: Option<String>) {
        self.switched.insert((organization, id), (at, reason));
    }

    pub(super) fn delete(&mut self, organization: OrganizationId, id: StreamId) {
        self.deleted.insert((organization, id));
    }

    /// The organizations whose streams change.
    pub(super) fn organizations(&self) -> impl Iterator<Item = OrganizationId> {
        self.put.keys().chain(self.switched.keys()).chain(&self.deleted).map(|key| key.0)
    }

    pub(super) fn rows(&self) -> StreamRows {
        let mut rows =
            StreamRows { deleted: self.deleted.iter().map(|(of, id)| (*of, id.0)).collect(), ..StreamRows::default() };
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
}

/// The rows of event streams that a batch writes.
#[derive(Default)]
pub(super) struct StreamRows {
    created: CreatedRows,
    switched: SwitchedRows,
    deleted: Ids,
}

impl StreamRows {
    /// Adds the statements in the order in which they must run. The deletions are last, so that a stream that
    /// is created and deleted in one batch is gone.
    pub(super) fn add_to<'a>(&'a self, batch: &mut StatementBatch<'a>) {
        batch.add_if(!self.created.is_empty(), &INSERT_STREAMS, || self.created.parameters());
        batch.add_if(!self.switched.is_empty(), &SWITCH_STREAMS, || self.switched.parameters());
        batch.add_if(!self.deleted.is_empty(), &DELETE_STREAMS, || self.deleted.parameters());
    }
}
