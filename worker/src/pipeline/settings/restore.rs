//! Restores of the database that lost signed entries. A restore changes no row: the log only states it.

use rollcall_events::OrganizationId;
use rollcall_events::log::{EventType, SubjectType};
use rollcall_events::request::{AcceptRestore, Request};
use rollcall_scim::ScimError;
use serde_json::json;
use uuid::Uuid;

use super::kind::{ChangeRequest, SettingFact, checked};
use crate::pipeline::decision::Interrupt;
use crate::pipeline::state::{Key, State};

impl ChangeRequest for AcceptRestore {
    fn subject(&self, organization: OrganizationId) -> (SubjectType, Uuid) {
        (SubjectType::Organization, organization.0)
    }

    fn operation(&self) -> &'static str {
        "acceptRestore"
    }

    /// The restored database may be from a time before the organization.
    fn needs_organization(&self, _: OrganizationId) -> bool {
        false
    }

    fn keys(&self, _: OrganizationId) -> Vec<Key> {
        Vec::new()
    }

    fn check(&self) -> Result<(), ScimError> {
        checked("reason", self.reason.check())
    }

    fn decide(&self, _: &State, _: &Request) -> Result<SettingFact, Interrupt> {
        let Self { signed, restored, reason } = self;
        let payload = json!({"operation": self.operation(), "reason": reason, "restored": restored, "signed": signed});
        Ok((EventType::LogRestored, payload))
    }
}
