//! The SCIM interoperability profile (draft-zollner-scim-interop-profile-01): SCIM as the RFCs have it, read
//! strictly ([`rollcall_scim::strict`]).

use rollcall_events::request::Dialect;
use rollcall_scim::patch::{Operation, parse, parse_translated};
use rollcall_scim::reserved::nothing;
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

/// The operations of a PATCH, checked if the caller's dialect is this one.
pub(in crate::scim) fn changes(dialect: Dialect, resource_type: &ResourceType, body: Value) -> Result<Vec<Operation>, ScimError> {
    match dialect {
        Dialect::Interop => parse_translated(resource_type, body, nothing, |operation| strict::operation(resource_type, operation)),
        Dialect::Standard | Dialect::Braze => parse(resource_type, body),
    }
}
