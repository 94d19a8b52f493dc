//! The SCIM endpoints (RFC 7644 section 3.2). A handler turns a call into a request or a query, and an
//! outcome into an answer. Publishing and reading are done elsewhere.

mod accept;
mod answer;
mod body;
mod bulk;
mod call;
mod catalog;
mod dialect;
mod discovery;
mod events;
mod groups;
mod headers;
mod query;
mod search;
mod users;

pub(crate) use accept::as_accepted;
pub(crate) use body::ScimBody;
pub(crate) use dialect::Dialects;
pub(crate) use events::jwks;
pub(crate) use headers::Prefer;
pub(crate) use query::Parameters;

use actix_web::HttpRequest;
use actix_web::web::{Data, ServiceConfig, resource, route, to};
use rollcall_scim::ScimError;
use rollcall_scim::resource::SizeLimit;
use rollcall_scim::schema::{GROUP, ResourceType, USER};

use crate::error::{ApiError, ApiResult};

/// The path of every SCIM endpoint, below the public address.
pub(crate) const BASE_PATH: &str = rollcall_events::set::SCIM_PATH;

/// The address of the endpoints, such as `https://id.example.com/scim/v2`. It comes from the settings and
/// never from a `Host` header.
#[derive(Debug, Clone)]
pub(crate) struct Base(String);

impl Base {
    /// The endpoints below a public address.
    pub(crate) fn below(public_url: &str) -> Self {
        Self(format!("{public_url}{BASE_PATH}"))
    }

    /// The address itself.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The address of one resource.
    pub(crate) fn location(&self, resource_type: &ResourceType, id: &str) -> String {
        format!("{}{}/{id}", self.0, resource_type.endpoint)
    }
}

/// The limits of calls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Maximum size of a body, in bytes.
    pub(crate) max_body_bytes: usize,
    /// Maximum size of a resource.
    pub(crate) max_resource_bytes: SizeLimit,
    /// Maximum time for the body to arrive.
    pub(crate) receive: std::time::Duration,
    /// Maximum number of operations in a bulk request.
    pub(crate) max_operations: usize,
    /// Maximum time for the operations of a bulk request that are applied one after the other.
    pub(crate) bulk_wait: std::time::Duration,
    /// Maximum number of resources in a page.
    pub(crate) max_page: u64,
}

/// The data that the server has set up for its handlers under this type.
///
/// # Errors
/// If the server has set up no such data; `what` names it.
fn set_up<T: 'static>(request: &HttpRequest, what: &str) -> Result<Data<T>, ApiError> {
    request.app_data().cloned().ok_or_else(|| ApiError::Internal(format!("{what} is not set up")))
}

/// The routes.
pub(crate) fn routes(config: &mut ServiceConfig) {
    let users = resource(USER.endpoint).post(users::create).get(search::users).head(search::users).default_service(to(collection_method));
    let user = resource("/Users/{id}")
        .get(users::read)
        .head(users::read)
        .put(users::replace)
        .patch(users::patch)
        .delete(users::delete)
        .default_service(to(resource_method));
    let groups =
        resource(GROUP.endpoint).post(groups::create).get(search::groups).head(search::groups).default_service(to(collection_method));
    let group = resource("/Groups/{id}")
        .get(groups::read)
        .head(groups::read)
        .put(groups::replace)
        .patch(groups::patch)
        .delete(groups::delete)
        .default_service(to(resource_method));
    config
        .service(search_only("/.search").post(search::search_everything))
        .service(search_only("/Users/.search").post(search::search_users))
        .service(search_only("/Groups/.search").post(search::search_groups))
        .service(read_only("").get(search::everything));
    config
        .service(users)
        .service(user)
        .service(groups)
        .service(group)
        .service(read_only("/ServiceProviderConfig").get(discovery::service_provider_config));
    config
        .service(read_only("/ResourceTypes").get(discovery::resource_types))
        .service(read_only("/ResourceTypes/{name}").get(discovery::resource_type));
    config.service(read_only("/Schemas").get(discovery::schemas)).service(read_only("/Schemas/{urn}").get(discovery::schema));
    catalog::routes(config);
    config.service(read_only("/Events/{txn}").get(events::read));
    config.service(search_only("/Bulk").post(bulk::bulk)).route("/Me", route().to(not_implemented));
}

fn read_only(path: &str) -> actix_web::Resource {
    resource(path).default_service(to(read_only_method))
}

fn search_only(path: &str) -> actix_web::Resource {
    resource(path).default_service(to(search_method))
}

async fn search_method() -> ApiResult {
    Err(ApiError::MethodNotAllowed { allowed: "POST" })
}

async fn collection_method() -> ApiResult {
    Err(ApiError::MethodNotAllowed { allowed: "GET, HEAD, POST" })
}

async fn resource_method() -> ApiResult {
    Err(ApiError::MethodNotAllowed { allowed: "GET, HEAD, PUT, PATCH, DELETE" })
}

async fn read_only_method() -> ApiResult {
    Err(ApiError::MethodNotAllowed { allowed: "GET, HEAD" })
}

async fn not_implemented(request: HttpRequest) -> ApiResult {
    let endpoint = request.path().strip_prefix(BASE_PATH).unwrap_or_default();
    Err(ScimError::new(501, format!("{endpoint} is not supported")).into())
}

/// The answer to a call that no route matches.
pub(crate) async fn no_endpoint() -> ApiResult {
    Err(ScimError::new(404, "there is no such endpoint").into())
}
