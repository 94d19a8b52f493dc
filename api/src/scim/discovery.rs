//! `/ServiceProviderConfig`, `/ResourceTypes` and `/Schemas` (RFC 7644 section 4).

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use rollcall_events::WorkspaceId;
use rollcall_events::request::{Dialect, ENTITLEMENT_TYPE, WORKSPACE_TYPE};
use rollcall_scim::discovery::{self, Limits};
use rollcall_scim::list::ListResponse;
use rollcall_scim::schema::{self, ROLLCALL_SCHEMA, ResourceType, Schema, USER_SCHEMA};
use rollcall_scim::{ScimError, ScimType};
use serde_json::Value;

use super::answer::json;
use super::query::Parameters;
use super::{Base, Bounds};
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::read::{Database, defined_types};

/// The smallest number of resources that a page can have by the interoperability profile (draft-zollner-scim-interop-profile-01 section 6.4).
const INTEROP_PAGE: u64 = 100;

/// `GET /ServiceProviderConfig`.
pub(super) async fn service_provider_config(caller: Caller, parameters: Parameters, base: Data<Base>, bounds: Data<Bounds>) -> ApiResult {
    refuse_filter(&parameters)?;
    let limits = Limits { max_results: bounds.max_page, max_operations: bounds.max_operations, max_payload_bytes: bounds.max_body_bytes };
    let mut config = discovery::service_provider_config(base.as_str(), limits);
    let asked = parameters.get("attributes").unwrap_or_default();
    let asks_for = |attribute: &str| {
        asked.split(',').filter_map(|name| name.trim().rsplit(':').next()).any(|name| name.eq_ignore_ascii_case(attribute))
    };
    if asks_for("pagination") {
        config["pagination"] = discovery::pagination(limits);
    }
    if asks_for("securityEvents") {
        config["securityEvents"] = discovery::security_events();
    }
    if caller.dialect() == Dialect::Interop && bounds.max_page >= INTEROP_PAGE {
        config["interopProfileConformant"] = true.into();
    }
    json(StatusCode::OK, &config)
}

/// `GET /ResourceTypes`.
pub(super) async fn resource_types(_: Caller, parameters: Parameters, base: Data<Base>) -> ApiResult {
    refuse_filter(&parameters)?;
    json(StatusCode::OK, &ListResponse::whole(ResourceType::all().map(|known| discovery::resource_type(base.as_str(), known)).to_vec()))
}

/// `GET /ResourceTypes/{name}`.
pub(super) async fn resource_type(_: Caller, name: Path<String>, base: Data<Base>) -> ApiResult {
    let found = ResourceType::all().into_iter().find(|known| known.name.eq_ignore_ascii_case(&name));
    let found = found.ok_or_else(|| ScimError::new(404, "there is no such resource type"))?;
    json(StatusCode::OK, &discovery::resource_type(base.as_str(), found))
}

/// `GET /Schemas`.
pub(super) async fn schemas(caller: Caller, parameters: Parameters, base: Data<Base>, database: Data<Database>) -> ApiResult {
    refuse_filter(&parameters)?;
    let types = entitlement_types(&caller, &database).await?;
    let schemas = schema::all().into_iter().map(|schema| shown(&base, schema, caller.default_workspace(), &types)).collect();
    json(StatusCode::OK, &ListResponse::whole(schemas))
}

/// `GET /Schemas/{urn}`.
pub(super) async fn schema(caller: Caller, urn: Path<String>, base: Data<Base>, database: Data<Database>) -> ApiResult {
    let found = schema::all().into_iter().find(|schema| schema.id.eq_ignore_ascii_case(&urn));
    let found = found.ok_or_else(|| ScimError::new(404, "there is no such schema"))?;
    let types = entitlement_types(&caller, &database).await?;
    json(StatusCode::OK, &shown(&base, found, caller.default_workspace(), &types))
}

/// A schema. It suggests the workspace that users of the caller join by default; all workspaces are at `/Workspaces`.
fn shown(base: &Base, schema: &Schema, default_workspace: WorkspaceId, types: &[String]) -> Value {
    let mut shown = discovery::schema(base.as_str(), schema);
    if schema.id == ROLLCALL_SCHEMA {
        discovery::suggest(&mut shown, "workspaces", "value", &[default_workspace.to_string()]);
    }
    if schema.id == USER_SCHEMA && !types.is_empty() {
        discovery::suggest(&mut shown, "entitlements", "type", types);
    }
    shown
}

/// The types that an entitlement can have, for a caller who may only use those that the schema lists (draft-zollner-scim-interop-profile-01 section 5.4).
/// For any other caller they are suggestions, and those of the schema are enough.
async fn entitlement_types(caller: &Caller, database: &Database) -> Result<Vec<String>, ApiError> {
    if caller.dialect() != Dialect::Interop {
        return Ok(Vec::new());
    }
    let defined = defined_types(database, caller.organization_id()).await?;
    let built_in = [ENTITLEMENT_TYPE, WORKSPACE_TYPE].map(str::to_owned);
    Ok(built_in.iter().cloned().chain(defined.into_iter().filter(|name| !built_in.contains(name))).collect())
}

/// A filter here is refused, lest a caller takes an unfiltered list for a filtered one.
fn refuse_filter(parameters: &Parameters) -> Result<(), ScimError> {
    if parameters.get("filter").is_none() {
        return Ok(());
    }
    Err(ScimError { status: 403, scim_type: Some(ScimType::InvalidFilter), detail: "this endpoint cannot be filtered".to_owned() })
}
