//! Records decisions in the log: gives each its place, hashes it, writes all of them in one statement.

use futures_util::try_join;
use rollcall_events::actor::Actor;
use rollcall_events::log::tile::NewTiles;
use rollcall_events::log::{CompactRange, EventType, Hash, Header, OutcomeKind, Salt, canonical, commitment};
use rollcall_events::request::Request;
use rollcall_events::{EventId, OrganizationId, Timestamp};
use rollcall_scim::ScimError;
use std::collections::HashMap;
use tokio_postgres::types::{Json, ToSql};
use uuid::Uuid;

use crate::decide::Decision;
use crate::store::{RawJson, Store, StoreError, array_text, place};
use crate::tiles::TileColumns;

/// Every statement of this room, to be prepared.
pub(crate) const STATEMENTS: &[&str] = &[APPEND, ERASE, SETTLE];

/// The version of the payloads' form.
const SCHEMA_VERSION: u16 = 1;

/// Appends the entries and moves the heads to where they end.
const APPEND: &str = "
    WITH moved AS (
        UPDATE log_heads h SET size = k.size, peaks = k.peaks::bytea[]
        FROM unnest($17::uuid[], $18::bigint[], $19::text[]) AS k (organization_id, size, peaks)
        WHERE h.organization_id = k.organization_id
    )
    INSERT INTO events (
        organization_id, seq, event_id, type, schema_version, subject_type, subject_id,
        actor, requested_at, recorded_at, outcome, error, payload, salt, commitment, leaf
    )
    SELECT e.organization_id, e.seq, e.event_id, e.type, $16, e.subject_type, e.subject_id,
        e.actor, e.requested_at, e.recorded_at, e.outcome, e.error, e.payload, e.salt, e.commitment, e.leaf
    FROM unnest(
        $1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::uuid[],
        $7::jsonb[], $8::timestamptz[], $9::timestamptz[], $10::text[], $11::jsonb[], $12::jsonb[], $13::bytea[], $14::bytea[], $15::bytea[]
    ) AS e (
        organization_id, seq, event_id, type, subject_type, subject_id,
        actor, requested_at, recorded_at, outcome, error, payload, salt, commitment, leaf
    )";

/// Erases what the log holds about users; it refuses where the log does not say so.
const ERASE: &str = "SELECT erase_user(k.organization_id, k.id) FROM unnest($1::uuid[], $2::uuid[]) AS k (organization_id, id)";

/// Has dead letters tried again, or forgets them. It is done here and not by a projection, since what becomes of them is no state that a log adds up to.
const SETTLE: &str = "
    WITH k AS (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::boolean[]) AS k (organization_id, id, is_retried)),
    retried AS (
        UPDATE dead_letters d SET retried_at = now() FROM k WHERE d.organization_id = k.organization_id AND d.id = k.id AND k.is_retried
    )
    DELETE FROM dead_letters d USING k WHERE d.organization_id = k.organization_id AND d.id = k.id AND NOT k.is_retried";

/// The columns of the rows to be written.
#[derive(Default)]
struct Columns {
    organization_id: Vec<OrganizationId>,
    seq: Vec<i64>,
    event_id: Vec<EventId>,
    event_type: Vec<&'static str>,
    subject_type: Vec<Option<&'static str>>,
    subject_id: Vec<Option<Uuid>>,
    actor: Vec<Json<Actor>>,
    requested_at: Vec<Timestamp>,
    recorded_at: Vec<Timestamp>,
    outcome: Vec<&'static str>,
    error: Vec<Option<Json<ScimError>>>,
    payload: Vec<RawJson>,
    salt: Vec<Vec<u8>>,
    commitment: Vec<Vec<u8>>,
    leaf: Vec<Vec<u8>>,
}

/// The part of the log that a batch appends.
pub(crate) struct Appendix {
    heads: HashMap<OrganizationId, CompactRange>,
    tiles: HashMap<OrganizationId, NewTiles>,
    recorded_at: Timestamp,
    salts: Vec<Salt>,
    columns: Columns,
    /// Users whose data is to be erased.
    erased: (Vec<OrganizationId>, Vec<Uuid>),
    /// Dead letters, and whether each is to be tried again.
    settled: (Vec<OrganizationId>, Vec<Uuid>, Vec<bool>),
}

impl Appendix {
    /// Begins where the locked heads stand, with room for so many entries.
    ///
    /// # Errors
    /// Where the system has no randomness to give.
    pub(crate) fn at(heads: HashMap<OrganizationId, CompactRange>, recorded_at: Timestamp, entries: usize) -> Result<Self, StoreError> {
        Ok(Self {
            heads,
            tiles: HashMap::new(),
            recorded_at,
            salts: Salt::generate(entries)?,
            columns: Columns::default(),
            erased: Default::default(),
            settled: Default::default(),
        })
    }

    /// Whether nothing was appended.
    pub(crate) fn is_empty(&self) -> bool {
        self.columns.seq.is_empty()
    }

