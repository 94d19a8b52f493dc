//! The data that the server sets up for the pages.

use actix_web::HttpRequest;
use actix_web::http::header::USER_AGENT;
use actix_web::web::Data;
use rollcall_api_core::auth::Authentication;
use rollcall_api_core::error::ApiError;
use rollcall_api_core::http::{Base, Prefer};
use rollcall_api_core::read::{Database, Followers, PageCache};
use rollcall_api_core::submit::{Answer, RequestClient};
use rollcall_api_oidc::Provider;
use rollcall_events::actor::ActorDetails;
use rollcall_events::request::Request;
use std::net::IpAddr;
use std::time::Duration;

use super::seal::Seal;

/// The data that the pages use.
pub struct Pages {
    /// Reads from Postgres.
    pub database: Data<Database>,
    /// Submits requests.
    pub requests: Data<RequestClient>,
    /// Knows the address of a browser.
    pub authentication: Data<Authentication>,
    /// The address of the SCIM endpoints.
    pub base: Data<Base>,
    /// Follows the logs for live pages.
    pub followers: Data<Followers>,
    /// The cache of list pages.
    pub page_cache: Data<PageCache>,
    /// The key of cookies and forms.
    pub seal: Seal,
    /// The OpenID provider at which administrators sign in, if the settings name one.
    pub provider: Option<Provider>,
    /// The address at which browsers reach the service.
    pub public_url: String,
    /// Whether that address is https.
    pub is_secure: bool,
    /// Maximum time for a form to arrive.
    pub receive: Duration,
}

impl Pages {
    /// The name of the session's cookie. Browsers accept a cookie with the prefix from this host only (RFC
    /// 6265bis section 4.1.3).
    pub(super) fn cookie_name(&self) -> &'static str {
        if self.is_secure { "__Host-rollcall" } else { "rollcall" }
    }

    /// The address of a page.
    pub(super) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }

    /// The address of the SCIM endpoints, for identity providers.
    pub(super) fn endpoint(&self) -> String {
        self.base.as_str().to_owned()
    }

    /// The address and the user agent of a call.
    pub(super) fn caller(&self, request: &HttpRequest) -> (Option<IpAddr>, Option<String>) {
        let address =
            self.authentication.proxies.counting(request.peer_addr().map(|peer| peer.ip()), request.headers());
        let user_agent = request
            .headers()
            .get(USER_AGENT)
            .and_then(|value| value.to_str().ok())
            .map(ActorDetails::shortened_user_agent);
        (address, user_agent)
    }

    /// Submits a request, and returns once it is applied.
    ///
    /// # Errors
    /// The SCIM error of a rejection. [`ApiError::OutcomeUnknown`] if the outcome did not arrive in time.
    pub(super) async fn apply(&self, request: Request) -> Result<(), ApiError> {
        match self.requests.submit(request, &Prefer::default()).await? {
            Answer::Applied(_) => Ok(()),
            Answer::Accepted(_) => Err(ApiError::OutcomeUnknown("the outcome of a page's request")),
        }
    }
}
