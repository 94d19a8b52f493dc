//! Decisions about settings: organizations, workspaces, tokens.

use rollcall_events::OrganizationId;
use rollcall_events::log::{EventType, SubjectType};
use rollcall_events::request::{MAX_RECORDING_SECONDS, Request, SettingsRequested};
use rollcall_scim::ScimError;
use rollcall_scim::casefold::casefold;
use serde_json::json;
use uuid::Uuid;

use super::entity::{AuditorToken, Token, TokenStatus, Workspace};
use super::keys::{NotLoaded, both, look_up_all};
use super::setting::{SettingFact, no_workspace};
use super::state::State;
use super::{Decision, Interrupt, dead_letters, entitlements, rejected, sessions, streams};

/// Decides a change of settings.
pub(super) fn decide(state: &State, request: &Request, settings: &SettingsRequested) -> Result<Decision, NotLoaded> {
    let (subject, operation) = subject(request, settings);
    match attempt(state, request, settings) {
        Ok((event_type, payload)) => Ok(Decision { event_type, subject: Some(subject), error: None, payload }),
        Err(Interrupt::NotLoaded(missing)) => Err(missing),
        Err(Interrupt::Refused(refusal)) => Ok(rejected(refusal.error, Some(subject), json!({"operation": operation}))),
    }
}

fn subject(request: &Request, settings: &SettingsRequested) -> ((SubjectType, Uuid), &'static str) {
    match settings {
        SettingsRequested::CreateOrganization { organization_id, .. } => {
            ((SubjectType::Organization, organization_id.0), "createOrganization")
        }
        SettingsRequested::CreateWorkspace { workspace_id, .. } => ((SubjectType::Workspace, workspace_id.0), "createWorkspace"),
        SettingsRequested::MapGroup { group_id, .. } => ((SubjectType::Group, group_id.0), "mapGroup"),
        SettingsRequested::ChangeRecording { .. } => ((SubjectType::Organization, request.organization_id.0), "changeRecording"),
        SettingsRequested::EraseUser { user_id } => ((SubjectType::User, user_id.0), "eraseUser"),
        SettingsRequested::IssueToken { token_id, .. } => ((SubjectType::Token, token_id.0), "issueToken"),
        SettingsRequested::IssueAuditorToken { token_id, .. } => ((SubjectType::Token, token_id.0), "issueAuditorToken"),
        SettingsRequested::RevokeToken { token_id } => ((SubjectType::Token, token_id.0), "revokeToken"),
        SettingsRequested::AnnounceExpiry { token_id, .. } => ((SubjectType::Token, token_id.0), "announceExpiry"),
        SettingsRequested::ChangeToken { token_id, .. } => ((SubjectType::Token, token_id.0), "changeToken"),
        SettingsRequested::Session { session_id, change } => ((SubjectType::Session, session_id.0), sessions::operation(change)),
        SettingsRequested::DeadLetter { dead_letter_id, change } => {
            ((SubjectType::DeadLetter, dead_letter_id.0), dead_letters::operation(change))
        }
        SettingsRequested::Entitlement { entitlement_id, change } => {
            ((SubjectType::Entitlement, entitlement_id.0), entitlements::operation(change))
        }
        SettingsRequested::Stream { stream_id, change } => ((SubjectType::Stream, stream_id.0), streams::operation(change)),
    }
}