    /// Appends one decision; answers its place in its organisation's log.
    ///
    /// # Errors
    /// Where it cannot be hashed, or there are more than there was to be room for.
    pub(crate) fn append(&mut self, request: &Request, decision: &Decision) -> Result<u64, StoreError> {
        let head = self.heads.entry(request.organization_id).or_default();
        let salt = self.salts.pop().ok_or(getrandom::Error::UNEXPECTED)?;
        let payload = canonical(&decision.payload)?;
        let header = Header {
            organization_id: request.organization_id,
            seq: head.size() + 1,
            event_id: request.id,
            event_type: decision.event_type,
            schema_version: SCHEMA_VERSION,
            subject_type: decision.subject.map(|(subject_type, _)| subject_type),
            subject_id: decision.subject.map(|(_, id)| id),
            actor: request.actor.clone(),
            requested_at: request.requested_at,
            recorded_at: self.recorded_at,
            outcome: if decision.error.is_some() { OutcomeKind::Rejected } else { OutcomeKind::Applied },
            error: decision.error.clone(),
            commitment: commitment(salt, &payload),
        };
        if let (EventType::UserErased, Some(user)) = (header.event_type, header.subject_id) {
            self.erased.0.push(header.organization_id);
            self.erased.1.push(user);
        }
        if let (EventType::DeadLetterRetried | EventType::DeadLetterDiscarded, Some(letter)) = (header.event_type, header.subject_id) {
            self.settled.0.push(header.organization_id);
            self.settled.1.push(letter);
            self.settled.2.push(header.event_type == EventType::DeadLetterRetried);
        }
        let leaf = header.leaf()?;
        self.tiles.entry(request.organization_id).or_default().append(head, leaf);
        let seq = header.seq;
        self.columns.push(header, RawJson(payload), salt, leaf);
        Ok(seq)
    }

    /// The organisations whose logs grow, and their new sizes.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (OrganizationId, u64)> {
        self.tiles.keys().filter_map(|id| Some((*id, self.heads.get(id)?.size())))
    }

    /// Writes the entries, moves the heads, and stores what became complete of the trees: the futures are polled in this order, and so the statements run in it.
    pub(crate) async fn write(&self, store: &Store) -> Result<(), StoreError> {
        let mut tiles = TileColumns::default();
        self.tiles.iter().for_each(|(organization, new)| tiles.push(*organization, new));
        let (of, erased) = &self.erased;
        let erased_keys: [&(dyn ToSql + Sync); 2] = [of, erased];
        let erasing = store.query_if(!erased.is_empty(), ERASE, &erased_keys);
        let (of, letters, retried) = &self.settled;
        let settled_keys: [&(dyn ToSql + Sync); 3] = [of, letters, retried];
        let settling = store.query_if(!letters.is_empty(), SETTLE, &settled_keys);
        try_join!(self.write_entries(store), tiles.write(store), erasing, settling).map(|_| ())
    }

    async fn write_entries(&self, store: &Store) -> Result<(), StoreError> {
        let c = &self.columns;
        let version = i16::try_from(SCHEMA_VERSION).unwrap_or(i16::MAX);
        let organizations: Vec<_> = self.heads.keys().copied().collect();
        let sizes: Vec<_> = self.heads.values().map(|head| place(head.size())).collect();
        let peaks: Vec<_> = self.heads.values().map(|head| array_text(head.peaks().iter().map(|peak| format!("\\x{peak}")))).collect();
        let parameters: [&(dyn ToSql + Sync); 19] = [
            &c.organization_id,
            &c.seq,
            &c.event_id,
            &c.event_type,
            &c.subject_type,
            &c.subject_id,
            &c.actor,
            &c.requested_at,
            &c.recorded_at,
            &c.outcome,
            &c.error,
            &c.payload,
            &c.salt,
            &c.commitment,
            &c.leaf,
            &version,
            &organizations,
            &sizes,
            &peaks,
        ];
        store.query_if(!self.is_empty(), APPEND, &parameters).await.map(|_| ())
    }
}

impl Columns {
    fn push(&mut self, header: Header, payload: RawJson, salt: Salt, leaf: Hash) {
        self.organization_id.push(header.organization_id);
        self.seq.push(place(header.seq));
        self.event_id.push(header.event_id);
        self.event_type.push(header.event_type.as_str());
        self.subject_type.push(header.subject_type.map(rollcall_events::log::SubjectType::as_str));
        self.subject_id.push(header.subject_id);
        self.actor.push(Json(header.actor));
        self.requested_at.push(header.requested_at);
        self.recorded_at.push(header.recorded_at);
        self.outcome.push(header.outcome.as_str());
        self.error.push(header.error.map(Json));
        self.payload.push(payload);
        self.salt.push(salt.as_bytes().to_vec());
        self.commitment.push(header.commitment.as_bytes().to_vec());
        self.leaf.push(leaf.as_bytes().to_vec());
    }
}
