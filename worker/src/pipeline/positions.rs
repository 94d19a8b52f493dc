//! The positions of event streams, as their receivers acknowledge them.

use rollcall_events::request::StreamAcknowledged;
use rollcall_events::stream::Position;
use rollcall_events::{OrganizationId, StreamId};
use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::db::{StatementBatch, array_text, rows, seq_column};

/// All statements of this module, for preparation.
pub(crate) fn statements() -> impl Iterator<Item = &'static str> {
    [MERGE.as_str()].into_iter()
}

/// A position never moves back. The position of a deleted stream is ignored. So is a position that was read before a
/// restore was accepted, because that has moved all positions back.
pub(crate) static MERGE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO stream_positions AS p (organization_id, stream_id, seq, beyond)
        SELECT s.organization_id, s.id, r.seq, r.beyond::bigint[]
        FROM {}
        JOIN event_streams s ON s.organization_id = r.organization_id AND s.id = r.id
        JOIN log_heads h ON h.organization_id = r.organization_id AND h.restores = r.restores
        ON CONFLICT (organization_id, stream_id) DO UPDATE SET
            seq = greatest(p.seq, excluded.seq),
            beyond = ARRAY (
                SELECT DISTINCT b FROM unnest(p.beyond || excluded.beyond) AS b WHERE b > greatest(p.seq, excluded.seq)
                ORDER BY b LIMIT 10000
            ),
            failing_since = CASE WHEN excluded.seq > p.seq THEN NULL ELSE p.failing_since END",
        PositionRows::source(1)
    )
});

rows! {
    /// The positions to write.
    pub(crate) struct PositionRows {
        organization_id: OrganizationId => "uuid",
        id: StreamId => "uuid",
        seq: i64 => "bigint",
        beyond: String => "text",
        restores: i64 => "bigint",
    }
}

/// The acknowledged positions of a batch, one per stream.
#[derive(Default)]
pub(crate) struct Positions(BTreeMap<(OrganizationId, StreamId), Position>);

impl Positions {
    /// Adds an acknowledgement.
    pub(crate) fn take(&mut self, organization: OrganizationId, acknowledged: &StreamAcknowledged) {
        self.0.entry((organization, acknowledged.stream_id)).or_default().merge(acknowledged.position.clone());
    }

    /// The rows to write.
    pub(crate) fn rows(&self) -> PositionRows {
        let mut rows = PositionRows::default();
        for ((organization, id), position) in &self.0 {
            rows.organization_id.push(*organization);
            rows.id.push(*id);
            rows.seq.push(seq_column(position.seq));
            rows.beyond.push(array_text(position.beyond.iter().map(u64::to_string)));
            rows.restores.push(position.restores);
        }
        rows
    }
}

impl PositionRows {
    /// Adds the statement.
    pub(crate) fn add_to<'a>(&'a self, batch: &mut StatementBatch<'a>) {
        batch.add_if(!self.is_empty(), &MERGE, || self.parameters());
    }
}
