//! The parts of HTTP calls that several families of endpoints share.

mod base;
mod body;
mod bounds;
mod parameters;
mod prefer;

pub use base::{BASE_PATH, Base};
pub use body::ScimBody;
pub use bounds::Bounds;
pub use parameters::{Parameters, check_known};
pub use prefer::Prefer;

use actix_web::HttpRequest;
use actix_web::web::Data;
use rollcall_scim::ScimError;
use std::future::{Ready, ready};

use crate::error::{ApiError, ApiResult};

/// The data that the server has set up for its handlers under this type.
///
/// # Errors
/// If the server has set up no such data; `what` names it.
pub fn set_up<T: 'static>(request: &HttpRequest, what: &str) -> Result<Data<T>, ApiError> {
    request.app_data().cloned().ok_or_else(|| ApiError::Internal(format!("{what} is not set up")))
}

/// The answer to a call that no route matches.
pub fn no_endpoint() -> Ready<ApiResult> {
    ready(Err(ScimError::new(404, "there is no such endpoint").into()))
}
