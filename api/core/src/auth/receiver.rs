//! The receiver of an event stream, who can poll for its events and do nothing else.

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest};
use rollcall_events::{OrganizationId, StreamId};
use std::future::{Ready, ready};

use super::credential::admit;
use crate::error::ApiError;

/// The secret of a stream is valid as long as the stream exists.
const FIND: &str = "
    SELECT organization_id, id, digest, label, allow_list, NULL::timestamptz AS expires_at,
        NULL::timestamptz AS revoked_at
    FROM event_streams WHERE digest = $1";

/// A receiver, authenticated by a stream's secret. A handler gets one only after authentication.
#[derive(Debug, Clone, Copy)]
pub struct Receiver {
    /// The organization whose events the receiver may read.
    pub organization_id: OrganizationId,
    /// The stream that the receiver may read.
    pub stream_id: StreamId,
}

/// Middleware: adds the [`Receiver`] to the request, or answers 401, 403, 429 or 503.
pub async fn stream_gate(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let credential = admit(&request, FIND).await?;
    request
        .extensions_mut()
        .insert(Receiver { organization_id: credential.organization_id, stream_id: StreamId(credential.id.0) });
    next.call(request).await
}

impl FromRequest for Receiver {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // Only authentication adds a receiver to a request.
        ready(request.extensions().get::<Self>().copied().ok_or(ApiError::Unauthenticated { presented: false }))
    }
}
