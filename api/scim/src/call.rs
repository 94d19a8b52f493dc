//! A SCIM call: its caller, conditions and preferences. [`WriteContext`] submits the changes that calls ask
//! for, and shows the result.

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse};
use rollcall_api_core::auth::Caller;
use rollcall_api_core::call_log::CallMeaning;
use rollcall_api_core::error::{ApiError, ApiResult};
use rollcall_api_core::http::{Base, Bounds, Parameters, Prefer, set_up};
use rollcall_api_core::read::{Database, ReadError, Table, complete};
use rollcall_api_core::submit::{Answer, RequestClient};
use rollcall_events::request::{IfMatch, Request, RequestBody};
use rollcall_events::{EventId, Timestamp};
use rollcall_scim::ScimError;
use rollcall_scim::attributes::Projection;
use rollcall_scim::resource::{Attributes, text};
use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::Instant;

use super::answer::{Representation, accepted};
use super::dialect::{CallerDialect, Dialect};
use super::headers::{IDEMPOTENCY_KEY, identity, if_match};

/// A call without its body.
pub(super) struct Call {
    pub(super) caller: Caller,
    pub(super) dialect: Arc<dyn Dialect>,
    pub(super) prefer: Prefer,
    pub(super) projection: Projection,
    http: HttpRequest,
}

impl Call {
    pub(super) fn headers(&self) -> &HeaderMap {
        self.http.headers()
    }

    /// The versions of the resource that the call may change.
    pub(super) fn if_match(&self) -> Result<Option<IfMatch>, ScimError> {
        if_match(self.headers())
    }

    /// The event id of the call, and the fingerprint that its `Idempotency-Key` stands for.
    pub(super) fn identity(&self, body: &[u8]) -> Result<(EventId, Option<String>), ScimError> {
        identity(&self.http, self.caller.organization_id(), body)
    }

    /// Whether the call carries an `Idempotency-Key`.
    pub(super) fn is_repeatable(&self) -> bool {
        self.headers().contains_key(&IDEMPOTENCY_KEY)
    }

    /// The answer that shows a resource.
    pub(super) fn answer(&self, status: StatusCode, resource: Representation<'_>) -> ApiResult {
        self.dialect.answer(status, resource, &self.projection)
    }

    /// The answer that shows a resource, unless the caller has this version already.
    pub(super) fn answer_to_read(&self, resource: Representation<'_>) -> ApiResult {
        self.dialect.answer_to_read(self.headers(), resource, &self.projection)
    }

    /// The request that goes on the queue.
    fn request(&self, content: RequestBody, body: &[u8]) -> Result<Request, ScimError> {
        let organization_id = self.caller.organization_id();
        let (id, fingerprint) = self.identity(body)?;
        Ok(Request {
            id,
            organization_id,
            requested_at: Timestamp::now(),
            actor: self.caller.actor(),
            fingerprint,
            body: content,
        })
    }

    fn read(http: &HttpRequest, payload: &mut Payload) -> Result<Self, ApiError> {
        let caller = Caller::from_request(http, payload).into_inner()?;
        let dialect = CallerDialect::of(&caller, http)?;
        let projection = dialect.projection(&Parameters::read(http.query_string())?)?;
        Ok(Self { caller, dialect, prefer: Prefer::read(http.headers()), projection, http: http.clone() })
    }
}

impl FromRequest for Call {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(http: &HttpRequest, payload: &mut Payload) -> Self::Future {
        ready(Self::read(http, payload))
    }
}

/// Everything that a call needs to change something.
pub(super) struct WriteContext {
    requests: Data<RequestClient>,
    pub(super) database: Data<Database>,
    pub(super) base: Data<Base>,
    bounds: Data<Bounds>,
}

impl WriteContext {
    /// Submits the request of a call, and waits for its outcome.
    pub(super) async fn submit(&self, call: &Call, content: RequestBody, body: &[u8]) -> Result<Answer, ApiError> {
        let request = call.request(self.bounded(content)?, body)?;
        call.http.extensions_mut().insert(CallMeaning::by(&request));
        self.requests.submit(request, &call.prefer).await
    }

    /// The content of a request, with the size limit that the worker enforces.
    pub(super) fn bounded(&self, content: RequestBody) -> Result<RequestBody, ScimError> {
        content.with_size_limit(self.bounds.max_resource_bytes)
    }

