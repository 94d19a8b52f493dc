//! Credentials that are looked up for each call. There are few of them, and a revoked one must be refused at
//! once.

use actix_web::dev::ServiceRequest;
use actix_web::web::Data;
use rollcall_events::address::AllowList;
use rollcall_events::request::Denial;
use rollcall_events::{OrganizationId, Timestamp, TokenId};
use std::net::IpAddr;
use tokio_postgres::Row;

use super::bearer::bearer;
use super::denials::{DeniedCall, PresentedToken};
use super::gate::{Authentication, check_time, refusal};
use crate::error::ApiError;
use crate::read::{Database, ReadError};

/// A credential from the database.
pub(super) struct Credential {
    pub(super) organization_id: OrganizationId,
    pub(super) id: TokenId,
    label: String,
    allow_list: Option<AllowList>,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

/// Authenticates a call. `find` is the query that looks its bearer token up by digest. The error is 401, 403,
/// 429 or 503.
pub(super) async fn admit(request: &ServiceRequest, find: &'static str) -> Result<Credential, ApiError> {
    let (Some(authentication), Some(database)) =
        (request.app_data::<Data<Authentication>>(), request.app_data::<Data<Database>>())
    else {
        return Err(ApiError::Internal("authentication is not set up".to_owned()));
    };
    let address = authentication.proxies.counting(request.peer_addr().map(|peer| peer.ip()), request.headers());
    let refuse = |credential: Option<&Credential>, reason| {
        let token = credential.map(|known| PresentedToken {
            organization_id: known.organization_id,
            id: known.id,
            label: &known.label,
            origin: None,
        });
        authentication.denials.count(&DeniedCall { token, reason, address });
        refusal(reason)
    };
    let digest = bearer(request.headers()).map_err(|reason| refuse(None, reason))?;
    let row = database.sessions().query_opt(find, &[&digest.as_bytes()]).await?;
    let matching = match &row {
        Some(row) => digest.matches(row.try_get("digest").map_err(ReadError::from)?).then_some(row),
        None => None,
    };
    let credential = matching.map(known).transpose()?.ok_or_else(|| refuse(None, Denial::UnknownToken))?;
    check(&credential, address, Timestamp::now()).map_err(|reason| refuse(Some(&credential), reason))?;
    authentication.limits.take(credential.id)?;
    Ok(credential)
}

fn known(row: &Row) -> Result<Credential, ReadError> {
    let allow_list: Option<&str> = row.try_get("allow_list")?;
    Ok(Credential {
        organization_id: row.try_get("organization_id")?,
        id: row.try_get("id")?,
        label: row.try_get("label")?,
        allow_list: allow_list
            .map(str::parse)
            .transpose()
            .map_err(|error| ReadError::Malformed(format!("a stored token: {error}")))?,
        expires_at: row.try_get("expires_at")?,
        revoked_at: row.try_get("revoked_at")?,
    })
}

fn check(credential: &Credential, address: Option<IpAddr>, now: Timestamp) -> Result<(), Denial> {
    check_time(credential.revoked_at, credential.expires_at, now)?;
    let is_listed = |list: &AllowList| address.is_some_and(|address| list.contains(address));
    let is_allowed = credential.allow_list.as_ref().is_none_or(is_listed);
    if is_allowed { Ok(()) } else { Err(Denial::WrongAddress) }
}
