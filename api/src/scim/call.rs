//! What every call that changes something has in common: who makes it, under which conditions, what it would like in return, and how it is answered.

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use rollcall_events::request::{IfMatch, Request, RequestBody};
use rollcall_events::{EventId, Timestamp};
use rollcall_scim::ScimError;
use rollcall_scim::attributes::Projection;
use rollcall_scim::resource::{Attributes, text};
use std::future::{Ready, ready};
use std::time::Instant;

use super::answer::Shown;
use super::headers::{IDEMPOTENCY_KEY, Prefer, identity, if_match};
use super::query::Parameters;
use super::{Base, Bounds, BrazeVocabulary, set_up};
use crate::auth::Caller;
use crate::call_log::Meant;
use crate::error::{ApiError, ApiResult};
use crate::read::{Database, ReadError, Table, complete};
use crate::submit::{Answer, RequestClient};

/// A call, its body apart.
pub(super) struct Call {
    pub(super) caller: Caller,
    pub(super) prefer: Prefer,
    pub(super) projection: Projection,
    http: HttpRequest,
}

impl Call {
    pub(super) fn headers(&self) -> &HeaderMap {
        self.http.headers()
    }

    /// The states of the resource that the call is meant for.
    pub(super) fn if_match(&self) -> Result<Option<IfMatch>, ScimError> {
        if_match(self.headers())
    }

    /// The event id of the call, and what its `Idempotency-Key` stands for.
    pub(super) fn identity(&self, body: &[u8]) -> Result<(EventId, Option<String>), ScimError> {
        identity(&self.http, self.caller.organization_id(), body)
    }

    /// Whether the call carries an `Idempotency-Key`.
    pub(super) fn is_repeatable(&self) -> bool {
        self.headers().contains_key(&IDEMPOTENCY_KEY)
    }

    /// The event that asks for what the call asks for.
    fn request(&self, content: RequestBody, body: &[u8]) -> Result<Request, ScimError> {
        let organization_id = self.caller.organization_id();
        let (id, fingerprint) = self.identity(body)?;
        Ok(Request { id, organization_id, requested_at: Timestamp::now(), actor: self.caller.actor(), fingerprint, body: content })
    }

    fn read(http: &HttpRequest, payload: &mut Payload) -> Result<Self, ApiError> {
        let caller = Caller::from_request(http, payload).into_inner()?;
        let projection = Parameters::read(http.query_string())?.projection(&caller)?;
        Ok(Self { caller, prefer: Prefer::read(http.headers()), projection, http: http.clone() })
    }
}

impl FromRequest for Call {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(http: &HttpRequest, payload: &mut Payload) -> Self::Future {
        ready(Self::read(http, payload))
    }
}

/// What a call that changes something needs besides itself.
pub(super) struct Writing {
    requests: Data<RequestClient>,
    pub(super) database: Data<Database>,
    pub(super) known: Data<BrazeVocabulary>,
    pub(super) base: Data<Base>,
    bounds: Data<Bounds>,
}

impl Writing {
    /// Submits what a call asks for, and waits for what becomes of it.
    pub(super) async fn submit(&self, call: &Call, content: RequestBody, body: &[u8]) -> Result<Answer, ApiError> {
        let request = call.request(self.bounded(content)?, body)?;
        call.http.extensions_mut().insert(Meant::by(&request));
        self.requests.submit(request, &call.prefer).await
    }

    /// What a call asks for, with the bounds that the worker keeps it in.
    pub(super) fn bounded(&self, content: RequestBody) -> Result<RequestBody, ScimError> {
        content.with_size_limit(self.bounds.max_resource_bytes)
    }

    /// Until when the outcome of a call is awaited.
    pub(super) fn deadline(&self, call: &Call) -> Instant {
        self.requests.deadline(&call.prefer)
    }

    /// Submits several requests in their order, and waits for what becomes of each.
    pub(super) async fn submit_all(&self, requests: &[Request], deadline: Instant) -> Vec<Result<Answer, ApiError>> {
        self.requests.submit_all(requests, deadline).await
    }

    /// Publishes several requests in their order, whose outcomes nobody awaits.
    pub(super) async fn publish_all(&self, requests: &[Request]) -> Result<(), ApiError> {
        self.requests.publish_all(requests).await
    }

    /// What a change left, as it is.
    pub(super) fn plain(&self, table: &'static Table, left: Option<Attributes>) -> Result<Shown<'static>, ApiError> {
        let left = left.ok_or_else(|| ApiError::Internal("a change was answered without the resource".to_owned()))?;
        Ok(Shown::new(table.resource_type, &self.base, left))
    }

    /// What a change left, with what of it is kept elsewhere, as far as the caller wants it.
    pub(super) async fn shown(&self, call: &Call, table: &'static Table, left: Option<Attributes>) -> Result<Shown<'static>, ApiError> {
        Ok(Shown::new(table.resource_type, &self.base, self.completed(call, table, left).await?))
    }

    /// The same, as it is kept.
    ///
    /// # Errors
    /// 503 where it cannot be read now: the change itself is committed.
    pub(super) async fn completed(&self, call: &Call, table: &'static Table, left: Option<Attributes>) -> Result<Attributes, ApiError> {
        let mut left = left.ok_or_else(|| ApiError::Internal("a change was answered without the resource".to_owned()))?;
        self.complete(call, table, &mut left).await.map_err(ReadError::after_a_change)?;
        Ok(left)
    }

    async fn complete(&self, call: &Call, table: &'static Table, left: &mut Attributes) -> Result<(), ReadError> {
        match text(left, "id").and_then(|id| id.parse().ok()) {
            Some(id) => complete(&self.database, table, call.caller.organization_id(), id, &call.projection, left).await,
            None => Ok(()),
        }
    }

    /// The answer to a PATCH: 204, or 200 with the body where the caller shows that it wants one (RFC 7644 section 3.5.2).
    pub(super) async fn patched(&self, call: &Call, table: &'static Table, left: Option<Attributes>) -> ApiResult {
        if call.prefer.representation || !call.projection.is_default() {
            return self.shown(call, table, left).await?.with_body(StatusCode::OK, &call.projection);
        }
        let mut left = left.ok_or_else(|| ApiError::Internal("a change was answered without the resource".to_owned()))?;
        // The tag is that of what a read shows. Where it cannot be read, the version alone is as good for If-Match, and the change is done.
        if table.is_small()
            && let Err(error) = self.complete(call, table, &mut left).await
        {
            tracing::warn!(%error, "the entity tag of a change names the version alone");
        }
        Ok(Shown::new(table.resource_type, &self.base, left).without_body())
    }
}

impl FromRequest for Writing {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(http: &HttpRequest, _: &mut Payload) -> Self::Future {
        let read = || {
            Ok(Self {
                requests: set_up(http, "the request client")?,
                database: set_up(http, "the database")?,
                known: set_up(http, "what dialects know")?,
                base: set_up(http, "the base")?,
                bounds: set_up(http, "the bounds")?,
            })
        };
        ready(read())
    }
}