    /// The time until which the outcome of a call is awaited.
    pub(super) fn deadline(&self, call: &Call) -> Instant {
        self.requests.deadline(&call.prefer)
    }

    /// Submits several requests in their order, and waits for the outcome of each.
    pub(super) async fn submit_all(&self, requests: &[Request], deadline: Instant) -> Vec<Result<Answer, ApiError>> {
        self.requests.submit_all(requests, deadline).await
    }

    /// Publishes several requests in their order, and waits for no outcome.
    pub(super) async fn publish_all(&self, requests: &[Request]) -> Result<(), ApiError> {
        self.requests.publish_all(requests).await
    }

    /// The resource after a change, without the parts that are stored in other tables.
    pub(super) fn plain(
        &self,
        table: &'static Table,
        left: Option<Attributes>,
    ) -> Result<Representation<'static>, ApiError> {
        Ok(Representation::new(table.resource_type, &self.base, present(left)?))
    }

    /// The answer to a change: `status` with the resource, or 202 if the outcome is not known yet.
    pub(super) async fn answer(
        &self,
        call: &Call,
        status: StatusCode,
        table: &'static Table,
        answer: Answer,
    ) -> ApiResult {
        match answer {
            Answer::Accepted(txn) => Ok(accepted(&self.base, txn, &call.prefer)),
            Answer::Applied(left) => call.answer(status, self.shown(call, table, left).await?),
        }
    }

    /// The answer to a PATCH: like that to any change, but without the resource unless the caller asks for it.
    pub(super) async fn answer_to_patch(&self, call: &Call, table: &'static Table, answer: Answer) -> ApiResult {
        match answer {
            Answer::Accepted(txn) => Ok(accepted(&self.base, txn, &call.prefer)),
            Answer::Applied(left) => self.patched(call, table, left).await,
        }
    }

    /// The answer to a DELETE: 204, or 202 if the outcome is not known yet.
    pub(super) fn answer_to_delete(&self, call: &Call, answer: &Answer) -> HttpResponse {
        match answer {
            Answer::Accepted(txn) => accepted(&self.base, *txn, &call.prefer),
            Answer::Applied(_) => HttpResponse::NoContent().finish(),
        }
    }

    /// The resource after a change, with the parts from other tables that the caller wants.
    ///
    /// # Errors
    /// 503 if these parts cannot be read now: the change itself is committed.
    async fn shown(
        &self,
        call: &Call,
        table: &'static Table,
        left: Option<Attributes>,
    ) -> Result<Representation<'static>, ApiError> {
        let mut left = present(left)?;
        self.complete(call, table, &mut left).await.map_err(ReadError::after_a_change)?;
        Ok(Representation::new(table.resource_type, &self.base, left))
    }

    async fn complete(&self, call: &Call, table: &'static Table, left: &mut Attributes) -> Result<(), ReadError> {
        let Some(id) = text(left, "id").and_then(|id| id.parse().ok()) else { return Ok(()) };
        complete(&self.database, table, call.caller.organization_id(), id, &call.projection, left).await
    }

    /// The answer to a PATCH: 204, or 200 with the body if the caller asks for one (RFC 7644 section 3.5.2).
    async fn patched(&self, call: &Call, table: &'static Table, left: Option<Attributes>) -> ApiResult {
        if call.prefer.representation || !call.projection.is_default() {
            return call.answer(StatusCode::OK, self.shown(call, table, left).await?);
        }
        let mut left = present(left)?;
        // The entity tag is that of a read. If the joined values cannot be read, the tag has the version
        // alone: that is as good for If-Match, and the change is committed.
        if table.is_small()
            && let Err(error) = self.complete(call, table, &mut left).await
        {
            tracing::warn!(%error, "the entity tag of a change names the version alone");
        }
        Ok(Representation::new(table.resource_type, &self.base, left).without_body())
    }
}

/// The resource that a change leaves. Only a deletion leaves none.
fn present(left: Option<Attributes>) -> Result<Attributes, ApiError> {
    left.ok_or_else(|| ApiError::Internal("a change was answered without the resource".to_owned()))
}

impl FromRequest for WriteContext {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(http: &HttpRequest, _: &mut Payload) -> Self::Future {
        let read = || {
            Ok(Self {
                requests: set_up(http, "the request client")?,
                database: set_up(http, "the database")?,
                base: set_up(http, "the base")?,
                bounds: set_up(http, "the bounds")?,
            })
        };
        ready(read())
    }
}
