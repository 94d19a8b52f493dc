//! The errors of calls, and their SCIM answers. No other file builds an answer for an error.

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use rollcall_scim::ScimError;
use std::time::Duration;

use crate::media_type::SCIM_JSON;

/// Why a call failed, in the caller's terms.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// A SCIM error, answered as it is.
    #[error(transparent)]
    Scim(#[from] ScimError),
    /// The call has no valid token (RFC 6750 section 3). Only the log says which check failed.
    #[error("no valid token")]
    Unauthenticated {
        /// Whether the call presented a token.
        presented: bool,
    },
    /// The token is valid, but the origin or address of the call is not allowed.
    #[error("the origin or address of the call is not allowed")]
    SourceNotAllowed,
    /// The rate limit of the token is reached.
    #[error("too many calls")]
    TooManyCalls {
        /// The time until the next call is allowed.
        retry_after: Duration,
    },
    /// The organization's own queries use all connections that it may use at once.
    #[error("too many queries at once")]
    TooManyAtOnce,
    /// The endpoint does not support this method.
    #[error("method not allowed")]
    MethodNotAllowed {
        /// The supported methods, as in the header `Allow`.
        allowed: String,
    },
    /// A server that the call needs is not available. The call changed nothing.
    #[error("unavailable: {0}")]
    Unavailable(&'static str),
    /// A change was requested, and it is not known whether it is or will be applied.
    #[error("outcome unknown: {0}")]
    OutcomeUnknown(&'static str),
    /// A row of a log that the call needs is no entry: somebody changed the database, or a newer program wrote it.
    #[error("a row of a log is no entry: {0}")]
    NoEntry(String),
    /// A fault of the service. The reason is only logged.
    #[error("internal error: {0}")]
    Internal(String),
}

/// An answer, or an error that becomes a SCIM error.
pub type ApiResult = Result<HttpResponse, ApiError>;

/// The `Retry-After` of an answer whose cause has no known end, in seconds.
const RETRY_SECONDS: u64 = 2;

impl ApiError {
    /// The SCIM error that the caller gets.
    pub fn to_scim(&self) -> ScimError {
        match self {
            Self::Scim(error) => error.clone(),
            Self::Unauthenticated { .. } => ScimError::new(401, "the call does not carry a valid bearer token"),
            Self::SourceNotAllowed => {
                ScimError::new(403, "the token may not be used with this origin or from this address")
            }
            Self::TooManyCalls { .. } => {
                ScimError::new(429, "too many calls with this token; call again after the time in Retry-After")
            }
            Self::TooManyAtOnce => ScimError::new(
                429,
                "the organization runs too many queries at once; call again when some of them are answered",
            ),
            Self::MethodNotAllowed { allowed } => ScimError::new(405, format!("the endpoint allows {allowed}")),
            Self::Unavailable(_) => {
                ScimError::new(503, "the service cannot serve the call at the moment; call again later")
            }
            Self::OutcomeUnknown(_) => ScimError::new(
                503,
                "the request may have been applied; repeat it with the same Idempotency-Key to apply it only once; \
                 without a key, read the resource first",
            ),
            Self::NoEntry(reason) => ScimError::new(
                500,
                format!("a row of the log is not an entry: {reason}; GET /audit/v1/events shows it as it is stored"),
            ),
            Self::Internal(_) => {
                ScimError::new(500, "the call failed because of a fault in the service; the fault was logged")
            }
        }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.to_scim().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        if matches!(self, Self::Internal(_) | Self::NoEntry(_) | Self::Unavailable(_) | Self::OutcomeUnknown(_)) {
            tracing::warn!(error = %self, "a call failed");
        }
        let mut response = HttpResponse::build(self.status_code());
        match self {
            Self::Unauthenticated { presented: true } => {
                response.insert_header((WWW_AUTHENTICATE, r#"Bearer realm="rollcall", error="invalid_token""#))
            }
            Self::Unauthenticated { presented: false } => {
                response.insert_header((WWW_AUTHENTICATE, r#"Bearer realm="rollcall""#))
            }
            Self::TooManyCalls { retry_after } => {
                response.insert_header((RETRY_AFTER, (retry_after.as_secs() + 1).to_string()))
            }
            Self::Unavailable(_) | Self::OutcomeUnknown(_) | Self::TooManyAtOnce => {
                response.insert_header((RETRY_AFTER, RETRY_SECONDS.to_string()))
            }
            Self::MethodNotAllowed { allowed } => response.insert_header((ALLOW, allowed.as_str())),
            Self::Scim(_) | Self::SourceNotAllowed | Self::NoEntry(_) | Self::Internal(_) => &mut response,
        };
        response.content_type(SCIM_JSON).body(self.to_scim().to_body().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_error_of_a_change_says_that_it_may_have_been_applied() {
        let [read, write] =
            [ApiError::Unavailable("postgres"), ApiError::OutcomeUnknown("rabbitmq")].map(|error| error.to_scim());
        assert_eq!((read.status, write.status), (503, 503));
        assert!(
            write.detail.contains("may have been applied") && write.detail.contains("same Idempotency-Key"),
            "{}",
            write.detail
        );
        assert!(!read.detail.contains("applied") && !read.detail.contains("Idempotency-Key"), "{}", read.detail);
    }
}
