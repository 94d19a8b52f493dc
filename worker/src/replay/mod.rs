//! Rebuilds the projections from the log while the service runs, in a schema of their own (the shadow).
//!
//! A replay uses the same code and statements as the live path. The search path of its connection makes them
//! write to the shadow. It saves its progress after each chunk, so that an interrupted replay resumes.

mod compare;
mod shadow;

pub(crate) use compare::TableDifferences;

use rollcall_events::log::EventType;
use rollcall_events::{GroupId, OrganizationId, UserId};
use secrecy::SecretString;
use serde_json::Value;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use crate::db::{StatementBatch, Store, StoreError, seq_column};
use crate::fact::Fact;
use crate::pipeline::decide::Change;
use crate::pipeline::load::load_subjects;
use crate::pipeline::of_batches;
use crate::pipeline::project::Projection;
use crate::pipeline::state::{Key, Keys};
use shadow::{BEGIN, END, FORGET, PROGRESS, REMEMBER, UPDATE_PROGRESS};

const APPLICATION: &str = "rollcall-worker replay";
/// The number of entries that are replayed in one transaction.
const CHUNK: u64 = 5000;

/// Every organization that has a log or a row.
const ORGANIZATIONS: &str = "
    SELECT organization_id AS id FROM rollcall.log_heads WHERE organization_id <> '00000000-0000-0000-0000-000000000000'
    UNION SELECT id FROM rollcall.organizations ORDER BY id";

/// The entry that created an organization. It is in the log of the system organization.
const BIRTH: &str = "
    SELECT seq, type, subject_id, payload FROM rollcall.events
    WHERE organization_id = '00000000-0000-0000-0000-000000000000' AND type = 'OrganizationCreated'
        AND subject_id = $1";

const ENTRIES: &str = "
    SELECT seq, type, subject_id, payload FROM rollcall.events
    WHERE organization_id = $1 AND seq > $2 AND seq <= $3 ORDER BY seq";

const REFUSED: &str = "SELECT refused FROM rollcall.log_heads WHERE organization_id = $1";
const SIZE: &str = "SELECT size FROM rollcall.log_heads WHERE organization_id = $1";
/// Advances the head without an entry. This locks the head, and a batch that was decided before finds that it
/// has moved.
const LOCK: &str = "UPDATE rollcall.log_heads SET version = version + 1 WHERE organization_id = $1 RETURNING size";

/// The shadow, and the connection that rebuilds it.
pub(crate) struct Replay {
    store: Store,
    /// Holds the lock against other replays while it is connected.
    _lock: Client,
}

impl Replay {
    /// Opens the shadow, and creates it if it does not exist. `afresh` discards what an earlier replay has
    /// left.
    ///
    /// # Errors
    /// If Postgres refuses. A replay needs the owner of the database.
    pub(crate) async fn open(url: &SecretString, afresh: bool) -> Result<Self, StoreError> {
        let lock = shadow::prepare(url, APPLICATION, afresh).await?;
        let store = Store::connect(url, APPLICATION, "rollcall_shadow, rollcall", of_batches()).await?;
        Ok(Self { store, _lock: lock })
    }

    /// Lists all organizations.
    pub(crate) async fn organizations(&self) -> Result<Vec<OrganizationId>, StoreError> {
        let rows = self.store.query(ORGANIZATIONS, &[]).await?;
        rows.iter().map(|row| Ok(row.try_get("id")?)).collect()
    }

    /// Why the signer refuses the log of an organization, if it does.
    pub(crate) async fn refused(&self, organization: OrganizationId) -> Result<Option<String>, StoreError> {
        let rows = self.store.query(REFUSED, &[&organization]).await?;
        Ok(rows.first().map(|row| row.try_get("refused")).transpose()?.flatten())
    }

    /// Replays the log of an organization chunk by chunk, and calls `report` after each chunk with the
    /// entries done and the total. Then compares the projections with the whole log in one snapshot.
    pub(crate) async fn check(
        &self,
        organization: OrganizationId,
        report: impl Fn(u64, u64),
    ) -> Result<TableDifferences, StoreError> {
        self.catch_up(organization, &report).await?;
        self.store.command("BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
        let found = async {
            self.replay_rest(organization, SIZE).await?;
            compare::differences(&self.store, organization).await
        };
        let found = self.finish(found.await).await?;
        self.record_end(organization, &found, false).await?;
        Ok(found)
    }

    /// Like [`Replay::check`], but also repairs the projections. Returns the differences that it found. The
    /// organization's requests wait during the comparison.
    pub(crate) async fn repair(
        &self,
        organization: OrganizationId,
        report: impl Fn(u64, u64),
    ) -> Result<TableDifferences, StoreError> {
        self.catch_up(organization, &report).await?;
        self.store.command("BEGIN").await?;
        let found = async {
            self.replay_rest(organization, LOCK).await?;
            let found = compare::differences(&self.store, organization).await?;
            if found.rows > 0 {
                compare::repair(&self.store, organization).await?;
            }
            Ok(found)
        };
        let found = self.finish(found.await).await?;
        self.record_end(organization, &found, found.rows > 0).await?;
        Ok(found)
    }

    async fn record_end(
        &self,
        organization: OrganizationId,
        found: &TableDifferences,
        is_mended: bool,
    ) -> Result<(), StoreError> {
        self.store.query(END, &[&organization, &seq_column(found.rows), &is_mended]).await.map(|_| ())
    }

    /// Removes the shadow.
    pub(crate) async fn close(self) -> Result<(), StoreError> {
        shadow::remove(&self.store).await
    }

    async fn finish<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        match result {
            Ok(done) => self.store.command("COMMIT").await.map(|()| done),
            Err(error) => {
                // Report the original error, not that of the rollback.
                let _ = self.store.command("ROLLBACK").await;
                Err(error)
            }
        }
    }

