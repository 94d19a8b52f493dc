//! Decisions about the tokens of callers and auditors.

use rollcall_events::TokenId;
use rollcall_events::log::EventType;
use rollcall_events::request::{AuditorTokenSettings, Request, TokenSettings};
use rollcall_events::token::TokenDigest;
use rollcall_scim::ScimError;
use serde_json::{Value, json};

use super::shared::SettingFact;
use crate::pipeline::decide::Interrupt;
use crate::pipeline::decide::entity::{AuditorToken, Token, TokenStatus};
use crate::pipeline::decide::keys::both;
use crate::pipeline::decide::state::State;

/// Issues a SCIM token with the digest and the prefix of its secret.
pub(super) fn issue(
    state: &State,
    request: &Request,
    id: TokenId,
    (digest, prefix): (TokenDigest, Option<&String>),
    settings: &TokenSettings,
) -> Result<SettingFact, Interrupt> {
    let organization = request.organization_id;
    let (token, workspace) =
        both(state.token(organization, id), state.workspace(organization, settings.default_workspace))?;
    if token.is_some() {
        return Err(id_is_taken().into());
    }
    if workspace.is_none() {
        return Err(no_default_workspace().into());
    }
    let token =
        Token { id, digest, prefix: prefix.cloned(), settings: settings.clone(), created_at: request.requested_at };
    Ok((EventType::TokenIssued, json!({"token": token})))
}

/// Issues an auditor's token.
pub(super) fn issue_for_auditor(
    state: &State,
    request: &Request,
    id: TokenId,
    digest: TokenDigest,
    settings: &AuditorTokenSettings,
) -> Result<SettingFact, Interrupt> {
    if state.token(request.organization_id, id)?.is_some() {
        return Err(id_is_taken().into());
    }
    let token = AuditorToken { id, digest, settings: settings.clone(), created_at: request.requested_at };
    Ok((EventType::AuditorTokenIssued, json!({"token": token})))
}

/// Revokes a token. A token that is revoked again keeps the time of its first revocation.
pub(super) fn revoke(state: &State, request: &Request, id: TokenId) -> Result<SettingFact, Interrupt> {
    let revoked_at = match state.token(request.organization_id, id)? {
        None => return Err(no_token().into()),
        Some(TokenStatus::RevokedAt(revoked_at)) => revoked_at,
        Some(TokenStatus::Valid) => request.requested_at,
    };
    Ok((EventType::TokenRevoked, json!({"revoked_at": revoked_at})))
}

/// Announces that a token expires soon.
pub(super) fn announce_expiry(
    state: &State,
    request: &Request,
    id: TokenId,
    announced: Value,
) -> Result<SettingFact, Interrupt> {
    check_valid(state, request, id)?;
    Ok((EventType::TokenExpiring, announced))
}

/// Changes the settings of a token.
pub(super) fn change(
    state: &State,
    request: &Request,
    id: TokenId,
    settings: &TokenSettings,
) -> Result<SettingFact, Interrupt> {
    check_valid(state, request, id)?;
    if state.workspace(request.organization_id, settings.default_workspace)?.is_none() {
        return Err(no_default_workspace().into());
    }
    Ok((EventType::TokenChanged, json!({"settings": settings})))
}

fn check_valid(state: &State, request: &Request, id: TokenId) -> Result<(), Interrupt> {
    match state.token(request.organization_id, id)? {
        None => Err(no_token().into()),
        Some(TokenStatus::RevokedAt(_)) => Err(ScimError::new(409, "the token is revoked").into()),
        Some(TokenStatus::Valid) => Ok(()),
    }
}

fn id_is_taken() -> ScimError {
    ScimError::uniqueness("there is a token with this id already")
}

fn no_token() -> ScimError {
    ScimError::new(404, "there is no such token")
}

fn no_default_workspace() -> ScimError {
    ScimError::invalid_value("default_workspace: there is no such workspace in the organization")
}
