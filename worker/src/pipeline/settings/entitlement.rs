//! Roles and entitlements that users can have.

use rollcall_events::log::{EventType, SubjectType};
use rollcall_events::name::Description;
use rollcall_events::request::{ChangeEntitlement, EntitlementChange, Request};
use rollcall_events::{EntitlementId, OrganizationId, Timestamp};
use rollcall_scim::ScimError;
use rollcall_scim::casefold::casefold;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use uuid::Uuid;

use super::kind::{ChangeRequest, Kind, Listeners, SettingFact, checked};
use crate::db::{StatementBatch, rows};
use crate::fact::{Fact, MalformedFact};
use crate::pipeline::decision::Interrupt;
use crate::pipeline::rows::{Ids, RowKey, delete_by};
use crate::pipeline::state::{Entitlement, Key, NotLoaded, State, both};

impl ChangeRequest for ChangeEntitlement {
    fn subject(&self, _: OrganizationId) -> (SubjectType, Uuid) {
        (SubjectType::Entitlement, self.entitlement_id.0)
    }

    fn operation(&self) -> &'static str {
        match self.change {
            EntitlementChange::Define(_) => "defineEntitlement",
            EntitlementChange::Remove(_) => "removeEntitlement",
        }
    }

    fn keys(&self, organization: OrganizationId) -> Vec<Key> {
        let mut keys = vec![Key::Entitlement(organization, self.entitlement_id)];
        if let EntitlementChange::Define(settings) = &self.change {
            keys.push(Key::EntitlementName(organization, settings.kind, casefold(settings.name.as_str())));
        }
        keys
    }

    fn check(&self) -> Result<(), ScimError> {
        let EntitlementChange::Define(settings) = &self.change else { return Ok(()) };
        checked("name", settings.name.check())?;
        checked("type", settings.type_name.check())?;
        checked("description", settings.description.as_ref().map_or(Ok(()), Description::check))
    }

    fn decide(&self, state: &State, request: &Request) -> Result<SettingFact, Interrupt> {
        let (organization, id) = (request.organization_id, self.entitlement_id);
        match &self.change {
            EntitlementChange::Define(settings) => {
                let named = state.entitlement_named(organization, settings.kind, casefold(settings.name.as_str()));
                let (with_id, named) = both(state.entitlement(organization, id), named)?;
                if with_id.is_some() || named.is_some() {
                    let kind = settings.kind.as_str();
                    let taken = format!("this name or id is taken by another {kind}");
                    return Err(ScimError::uniqueness(taken).into());
                }
                let entitlement = Entitlement { id, settings: settings.clone(), created_at: request.requested_at };
                Ok((EventType::EntitlementDefined, json!({"entitlement": entitlement})))
            }
            EntitlementChange::Remove(kind) => {
                match state.entitlement(organization, id)?.filter(|found| found.settings.kind == *kind) {
                    Some(entitlement) => Ok((EventType::EntitlementRemoved, json!({"entitlement": entitlement}))),
                    None => Err(ScimError::new(404, format!("there is no such {}", kind.as_str())).into()),
                }
            }
        }
    }
}

/// A change of a role or an entitlement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    Put(Entitlement),
    Delete(EntitlementId),
}

/// Reads the change from an `EntitlementDefined` fact.
pub(super) fn defined(fact: &Fact) -> Result<Change, MalformedFact> {
    fact.read("entitlement").map(Change::Put)
}

/// Reads the change from an `EntitlementRemoved` fact.
pub(super) fn removed(fact: &Fact) -> Result<Change, MalformedFact> {
    Ok(Change::Delete(EntitlementId(fact.subject()?)))
}

/// The changes of a batch to roles and entitlements.
#[derive(Default)]
pub(crate) struct Entitlements {
    put: BTreeMap<RowKey<EntitlementId>, Entitlement>,
    deleted: BTreeSet<RowKey<EntitlementId>>,
}

rows! {
    /// New roles and entitlements.
    struct DefinedRows {
        organization_id: OrganizationId => "uuid",
        id: EntitlementId => "uuid",
        kind: &'static str => "text",
        name: String => "text",
        name_key: String => "text",
        type_name: String => "text",
        description: Option<String> => "text",
        created_at: Timestamp => "timestamptz",
    }
}

/// The rows of roles and entitlements that a batch writes.
pub(crate) struct EntitlementRows {
    deleted: Ids,
    defined: DefinedRows,
}

static DELETE: LazyLock<String> = LazyLock::new(|| delete_by("entitlements", "id"));

static INSERT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO entitlements (organization_id, id, kind, name, name_key, type, description, created_at)
        SELECT organization_id, id, kind, name, name_key, type_name, description, created_at FROM {}",
        DefinedRows::source(1)
    )
});

impl Kind for Entitlements {
    type Change = Change;
    type Rows = EntitlementRows;

    fn statements() -> Vec<&'static str> {
        vec![&DELETE, &INSERT]
    }

    fn apply(change: &Change, organization: OrganizationId, state: &mut State) -> Result<(), NotLoaded> {
        match change {
            Change::Put(entitlement) => {
                state.put_entitlement(organization, entitlement);
                Ok(())
            }
            Change::Delete(id) => state.delete_entitlement(organization, *id),
        }
    }

    fn listeners(_: &Change) -> Listeners {
        Listeners::APPLICATIONS
    }

    fn take(&mut self, organization: OrganizationId, _: u64, change: Change) {
        match change {
            Change::Put(entitlement) => {
                self.put.insert((organization, entitlement.id), entitlement);
            }
            Change::Delete(id) => {
                self.put.remove(&(organization, id));
                self.deleted.insert((organization, id));
            }
        }
    }

    fn rows(&self) -> EntitlementRows {
        let deleted = self.deleted.iter().map(|(of, id)| (*of, id.0)).collect();
        let mut defined = DefinedRows::default();
        for ((organization, id), entitlement) in &self.put {
            let settings = &entitlement.settings;
            defined.organization_id.push(*organization);
            defined.id.push(*id);
            defined.kind.push(settings.kind.as_str());
            defined.name.push(settings.name.to_string());
            defined.name_key.push(casefold(settings.name.as_str()));
            defined.type_name.push(settings.type_name.to_string());
            defined.description.push(settings.description.clone().map(String::from));
            defined.created_at.push(entitlement.created_at);
        }
        EntitlementRows { deleted, defined }
    }

    /// Adds the deletions first, because a name can be used again in the same batch.
    fn add_to<'a>(rows: &'a EntitlementRows, batch: &mut StatementBatch<'a>) {
        batch.add_if(!rows.deleted.is_empty(), &DELETE, || rows.deleted.parameters());
        batch.add_if(!rows.defined.is_empty(), &INSERT, || rows.defined.parameters());
    }
}
