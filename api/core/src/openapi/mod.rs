//! The description of every endpoint (`OpenAPI`) at `/openapi.json`, and a page to read it at `/docs`.
//!
//! Each handler carries its description in `#[utoipa::path]`, and each folder lists its own in `Endpoints`.
//! This module has what they share, and puts the document together.

mod endpoints;
mod parameters;
mod resources;
mod responses;
mod schemas;

pub use crate::endpoint;
pub use endpoints::Endpoints;
pub use parameters::{Projection, Query, query};
#[doc(hidden)]
pub use pastey::paste;
pub use responses::{Accepted, Created, Errors};
pub use schemas::{
    BulkRequest, BulkResponse, Entitlement, Error, Group, GroupRequest, ListResponse, PatchOp, Role, SearchRequest,
    User, UserRequest, Workspace,
};

use utoipa::openapi::path::Paths;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Server};

const TITLE: &str = "Rollcall";
const DESCRIPTION: &str = "SCIM 2.0 provisioning (RFC 7643, RFC 7644) with an event log behind it.";
/// The name of the security scheme of bearer tokens.
const TOKEN: &str = "token";

/// The document of these groups of endpoints. `server` is the public address of the service.
pub fn document(server: &str, groups: impl IntoIterator<Item = Endpoints>) -> OpenApi {
    let mut paths = Paths::new();
    for (path, method, operation) in groups.into_iter().flat_map(|group| group.operations().collect::<Vec<_>>()) {
        paths.add_path_operation(path, vec![method], operation);
    }
    let license = LicenseBuilder::new().name("Apache-2.0").build();
    let info = InfoBuilder::new()
        .title(TITLE)
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(license));
    let token = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([Server::new(server)]))
        .security(Some([SecurityRequirement::new::<_, [&str; 0], _>(TOKEN, [])]))
        .paths(paths)
        .components(Some(schemas::with_schemas(Components::builder()).security_scheme(TOKEN, token).build()))
        .build()
}
