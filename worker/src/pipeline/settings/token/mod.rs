//! The tokens of callers and auditors.

mod rows;

use rollcall_events::log::{EventType, SubjectType};
use rollcall_events::rate::CallsPerSecond;
use rollcall_events::request::{
    AnnounceExpiry, AuditorTokenSettings, ChangeToken, IssueAuditorToken, IssueToken, Request, RevokeToken,
    TokenSettings,
};
use rollcall_events::token::TokenDigest;
use rollcall_events::{OrganizationId, Timestamp, TokenId};
use rollcall_scim::ScimError;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::kind::{ChangeRequest, SettingFact, checked};
use crate::fact::{Fact, MalformedFact};
use crate::pipeline::decision::Interrupt;
use crate::pipeline::state::{Key, State, TokenStatus, both};
pub(crate) use rows::Tokens;

impl ChangeRequest for IssueToken {
    fn subject(&self, _: OrganizationId) -> (SubjectType, Uuid) {
        (SubjectType::Token, self.token_id.0)
    }

    fn operation(&self) -> &'static str {
        "issueToken"
    }

    fn keys(&self, organization: OrganizationId) -> Vec<Key> {
        keys_with_workspace(organization, self.token_id, &self.settings)
    }

    fn check(&self) -> Result<(), ScimError> {
        check_settings(&self.settings)
    }

    fn decide(&self, state: &State, request: &Request) -> Result<SettingFact, Interrupt> {
        let (organization, id, settings) = (request.organization_id, self.token_id, &self.settings);
        let workspace = state.workspace(organization, settings.default_workspace);
        let (token, workspace) = both(state.token(organization, id), workspace)?;
        if token.is_some() {
            return Err(id_is_taken().into());
        }
        if workspace.is_none() {
            return Err(no_default_workspace().into());
        }
        let (digest, prefix, created_at) = (self.digest, self.prefix.clone(), request.requested_at);
        let token = Token { id, digest, prefix, settings: settings.clone(), created_at };
        Ok((EventType::TokenIssued, json!({"token": token})))
    }
}

impl ChangeRequest for IssueAuditorToken {
    fn subject(&self, _: OrganizationId) -> (SubjectType, Uuid) {
        (SubjectType::Token, self.token_id.0)
    }

    fn operation(&self) -> &'static str {
        "issueAuditorToken"
    }

    fn keys(&self, organization: OrganizationId) -> Vec<Key> {
        vec![Key::Token(organization, self.token_id)]
    }

    fn check(&self) -> Result<(), ScimError> {
        checked("label", self.settings.label.check())
    }

    fn decide(&self, state: &State, request: &Request) -> Result<SettingFact, Interrupt> {
        let id = self.token_id;
        if state.token(request.organization_id, id)?.is_some() {
            return Err(id_is_taken().into());
        }
        let settings = self.settings.clone();
        let token = AuditorToken { id, digest: self.digest, settings, created_at: request.requested_at };
        Ok((EventType::AuditorTokenIssued, json!({"token": token})))
    }
}

impl ChangeRequest for RevokeToken {
    fn subject(&self, _: OrganizationId) -> (SubjectType, Uuid) {
        (SubjectType::Token, self.token_id.0)
    }

    fn operation(&self) -> &'static str {
        "revokeToken"
    }

    fn keys(&self, organization: OrganizationId) -> Vec<Key> {
        vec![Key::Token(organization, self.token_id)]
    }

    fn check(&self) -> Result<(), ScimError> {
        Ok(())
    }

    /// A token that is revoked again keeps the time of its first revocation.
    fn decide(&self, state: &State, request: &Request) -> Result<SettingFact, Interrupt> {
        let revoked_at = match state.token(request.organization_id, self.token_id)?.ok_or_else(no_token)? {
            TokenStatus::RevokedAt(revoked_at) => revoked_at,
            TokenStatus::Valid => request.requested_at,
        };
        Ok((EventType::TokenRevoked, json!({"revoked_at": revoked_at})))
    }
}

