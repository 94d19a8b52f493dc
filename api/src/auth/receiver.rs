//! The receiver of an event stream, who asks for what it tells and can do nothing else.

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest};
use rollcall_events::{OrganizationId, StreamId};
use std::future::{Ready, ready};

use super::credential::admit;
use crate::error::ApiError;

/// The secret of a stream lasts as long as the stream.
const FIND: &str = "
    SELECT organization_id, id, digest, label, allow_list, NULL::timestamptz AS expires_at, NULL::timestamptz AS revoked_at
    FROM event_streams WHERE digest = $1";

/// Who calls. To have one is to have been authenticated by a stream's secret.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Receiver {
    /// Whose events it may read.
    pub(crate) organization_id: OrganizationId,
    /// And in which stream.
    pub(crate) stream_id: StreamId,
}

/// Middleware: puts the [`Receiver`] into the request, or answers 401, 403, 429 or 503 in its place.
pub(crate) async fn stream_gate(request: ServiceRequest, next: Next<impl MessageBody>) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let credential = admit(&request, FIND).await?;
    request.extensions_mut().insert(Receiver { organization_id: credential.organization_id, stream_id: StreamId(credential.id.0) });
    next.call(request).await
}

impl FromRequest for Receiver {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // Only authentication puts a receiver there.
        ready(request.extensions().get::<Self>().copied().ok_or(ApiError::Unauthenticated { presented: false }))
    }
}
