//! Reads event streams and what they tell from their rows.

use rollcall_events::feed::{Feed, LoggedChange};
use rollcall_events::log::EventType;
use rollcall_events::stream::Position;
use rollcall_events::{OrganizationId, StreamId, WorkspaceId};
use serde_json::Value;
use std::collections::BTreeSet;
use tokio_postgres::Row;

use crate::entries::MalformedEntry;

/// What is selected of a stream, which is called `s`, and of the position of its receiver, which is called `p`.
pub const STREAM_COLUMNS: &str = "
    s.organization_id, s.id, s.audience, s.events, s.workspaces, COALESCE(p.seq, s.begins_after) AS seq, COALESCE(p.beyond, '{}') AS beyond
    FROM event_streams s LEFT JOIN stream_positions p ON p.organization_id = s.organization_id AND p.stream_id = s.id";

/// The changes of users and groups in a stretch of an organization's log: $1 is the organization, $2 the place after which it begins, $3 the last place, $4
/// how many at most, $5 whether it matters what users were before.
pub const CHANGES: &str = "
    SELECT e.seq, e.event_id, e.type, e.subject_id, e.recorded_at, e.payload,
        CASE WHEN $5 THEN (
            SELECT b.payload -> 'resource' FROM events b
            WHERE b.organization_id = $1 AND b.subject_id = e.subject_id AND b.seq < e.seq AND b.outcome = 'applied' AND b.payload ? 'resource'
            ORDER BY b.seq DESC LIMIT 1
        ) END AS before
    FROM events e
    WHERE e.organization_id = $1 AND e.seq > $2 AND e.seq <= $3 AND e.outcome = 'applied' AND e.type IN (
        'UserCreated', 'UserUpdated', 'UserDeactivated', 'UserReactivated', 'UserDeleted', 'GroupCreated', 'GroupUpdated', 'GroupDeleted'
    )
    ORDER BY e.seq LIMIT $4";

/// How many places of a log are looked through at once.
const SPAN: u64 = 10_000;
/// How many changes are read at once, at most.
const MOST: u64 = 1000;

/// A stream.
#[derive(Debug, Clone)]
pub struct Stream {
    /// Whose.
    pub organization_id: OrganizationId,
    /// What it tells.
    pub feed: Feed,
    /// How far its receiver has come.
    pub position: Position,
}

/// A stretch of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The place after which it begins.
    pub after: u64,
    /// Its last place.
    pub until: u64,
}

impl Stretch {
    /// The stretch after a place in a log of so many entries.
    pub fn after(after: u64, size: u64) -> Self {
        Self { after, until: size.min(after.saturating_add(SPAN)).max(after) }
    }

    /// How many changes are read of it at most.
    pub fn most(self) -> u64 {
        MOST
    }

    /// The stretch up to the last of the changes that were found, where it is known that there are more.
    #[must_use]
    pub fn cut(self, found: &[LoggedChange]) -> Self {
        Self { until: found.last().map_or(self.after, |last| last.seq), ..self }
    }

    /// The stretch that was looked through, given the changes that were found: up to the last one where there may be more.
    #[must_use]
    pub fn seen(self, found: &[LoggedChange]) -> Self {
        match found.last() {
            Some(last) if found.len() as u64 >= MOST => Self { until: last.seq, ..self },
            _ => self,
        }
    }
}

/// Reads a stream.
///
/// # Errors
/// Where the row does not hold one.
pub fn stream(row: &Row) -> Result<Stream, MalformedEntry> {
    let events: Vec<&str> = row.try_get("events")?;
    let workspaces: Vec<WorkspaceId> = row.try_get("workspaces")?;
    let place = |seq: i64| seq.unsigned_abs();
    Ok(Stream {
        organization_id: row.try_get("organization_id")?,
        feed: Feed {
            stream_id: row.try_get::<_, StreamId>("id")?,
            audience: row.try_get("audience")?,
            events: events.into_iter().map(str::parse).collect::<Result<BTreeSet<_>, _>>().map_err(|_| MalformedEntry::Unknown("event"))?,
            workspaces: workspaces.into_iter().collect(),
        },
        position: Position {
            seq: place(row.try_get("seq")?),
            beyond: row.try_get::<_, Vec<i64>>("beyond")?.into_iter().map(place).collect(),
        },
    })
}

/// Reads a change.
///
/// # Errors
/// Where the row does not hold one.
pub fn happened(row: &Row) -> Result<LoggedChange, MalformedEntry> {
    let event_type: &str = row.try_get("type")?;
    Ok(LoggedChange {
        seq: row.try_get::<_, i64>("seq")?.unsigned_abs(),
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
    fn a_stretch_is_bounded_and_ends_with_the_log() {
        assert_eq!(Stretch::after(5, 7), Stretch { after: 5, until: 7 });
        assert_eq!(Stretch::after(5, 1_000_000), Stretch { after: 5, until: 5 + SPAN });
        assert_eq!(Stretch::after(7, 5), Stretch { after: 7, until: 7 });
    }
}
