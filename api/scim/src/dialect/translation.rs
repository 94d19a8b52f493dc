//! A dialect of SCIM and its translation of requests and answers, as handlers see them.

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use futures_util::future::LocalBoxFuture;
use rollcall_api_core::error::{ApiError, ApiResult};
use rollcall_api_core::http::Parameters;
use rollcall_api_core::read::Database;
use rollcall_events::request::{GroupOperation, UserOperation};
use rollcall_events::{OrganizationId, UserId};
use rollcall_scim::ScimError;
use rollcall_scim::attributes::Projection;
use serde_json::Value;

use crate::answer::Representation;

/// A change that a body describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// POST.
    Create,
    /// PUT.
    Replace,
    /// PATCH.
    Patch,
}

/// A change of one user, in the caller's words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UserChange<'a> {
    /// The kind of change.
    pub(crate) change: Change,
    /// The user. A new user has an id as well.
    pub(crate) id: UserId,
    /// The body that describes the change.
    pub(crate) body: &'a Value,
    /// The body that creates the user, if it is in the same bulk request.
    pub(crate) created_by: Option<&'a Value>,
}

/// The translation of some changes of users. It has everything that it needs, and waits for nothing.
pub(crate) trait UserTranslation: Send + Sync {
    /// The operation that a body describes.
    ///
    /// # Errors
    /// 400 that names the wrong attribute.
    fn operation(&self, change: Change, id: UserId, body: Value) -> Result<UserOperation, ScimError>;
}

/// The translation that a dialect prepares.
pub(crate) type Preparation<'a> = LocalBoxFuture<'a, Result<Box<dyn UserTranslation>, ApiError>>;

/// A dialect of SCIM. The default methods answer in SCIM's own words.
pub(crate) trait Dialect: Send + Sync {
    /// Prepares the translation of some changes of users: looks up what it needs, in one query for each kind.
    fn users<'a>(
        &'a self,
        database: &'a Database,
        organization: OrganizationId,
        changes: Vec<UserChange<'a>>,
    ) -> Preparation<'a>;

    /// The operation on a group that a body describes.
    ///
    /// # Errors
    /// 400 that names the wrong attribute.
    fn group(&self, change: Change, body: Value) -> Result<GroupOperation, ScimError>;

    /// The attributes that answers contain (RFC 7644 section 3.9).
    ///
    /// # Errors
    /// 400 `invalidValue` for parameters that cannot be read.
    fn projection(&self, parameters: &Parameters) -> Result<Projection, ScimError> {
        parameters.projection()
    }

    /// A resource in a list.
    fn shown(&self, resource: Representation<'_>, projection: &Projection) -> Value {
        Value::Object(resource.projected(projection))
    }

    /// The answer that shows a resource.
    fn answer(&self, status: StatusCode, resource: Representation<'_>, projection: &Projection) -> ApiResult {
        resource.with_body(status, projection)
    }

    /// The answer to a read, which may have conditions in its headers.
    fn answer_to_read(&self, headers: &HeaderMap, resource: Representation<'_>, projection: &Projection) -> ApiResult {
        resource.or_not_modified(headers, projection)
    }

    /// An error of a call on users, in the words that callers know.
    fn user_error(&self, error: ScimError) -> ScimError {
        error
    }

    /// Adds to `/ServiceProviderConfig` what only callers of this dialect look for.
    fn describe(&self, _config: &mut Value, _max_page: u64) {}

    /// Whether callers may only use the types of entitlements that `/Schemas` lists. Otherwise these are
    /// suggestions.
    fn closes_entitlement_types(&self) -> bool {
        false
    }
}
