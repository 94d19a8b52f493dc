//! The caller of an audit endpoint: an auditor, who can read the log of one organization and do nothing else.

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest};
use rollcall_events::{OrganizationId, TokenId};
use std::future::{Ready, ready};

use super::credential::admit;
use crate::error::ApiError;
use crate::read::{Database, ReadError};

const FIND: &str = "
    SELECT organization_id, id, digest, label, allow_list, expires_at, revoked_at FROM auditor_tokens
    WHERE digest = $1";

const STILL_GOOD: &str = "
    SELECT revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) FROM auditor_tokens
    WHERE organization_id = $1 AND id = $2";

/// An auditor, authenticated by an auditor token. A handler gets one only after authentication.
#[derive(Debug, Clone, Copy)]
pub struct Auditor {
    /// The organization whose log the auditor may read.
    pub organization_id: OrganizationId,
    token_id: TokenId,
}

/// Middleware: adds the [`Auditor`] to the request, or answers 401, 403, 429 or 503.
pub async fn audit_gate(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let credential = admit(&request, FIND).await?;
    request.extensions_mut().insert(Auditor { organization_id: credential.organization_id, token_id: credential.id });
    next.call(request).await
}

impl Auditor {
    /// Whether the token is still valid. This is for connections that stay open.
    pub async fn is_still_valid(&self, database: &Database) -> Result<bool, ReadError> {
        let row = database.sessions().query_opt(STILL_GOOD, &[&self.organization_id, &self.token_id]).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or(false))
    }
}

impl FromRequest for Auditor {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // Only authentication adds an auditor to a request.
        ready(request.extensions().get::<Self>().copied().ok_or(ApiError::Unauthenticated { presented: false }))
    }
}
