//! Completes erasures: hashes the names of erased users, and removes the users from records that are stored
//! already.

use rollcall_events::{DeadLetterId, OrganizationId, Timestamp, UserId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_postgres::Row;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::known::{CallTexts, RecordMentions, Verdict, judge, names_erased_person, newest_erasures};
use super::mentions::name_hash;
use super::{ALONE, Run};
use crate::db::{Database, TaskError};
use crate::settings::Settings;
use crate::supervise::supervise;

const APPLICATION: &str = "rollcall-worker erasures";
/// Interval at which the background task looks for unfinished erasures.
const LOOK: Duration = Duration::from_secs(30);
/// Maximum time that the background task spends on the erasures it found.
const BUDGET: Duration = Duration::from_mins(10);

const UNHASHED: &str =
    "SELECT organization_id, user_id, names FROM erased_users WHERE user_id = ANY($1) AND names IS NOT NULL FOR UPDATE";
const HASH: &str = "
    INSERT INTO erased_names (organization_id, name_hash, user_id)
    SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::uuid[]) ON CONFLICT DO NOTHING";
const HASHED: &str = "UPDATE erased_users SET names = NULL WHERE user_id = ANY($1) AND names IS NOT NULL";

const UNSWEPT: &str = "
    SELECT organization_id, user_id, calls_after FROM erased_users WHERE user_id = ANY($1) AND calls_after IS NOT NULL";
/// A user who was erased again in the meantime has names again, and must be swept from the start.
const SWEPT: &str =
    "UPDATE erased_users SET calls_after = $3 WHERE organization_id = $1 AND user_id = ANY($2) AND names IS NULL";

const UNFINISHED: &str = "
    SELECT user_id FROM erased_users WHERE names IS NOT NULL OR calls_after IS NOT NULL
    ORDER BY organization_id, user_id LIMIT 100";

const LETTERS: &str = "
    SELECT id, reason, body, kept_at FROM dead_letters WHERE organization_id = $1 AND id > $2 ORDER BY id LIMIT 20";
const REMOVE_LETTERS: &str = "DELETE FROM dead_letters WHERE organization_id = $1 AND id = ANY($2)";

const CALLS: &str = "
    SELECT id, at, path, query, subject, subject_id, detail, request_body, response_body FROM requests
    WHERE organization_id = $1 AND id > $2 ORDER BY id LIMIT 500";
/// Locks the rows in the order of their ids, so that two sweeps cannot deadlock.
const REMOVE_CALLS: &str = "
    DELETE FROM requests WHERE organization_id = $1 AND id IN (
        SELECT id FROM requests WHERE organization_id = $1 AND id = ANY($2) ORDER BY id FOR UPDATE
    )";
const CUT_CALLS: &str = "
    UPDATE requests SET
        query = CASE WHEN char_length(query) < 500 THEN query END,
        detail = CASE WHEN char_length(detail) < 500 THEN detail END
    WHERE organization_id = $1
        AND id IN (SELECT id FROM requests WHERE organization_id = $1 AND id = ANY($2) ORDER BY id FOR UPDATE)";
const CLEAR_CALLS: &str = "
    UPDATE requests SET request_body = NULL, response_body = NULL
    WHERE organization_id = $1
        AND id IN (SELECT id FROM requests WHERE organization_id = $1 AND id = ANY($2) ORDER BY id FOR UPDATE)";

/// Completes erasures that a partition did not finish, until `stop`.
pub(crate) async fn finish_erasures(settings: Arc<Settings>, stop: CancellationToken) {
    supervise("call logs and dead letters of erased users", &stop, async || run(&settings, &stop).await).await;
}

async fn run(settings: &Settings, stop: &CancellationToken) -> Result<(), TaskError> {
    let database = Database::open(&settings.database_url, APPLICATION).await?;
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = look.tick() => {}
        }
        let rows = database.query(UNFINISHED, &[]).await?;
        let users: Vec<UserId> = rows.iter().map(|row| row.try_get("user_id")).collect::<Result<_, _>>()?;
        if !users.is_empty() {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                completed = complete(&database, &users, BUDGET) => completed?,
            }
        }
    }
}

/// Hashes the names of erased users, and removes the users from dead letters and call records, for at most
/// `budget`. The background task does the rest.
///
/// # Errors
/// If Postgres fails. The call can be repeated.
pub(crate) async fn complete(database: &impl Run, users: &[UserId], budget: Duration) -> Result<(), TaskError> {
    let deadline = Instant::now() + budget;
    database.command("BEGIN").await?;
    if let Err(error) = hash_names(database, users).await {
        // Report the original error, not that of the rollback.
        let _ = database.command("ROLLBACK").await;
        return Err(error);
    }
    database.command("COMMIT").await?;
    let mut unswept: BTreeMap<OrganizationId, (Uuid, Vec<UserId>)> = BTreeMap::new();
    for row in database.run(UNSWEPT, &[&users]).await? {
        let after: Uuid = row.try_get("calls_after")?;
        let (first, users) = unswept.entry(row.try_get("organization_id")?).or_insert((after, Vec::new()));
        *first = after.min(*first);
        users.push(row.try_get("user_id")?);
    }
    for (organization, (after, users)) in unswept {
        let is_swept = sweep_dead_letters(database, organization, deadline).await?
            && sweep_dead_letters(database, OrganizationId::SYSTEM, deadline).await?;
        if !is_swept {
            continue;
        }
        let rest = sweep_calls(database, organization, after, deadline).await?;
        database.run(SWEPT, &[&organization, &users, &rest]).await?;
    }
    Ok(())
}

