//! The caller of an audit endpoint: an auditor, who reads the log of one organisation and can do nothing else.

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderMap;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest};
use rollcall_events::address::AllowList;
use rollcall_events::request::Denial;
use rollcall_events::{OrganizationId, Timestamp, TokenId};
use std::future::{Ready, ready};
use std::net::IpAddr;

use super::bearer::bearer;
use super::denials::{Presented, Refused};
use super::gate::{Door, check_time, refusal};
use crate::error::ApiError;
use crate::read::{Database, ReadError};

/// Auditors' tokens are looked up for each call: they are few, and a revoked one is refused at once.
const FIND: &str = "
    SELECT organization_id, id, digest, label, allow_list, expires_at, revoked_at FROM auditor_tokens WHERE digest = $1";

const STILL_GOOD: &str = "
    SELECT revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) FROM auditor_tokens WHERE organization_id = $1 AND id = $2";

/// Who calls. To have one is to have passed the door with an auditor's token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Auditor {
    /// Whose log it may read.
    pub(crate) organization_id: OrganizationId,
    token_id: TokenId,
}

struct AuditorToken {
    organization_id: OrganizationId,
    id: TokenId,
    label: String,
    allow_list: Option<AllowList>,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

/// Middleware: puts the [`Auditor`] into the request, or answers 401, 403, 429 or 503 in its place.
pub(crate) async fn audit_gate(request: ServiceRequest, next: Next<impl MessageBody>) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let (Some(door), Some(database)) = (request.app_data::<Data<Door>>(), request.app_data::<Data<Database>>()) else {
        return Err(ApiError::Internal("the door is not set up".to_owned()).into());
    };
    let auditor = admit(door, database, request.peer_addr().map(|peer| peer.ip()), request.headers()).await?;
    request.extensions_mut().insert(auditor);
    next.call(request).await
}

async fn admit(door: &Door, database: &Database, peer: Option<IpAddr>, headers: &HeaderMap) -> Result<Auditor, ApiError> {
    let address = door.proxies.counting(peer, headers);
    let refuse = |token: Option<&AuditorToken>, reason| {
        let token =
            token.map(|token| Presented { organization_id: token.organization_id, id: token.id, label: &token.label, origin: None });
        door.denials.count(&Refused { token, reason, address });
        refusal(reason)
    };
    let digest = bearer(headers).map_err(|reason| refuse(None, reason))?;
    let row = database.query_opt(FIND, &[&digest.as_bytes()]).await?;
    let matching = match &row {
        Some(row) => digest.matches(row.try_get("digest").map_err(ReadError::from)?).then_some(row),
        None => None,
    };
    let token = matching.map(known).transpose()?.ok_or_else(|| refuse(None, Denial::UnknownToken))?;
    check(&token, address, Timestamp::now()).map_err(|reason| refuse(Some(&token), reason))?;
    door.limits.take(token.id)?;
    Ok(Auditor { organization_id: token.organization_id, token_id: token.id })
}

impl Auditor {
    /// Whether the token is still good, for whoever stays connected.
    pub(crate) async fn may_stay(&self, database: &Database) -> Result<bool, ReadError> {
        let row = database.query_opt(STILL_GOOD, &[&self.organization_id, &self.token_id]).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or(false))
    }
}

fn known(row: &tokio_postgres::Row) -> Result<AuditorToken, ReadError> {
    let allow_list: Option<&str> = row.try_get("allow_list")?;
    Ok(AuditorToken {
        organization_id: row.try_get("organization_id")?,
        id: row.try_get("id")?,
        label: row.try_get("label")?,
        allow_list: allow_list.map(str::parse).transpose().map_err(|error| ReadError::Malformed(format!("a stored token: {error}")))?,
        expires_at: row.try_get("expires_at")?,
        revoked_at: row.try_get("revoked_at")?,
    })
}

fn check(token: &AuditorToken, address: Option<IpAddr>, now: Timestamp) -> Result<(), Denial> {
    check_time(token.revoked_at, token.expires_at, now)?;
    match (&token.allow_list, address) {
        (None, _) => Ok(()),
        (Some(list), Some(address)) if list.contains(address) => Ok(()),
        (Some(_), _) => Err(Denial::WrongAddress),
    }
}

impl FromRequest for Auditor {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // Only the door puts an auditor there.
        ready(request.extensions().get::<Self>().copied().ok_or(ApiError::Unauthenticated { presented: false }))
    }
}
