//! The SCIM interoperability profile (draft-zollner-scim-interop-profile-01): SCIM as the RFCs have it, read strictly ([`rollcall_scim::strict`]).

use rollcall_events::request::Dialect;
use rollcall_scim::schema::ResourceType;
use rollcall_scim::{ScimError, strict};
use serde_json::Value;

/// The body of a POST or PUT, checked if the caller's dialect is this one.
pub(in crate::scim) fn checked(dialect: Dialect, resource_type: &ResourceType, body: Value) -> Result<Value, ScimError> {
    if dialect == Dialect::Interop {
        strict::check_resource(resource_type, &body)?;
    }
    Ok(body)
}

/// The body of a PATCH, checked if the caller's dialect is this one.
pub(in crate::scim) fn checked_patch(dialect: Dialect, resource_type: &ResourceType, body: Value) -> Result<Value, ScimError> {
    if dialect == Dialect::Interop { strict::patch(resource_type, body) } else { Ok(body) }
}
