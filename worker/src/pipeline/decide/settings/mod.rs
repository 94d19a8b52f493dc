//! Decisions about settings. Each kind of setting has a file; this one lists the kinds.

mod dead_letter;
mod entitlement;
mod erasure;
mod mapping;
mod organization;
mod recording;
mod session;
mod shared;
mod stream;
mod token;
mod workspace;

use rollcall_events::OrganizationId;
use rollcall_events::log::SubjectType;
use rollcall_events::request::{Request, SettingsRequested};
use rollcall_scim::ScimError;
use serde_json::json;
use uuid::Uuid;

use super::keys::NotLoaded;
use super::state::State;
use super::{Decision, Interrupt, rejected};
use shared::SettingFact;

/// Decides a change of settings.
pub(super) fn decide(state: &State, request: &Request, settings: &SettingsRequested) -> Result<Decision, NotLoaded> {
    let (subject, operation) = subject(request, settings);
    match attempt(state, request, settings) {
        Ok((event_type, payload)) => Ok(Decision { event_type, subject: Some(subject), error: None, payload }),
        Err(Interrupt::NotLoaded(missing)) => Err(missing),
        Err(Interrupt::Refused(refusal)) => Ok(rejected(refusal.error, Some(subject), json!({"operation": operation}))),
    }
}

/// The subject of the log entry, and the name of the change in it.
fn subject(request: &Request, settings: &SettingsRequested) -> ((SubjectType, Uuid), &'static str) {
    match settings {
        SettingsRequested::CreateOrganization { organization_id, .. } => {
            ((SubjectType::Organization, organization_id.0), "createOrganization")
        }
        SettingsRequested::CreateWorkspace { workspace_id, .. } => {
            ((SubjectType::Workspace, workspace_id.0), "createWorkspace")
        }
        SettingsRequested::MapGroup { group_id, .. } => ((SubjectType::Group, group_id.0), "mapGroup"),
        SettingsRequested::ChangeRecording { .. } => {
            ((SubjectType::Organization, request.organization_id.0), "changeRecording")
        }
        SettingsRequested::EraseUser { user_id } => ((SubjectType::User, user_id.0), "eraseUser"),
        SettingsRequested::IssueToken { token_id, .. } => ((SubjectType::Token, token_id.0), "issueToken"),
        SettingsRequested::IssueAuditorToken { token_id, .. } => {
            ((SubjectType::Token, token_id.0), "issueAuditorToken")
        }
        SettingsRequested::RevokeToken { token_id } => ((SubjectType::Token, token_id.0), "revokeToken"),
        SettingsRequested::AnnounceExpiry { token_id, .. } => ((SubjectType::Token, token_id.0), "announceExpiry"),
        SettingsRequested::ChangeToken { token_id, .. } => ((SubjectType::Token, token_id.0), "changeToken"),
        SettingsRequested::Session { session_id, change } => {
            ((SubjectType::Session, session_id.0), session::operation(change))
        }
        SettingsRequested::DeadLetter { dead_letter_id, change } => {
            ((SubjectType::DeadLetter, dead_letter_id.0), dead_letter::operation(change))
        }
        SettingsRequested::Entitlement { entitlement_id, change } => {
            ((SubjectType::Entitlement, entitlement_id.0), entitlement::operation(change))
        }
        SettingsRequested::Stream { stream_id, change } => {
            ((SubjectType::Stream, stream_id.0), stream::operation(change))
        }
    }
}

fn attempt(state: &State, request: &Request, settings: &SettingsRequested) -> Result<SettingFact, Interrupt> {
    let is_of_system = matches!(settings, SettingsRequested::CreateOrganization { .. })
        || request.organization_id == OrganizationId::SYSTEM
            && matches!(settings, SettingsRequested::DeadLetter { .. });
    if !is_of_system && !state.has_organization(request.organization_id)? {
        return Err(ScimError::new(404, "there is no such organization").into());
    }
    match settings {
        SettingsRequested::CreateOrganization { organization_id, name } => {
            organization::create(state, request, *organization_id, name)
        }
        SettingsRequested::CreateWorkspace { workspace_id, name } => {
            workspace::create(state, request, *workspace_id, name)
        }
        SettingsRequested::MapGroup { group_id, workspaces } => mapping::map(state, request, *group_id, workspaces),
        SettingsRequested::ChangeRecording { until } => recording::change(request, *until),
        SettingsRequested::EraseUser { user_id } => erasure::erase(state, request, *user_id),
        SettingsRequested::IssueToken { token_id, digest, prefix, settings } => {
            token::issue(state, request, *token_id, (*digest, prefix.as_ref()), settings)
        }
        SettingsRequested::IssueAuditorToken { token_id, digest, settings } => {
            token::issue_for_auditor(state, request, *token_id, *digest, settings)
        }
        SettingsRequested::RevokeToken { token_id } => token::revoke(state, request, *token_id),
        SettingsRequested::AnnounceExpiry { token_id, label, expires_at, days } => {
            let announced = json!({"label": label, "expires_at": expires_at, "days": days});
            token::announce_expiry(state, request, *token_id, announced)
        }
        SettingsRequested::ChangeToken { token_id, settings } => token::change(state, request, *token_id, settings),
        SettingsRequested::Session { session_id, change } => session::attempt(state, request, *session_id, change),
        SettingsRequested::DeadLetter { dead_letter_id, change } => {
            dead_letter::attempt(state, request, *dead_letter_id, change)
        }
        SettingsRequested::Entitlement { entitlement_id, change } => {
            entitlement::attempt(state, request, *entitlement_id, change)
        }
        SettingsRequested::Stream { stream_id, change } => stream::attempt(state, request, *stream_id, change),
    }
}
