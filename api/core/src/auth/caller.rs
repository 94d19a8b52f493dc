//! The authenticated caller of a SCIM call.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use rollcall_events::actor::{Actor, ActorDetails};
use rollcall_events::request::Dialect;
use rollcall_events::{OrganizationId, WorkspaceId};
use std::future::{Ready, ready};
use std::net::IpAddr;
use std::sync::Arc;

use super::tokens::KnownToken;
use crate::error::ApiError;

/// A caller, authenticated by a valid token, from an allowed origin and address, within the rate limit. A
/// handler gets one only after authentication.
#[derive(Debug, Clone)]
pub struct Caller {
    token: Arc<KnownToken>,
    address: Option<IpAddr>,
    user_agent: Option<String>,
}

impl Caller {
    pub(super) fn new(token: Arc<KnownToken>, address: Option<IpAddr>, user_agent: Option<String>) -> Self {
        Self { token, address, user_agent }
    }

    /// The organization whose data the caller may read and change.
    pub fn organization_id(&self) -> OrganizationId {
        self.token.organization_id
    }

    /// The workspace for a user that names none.
    pub fn default_workspace(&self) -> WorkspaceId {
        self.token.default_workspace
    }

    /// The caller's dialect of SCIM.
    pub fn dialect(&self) -> Dialect {
        self.token.dialect
    }

    /// The caller as the log records it.
    pub fn actor(&self) -> Actor {
        let details = ActorDetails {
            address: self.address,
            label: Some(self.token.label.clone()),
            service_origin: Some(self.token.service_origin.to_string()),
            user_agent: self.user_agent.clone(),
        };
        Actor::token(self.token.id, details)
    }
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // Only authentication adds a caller to a request.
        ready(request.extensions().get::<Self>().cloned().ok_or(ApiError::Unauthenticated { presented: false }))
    }
}
