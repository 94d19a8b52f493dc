//! Event streams.

use rollcall_events::{OrganizationId, StreamId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::types::Json;

use super::{Key, delete};
use crate::decide::Stream;
use crate::script::{Script, columns};
use crate::store::place;

/// Every statement of this room, to be prepared.
pub(crate) const STATEMENTS: &[&str] = &[PUT_STREAMS, SWITCH_STREAMS, DELETE_STREAMS];

const PUT_STREAMS: &str = "
    INSERT INTO event_streams (
        organization_id, id, label, audience, events, workspaces, digest, allow_list, endpoint, begins_after, created_at, enabled, enabled_at
    )
    SELECT s.organization_id, s.id, s.settings ->> 'label', s.settings ->> 'audience',
        ARRAY (SELECT jsonb_array_elements_text(s.settings -> 'events')),
        ARRAY (SELECT jsonb_array_elements_text(s.settings -> 'workspaces')::uuid),
        decode(s.settings #>> '{delivery,poll,digest}', 'hex'), s.settings #>> '{delivery,poll,allow_list}', s.settings #>> '{delivery,push,endpoint}',
        CASE WHEN (s.settings ->> 'from_start')::boolean THEN 0 ELSE s.seq END, s.created_at, true, s.created_at
    FROM unnest($1::uuid[], $2::uuid[], $3::jsonb[], $4::bigint[], $5::timestamptz[]) AS s (organization_id, id, settings, seq, created_at)";

const SWITCH_STREAMS: &str = "
    UPDATE event_streams s SET enabled = k.reason IS NULL, enabled_at = k.at, reason = k.reason
    FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[]) AS k (organization_id, id, at, reason)
    WHERE s.organization_id = k.organization_id AND s.id = k.id";

const DELETE_STREAMS: &str = delete_by!("event_streams", "id");

/// What a batch does to event streams.
#[derive(Default)]
pub(super) struct Streams {
    /// Each with its place in the log.
    put: BTreeMap<Key<StreamId>, (u64, Stream)>,
    /// When each was switched last, and why off.
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

    /// Whose were touched.
    pub(super) fn organizations(&self) -> impl Iterator<Item = OrganizationId> {
        self.put.keys().chain(self.switched.keys()).chain(&self.deleted).map(|key| key.0)
    }

    /// What is to be written, in this order: one that was made and deleted in a batch is gone after it.
    pub(super) fn script<'a>(&'a self, script: &mut Script<'a>) {
        self.put_streams(script);
        self.switch_streams(script);
        delete(script, DELETE_STREAMS, self.deleted.iter().map(|(organization, id)| (*organization, id.0)));
    }

    fn put_streams<'a>(&'a self, script: &mut Script<'a>) {
        let (organizations, ids): (Vec<_>, Vec<_>) = self.put.keys().copied().unzip();
        let settings: Vec<_> = self.put.values().map(|row| Json(&row.1.settings)).collect();
        let seqs: Vec<_> = self.put.values().map(|row| place(row.0)).collect();
        let created: Vec<_> = self.put.values().map(|row| row.1.created_at).collect();
        script.add_if(!ids.is_empty(), PUT_STREAMS, columns![organizations, ids, settings, seqs, created]);
    }

    fn switch_streams<'a>(&'a self, script: &mut Script<'a>) {
        let (organizations, ids): (Vec<_>, Vec<_>) = self.switched.keys().copied().unzip();
        let times: Vec<_> = self.switched.values().map(|row| row.0).collect();
        let reasons: Vec<_> = self.switched.values().map(|row| row.1.as_deref()).collect();
        script.add_if(!ids.is_empty(), SWITCH_STREAMS, columns![organizations, ids, times, reasons]);
    }
}
