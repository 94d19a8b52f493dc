//! The one place where errors become answers.

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use rollcall_scim::ScimError;
use std::time::Duration;

use crate::scim::SCIM_JSON;

/// What can go wrong with a call, in the caller's terms.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// A SCIM error that says it all.
    #[error(transparent)]
    Scim(#[from] ScimError),
    /// There is no valid token (RFC 6750 section 3). Which check failed is for the log only.
    #[error("no valid token")]
    Unauthenticated {
        /// Whether a token was presented at all.
        presented: bool,
    },
    /// The token is valid, but not from there.
    #[error("a token from a wrong place")]
    WrongPlace,
    /// The caller calls too often.
    #[error("too many calls")]
    TooManyCalls {
        /// When it may call again.
        retry_after: Duration,
    },
    /// The organization's other calls ask for as much as one organization may ask for at once.
    #[error("too many calls at once")]
    TooManyAtOnce,
    /// The endpoint does not know this method.
    #[error("method not allowed")]
    MethodNotAllowed {
        /// Those that it knows.
        allowed: &'static str,
    },
    /// A server that the call needs is away, and nothing was asked of it that changes anything.
    #[error("unavailable: {0}")]
    Unavailable(&'static str),
    /// A change was asked for, and it is not known whether it was or will be applied.
    #[error("not settled: {0}")]
    Unsettled(&'static str),
    /// Something that must not happen; the reason is for the log only.
    #[error("internal error: {0}")]
    Internal(String),
}

/// Answers with a SCIM error body.
pub(crate) type ApiResult = Result<HttpResponse, ApiError>;

const RETRY_SECONDS: u64 = 2;

impl ApiError {
    /// The error as the caller is told it.
    pub(crate) fn to_scim(&self) -> ScimError {
        match self {
            Self::Scim(error) => error.clone(),
            Self::Unauthenticated { .. } => ScimError::new(401, "the call does not carry a valid bearer token"),
            Self::WrongPlace => ScimError::new(403, "the token may not be used with this origin or from this address"),
            Self::TooManyCalls { .. } => ScimError::new(429, "too many calls with this token; Retry-After says when to call again"),
            Self::TooManyAtOnce => {
                ScimError::new(429, "other queries of this organization are still being worked on; call again when they are answered")
            }
            Self::MethodNotAllowed { allowed } => ScimError::new(405, format!("the endpoint allows {allowed}")),
            Self::Unavailable(_) => ScimError::new(503, "the service cannot serve the call now; call again later"),
            Self::Unsettled(_) => ScimError::new(
                503,
                "the request may have been applied: repeat it with the same Idempotency-Key, and it is applied once; without a key, read first what is there",
            ),
            Self::Internal(_) => ScimError::new(500, "the call failed for a reason that is the service's own; it was logged"),
        }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.to_scim().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        if matches!(self, Self::Internal(_) | Self::Unavailable(_) | Self::Unsettled(_)) {
            tracing::warn!(error = %self, "a call could not be served");
        }
        let mut response = HttpResponse::build(self.status_code());
        match self {
            Self::Unauthenticated { presented: true } => {
                response.insert_header((WWW_AUTHENTICATE, r#"Bearer realm="rollcall", error="invalid_token""#))
            }
            Self::Unauthenticated { presented: false } => response.insert_header((WWW_AUTHENTICATE, r#"Bearer realm="rollcall""#)),
            Self::TooManyCalls { retry_after } => response.insert_header((RETRY_AFTER, (retry_after.as_secs() + 1).to_string())),
            Self::Unavailable(_) | Self::Unsettled(_) | Self::TooManyAtOnce => {
                response.insert_header((RETRY_AFTER, RETRY_SECONDS.to_string()))
            }
            Self::MethodNotAllowed { allowed } => response.insert_header((ALLOW, *allowed)),
            Self::Scim(_) | Self::WrongPlace | Self::Internal(_) => &mut response,
        };
        response.content_type(SCIM_JSON).body(self.to_scim().to_body().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_change_that_may_have_been_applied_is_said_to_be_so() {
        let [read, write] = [ApiError::Unavailable("postgres"), ApiError::Unsettled("rabbitmq")].map(|error| error.to_scim());
        assert_eq!((read.status, write.status), (503, 503));
        assert!(write.detail.contains("may have been applied") && write.detail.contains("same Idempotency-Key"), "{}", write.detail);
        assert!(!read.detail.contains("applied") && !read.detail.contains("Idempotency-Key"), "{}", read.detail);
    }
}
