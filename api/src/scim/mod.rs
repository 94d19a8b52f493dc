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
mod me;
mod query;
mod routes;
mod search;
mod users;

pub(crate) use accept::as_accepted;
pub(crate) use body::ScimBody;
pub(crate) use dialect::Dialects;
pub(crate) use headers::Prefer;
pub(crate) use query::Parameters;
pub(crate) use routes::{endpoints, key_endpoints, key_routes, routes};

use actix_web::HttpRequest;
use actix_web::web::Data;
use rollcall_scim::ScimError;
use rollcall_scim::resource::SizeLimit;
use rollcall_scim::schema::ResourceType;

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

/// The answer to a call that no route matches.
pub(crate) async fn no_endpoint() -> ApiResult {
    Err(ScimError::new(404, "there is no such endpoint").into())
}
