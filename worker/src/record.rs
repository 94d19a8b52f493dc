//! Records decisions in the log: gives each its place, hashes it, and has all of them written in one statement, with the users that they leave.

use rollcall_events::actor::Actor;
use rollcall_events::log::tile::NewTiles;
use rollcall_events::log::{EventType, Hash, Header, OutcomeKind, Salt, canonical, commitment};
use rollcall_events::request::Request;
use rollcall_events::{EventId, OrganizationId, Timestamp};
use rollcall_scim::ScimError;
use std::collections::{BTreeMap, HashMap};
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::decide::Decision;
use crate::load::Head;
use crate::project::{Projection, insert_users};
use crate::script::{Script, columns};
use crate::store::{RawJson, StoreError, array_text, place};
use crate::tiles::TileColumns;

/// Every statement of this room, to be prepared.
pub(crate) const STATEMENTS: &[&str] = &[APPEND, APPEND_NEW_USERS, APPEND_USERS, ERASE, SETTLE];

/// The version of the payloads' form.
const SCHEMA_VERSION: u16 = 1;

/// Moves the heads, then appends the entries; `$then` is what else is written of the same rows, whose further columns are `$columns`.
///
/// A head that is not as it was read any more becomes NULL, which the table refuses: somebody else has appended, or has mended what the log adds up to, and the batch
/// is to be decided anew ([`StoreError::Overtaken`]). `$then` counts the heads, and so they come first: whoever waits waits there.
macro_rules! append {
    ($columns:literal, $names:literal, $($then:tt)*) => {
        concat!(
            "WITH entries AS MATERIALIZED (
                SELECT * FROM unnest(
                    $6::uuid[], $7::bigint[], $8::uuid[], $9::text[], $10::text[], $11::uuid[], $12::jsonb[], $13::timestamptz[],
                    $14::timestamptz[], $15::text[], $16::jsonb[], $17::jsonb[], $18::bytea[], $19::bytea[], $20::bytea[]",
            $columns,
            ") AS e (
                    organization_id, seq, event_id, type, subject_type, subject_id, actor, requested_at,
                    recorded_at, outcome, error, payload, salt, commitment, leaf",
            $names,
            ")
            ), moved AS (
                UPDATE log_heads h SET size = CASE WHEN h.xmin::text::bigint = k.version THEN k.size END, peaks = k.peaks::bytea[]
                FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[]) AS k (organization_id, version, size, peaks)
                WHERE h.organization_id = k.organization_id
                RETURNING h.organization_id
            ), logged AS (
                INSERT INTO events (
                    organization_id, seq, event_id, type, schema_version, subject_type, subject_id,
                    actor, requested_at, recorded_at, outcome, error, payload, salt, commitment, leaf
                )
                SELECT e.organization_id, e.seq, e.event_id, e.type, $5, e.subject_type, e.subject_id,
                    e.actor, e.requested_at, e.recorded_at, e.outcome, e.error, e.payload, e.salt, e.commitment, e.leaf
                FROM entries e
            )",
            $($then)*
        )
    };
}

/// Users whom entries leave, as the statements below take them.
macro_rules! append_users {
    ($on_conflict:literal) => {
        append!(
            ", $21::text[], $22::text[], $23::boolean[], $24::jsonb[], $25::timestamptz[], $26::timestamptz[]",
            ", user_name_key, external_id, active, keys, created_at, last_modified_at",
            ", ",
            insert_users!(
                "$27::uuid[], $28::uuid[], $29::uuid[], $30::text[], $31::jsonb[]",
                "$32::uuid[], $33::bigint[]",
                "(SELECT count(*) FROM moved) AS heads, entries AS u WHERE u.user_name_key IS NOT NULL",
                $on_conflict
            )
        )
    };
}

/// Entries that leave no users.
const APPEND: &str = append!("", "", " SELECT count(*) FROM moved");

/// Entries that leave users who are all new.
const APPEND_NEW_USERS: &str = append_users!("");

/// Entries that leave users some of whom are there.
const APPEND_USERS: &str = append_users!(
    "
    ON CONFLICT (organization_id, id) DO UPDATE SET
        user_name_key = excluded.user_name_key, external_id = excluded.external_id, active = excluded.active, keys = excluded.keys,
        resource = excluded.resource, last_modified_at = excluded.last_modified_at"
);

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
    /// In the order of their ids, in which they are locked.
    heads: BTreeMap<OrganizationId, Head>,
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
    /// Begins where the heads stand, with room for so many entries.
    ///
    /// # Errors
    /// Where the system has no randomness to give.
    pub(crate) fn at(heads: BTreeMap<OrganizationId, Head>, recorded_at: Timestamp, entries: usize) -> Result<Self, StoreError> {
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
    fn is_empty(&self) -> bool {
        self.columns.seq.is_empty()
    }

    /// Appends one decision; answers its place in its organisation's log.
    ///
    /// # Errors
    /// Where it cannot be hashed, or there are more than there was to be room for.
    pub(crate) fn append(&mut self, request: &Request, decision: &Decision) -> Result<u64, StoreError> {
        let head = &mut self.heads.get_mut(&request.organization_id).ok_or(StoreError::Overtaken)?.log;
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

    /// How long a log is with what is appended.
    pub(crate) fn size(&self, organization: OrganizationId) -> u64 {
        self.heads.get(&organization).map_or(0, |head| head.log.size())
    }

    /// The organisations whose logs grow, and their new sizes.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (OrganizationId, u64)> {
        self.tiles.keys().filter_map(|id| Some((*id, self.heads.get(id)?.log.size())))
    }

    /// What is to be written: the entries with the users that they leave, what became complete of the trees, and then what entries ask to be done.
    pub(crate) fn script<'a>(&'a self, projection: &'a Projection, script: &mut Script<'a>) -> Result<(), StoreError> {
        if self.is_empty() {
            return Ok(());
        }
        self.append_entries(projection, script)?;
        let mut tiles = TileColumns::default();
        self.tiles.iter().for_each(|(organization, new)| tiles.push(*organization, new));
        tiles.script(script);
        let (of, erased) = &self.erased;
        script.add_if(!erased.is_empty(), ERASE, columns![of, erased]);
        let (of, letters, retried) = &self.settled;
        script.add_if(!letters.is_empty(), SETTLE, columns![of, letters, retried]);
        Ok(())
    }

    fn append_entries<'a>(&'a self, projection: &'a Projection, script: &mut Script<'a>) -> Result<(), StoreError> {
        let c = &self.columns;
        let grown = || self.heads.iter().filter(|(id, _)| self.tiles.contains_key(id));
        let organizations: Vec<_> = grown().map(|(id, _)| *id).collect();
        let (versions, sizes): (Vec<_>, Vec<_>) = grown().map(|(_, head)| (head.version, place(head.log.size()))).unzip();
        let peaks: Vec<_> = grown().map(|(_, head)| array_text(head.log.peaks().iter().map(|peak| format!("\\x{peak}")))).collect();
        let mut parameters = columns![
            organizations,
            versions,
            sizes,
            peaks,
            i16::try_from(SCHEMA_VERSION).unwrap_or(i16::MAX),
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
        ];
        let entries = c.organization_id.iter().copied().zip(c.seq.iter().map(|seq| seq.unsigned_abs()));
        let sql = match projection.users_at(entries)? {
            None => APPEND,
            Some(users) => {
                let sql = if users.are_new { APPEND_NEW_USERS } else { APPEND_USERS };
                parameters.extend(users.into_parameters());
                sql
            }
        };
        script.add(sql, parameters);
        Ok(())
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