    async fn catch_up(&self, organization: OrganizationId, report: &impl Fn(u64, u64)) -> Result<(), StoreError> {
        let size = self.size(organization, SIZE).await?;
        let mut done = self.progress(organization).await?;
        self.store.query(BEGIN, &[&organization, &seq_column(done.min(size)), &seq_column(size)]).await?;
        loop {
            let next = (done + CHUNK).min(size);
            self.store.command("BEGIN").await?;
            let chunk = self.replay(organization, done, next).await;
            self.finish(chunk).await?;
            report(next, size);
            // An erasure resets the organization's progress, so read it again.
            done = self.progress(organization).await?;
            if done >= size {
                return Ok(());
            }
        }
    }

    /// Replays the entries that were logged in the meantime, in the open transaction.
    async fn replay_rest(&self, organization: OrganizationId, size: &'static str) -> Result<(), StoreError> {
        let (size, done) = (self.size(organization, size).await?, self.progress(organization).await?);
        if done < size { self.replay(organization, done, size).await } else { Ok(()) }
    }

    async fn size(&self, organization: OrganizationId, sql: &'static str) -> Result<u64, StoreError> {
        number(&self.store.query(sql, &[&organization]).await?, "size")
    }

    async fn progress(&self, organization: OrganizationId) -> Result<u64, StoreError> {
        number(&self.store.query(PROGRESS, &[&organization]).await?, "seq")
    }

    async fn replay(&self, organization: OrganizationId, after: u64, until: u64) -> Result<(), StoreError> {
        let store = &self.store;
        let mut rows = Vec::new();
        if after == 0 {
            store.query(FORGET, &[&organization]).await?;
            rows.extend(store.query(BIRTH, &[&organization]).await?);
        }
        rows.extend(store.query(ENTRIES, &[&organization, &seq_column(after), &seq_column(until)]).await?);
        let mut keys = Keys::default();
        for row in &rows {
            let subject: Option<Uuid> = row.try_get("subject_id")?;
            match event_type(row)? {
                EventType::UserCreated
                | EventType::UserUpdated
                | EventType::UserDeactivated
                | EventType::UserReactivated
                | EventType::UserDeleted => keys.extend(subject.map(|id| Key::User(organization, UserId(id)))),
                EventType::GroupCreated | EventType::GroupUpdated | EventType::GroupDeleted => {
                    keys.extend(subject.map(|id| Key::Group(organization, GroupId(id))));
                }
                _ => {}
            }
        }
        let mut state = load_subjects(store, keys).await?;
        let mut projection = Projection::default();
        for row in &rows {
            let payload: Option<Value> = row.try_get("payload")?;
            let fact = Fact::new(event_type(row)?, row.try_get("subject_id")?, payload.unwrap_or_default());
            if let Some(change) = Change::of(&fact)? {
                let before = change
                    .apply(organization, &mut state)
                    .map_err(|missing| StoreError::Unreadable(format!("not loaded: {missing:?}")))?;
                projection.take(organization, row.try_get::<_, i64>("seq")?.unsigned_abs(), change, before.as_ref());
            }
        }
        let projected = projection.rows()?;
        let mut batch = StatementBatch::default();
        projected.add_to(&mut batch);
        Box::pin(batch.run(store)).await.map_err(of_replay)?;
        store.query(REMEMBER, &[&organization, &seq_column(until)]).await?;
        store.query(UPDATE_PROGRESS, &[&organization, &seq_column(until)]).await.map(|_| ())
    }
}

/// Turns the error for repeated requests into one about the log. A replay takes nothing for new.
fn of_replay(error: StoreError) -> StoreError {
    match error {
        StoreError::AlreadyRecorded => {
            StoreError::Unreadable("the log adds up to two rows with the same key".to_owned())
        }
        other => other,
    }
}

fn event_type(row: &Row) -> Result<EventType, StoreError> {
    let name: &str = row.try_get("type")?;
    EventType::from_name(name).ok_or_else(|| StoreError::Unreadable(format!("the log has the unknown type {name}")))
}

fn number(rows: &[Row], name: &str) -> Result<u64, StoreError> {
    let number = rows.first().map(|row| row.try_get::<_, i64>(name)).transpose()?;
    Ok(number.unwrap_or_default().unsigned_abs())
}
