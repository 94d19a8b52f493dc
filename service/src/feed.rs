//! Reads event streams and the changes that they deliver from rows.

use rollcall_events::feed::{Feed, LoggedChange};
use rollcall_events::log::EventType;
use rollcall_events::stream::Position;
use rollcall_events::{OrganizationId, StreamId, WorkspaceId};
use serde_json::Value;
use std::collections::BTreeSet;
use tokio_postgres::Row;

use crate::entries::{MalformedEntry, hash};

/// The columns and tables of a stream `s` and of its receiver's position `p`.
pub const STREAM_COLUMNS: &str = "
    s.organization_id, s.id, s.audience, s.events, s.workspaces, COALESCE(p.seq, s.begins_after) AS seq,
    COALESCE(p.beyond, '{}') AS beyond,
    COALESCE((SELECT h.restores FROM log_heads h WHERE h.organization_id = s.organization_id), 0) AS restores
    FROM event_streams s LEFT JOIN stream_positions p ON p.organization_id = s.organization_id AND p.stream_id = s.id";

/// The changes of users and groups in a range of an organization's log. The parameters are: $1 the
/// organization, $2 the seq before the range, $3 the last seq, $4 the maximum number of changes, $5 whether
/// to read the user's resource before each change.
pub const CHANGES: &str = "
    SELECT e.seq, e.leaf, e.event_id, e.type, e.subject_id, e.recorded_at, e.payload,
        CASE WHEN $5 THEN (
            SELECT b.payload -> 'resource' FROM events b
            WHERE b.organization_id = $1 AND b.subject_id = e.subject_id AND b.seq < e.seq AND b.outcome = 'applied'
                AND b.payload ? 'resource'
            ORDER BY b.seq DESC LIMIT 1
        ) END AS before
    FROM events e
    WHERE e.organization_id = $1 AND e.seq > $2 AND e.seq <= $3 AND e.outcome = 'applied' AND e.type IN (
        'UserCreated', 'UserUpdated', 'UserDeactivated', 'UserReactivated', 'UserDeleted', 'GroupCreated',
        'GroupUpdated', 'GroupDeleted'
    )
    ORDER BY e.seq LIMIT $4";

/// How many seqs one query covers.
const SPAN: u64 = 10_000;
/// Maximum number of changes that one query returns.
const MAX_CHANGES: u64 = 1000;

/// An event stream.
#[derive(Debug, Clone)]
pub struct Stream {
    /// The organization of the stream.
    pub organization_id: OrganizationId,
    /// The settings that decide which events it delivers.
    pub feed: Feed,
    /// How far its receiver has acknowledged.
    pub position: Position,
}

/// A range of seqs in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeqRange {
    /// The seq before the range.
    pub after: u64,
    /// The last seq of the range.
    pub until: u64,
}

impl SeqRange {
    /// The range after a seq, in a log of `size` entries.
    pub fn after(after: u64, size: u64) -> Self {
        Self { after, until: size.min(after.saturating_add(SPAN)).max(after) }
    }

    /// The maximum number of changes to read from the range.
    pub fn max_changes(self) -> u64 {
        MAX_CHANGES
    }

    /// Shortens the range to end at the last change that was found. Use it when there are known to be more
    /// changes.
    #[must_use]
    pub fn until_last(self, found: &[LoggedChange]) -> Self {
        Self { until: found.last().map_or(self.after, |last| last.seq), ..self }
    }

    /// The part of the range that was read, given the changes that were found. If the maximum number was
    /// found, there may be more, so the range ends at the last one.
    #[must_use]
    pub fn part_read(self, found: &[LoggedChange]) -> Self {
        match found.last() {
            Some(last) if found.len() as u64 >= MAX_CHANGES => Self { until: last.seq, ..self },
            _ => self,
        }
    }
}

/// Reads a stream from a row with [`STREAM_COLUMNS`].
///
/// # Errors
/// If the row is not a stream.
pub fn stream(row: &Row) -> Result<Stream, MalformedEntry> {
    let events: Vec<&str> = row.try_get("events")?;
    let workspaces: Vec<WorkspaceId> = row.try_get("workspaces")?;
    let place = |seq: i64| seq.unsigned_abs();
    Ok(Stream {
        organization_id: row.try_get("organization_id")?,
        feed: Feed {
            stream_id: row.try_get::<_, StreamId>("id")?,
            audience: row.try_get("audience")?,
            events: events
                .into_iter()
                .map(str::parse)
                .collect::<Result<BTreeSet<_>, _>>()
                .map_err(|_| MalformedEntry::Unknown("event"))?,
            workspaces: workspaces.into_iter().collect(),
        },
        position: Position {
            seq: place(row.try_get("seq")?),
            beyond: row.try_get::<_, Vec<i64>>("beyond")?.into_iter().map(place).collect(),
            restores: row.try_get("restores")?,
        },
    })
}

/// Reads a change from a row of [`CHANGES`].
///
/// # Errors
/// If the row is not a change.
pub fn happened(row: &Row) -> Result<LoggedChange, MalformedEntry> {
    let event_type: &str = row.try_get("type")?;
    Ok(LoggedChange {
        seq: row.try_get::<_, i64>("seq")?.unsigned_abs(),
        leaf: hash(row, "leaf")?,
        event_id: row.try_get("event_id")?,
        event_type: EventType::from_name(event_type).ok_or(MalformedEntry::Unknown("type"))?,
        subject_id: row.try_get("subject_id")?,
        recorded_at: row.try_get("recorded_at")?,
        payload: row.try_get::<_, Option<Value>>("payload")?,
        before: row.try_get::<_, Option<Value>>("before")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_bounded_and_ends_with_the_log() {
        assert_eq!(SeqRange::after(5, 7), SeqRange { after: 5, until: 7 });
        assert_eq!(SeqRange::after(5, 1_000_000), SeqRange { after: 5, until: 5 + SPAN });
        assert_eq!(SeqRange::after(7, 5), SeqRange { after: 7, until: 7 });
    }
}
