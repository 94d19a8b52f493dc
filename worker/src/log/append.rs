//! Appends the entries of a batch to the logs: gives each entry its seq, time and hash, and adds the
//! statements that write the entries.

use rollcall_events::actor::ActorDetails;
use rollcall_events::log::tile::NewTiles;
use rollcall_events::log::{ErrorCode, EventType, Hash, Header, OutcomeKind, Part, Salt, SubjectType};
use rollcall_events::request::Request;
use rollcall_events::{EventId, OrganizationId, Timestamp};
use rollcall_scim::ScimError;
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::head::Head;
use super::tiles::TileColumns;
use crate::db::{RawJson, Statement, StatementBatch, StoreError, array_text, rows, seq_column};

/// All statements of this module, for preparation.
pub(crate) fn statements() -> impl Iterator<Item = &'static str> {
    [ADVANCE_HEADS, &*APPEND, ERASE_USERS, ERASE_ADMINISTRATORS, RESOLVE_DEAD_LETTERS].into_iter()
}

/// The version of the payload format.
const SCHEMA_VERSION: i16 = 2;

/// The first statement of every transaction that appends. If a head does not have the version that was read,
/// it fails, and the transaction with it ([`StoreError::HeadMoved`]).
const ADVANCE_HEADS: &str =
    "SELECT advance_heads($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::timestamptz[])";

rows! {
    /// The entries to append.
    struct Entries {
        organization_id: OrganizationId => "uuid",
        seq: i64 => "bigint",
        event_id: EventId => "uuid",
        event_type: &'static str => "text",
        schema_version: i16 => "smallint",
        subject_type: Option<&'static str> => "text",
        subject_id: Option<Uuid> => "uuid",
        actor_id: Option<Uuid> => "uuid",
        actor_kind: &'static str => "text",
        actor: Json<ActorDetails> => "jsonb",
        actor_salt: Vec<u8> => "bytea",
        actor_commitment: Vec<u8> => "bytea",
        requested_at: Timestamp => "timestamptz",
        recorded_at: Timestamp => "timestamptz",
        outcome: &'static str => "text",
        error: Option<Json<ErrorCode>> => "jsonb",
        payload: RawJson => "jsonb",
        payload_salt: Vec<u8> => "bytea",
        payload_commitment: Vec<u8> => "bytea",
        leaf: Vec<u8> => "bytea",
    }
}

static APPEND: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO events (
            organization_id, seq, event_id, type, schema_version, subject_type, subject_id,
            actor_id, actor_kind, actor, actor_salt, actor_commitment,
            requested_at, recorded_at, outcome, error, payload, payload_salt, payload_commitment, leaf
        )
        SELECT
            organization_id, seq, event_id, event_type, schema_version, subject_type, subject_id,
            actor_id, actor_kind, actor, actor_salt, actor_commitment,
            requested_at, recorded_at, outcome, error, payload, payload_salt, payload_commitment, leaf
        FROM {}",
        Entries::source(1)
    )
});

/// Erases the payloads about users. The SQL function refuses unless the log has an entry for the erasure.
const ERASE_USERS: &str =
    "SELECT erase_user(k.organization_id, k.id) FROM unnest($1::uuid[], $2::uuid[]) AS k (organization_id, id)";

/// Erases the payloads about administrators' sessions, and the actor's details of the entries that they
/// caused.
const ERASE_ADMINISTRATORS: &str = "
    SELECT erase_administrator(k.organization_id, k.id)
    FROM unnest($1::uuid[], $2::uuid[]) AS k (organization_id, id)";

/// Marks dead letters for a retry, or deletes them. Projections do not do this, because dead letters are not
/// part of the state that a replay computes.
const RESOLVE_DEAD_LETTERS: &str = "
    WITH k AS (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::boolean[]) AS k (organization_id, id, is_retried)),
    retried AS (
        UPDATE dead_letters d SET retried_at = now() FROM k
        WHERE d.organization_id = k.organization_id AND d.id = k.id AND k.is_retried
    )
    DELETE FROM dead_letters d USING k
    WHERE d.organization_id = k.organization_id AND d.id = k.id AND NOT k.is_retried";

/// The heads to advance, ordered by organization. They are locked in this order.
#[derive(Default)]
struct HeadAdvances {
    organizations: Vec<OrganizationId>,
    versions: Vec<i64>,
    sizes: Vec<i64>,
    peaks: Vec<String>,
    recorded_at: Vec<Timestamp>,
}