/// Replaces the names of erased users by their hashes. Transactions that store records wait for this, and see
/// the hashes afterwards.
async fn hash_names(database: &impl Run, users: &[UserId]) -> Result<(), TaskError> {
    database.run(ALONE, &[]).await?;
    let (mut organizations, mut hashes, mut of): (Vec<OrganizationId>, Vec<Vec<u8>>, Vec<UserId>) = Default::default();
    for row in database.run(UNHASHED, &[&users]).await? {
        let (organization, user): (OrganizationId, UserId) = (row.try_get("organization_id")?, row.try_get("user_id")?);
        for hash in row.try_get::<_, Vec<&str>>("names")?.into_iter().filter_map(|name| name_hash(organization, name)) {
            organizations.push(organization);
            hashes.push(hash.to_vec());
            of.push(user);
        }
    }
    database.run(HASH, &[&organizations, &hashes, &of]).await?;
    database.run(HASHED, &[&users]).await.map(|_| ())
}

/// Removes the dead letters of an organization that name an erased person. Returns whether it finished before
/// the deadline.
async fn sweep_dead_letters(
    database: &impl Run,
    organization: OrganizationId,
    deadline: Instant,
) -> Result<bool, TaskError> {
    let mut last = DeadLetterId(Uuid::nil());
    loop {
        let rows = database.run(LETTERS, &[&organization, &last]).await?;
        let mut named = Vec::new();
        for row in &rows {
            last = row.try_get("id")?;
            let (body, reason, kept_at): (&[u8], &str, Timestamp) =
                (row.try_get("body")?, row.try_get("reason")?, row.try_get("kept_at")?);
            if names_erased_person(database, organization, body, reason, Some(kept_at)).await? {
                named.push(last);
            }
        }
        if !named.is_empty() {
            database.run(REMOVE_LETTERS, &[&organization, &named]).await?;
        }
        if rows.is_empty() {
            return Ok(true);
        }
        if Instant::now() > deadline {
            return Ok(false);
        }
    }
}

/// Removes erased users from the call records of an organization, page by page. Returns the last record it
/// checked if the deadline came first.
async fn sweep_calls(
    database: &impl Run,
    organization: OrganizationId,
    after: Uuid,
    deadline: Instant,
) -> Result<Option<Uuid>, TaskError> {
    let Some(&newest) = newest_erasures(database, &[organization]).await?.get(&organization) else { return Ok(None) };
    let mut last = after;
    loop {
        let rows = database.run(CALLS, &[&organization, &last]).await?;
        let Some(end) = rows.last() else { return Ok(None) };
        last = end.try_get("id")?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.try_get("id")).collect::<Result<_, _>>()?;
        // Reading the records is CPU work.
        let reading = tokio::task::spawn_blocking(move || {
            rows.iter().map(|row| read(organization, row, newest)).collect::<Result<Vec<_>, _>>()
        });
        let verdicts = judge(database, organization, &reading.await??).await?;
        apply(database, organization, &ids, &verdicts).await?;
        if Instant::now() > deadline {
            return Ok(Some(last));
        }
    }
}

fn read(organization: OrganizationId, row: &Row, newest: Timestamp) -> Result<RecordMentions, tokio_postgres::Error> {
    let texts = CallTexts {
        organization,
        at: row.try_get("at")?,
        path: row.try_get("path")?,
        query: row.try_get("query")?,
        subject: row.try_get("subject")?,
        subject_id: row.try_get("subject_id")?,
        detail: row.try_get("detail")?,
        bodies: [row.try_get("request_body")?, row.try_get("response_body")?],
    };
    Ok(RecordMentions::call(&texts, newest))
}

async fn apply(
    database: &impl Run,
    organization: OrganizationId,
    ids: &[Uuid],
    verdicts: &[Verdict],
) -> Result<(), TaskError> {
    let (mut removed, mut cut, mut cleared) = (Vec::new(), Vec::new(), Vec::new());
    for (id, verdict) in ids.iter().zip(verdicts) {
        match *verdict {
            Verdict::Keep => {}
            Verdict::Drop => removed.push(*id),
            Verdict::Redact { cut_texts, bodies } => {
                cut.extend(cut_texts.then_some(*id));
                cleared.extend(bodies.then_some(*id));
            }
        }
    }
    for (sql, ids) in [(REMOVE_CALLS, removed), (CUT_CALLS, cut), (CLEAR_CALLS, cleared)] {
        if !ids.is_empty() {
            database.run(sql, &[&organization, &ids]).await?;
        }
    }
    Ok(())
}
