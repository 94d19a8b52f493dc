//! A strict auditor: recomputes every hash of a log, and computes from the log the state that the tables must
//! have.

use rollcall_events::actor::{ActorDetails, ActorKind};
use rollcall_events::log::{CompactRange, EventType, Hash, Header, OutcomeKind, Part, Salt, SubjectType, canonical};
use rollcall_events::{OrganizationId, Timestamp};
use rollcall_scim::casefold::casefold;
use rollcall_scim::schema::USER;
use rollcall_scim::search::keys;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::types::Json;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

/// An auditor with a direct connection to the database.
#[derive(Debug)]
pub struct Auditor {
    /// The connection. It may read every table.
    pub database: Client,
}

/// One entry of a log, as the database has it.
#[derive(Debug)]
pub struct Entry {
    /// The header.
    pub header: Header,
    /// The details of the actor.
    pub actor: ActorDetails,
    /// The facts.
    pub payload: Value,
    actor_salt: Salt,
    payload_salt: Salt,
    leaf: Hash,
}

/// A user as the tables have it: the row, and the memberships by workspace.
pub type UserRow = (Value, BTreeMap<String, Value>);

/// A group as the tables have it: the resource, and the ids of its members.
pub type GroupRow = (Value, BTreeSet<String>);

impl Auditor {
    pub(crate) fn new(database: Client) -> Self {
        Self { database }
    }

    /// Reads the log of an organization, in order.
    pub async fn log(&self, organization: &str) -> Vec<Entry> {
        let sql = "SELECT * FROM rollcall.events WHERE organization_id = $1 ORDER BY seq";
        self.database.query(sql, &[&id(organization)]).await.unwrap().iter().map(entry).collect()
    }

    /// Verifies a log from end to end: it has no gap, every commitment and leaf is right, and the recomputed
    /// root is the stored one. Returns the log.
    pub async fn verify(&self, organization: &str) -> Vec<Entry> {
        let log = self.log(organization).await;
        let mut range = CompactRange::default();
        for (index, entry) in log.iter().enumerate() {
            assert_eq!(entry.header.seq, index as u64 + 1, "a gap in the log");
            assert_eq!(
                Part::Payload.commitment(entry.payload_salt, &canonical(&entry.payload).unwrap()),
                entry.header.payload_commitment,
                "the payload of {}",
                entry.header.seq
            );
            assert_eq!(
                Part::Actor.commitment(entry.actor_salt, &entry.actor.canonical().unwrap()),
                entry.header.actor_commitment,
                "the actor of {}",
                entry.header.seq
            );
            assert_eq!(entry.header.leaf().unwrap(), entry.leaf, "the leaf of {}", entry.header.seq);
            range.append(entry.leaf);
        }
        let sql = "SELECT size, peaks FROM rollcall.log_heads WHERE organization_id = $1";
        let head = self.database.query_one(sql, &[&id(organization)]).await.unwrap();
        let stored =
            CompactRange::from_parts(head.get::<_, i64>(0).unsigned_abs(), &head.get::<_, Vec<Vec<u8>>>(1)).unwrap();
        assert_eq!(stored.root(), range.root(), "the root of the tree");
        log
    }

    /// Compares the tables with the state computed from the log, row by row. Returns the number of users.
    pub async fn compare_with_tables(&self, organization: &str) -> usize {
        let (expected, shown) = (applied(&self.log(organization).await), self.users(organization).await);
        assert_eq!(expected.len(), shown.len(), "the number of users");
        for (id, user) in &expected {
            assert_eq!(Some(user), shown.get(id), "user {id}");
        }
        assert_eq!(
            applied_groups(&self.log(organization).await),
            self.groups(organization).await,
            "groups and their members"
        );
        let sql = "SELECT users, groups FROM rollcall.organizations WHERE id = $1";
        let counted = self.database.query_one(sql, &[&id(organization)]).await.unwrap();
        let groups = self.groups(organization).await.len();
        assert_eq!(
            (counted.get::<_, i64>(0), counted.get::<_, i64>(1)),
            (i64::try_from(shown.len()).unwrap(), i64::try_from(groups).unwrap())
        );
        shown.len()
    }

    /// The users of an organization as the tables have them.
    pub async fn users(&self, organization: &str) -> BTreeMap<String, UserRow> {
        let sql = "
            SELECT u.id::text, jsonb_build_object(
                    'name', u.user_name_key, 'externalId', u.external_id, 'active', u.active,
                    'keys', u.keys, 'resource', u.resource),
                COALESCE(jsonb_object_agg(
                    m.workspace_id, jsonb_build_object('permissions', m.permissions, 'teams', m.teams))
                    FILTER (WHERE m.workspace_id IS NOT NULL), '{}')
            FROM rollcall.users u
            LEFT JOIN rollcall.workspace_members m ON m.organization_id = u.organization_id AND m.user_id = u.id
            WHERE u.organization_id = $1 GROUP BY u.organization_id, u.id";
        let rows = self.database.query(sql, &[&id(organization)]).await.unwrap();
        let members = |row: &Row| row.get::<_, Json<BTreeMap<String, Value>>>(2).0;
        rows.iter().map(|row| (row.get(0), (row.get(1), members(row)))).collect()
    }