/// The parts of an entry that come from the decision.
pub(crate) struct NewEntry<'a> {
    pub(crate) event_type: EventType,
    /// The resource or setting that the entry is about.
    pub(crate) subject: Option<(SubjectType, Uuid)>,
    /// The error of a rejected request.
    pub(crate) error: Option<&'a ScimError>,
    /// The facts, as canonical JSON.
    pub(crate) payload: &'a [u8],
    /// Whether the log may hold the actor's details. If not, the entry has empty details.
    pub(crate) names_actor: bool,
}

/// The parts of an entry that can be erased, with their salts.
struct Parts {
    actor: ActorDetails,
    actor_salt: Salt,
    payload: RawJson,
    payload_salt: Salt,
}

/// The entries that a batch appends to the logs.
pub(crate) struct LogAppend {
    heads: BTreeMap<OrganizationId, Head>,
    /// The time of the batch, by the clock of this machine.
    now: Timestamp,
    tiles: HashMap<OrganizationId, NewTiles>,
    salts: Vec<Salt>,
    entries: Entries,
    /// Users who are erased.
    erased_users: (Vec<OrganizationId>, Vec<Uuid>),
    /// Sessions of administrators who are erased.
    erased_sessions: (Vec<OrganizationId>, Vec<Uuid>),
    /// Dead letters to retry or discard; `true` means retry.
    dead_letters: (Vec<OrganizationId>, Vec<Uuid>, Vec<bool>),
}

/// The columns of the statements, apart from the columns of the entries.
pub(crate) struct Columns {
    advances: HeadAdvances,
    tiles: TileColumns,
}