fn attempt(state: &State, request: &Request, settings: &SettingsRequested) -> Result<SettingFact, Interrupt> {
    let organization = request.organization_id;
    let created_at = request.requested_at;
    let is_of_system = matches!(settings, SettingsRequested::CreateOrganization { .. })
        || organization == OrganizationId::SYSTEM && matches!(settings, SettingsRequested::DeadLetter { .. });
    if !is_of_system && !state.has_organization(organization)? {
        return Err(ScimError::new(404, "there is no such organization").into());
    }
    match settings {
        SettingsRequested::CreateOrganization { organization_id, name } => {
            if state.has_organization(*organization_id)? {
                return Err(ScimError::uniqueness("there is an organization with this id already").into());
            }
            Ok((EventType::OrganizationCreated, json!({"name": name, "created_at": created_at})))
        }
        SettingsRequested::CreateWorkspace { workspace_id, name } => {
            let (named, with_id) = both(state.workspace_named(organization, casefold(name)), state.workspace(organization, *workspace_id))?;
            if named.is_some() || with_id.is_some() {
                return Err(ScimError::uniqueness("there is a workspace with this name or id already").into());
            }
            let workspace = Workspace { id: *workspace_id, name: name.clone(), created_at };
            Ok((EventType::WorkspaceCreated, json!({"workspace": workspace})))
        }
        SettingsRequested::MapGroup { group_id, workspaces } => {
            let mapped = look_up_all(workspaces.keys(), |id| state.workspace(organization, **id));
            let (group, mapped) = both(state.group(organization, *group_id), mapped)?;
            if group.is_none() {
                return Err(ScimError::new(404, "there is no such group").into());
            }
            if let Some((unknown, _)) = mapped.iter().find(|(_, workspace)| workspace.is_none()) {
                return Err(no_workspace(**unknown).into());
            }
            Ok((EventType::GroupMapped, json!({"workspaces": workspaces})))
        }
        SettingsRequested::ChangeRecording { until } => {
            if until.is_some_and(|until| until > created_at.after_seconds(MAX_RECORDING_SECONDS)) {
                return Err(ScimError::invalid_value("until: bodies can be recorded for a week at the most").into());
            }
            Ok((EventType::RecordingChanged, json!({"until": until})))
        }
        SettingsRequested::EraseUser { user_id } => {
            let (is_there, was_deleted) = both(state.has_user(organization, *user_id), state.was_deleted(organization, *user_id))?;
            if is_there {
                return Err(ScimError::new(409, "the user is not deleted, and only what is known of deleted users can be erased").into());
            }
            if !was_deleted {
                return Err(ScimError::new(404, "the log knows of no such user").into());
            }
            Ok((EventType::UserErased, json!({"operation": "eraseUser"})))
        }
        SettingsRequested::IssueToken { token_id, digest, prefix, settings } => {
            let (token, workspace) = both(state.token(organization, *token_id), state.workspace(organization, settings.default_workspace))?;
            if token.is_some() {
                return Err(ScimError::uniqueness("there is a token with this id already").into());
            }
            if workspace.is_none() {
                return Err(no_default_workspace().into());
            }
            let token = Token { id: *token_id, digest: *digest, prefix: prefix.clone(), settings: settings.clone(), created_at };
            Ok((EventType::TokenIssued, json!({"token": token})))
        }
        SettingsRequested::IssueAuditorToken { token_id, digest, settings } => {
            if state.token(organization, *token_id)?.is_some() {
                return Err(ScimError::uniqueness("there is a token with this id already").into());
            }
            let token = AuditorToken { id: *token_id, digest: *digest, settings: settings.clone(), created_at };
            Ok((EventType::AuditorTokenIssued, json!({"token": token})))
        }
        SettingsRequested::RevokeToken { token_id } => match state.token(organization, *token_id)? {
            None => Err(ScimError::new(404, "there is no such token").into()),
            // A token that is revoked again keeps the time of its first revocation.
            Some(TokenStatus::RevokedAt(revoked_at)) => Ok((EventType::TokenRevoked, json!({"revoked_at": revoked_at}))),
            Some(TokenStatus::Valid) => Ok((EventType::TokenRevoked, json!({"revoked_at": created_at}))),
        },
        SettingsRequested::AnnounceExpiry { token_id, label, expires_at, days } => match state.token(organization, *token_id)? {
            None => Err(ScimError::new(404, "there is no such token").into()),
            Some(TokenStatus::RevokedAt(_)) => Err(ScimError::new(409, "the token is revoked").into()),
            Some(TokenStatus::Valid) => Ok((EventType::TokenExpiring, json!({"label": label, "expires_at": expires_at, "days": days}))),
        },
        SettingsRequested::ChangeToken { token_id, settings } => match state.token(organization, *token_id)? {
            None => Err(ScimError::new(404, "there is no such token").into()),
            Some(TokenStatus::RevokedAt(_)) => Err(ScimError::new(409, "the token is revoked").into()),
            Some(TokenStatus::Valid) if state.workspace(organization, settings.default_workspace)?.is_none() => {
                Err(no_default_workspace().into())
            }
            Some(TokenStatus::Valid) => Ok((EventType::TokenChanged, json!({"settings": settings}))),
        },
        SettingsRequested::Session { session_id, change } => sessions::attempt(state, request, *session_id, change),
        SettingsRequested::DeadLetter { dead_letter_id, change } => dead_letters::attempt(state, request, *dead_letter_id, change),
        SettingsRequested::Entitlement { entitlement_id, change } => entitlements::attempt(state, request, *entitlement_id, change),
        SettingsRequested::Stream { stream_id, change } => streams::attempt(state, request, *stream_id, change),
    }
}

fn no_default_workspace() -> ScimError {
    ScimError::invalid_value("default_workspace: there is no such workspace in the organization")
}
