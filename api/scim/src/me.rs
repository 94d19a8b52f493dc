//! `/Me` (RFC 7644 section 3.11).

use rollcall_api_core::SCIM_JSON;
use rollcall_api_core::error::ApiResult;
use rollcall_api_core::openapi::{Error, Errors};
use rollcall_scim::ScimError;

/// Refuses the alias of the caller's own user. The holder of a token is not a user.
#[utoipa::path(
    method(get, head, post, put, patch, delete),
    path = "/Me",
    tag = "Discovery",
    operation_id = "me",
    responses(Errors, (status = 501, description = "Not supported.", body = Error, content_type = SCIM_JSON))
)]
pub(super) async fn me() -> ApiResult {
    Err(ScimError::new(501, "/Me is not supported").into())
}
