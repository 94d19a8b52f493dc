//! `/ServiceProviderConfig`, `/ResourceTypes` and `/Schemas` (RFC 7644 section 4).

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use rollcall_api_core::SCIM_JSON;
use rollcall_api_core::auth::Caller;
use rollcall_api_core::error::{ApiError, ApiResult};
use rollcall_api_core::http::{Base, Bounds, Parameters};
use rollcall_api_core::openapi::Errors;
use rollcall_api_core::read::{Database, defined_types};
use rollcall_events::WorkspaceId;
use rollcall_events::request::{ENTITLEMENT_TYPE, WORKSPACE_TYPE};
use rollcall_scim::discovery::{self, Limits};
use rollcall_scim::list::ListResponse;
use rollcall_scim::schema::{self, ROLLCALL_SCHEMA, ResourceType, Schema, USER_SCHEMA};
use rollcall_scim::{ScimError, ScimType};
use serde_json::Value;

use super::answer::json;
use super::dialect::{CallerDialect, Dialect};

/// Reads the features that the service supports (RFC 7644 section 4).
#[utoipa::path(
    method(get, head),
    path = "/ServiceProviderConfig",
    tag = "Discovery",
    operation_id = "serviceProviderConfig",
    responses(
        Errors,
        (status = 200, description = "The configuration.", body = Object, content_type = SCIM_JSON),
    )
)]
pub(super) async fn service_provider_config(
    CallerDialect(dialect): CallerDialect,
    parameters: Parameters,
    base: Data<Base>,
    bounds: Data<Bounds>,
) -> ApiResult {
    refuse_filter(&parameters)?;
    let limits = Limits {
        max_results: bounds.max_page,
        max_operations: bounds.max_operations,
        max_payload_bytes: bounds.max_body_bytes,
    };
    let mut config = discovery::service_provider_config(base.as_str(), limits);
    let asked = parameters.get("attributes").unwrap_or_default();
    let asks_for = |attribute: &str| {
        asked
            .split(',')
            .filter_map(|name| name.trim().rsplit(':').next())
            .any(|name| name.eq_ignore_ascii_case(attribute))
    };
    if asks_for("pagination") {
        config["pagination"] = discovery::pagination(limits);
    }
    if asks_for("securityEvents") {
        config["securityEvents"] = discovery::security_events();
    }
    dialect.describe(&mut config, bounds.max_page);
    json(StatusCode::OK, &config)
}

/// Lists the types of resources (RFC 7644 section 4).
#[utoipa::path(
    method(get, head),
    path = "/ResourceTypes",
    tag = "Discovery",
    operation_id = "resourceTypes",
    responses(Errors, (status = 200, description = "The types.", body = Object, content_type = SCIM_JSON))
)]
pub(super) async fn resource_types(_: Caller, parameters: Parameters, base: Data<Base>) -> ApiResult {
    refuse_filter(&parameters)?;
    let types = ResourceType::all().map(|known| discovery::resource_type(base.as_str(), known));
    json(StatusCode::OK, &ListResponse::whole(types.to_vec()))
}

/// Reads a type of resources.
#[utoipa::path(
    method(get, head),
    path = "/ResourceTypes/{id}",
    tag = "Discovery",
    operation_id = "resourceType",
    params(("id" = String, Path)),
    responses(Errors, (status = 200, description = "The type.", body = Object, content_type = SCIM_JSON))
)]
pub(super) async fn resource_type(_: Caller, name: Path<String>, base: Data<Base>) -> ApiResult {
    let found = ResourceType::all().into_iter().find(|known| known.name.eq_ignore_ascii_case(&name));
    let found = found.ok_or_else(|| ScimError::new(404, "there is no such resource type"))?;
    json(StatusCode::OK, &discovery::resource_type(base.as_str(), found))
}

/// Lists the schemas (RFC 7644 section 4).
#[utoipa::path(
    method(get, head),
    path = "/Schemas",
    tag = "Discovery",
    operation_id = "schemas",
    responses(Errors, (status = 200, description = "The schemas.", body = Object, content_type = SCIM_JSON))
)]
pub(super) async fn schemas(
    caller: Caller,
    CallerDialect(dialect): CallerDialect,
    parameters: Parameters,
    base: Data<Base>,
    database: Data<Database>,
) -> ApiResult {
    refuse_filter(&parameters)?;
    let types = entitlement_types(&caller, &*dialect, &database).await?;
    let schemas =
        schema::all().into_iter().map(|schema| shown(&base, schema, caller.default_workspace(), &types)).collect();
    json(StatusCode::OK, &ListResponse::whole(schemas))
}

/// Reads a schema.
#[utoipa::path(
    method(get, head),
    path = "/Schemas/{id}",
    tag = "Discovery",
    operation_id = "schema",
    params(("id" = String, Path)),
    responses(Errors, (status = 200, description = "The schema.", body = Object, content_type = SCIM_JSON))
)]
pub(super) async fn schema(
    caller: Caller,
    CallerDialect(dialect): CallerDialect,
    urn: Path<String>,
    base: Data<Base>,
    database: Data<Database>,
) -> ApiResult {
    let found = schema::all().into_iter().find(|schema| schema.id.eq_ignore_ascii_case(&urn));
    let found = found.ok_or_else(|| ScimError::new(404, "there is no such schema"))?;
    let types = entitlement_types(&caller, &*dialect, &database).await?;
    json(StatusCode::OK, &shown(&base, found, caller.default_workspace(), &types))
}

/// A schema. It suggests the caller's default workspace. All workspaces are at `/Workspaces`.
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

/// The types of entitlements that callers may use, if these are only the listed ones
/// (draft-zollner-scim-interop-profile-01 section 5.4). None in a dialect where they are suggestions: those
/// of the schema are enough.
async fn entitlement_types(
    caller: &Caller,
    dialect: &dyn Dialect,
    database: &Database,
) -> Result<Vec<String>, ApiError> {
    if !dialect.closes_entitlement_types() {
        return Ok(Vec::new());
    }
    let defined = defined_types(database, caller.organization_id()).await?;
    let built_in = [ENTITLEMENT_TYPE, WORKSPACE_TYPE].map(str::to_owned);
    Ok(built_in.iter().cloned().chain(defined.into_iter().filter(|name| !built_in.contains(name))).collect())
}

/// Refuses a filter. Otherwise a caller could take an unfiltered list for a filtered one.
fn refuse_filter(parameters: &Parameters) -> Result<(), ScimError> {
    if parameters.get("filter").is_none() {
        return Ok(());
    }
    Err(ScimError {
        status: 403,
        scim_type: Some(ScimType::InvalidFilter),
        detail: "this endpoint cannot be filtered".to_owned(),
    })
}
