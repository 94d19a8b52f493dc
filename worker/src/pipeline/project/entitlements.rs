//! Projects roles and entitlements that users can have.

use rollcall_events::{EntitlementId, OrganizationId, Timestamp};
use rollcall_scim::casefold::casefold;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::rows::{Ids, Key, delete_by};
use crate::db::{StatementBatch, rows};
use crate::pipeline::decide::Entitlement;

/// All statements of this module, to be prepared.
pub(super) fn statements() -> impl Iterator<Item = &'static str> {
    [&DELETE, &INSERT].into_iter().map(|sql| sql.as_str())
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

static DELETE: LazyLock<String> = LazyLock::new(|| delete_by("entitlements", "id"));

static INSERT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO entitlements (organization_id, id, kind, name, name_key, type, description, created_at)
        SELECT organization_id, id, kind, name, name_key, type_name, description, created_at FROM {}",
        DefinedRows::source(1)
    )
});

/// The changes of a batch to roles and entitlements.
#[derive(Default)]
pub(super) struct Entitlements {
    put: BTreeMap<Key<EntitlementId>, Entitlement>,
    deleted: BTreeSet<Key<EntitlementId>>,
}

impl Entitlements {
    pub(super) fn put(&mut self, organization: OrganizationId, entitlement: Entitlement) {
        self.put.insert((organization, entitlement.id), entitlement);
    }

    pub(super) fn delete(&mut self, organization: OrganizationId, id: EntitlementId) {
        self.put.remove(&(organization, id));
        self.deleted.insert((organization, id));
    }

    /// The organizations whose roles or entitlements change.
    pub(super) fn organizations(&self) -> impl Iterator<Item = OrganizationId> {
        self.put.keys().chain(&self.deleted).map(|key| key.0)
    }

    pub(super) fn rows(&self) -> EntitlementRows {
        let deleted = self.deleted.iter().map(|(of, id)| (*of, id.0)).collect();
        let mut defined = DefinedRows::default();
        for ((organization, id), entitlement) in &self.put {
            let settings = &entitlement.settings;
            defined.organization_id.push(*organization);
            defined.id.push(*id);
            defined.kind.push(settings.kind.as_str());
            defined.name.push(settings.name.clone());
            defined.name_key.push(casefold(&settings.name));
            defined.type_name.push(settings.type_name.clone());
            defined.description.push(settings.description.clone());
            defined.created_at.push(entitlement.created_at);
        }
        EntitlementRows { deleted, defined }
    }
}

/// The rows of roles and entitlements that a batch writes.
#[derive(Default)]
pub(super) struct EntitlementRows {
    deleted: Ids,
    defined: DefinedRows,
}

impl EntitlementRows {
    /// Adds the deletions first, because a name can be used again in the same batch.
    pub(super) fn add_to<'a>(&'a self, batch: &mut StatementBatch<'a>) {
        batch.add_if(!self.deleted.is_empty(), &DELETE, || self.deleted.parameters());
        batch.add_if(!self.defined.is_empty(), &INSERT, || self.defined.parameters());
    }
}
