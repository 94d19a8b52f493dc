//! How far the receivers of event streams have come, as they acknowledge it.

use rollcall_events::request::StreamAcknowledged;
use rollcall_events::stream::Position;
use rollcall_events::{OrganizationId, StreamId};
use std::collections::BTreeMap;

use crate::script::{Script, columns};
use crate::store::{array_text, place};

/// Every statement of this room, to be prepared.
pub(crate) const STATEMENTS: &[&str] = &[MERGE];

/// A position never goes back; that of a stream that is gone is nobody's.
pub(crate) const MERGE: &str = "
    INSERT INTO stream_positions AS p (organization_id, stream_id, seq, beyond)
    SELECT s.organization_id, s.id, k.seq, k.beyond::bigint[]
    FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[]) AS k (organization_id, id, seq, beyond)
    JOIN event_streams s ON s.organization_id = k.organization_id AND s.id = k.id
    ON CONFLICT (organization_id, stream_id) DO UPDATE SET
        seq = greatest(p.seq, excluded.seq),
        beyond = ARRAY (
            SELECT DISTINCT b FROM unnest(p.beyond || excluded.beyond) AS b WHERE b > greatest(p.seq, excluded.seq) ORDER BY b LIMIT 10000
        ),
        failing_since = CASE WHEN excluded.seq > p.seq THEN NULL ELSE p.failing_since END";

/// What a batch acknowledges, each stream once.
#[derive(Default)]
pub(crate) struct Positions(BTreeMap<(OrganizationId, StreamId), Position>);

impl Positions {
    /// Takes in an acknowledgement.
    pub(crate) fn take(&mut self, organization: OrganizationId, acknowledged: &StreamAcknowledged) {
        self.0.entry((organization, acknowledged.stream_id)).or_default().merge(acknowledged.position.clone());
    }

    /// What is to be written.
    pub(crate) fn script(&self, script: &mut Script<'_>) {
        let (organizations, ids): (Vec<_>, Vec<_>) = self.0.keys().copied().unzip();
        let seqs: Vec<_> = self.0.values().map(|position| place(position.seq)).collect();
        let beyond: Vec<_> = self.0.values().map(|position| array_text(position.beyond.iter().map(u64::to_string))).collect();
        script.add_if(!ids.is_empty(), MERGE, columns![organizations, ids, seqs, beyond]);
    }
}
