//! `/Roles`, `/Entitlements` and `/Workspaces`: the resources that users can be assigned. Callers read them;
//! administrators define them.
//!
//! Okta finds these endpoints by the schemas that `/ResourceTypes` names. It reads everything that they list,
//! and assigns it to users by `roles` and `entitlements` (Okta's guide "Build a SCIM 2.0 server with
//! entitlements").

use actix_web::web::{Data, Path};
use rollcall_api_core::SCIM_JSON;
use rollcall_api_core::error::ApiResult;
use rollcall_api_core::http::{Base, Parameters, ScimBody};
use rollcall_api_core::openapi::{
    Endpoints, Entitlement, Errors, ListResponse, Projection, Query, Role, SearchRequest, Workspace, endpoint,
};
use rollcall_api_core::read::{Database, ENTITLEMENTS, ROLES, Table, WORKSPACES, find_by_id};
use rollcall_scim::ScimError;
use uuid::Uuid;

use super::answer::Representation;
use super::call::Call;
use super::search::QueryContext;

/// Declares the endpoints of one resource type. `rustfmt` indents attributes in a macro again on every run.
#[rustfmt::skip]
macro_rules! catalog {
    ($module:ident, $table:ident, $schema:ident, $plural:literal) => {
        mod $module {
            use super::*;

            #[utoipa::path(
                method(get, head),
                path = concat!("/", $plural),
                tag = $plural,
                operation_id = concat!("list", $plural),
                summary = concat!("Lists ", $plural, " (RFC 7644 section 3.4.2)."),
                params(Query, Projection),
                responses(
                    Errors, (status = 200, description = "A page.", body = ListResponse, content_type = SCIM_JSON)
                )
            )]
            pub(super) async fn list(parameters: Parameters, context: QueryContext) -> ApiResult {
                super::list(&$table, parameters, context).await
            }

            #[utoipa::path(
                post,
                path = concat!("/", $plural, "/.search"),
                tag = $plural,
                operation_id = concat!("search", $plural),
                summary = concat!("Searches ", $plural, " by POST (RFC 7644 section 3.4.3)."),
                request_body(content = SearchRequest, content_type = SCIM_JSON),
                responses(
                    Errors, (status = 200, description = "A page.", body = ListResponse, content_type = SCIM_JSON)
                )
            )]
            pub(super) async fn search(body: ScimBody, context: QueryContext) -> ApiResult {
                super::search(&$table, body, context).await
            }

            #[utoipa::path(
                method(get, head),
                path = concat!("/", $plural, "/{id}"),
                tag = $plural,
                operation_id = concat!("read", stringify!($schema)),
                summary = concat!("Reads one of the ", $plural, " (RFC 7644 section 3.4.1)."),
                params(("id" = String, Path), Projection),
                responses(
                    Errors,
                    (status = 200, description = "The resource.", body = $schema, content_type = SCIM_JSON),
                    (status = 304, description = "The version is the one in If-None-Match."),
                )
            )]
            pub(super) async fn read(
                call: Call, id: Path<String>, database: Data<Database>, base: Data<Base>
            ) -> ApiResult {
                super::read(&$table, call, id, database, base).await
            }
        }
    };
}

catalog!(roles, ROLES, Role, "Roles");
catalog!(entitlements, ENTITLEMENTS, Entitlement, "Entitlements");
catalog!(workspaces, WORKSPACES, Workspace, "Workspaces");

/// Adds the endpoints of all types.
pub(super) fn add_to(endpoints: Endpoints) -> Endpoints {
    endpoints
        .with(endpoint!(roles::search))
        .with(endpoint!(roles::list))
        .with(endpoint!(roles::read))
        .with(endpoint!(entitlements::search))
        .with(endpoint!(entitlements::list))
        .with(endpoint!(entitlements::read))
        .with(endpoint!(workspaces::search))
        .with(endpoint!(workspaces::list))
        .with(endpoint!(workspaces::read))
}

/// Lists the resources that a filter chooses, or all (RFC 7644 section 3.4.2).
async fn list(table: &'static Table, parameters: Parameters, context: QueryContext) -> ApiResult {
    context.answer(&[table], &parameters).await
}

/// Lists the resources by POST (RFC 7644 section 3.4.3).
async fn search(table: &'static Table, body: ScimBody, context: QueryContext) -> ApiResult {
    context.answer(&[table], &Parameters::of_search(body.json)?).await
}

/// Reads one resource (RFC 7644 section 3.4.1).
async fn read(
    table: &'static Table,
    call: Call,
    id: Path<String>,
    database: Data<Database>,
    base: Data<Base>,
) -> ApiResult {
    let resource_type = table.resource_type;
    let none = || ScimError::new(404, format!("there is no such {}", resource_type.name));
    let id = id.parse().ok().filter(|known: &Uuid| known.to_string() == *id).ok_or_else(none)?;
    let found = find_by_id(&database, table, call.caller.organization_id(), id, &call.projection).await?;
    call.answer_to_read(Representation::new(resource_type, &base, found.ok_or_else(none)?))
}
