//! The positions of sinks: how far each log was delivered to each sink. They are no part of what a replay
//! computes: a log that recorded its own readers would grow by being read.

use rollcall_events::{OrganizationId, Timestamp};

use super::sink::{Sink, Start};
use crate::db::{Database, TaskError, seq_column};

/// Number of logs that one query returns.
pub(super) const PAGE: i64 = 200;

/// Positions at the present end of the listed logs, unless the sink has a position there.
const BEGIN_LISTED: &str = "
    INSERT INTO sink_positions (organization_id, sink, seq)
    SELECT o.id, $1, COALESCE(h.size, 0) FROM unnest($2::uuid[]) AS o (id)
    LEFT JOIN log_heads h ON h.organization_id = o.id
    ON CONFLICT DO NOTHING";

/// Listed organizations that do not exist. Their position makes `sink list` show them.
const UNKNOWN: &str = "
    WITH unknown AS (
        SELECT o.id FROM unnest($2::uuid[]) AS o (id)
        WHERE NOT EXISTS (SELECT FROM organizations k WHERE k.id = o.id)
            AND NOT EXISTS (SELECT FROM log_heads h WHERE h.organization_id = o.id)
    ), shown AS (
        INSERT INTO sink_positions (organization_id, sink, seq) SELECT id, $1, 0 FROM unknown ON CONFLICT DO NOTHING
    )
    SELECT id FROM unknown ORDER BY id";

/// Positions at the present end of all logs, unless the sink has any position: then a log without one is that
/// of a new organization. The system organization always gets one, to mark that the sink has begun.
const BEGIN_ALL: &str = "
    INSERT INTO sink_positions (organization_id, sink, seq)
    SELECT o.id, $1, COALESCE(h.size, 0)
    FROM (SELECT organization_id AS id FROM log_heads UNION SELECT '00000000-0000-0000-0000-000000000000') o
    LEFT JOIN log_heads h ON h.organization_id = o.id
    WHERE NOT EXISTS (SELECT FROM sink_positions p WHERE p.sink = $1)
    ON CONFLICT DO NOTHING";

/// Logs with entries beyond the position, after a given organization.
const BEHIND: &str = "
    SELECT h.organization_id, COALESCE(p.seq, 0) AS seq, h.size, h.restores, p.seq IS NULL AS is_new
    FROM log_heads h LEFT JOIN sink_positions p ON p.organization_id = h.organization_id AND p.sink = $1
    WHERE h.size > COALESCE(p.seq, 0) AND ($2::uuid[] IS NULL OR h.organization_id = ANY ($2))
        AND h.organization_id <> ALL ($3) AND ($4::uuid IS NULL OR h.organization_id > $4)
    ORDER BY h.organization_id LIMIT $5";

/// Positions before the first entry, so that the lag of new logs is known before anything is delivered.
const NEW: &str = "
    INSERT INTO sink_positions (organization_id, sink, seq)
    SELECT o.id, $1, 0 FROM unnest($2::uuid[]) AS o (id) ON CONFLICT DO NOTHING";

/// A position never moves back. A position that was read before a restore was accepted is ignored, because that has
/// moved all positions back.
const ADVANCE: &str = "
    INSERT INTO sink_positions AS p (organization_id, sink, seq, delivered_at)
    SELECT organization_id, $2, $3, $4 FROM log_heads WHERE organization_id = $1 AND restores = $5
    ON CONFLICT (organization_id, sink) DO UPDATE SET seq = greatest(p.seq, excluded.seq),
        delivered_at = excluded.delivered_at, failing_since = NULL, failure = NULL";

const FAILED: &str = "
    UPDATE sink_positions SET failing_since = COALESCE(failing_since, $3), failure = $4
    WHERE organization_id = $1 AND sink = $2";

/// A log with entries that were not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Behind {
    pub(super) organization: OrganizationId,
    /// The last delivered entry.
    pub(super) seq: u64,
    /// The size of the log.
    pub(super) size: u64,
    /// The number of accepted restores of the log when the position was read.
    pub(super) restores: i64,
}

impl Sink {
    /// Stores where the sink begins, if it begins now. Warns of listed organizations that do not exist.
    pub(super) async fn begin(&self, database: &Database) -> Result<(), TaskError> {
        if let Some(listed) = self.scope.listed() {
            for row in database.query(UNKNOWN, &[&self.name, &listed]).await? {
                let organization: OrganizationId = row.try_get("id")?;
                tracing::warn!(sink = self.name, %organization, "there is no such organization; is its id right?");
            }
        }
        if self.from == Start::Now {
            match self.scope.listed() {
                Some(listed) => database.execute(BEGIN_LISTED, &[&self.name, &listed]).await?,
                None => database.execute(BEGIN_ALL, &[&self.name]).await?,
            };
        }
        Ok(())
    }

    /// The next logs with undelivered entries, ordered by organization, after `last` and without `excluded`; at
    /// most [`PAGE`].
    pub(super) async fn behind(
        &self,
        database: &Database,
        excluded: &[OrganizationId],
        last: Option<OrganizationId>,
    ) -> Result<Vec<Behind>, TaskError> {
        let rows = database.query(BEHIND, &[&self.name, &self.scope.listed(), &excluded, &last, &PAGE]).await?;
        let (mut behind, mut new) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in &rows {
            let organization = row.try_get("organization_id")?;
            let number = |column: &str| row.try_get::<_, i64>(column).map(i64::unsigned_abs);
            let restores = row.try_get("restores")?;
            behind.push(Behind { organization, seq: number("seq")?, size: number("size")?, restores });
            new.extend(row.try_get::<_, bool>("is_new")?.then_some(organization));
        }
        if !new.is_empty() {
            database.execute(NEW, &[&self.name, &new]).await?;
        }
        Ok(behind)
    }

    /// Stores that everything up to `seq` was delivered, of a log that was `behind`.
    pub(super) async fn advance(&self, database: &Database, behind: Behind, seq: u64) -> Result<(), TaskError> {
        let Behind { organization, restores, .. } = behind;
        let now = Timestamp::now();
        database.execute(ADVANCE, &[&organization, &self.name, &seq_column(seq), &now, &restores]).await?;
        Ok(())
    }

    /// Stores and logs that a delivery failed.
    pub(super) async fn failed(
        &self,
        database: &Database,
        organization: OrganizationId,
        failure: &str,
    ) -> Result<(), TaskError> {
        tracing::warn!(sink = self.name, %organization, failure, "entries were not delivered and will be retried");
        database.execute(FAILED, &[&organization, &self.name, &Timestamp::now(), &failure]).await?;
        Ok(())
    }
}
