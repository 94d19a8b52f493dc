//! How far the receivers of event streams have come, as they acknowledge it.

use rollcall_events::request::StreamAcknowledged;
use rollcall_events::stream::Position;
use rollcall_events::{OrganizationId, StreamId};
use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::db::{StatementBatch, array_text, rows, seq_column};

/// Every statement, to be prepared.
pub(crate) fn statements() -> impl Iterator<Item = &'static str> {
    [MERGE.as_str()].into_iter()
}

/// A position never goes back; that of a stream that is gone is nobody's.
pub(crate) static MERGE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO stream_positions AS p (organization_id, stream_id, seq, beyond)
        SELECT s.organization_id, s.id, r.seq, r.beyond::bigint[]
        FROM {}
        JOIN event_streams s ON s.organization_id = r.organization_id AND s.id = r.id
        ON CONFLICT (organization_id, stream_id) DO UPDATE SET
            seq = greatest(p.seq, excluded.seq),
            beyond = ARRAY (
                SELECT DISTINCT b FROM unnest(p.beyond || excluded.beyond) AS b WHERE b > greatest(p.seq, excluded.seq) ORDER BY b LIMIT 10000
            ),
            failing_since = CASE WHEN excluded.seq > p.seq THEN NULL ELSE p.failing_since END",
        PositionRows::source(1)
    )
});

rows! {
    /// How far receivers have come.
    pub(crate) struct PositionRows {
        organization_id: OrganizationId => "uuid",
        id: StreamId => "uuid",
        seq: i64 => "bigint",
        beyond: String => "text",
    }
}

/// What a batch acknowledges, each stream once.
#[derive(Default)]
pub(crate) struct Positions(BTreeMap<(OrganizationId, StreamId), Position>);

impl Positions {
    /// Takes in an acknowledgement.
    pub(crate) fn take(&mut self, organization: OrganizationId, acknowledged: &StreamAcknowledged) {
        self.0.entry((organization, acknowledged.stream_id)).or_default().merge(acknowledged.position.clone());
    }

    /// The rows to be written.
    pub(crate) fn rows(&self) -> PositionRows {
        let mut rows = PositionRows::default();
        for ((organization, id), position) in &self.0 {
            rows.organization_id.push(*organization);
            rows.id.push(*id);
            rows.seq.push(seq_column(position.seq));
            rows.beyond.push(array_text(position.beyond.iter().map(u64::to_string)));
        }
        rows
    }
}

impl PositionRows {
    /// Lists what is to be written.
    pub(crate) fn add_to<'a>(&'a self, batch: &mut StatementBatch<'a>) {
        batch.add_if(!self.is_empty(), &MERGE, || self.parameters());
    }
}