impl ChangeRequest for AnnounceExpiry {
    fn subject(&self, _: OrganizationId) -> (SubjectType, Uuid) {
        (SubjectType::Token, self.token_id.0)
    }

    fn operation(&self) -> &'static str {
        "announceExpiry"
    }

    fn keys(&self, organization: OrganizationId) -> Vec<Key> {
        vec![Key::Token(organization, self.token_id)]
    }

    /// The label is that of a token, so it is recorded already.
    fn check(&self) -> Result<(), ScimError> {
        Ok(())
    }

    fn decide(&self, state: &State, request: &Request) -> Result<SettingFact, Interrupt> {
        check_valid(state, request, self.token_id)?;
        let announced = json!({"label": self.label, "expires_at": self.expires_at, "days": self.days});
        Ok((EventType::TokenExpiring, announced))
    }
}

impl ChangeRequest for ChangeToken {
    fn subject(&self, _: OrganizationId) -> (SubjectType, Uuid) {
        (SubjectType::Token, self.token_id.0)
    }

    fn operation(&self) -> &'static str {
        "changeToken"
    }

    fn keys(&self, organization: OrganizationId) -> Vec<Key> {
        keys_with_workspace(organization, self.token_id, &self.settings)
    }

    fn check(&self) -> Result<(), ScimError> {
        check_settings(&self.settings)
    }

    fn decide(&self, state: &State, request: &Request) -> Result<SettingFact, Interrupt> {
        check_valid(state, request, self.token_id)?;
        let workspace = state.workspace(request.organization_id, self.settings.default_workspace)?;
        workspace.ok_or_else(no_default_workspace)?;
        Ok((EventType::TokenChanged, json!({"settings": self.settings})))
    }
}

fn check_settings(settings: &TokenSettings) -> Result<(), ScimError> {
    checked("label", settings.label.check())?;
    checked("calls_per_second", settings.calls_per_second.map_or(Ok(()), CallsPerSecond::check))
}

fn keys_with_workspace(organization: OrganizationId, id: TokenId, settings: &TokenSettings) -> Vec<Key> {
    vec![Key::Token(organization, id), Key::Workspace(organization, settings.default_workspace)]
}

fn check_valid(state: &State, request: &Request, id: TokenId) -> Result<(), Interrupt> {
    match state.token(request.organization_id, id)?.ok_or_else(no_token)? {
        TokenStatus::RevokedAt(_) => Err(ScimError::new(409, "the token is revoked").into()),
        TokenStatus::Valid => Ok(()),
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

/// A SCIM token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Token {
    id: TokenId,
    digest: TokenDigest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
    settings: TokenSettings,
    created_at: Timestamp,
}

/// An auditor token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AuditorToken {
    id: TokenId,
    digest: TokenDigest,
    settings: AuditorTokenSettings,
    created_at: Timestamp,
}

/// A change of a token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    Put(Token),
    PutAuditor(AuditorToken),
    Revoke { id: TokenId, revoked_at: Timestamp },
    Set { id: TokenId, settings: TokenSettings },
}

/// Reads the change from a `TokenIssued` fact.
pub(super) fn issued(fact: &Fact) -> Result<Change, MalformedFact> {
    fact.read("token").map(Change::Put)
}

/// Reads the change from an `AuditorTokenIssued` fact.
pub(super) fn issued_to_auditor(fact: &Fact) -> Result<Change, MalformedFact> {
    fact.read("token").map(Change::PutAuditor)
}

/// Reads the change from a `TokenRevoked` fact.
pub(super) fn revoked(fact: &Fact) -> Result<Change, MalformedFact> {
    Ok(Change::Revoke { id: TokenId(fact.subject()?), revoked_at: fact.read("revoked_at")? })
}

/// Reads the change from a `TokenChanged` fact.
pub(super) fn changed(fact: &Fact) -> Result<Change, MalformedFact> {
    Ok(Change::Set { id: TokenId(fact.subject()?), settings: fact.read("settings")? })
}
