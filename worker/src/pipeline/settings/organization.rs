//! Organizations.

use rollcall_events::log::{EventType, SubjectType};
use rollcall_events::name::DisplayName;
use rollcall_events::request::{CreateOrganization, Request};
use rollcall_events::{OrganizationId, Timestamp};
use rollcall_scim::ScimError;
use serde_json::json;
use std::sync::LazyLock;
use uuid::Uuid;

use super::kind::{ChangeRequest, Kind, SettingFact, checked};
use crate::db::{StatementBatch, rows};
use crate::fact::{Fact, MalformedFact};
use crate::pipeline::decision::Interrupt;
use crate::pipeline::state::{Key, NotLoaded, State};

impl ChangeRequest for CreateOrganization {
    fn subject(&self, _: OrganizationId) -> (SubjectType, Uuid) {
        (SubjectType::Organization, self.organization_id.0)
    }

    fn operation(&self) -> &'static str {
        "createOrganization"
    }

    fn needs_organization(&self, _: OrganizationId) -> bool {
        false
    }

    fn keys(&self, _: OrganizationId) -> Vec<Key> {
        vec![Key::Organization(self.organization_id)]
    }

    fn check(&self) -> Result<(), ScimError> {
        checked("name", self.name.check())
    }

    fn decide(&self, state: &State, request: &Request) -> Result<SettingFact, Interrupt> {
        if state.has_organization(self.organization_id)? {
            return Err(ScimError::uniqueness("there is an organization with this id already").into());
        }
        Ok((EventType::OrganizationCreated, json!({"name": self.name, "created_at": request.requested_at})))
    }
}

/// A new organization.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Organization {
    id: OrganizationId,
    name: DisplayName,
    created_at: Timestamp,
}

/// Reads the change from an `OrganizationCreated` fact.
pub(super) fn created(fact: &Fact) -> Result<Organization, MalformedFact> {
    let id = OrganizationId(fact.subject()?);
    Ok(Organization { id, name: fact.read("name")?, created_at: fact.read("created_at")? })
}

/// The new organizations of a batch.
#[derive(Default)]
pub(crate) struct Organizations(Vec<Organization>);

rows! {
    /// New organizations.
    pub(crate) struct OrganizationRows {
        id: OrganizationId => "uuid",
        name: String => "text",
        created_at: Timestamp => "timestamptz",
    }
}

static INSERT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO organizations (id, name, created_at) SELECT id, name, created_at FROM {}",
        OrganizationRows::source(1)
    )
});

impl Kind for Organizations {
    type Change = Organization;
    type Rows = OrganizationRows;

    fn statements() -> Vec<&'static str> {
        vec![&INSERT]
    }

    fn apply(change: &Organization, _: OrganizationId, state: &mut State) -> Result<(), NotLoaded> {
        state.put_organization(change.id, change.name.to_string());
        Ok(())
    }

    fn take(&mut self, _: OrganizationId, _: u64, change: Organization) {
        self.0.push(change);
    }

    fn rows(&self) -> OrganizationRows {
        let mut rows = OrganizationRows::default();
        for organization in &self.0 {
            rows.id.push(organization.id);
            rows.name.push(organization.name.to_string());
            rows.created_at.push(organization.created_at);
        }
        rows
    }

    fn add_to<'a>(rows: &'a OrganizationRows, batch: &mut StatementBatch<'a>) {
        batch.add_if(!rows.is_empty(), &INSERT, || rows.parameters());
    }
}
