//! Decisions about roles and entitlements that users can have.

use rollcall_events::EntitlementId;
use rollcall_events::log::EventType;
use rollcall_events::request::{EntitlementChange, EntitlementSettings, Request, WORKSPACE_TYPE};
use rollcall_scim::ScimError;
use rollcall_scim::casefold::casefold;
use serde_json::json;

use super::shared::SettingFact;
use crate::pipeline::decide::Interrupt;
use crate::pipeline::decide::entity::Entitlement;
use crate::pipeline::decide::keys::both;
use crate::pipeline::decide::state::State;

/// The name of a change in the log.
pub(super) fn operation(change: &EntitlementChange) -> &'static str {
    match change {
        EntitlementChange::Define(_) => "defineEntitlement",
        EntitlementChange::Remove(_) => "removeEntitlement",
    }
}

/// Decides a change of a role or an entitlement.
pub(super) fn attempt(
    state: &State,
    request: &Request,
    id: EntitlementId,
    change: &EntitlementChange,
) -> Result<SettingFact, Interrupt> {
    let organization = request.organization_id;
    match change {
        EntitlementChange::Define(settings) => {
            check(settings)?;
            let named = state.entitlement_named(organization, settings.kind, casefold(&settings.name));
            let (with_id, named) = both(state.entitlement(organization, id), named)?;
            if with_id.is_some() || named.is_some() {
                return Err(ScimError::uniqueness(format!(
                    "this name or id is taken by another {}",
                    settings.kind.as_str()
                ))
                .into());
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

/// Checks the name and the type. A user's value is an id or a name, so no name may look like an id. The type
/// says whether it is a workspace, so no other entitlement may have that type.
fn check(settings: &EntitlementSettings) -> Result<(), ScimError> {
    if settings.name.parse::<EntitlementId>().is_ok() {
        return Err(ScimError::invalid_value("name: a name cannot have the form of an id"));
    }
    if settings.type_name.eq_ignore_ascii_case(WORKSPACE_TYPE) {
        return Err(ScimError::invalid_value(
            "type: Workspace is the type of workspaces, which are entitlements by themselves",
        ));
    }
    Ok(())
}
