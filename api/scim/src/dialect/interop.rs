//! The SCIM interoperability profile (draft-zollner-scim-interop-profile-01): SCIM's own words, read strictly
//! ([`rollcall_scim::strict`]).

use rollcall_api_core::read::Database;
use rollcall_events::request::{GroupOperation, UserOperation};
use rollcall_events::{OrganizationId, UserId};
use rollcall_scim::patch::{Operation, parse_translated};
use rollcall_scim::reserved::nothing;
use rollcall_scim::schema::{GROUP, ResourceType, USER};
use rollcall_scim::{ScimError, strict};
use serde_json::Value;
use std::future::ready;

use super::standard;
use super::translation::{Change, Dialect, Preparation, UserChange, UserTranslation};

/// The number of resources that a page must be able to have (section 6.4).
const MIN_PAGE: u64 = 100;

/// The dialect of the profile. It looks nothing up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interop;

impl Dialect for Interop {
    fn users<'a>(&'a self, _: &'a Database, _: OrganizationId, _: Vec<UserChange<'a>>) -> Preparation<'a> {
        Box::pin(ready(Ok(Box::new(*self) as Box<dyn UserTranslation>)))
    }

    fn group(&self, change: Change, body: Value) -> Result<GroupOperation, ScimError> {
        match change {
            Change::Create | Change::Replace => standard::group(change, checked(&GROUP, body)?),
            Change::Patch => standard::group_patch(operations(&GROUP, body)?),
        }
    }

    fn describe(&self, config: &mut Value, max_page: u64) {
        if max_page >= MIN_PAGE {
            config["interopProfileConformant"] = true.into();
        }
    }

    fn closes_entitlement_types(&self) -> bool {
        true
    }
}

impl UserTranslation for Interop {
    fn operation(&self, change: Change, _: UserId, body: Value) -> Result<UserOperation, ScimError> {
        match change {
            Change::Create | Change::Replace => standard::user(change, checked(&USER, body)?),
            Change::Patch => operations(&USER, body).map(UserOperation::Patch),
        }
    }
}

/// The body of a POST or PUT, if every name in it is defined.
fn checked(resource_type: &ResourceType, body: Value) -> Result<Value, ScimError> {
    strict::check_resource(resource_type, &body)?;
    Ok(body)
}

/// The operations of a PATCH, if each has the form that the profile allows.
fn operations(resource_type: &ResourceType, body: Value) -> Result<Vec<Operation>, ScimError> {
    parse_translated(resource_type, body, nothing, |operation| strict::operation(resource_type, operation))
}