impl LogAppend {
    /// Starts at the heads, with capacity for the given number of entries.
    ///
    /// # Errors
    /// If the system returns no random bytes.
    pub(crate) fn at(
        heads: BTreeMap<OrganizationId, Head>,
        now: Timestamp,
        entries: usize,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            heads,
            now,
            tiles: HashMap::new(),
            salts: Salt::generate(2 * entries)?,
            entries: Entries::default(),
            erased_users: Default::default(),
            erased_sessions: Default::default(),
            dead_letters: Default::default(),
        })
    }

    /// Appends an entry and returns its seq.
    ///
    /// # Errors
    /// If the header cannot be hashed, or the capacity is exceeded.
    pub(crate) fn append(&mut self, request: &Request, entry: &NewEntry<'_>) -> Result<u64, StoreError> {
        let head = self.heads.get_mut(&request.organization_id).ok_or(StoreError::HeadMoved)?;
        let recorded_at = head.next_time(self.now);
        head.recorded_at = Some(recorded_at);
        let log = &mut head.log;
        let actor = &request.actor;
        let details = if entry.names_actor { actor.details.clone() } else { ActorDetails::default() };
        let payload_salt = self.salts.pop().ok_or(getrandom::Error::UNEXPECTED)?;
        let actor_salt = self.salts.pop().ok_or(getrandom::Error::UNEXPECTED)?;
        let header = Header {
            actor_commitment: Part::Actor.commitment(actor_salt, &details.canonical()?),
            actor_id: actor.id(),
            actor_kind: actor.kind(),
            organization_id: request.organization_id,
            seq: log.size() + 1,
            event_id: request.id,
            event_type: entry.event_type,
            schema_version: SCHEMA_VERSION.unsigned_abs(),
            subject_type: entry.subject.map(|(subject_type, _)| subject_type),
            subject_id: entry.subject.map(|(_, id)| id),
            requested_at: request.requested_at,
            recorded_at,
            outcome: if entry.error.is_some() { OutcomeKind::Rejected } else { OutcomeKind::Applied },
            error: entry.error.map(ErrorCode::from),
            payload_commitment: Part::Payload.commitment(payload_salt, entry.payload),
        };
        let leaf = header.leaf()?;
        self.tiles.entry(request.organization_id).or_default().append(log, leaf);
        let seq = header.seq;
        self.add_effects(&header);
        let parts = Parts { actor: details, actor_salt, payload: RawJson(entry.payload.to_vec()), payload_salt };
        self.entries.push(&header, parts, leaf);
        Ok(seq)
    }

    /// Adds the effects of an entry on other tables: erasures and dead letters.
    fn add_effects(&mut self, header: &Header) {
        let Some(subject) = header.subject_id else { return };
        match header.event_type {
            EventType::UserErased => {
                self.erased_users.0.push(header.organization_id);
                self.erased_users.1.push(subject);
            }
            EventType::AdministratorErased => {
                self.erased_sessions.0.push(header.organization_id);
                self.erased_sessions.1.push(subject);
            }
            EventType::DeadLetterRetried | EventType::DeadLetterDiscarded => {
                self.dead_letters.0.push(header.organization_id);
                self.dead_letters.1.push(subject);
                self.dead_letters.2.push(header.event_type == EventType::DeadLetterRetried);
            }
            _ => {}
        }
    }

    /// The size of a log, including the new entries.
    pub(crate) fn size(&self, organization: OrganizationId) -> u64 {
        self.heads.get(&organization).map_or(0, |head| head.log.size())
    }

    /// The heads of the logs with new entries, as they are once the entries are written.
    pub(crate) fn advanced_heads(&self) -> BTreeMap<OrganizationId, Head> {
        let advanced = self.heads.iter().filter(|(id, _)| self.tiles.contains_key(id));
        advanced.map(|(id, head)| (*id, Head { version: head.version + 1, ..head.clone() })).collect()
    }

    /// The organizations with new entries, and the new sizes of their logs.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (OrganizationId, u64)> {
        self.tiles.keys().filter_map(|id| Some((*id, self.heads.get(id)?.log.size())))
    }

    /// The columns of the statements, apart from the columns of the entries.
    pub(crate) fn columns(&self) -> Columns {
        let (mut advances, mut tiles) = (HeadAdvances::default(), TileColumns::default());
        for (organization, head) in self.heads.iter().filter(|(id, _)| self.tiles.contains_key(id)) {
            advances.organizations.push(*organization);
            advances.versions.push(head.version);
            advances.sizes.push(seq_column(head.log.size()));
            advances.peaks.push(array_text(head.log.peaks().iter().map(|peak| format!("\\x{peak}"))));
            advances.recorded_at.push(head.recorded_at.unwrap_or(self.now));
        }
        self.tiles.iter().for_each(|(organization, new)| tiles.push(*organization, new));
        Columns { advances, tiles }
    }

    /// Adds the statements: first the heads, then the entries, the tiles, and the effects of entries.
    pub(crate) fn add_to<'a>(&'a self, columns: &'a Columns, batch: &mut StatementBatch<'a>) {
        if self.entries.is_empty() {
            return;
        }
        let HeadAdvances { organizations, versions, sizes, peaks, recorded_at } = &columns.advances;
        batch.add(Statement::new(ADVANCE_HEADS, vec![organizations, versions, sizes, peaks, recorded_at]));
        batch.add(Statement::new(&APPEND, self.entries.parameters()).of_new_rows());
        columns.tiles.add_to(batch);
        let (organizations, erased) = &self.erased_users;
        batch.add_if(!erased.is_empty(), ERASE_USERS, || vec![organizations, erased]);
        let (organizations, erased) = &self.erased_sessions;
        batch.add_if(!erased.is_empty(), ERASE_ADMINISTRATORS, || vec![organizations, erased]);
        let (organizations, ids, are_retried) = &self.dead_letters;
        batch.add_if(!ids.is_empty(), RESOLVE_DEAD_LETTERS, || vec![organizations, ids, are_retried]);
    }
}

impl Entries {
    fn push(&mut self, header: &Header, parts: Parts, leaf: Hash) {
        self.organization_id.push(header.organization_id);
        self.seq.push(seq_column(header.seq));
        self.event_id.push(header.event_id);
        self.event_type.push(header.event_type.as_str());
        self.schema_version.push(SCHEMA_VERSION);
        self.subject_type.push(header.subject_type.map(SubjectType::as_str));
        self.subject_id.push(header.subject_id);
        self.actor_id.push(header.actor_id);
        self.actor_kind.push(header.actor_kind.as_str());
        self.actor.push(Json(parts.actor));
        self.actor_salt.push(parts.actor_salt.as_bytes().to_vec());
        self.actor_commitment.push(header.actor_commitment.as_bytes().to_vec());
        self.requested_at.push(header.requested_at);
        self.recorded_at.push(header.recorded_at);
        self.outcome.push(header.outcome.as_str());
        self.error.push(header.error.map(Json));
        self.payload.push(parts.payload);
        self.payload_salt.push(parts.payload_salt.as_bytes().to_vec());
        self.payload_commitment.push(header.payload_commitment.as_bytes().to_vec());
        self.leaf.push(leaf.as_bytes().to_vec());
    }
}