    /// The groups of an organization as the tables have them.
    pub async fn groups(&self, organization: &str) -> BTreeMap<String, GroupRow> {
        let sql = "
            SELECT g.id::text, g.resource,
                ARRAY(SELECT m.user_id::text FROM rollcall.group_members m
                    WHERE m.organization_id = g.organization_id AND m.group_id = g.id)
            FROM rollcall.groups g WHERE g.organization_id = $1";
        let rows = self.database.query(sql, &[&id(organization)]).await.unwrap();
        rows.iter().map(|row| (row.get(0), (row.get(1), row.get::<_, Vec<String>>(2).into_iter().collect()))).collect()
    }

    /// The names of the user's workspaces, sorted.
    pub async fn workspaces_of(&self, user: &str) -> Vec<String> {
        let sql = "
            SELECT w.name FROM rollcall.workspace_members m
            JOIN rollcall.workspaces w ON w.organization_id = m.organization_id AND w.id = m.workspace_id
            WHERE m.user_id = $1 ORDER BY w.name";
        self.database.query(sql, &[&id(user)]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }
}

/// Reads an id.
pub fn id(text: &str) -> Uuid {
    text.parse().unwrap()
}

fn entry(row: &Row) -> Entry {
    let json = |name: &str| row.get::<_, Option<Value>>(name);
    let name = |name: &str| row.get::<_, Option<String>>(name);
    let header = Header {
        organization_id: row.get::<_, OrganizationId>("organization_id"),
        seq: row.get::<_, i64>("seq").unsigned_abs(),
        event_id: row.get("event_id"),
        event_type: EventType::from_name(&name("type").unwrap()).unwrap(),
        schema_version: row.get::<_, i16>("schema_version").unsigned_abs(),
        subject_type: name("subject_type").map(|name| SubjectType::from_name(&name).unwrap()),
        subject_id: row.get("subject_id"),
        actor_commitment: Hash::from_bytes(row.get("actor_commitment")).unwrap(),
        actor_id: row.get("actor_id"),
        actor_kind: ActorKind::from_name(row.get("actor_kind")).unwrap(),
        requested_at: row.get::<_, Timestamp>("requested_at"),
        recorded_at: row.get::<_, Timestamp>("recorded_at"),
        outcome: OutcomeKind::from_name(&name("outcome").unwrap()).unwrap(),
        error: json("error").map(|error| serde_json::from_value(error).unwrap()),
        payload_commitment: Hash::from_bytes(row.get("payload_commitment")).unwrap(),
    };
    Entry {
        header,
        actor: serde_json::from_value(json("actor").unwrap()).unwrap(),
        payload: json("payload").unwrap(),
        actor_salt: Salt::from_bytes(row.get("actor_salt")).unwrap(),
        payload_salt: Salt::from_bytes(row.get("payload_salt")).unwrap(),
        leaf: Hash::from_bytes(row.get("leaf")).unwrap(),
    }
}

/// Computes the users from a log. This does not share code with the worker.
fn applied(log: &[Entry]) -> BTreeMap<String, UserRow> {
    let mut users = BTreeMap::new();
    for entry in log {
        let id = entry.header.subject_id.map(|id| id.to_string()).unwrap_or_default();
        match entry.header.event_type {
            EventType::UserDeleted => {
                users.remove(&id);
            }
            EventType::UserCreated
            | EventType::UserUpdated
            | EventType::UserDeactivated
            | EventType::UserReactivated => {
                users.insert(id, row(&entry.payload["resource"]));
            }
            _ => {}
        }
    }
    users
}

/// Computes the groups from a log. This does not share code with the worker.
fn applied_groups(log: &[Entry]) -> BTreeMap<String, GroupRow> {
    let mut groups: BTreeMap<String, GroupRow> = BTreeMap::new();
    for entry in log {
        let id = entry.header.subject_id.map(|id| id.to_string()).unwrap_or_default();
        match entry.header.event_type {
            EventType::GroupDeleted => {
                groups.remove(&id);
            }
            EventType::UserDeleted => {
                for (_, members) in groups.values_mut() {
                    members.remove(&id);
                }
            }
            EventType::GroupCreated | EventType::GroupUpdated => {
                let moved = |side: &str| entry.payload["members"][side].as_array().unwrap().clone();
                let (resource, members) = groups.entry(id).or_default();
                entry.payload["resource"].clone_into(resource);
                members.extend(moved("added").iter().map(|user| user.as_str().unwrap().to_owned()));
                for user in moved("removed") {
                    members.remove(user.as_str().unwrap());
                }
            }
            _ => {}
        }
    }
    groups
}

fn row(resource: &Value) -> UserRow {
    let key = |value: &Value| value.as_str().map(casefold);
    let none = Vec::new();
    let row = json!({
        "name": key(&resource["userName"]), "externalId": resource["externalId"], "active": resource["active"] != false,
        "keys": keys(&USER, resource.as_object().unwrap()), "resource": resource,
    });
    let workspaces =
        resource["urn:ietf:params:scim:schemas:extension:rollcall:2.0:User"]["workspaces"].as_array().unwrap_or(&none);
    let or_empty = |value: &Value| if value.is_null() { json!([]) } else { value.clone() };
    let member = |workspace: &Value| {
        let rest = Map::from_iter([
            ("permissions".to_owned(), or_empty(&workspace["permissions"])),
            ("teams".to_owned(), or_empty(&workspace["teams"])),
        ]);
        (workspace["value"].as_str().unwrap().to_owned(), Value::Object(rest))
    };
    (row, workspaces.iter().map(member).collect())
}
