//! What every call that changes something has in common: who makes it, under which conditions, and what it would like in return.

use actix_web::dev::Payload;
use actix_web::http::header::HeaderMap;
use actix_web::{FromRequest, HttpRequest};
use rollcall_events::request::{Request, RequestBody, UserOperation, UserRequested};
use rollcall_events::{Timestamp, UserId};
use rollcall_scim::ScimError;
use rollcall_scim::attributes::Projection;
use std::future::{Ready, ready};

use super::headers::{Prefer, identity, if_match};
use super::query::Parameters;
use crate::auth::Caller;
use crate::error::ApiError;

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

    /// The event that asks for what the call asks for.
    pub(super) fn request(&self, user_id: UserId, operation: UserOperation, body: &[u8]) -> Result<Request, ScimError> {
        let organization_id = self.caller.organization_id();
        let (id, fingerprint) = identity(&self.http, organization_id, body)?;
        Ok(Request {
            id,
            organization_id,
            requested_at: Timestamp::now(),
            actor: self.caller.actor(),
            fingerprint,
            body: RequestBody::UserRequested(UserRequested {
                user_id,
                default_workspace: self.caller.default_workspace(),
                if_match: if_match(self.headers())?,
                operation,
            }),
        })
    }

    fn read(http: &HttpRequest, payload: &mut Payload) -> Result<Self, ApiError> {
        Ok(Self {
            caller: Caller::from_request(http, payload).into_inner()?,
            prefer: Prefer::read(http.headers()),
            projection: Parameters::read(http.query_string())?.projection()?,
            http: http.clone(),
        })
    }
}

impl FromRequest for Call {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(http: &HttpRequest, payload: &mut Payload) -> Self::Future {
        ready(Self::read(http, payload))
    }
}
