//! Erasures of deleted users. An erasure changes no row here: it takes effect when it is recorded.

use rollcall_events::OrganizationId;
use rollcall_events::log::{EventType, SubjectType};
use rollcall_events::request::{EraseUser, Request};
use rollcall_scim::ScimError;
use serde_json::json;
use uuid::Uuid;

use super::kind::{ChangeRequest, SettingFact};
use crate::pipeline::decision::Interrupt;
use crate::pipeline::state::{Key, State, both};

impl ChangeRequest for EraseUser {
    fn subject(&self, _: OrganizationId) -> (SubjectType, Uuid) {
        (SubjectType::User, self.user_id.0)
    }

    fn operation(&self) -> &'static str {
        "eraseUser"
    }

    fn keys(&self, organization: OrganizationId) -> Vec<Key> {
        vec![Key::Presence(organization, self.user_id), Key::Deletion(organization, self.user_id)]
    }

    fn check(&self) -> Result<(), ScimError> {
        Ok(())
    }

    fn decide(&self, state: &State, request: &Request) -> Result<SettingFact, Interrupt> {
        let (organization, id) = (request.organization_id, self.user_id);
        let (is_there, was_deleted) = both(state.has_user(organization, id), state.was_deleted(organization, id))?;
        if is_there {
            let detail = "the user is not deleted; only data of deleted users can be erased";
            return Err(ScimError::new(409, detail).into());
        }
        if !was_deleted {
            return Err(ScimError::new(404, "the log knows of no such user").into());
        }
        Ok((EventType::UserErased, json!({"operation": self.operation()})))
    }
}
