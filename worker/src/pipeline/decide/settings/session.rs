//! Decisions about administrators' sessions.

use rollcall_events::SessionId;
use rollcall_events::log::EventType;
use rollcall_events::request::{Request, SessionChange};
use rollcall_scim::ScimError;
use serde_json::json;

use super::shared::SettingFact;
use crate::pipeline::decide::Interrupt;
use crate::pipeline::decide::entity::{Session, SessionState, SignInLink};
use crate::pipeline::decide::state::State;

/// The name of a change in the log.
pub(super) fn operation(change: &SessionChange) -> &'static str {
    match change {
        SessionChange::Invite { .. } => "invite",
        SessionChange::SignIn { .. } | SessionChange::Begin(_) => "signIn",
        SessionChange::SignOut => "signOut",
    }
}

/// Decides a change of a session.
pub(super) fn attempt(
    state: &State,
    request: &Request,
    id: SessionId,
    change: &SessionChange,
) -> Result<SettingFact, Interrupt> {
    let at = request.requested_at;
    match (change, state.session(request.organization_id, id)?) {
        (SessionChange::Begin(_) | SessionChange::Invite { .. }, Some(_)) => {
            Err(ScimError::uniqueness("there is a session with this id already").into())
        }
        (SessionChange::Invite { digest, name, role, expires_at }, None) => {
            let (name, expires_at) = (name.clone(), *expires_at);
            let link = SignInLink { id, digest: *digest, name, role: *role, expires_at, created_at: at };
            Ok((EventType::SignInLinkIssued, json!({"link": link})))
        }
        (SessionChange::Begin(begun), None) => {
            Ok((EventType::SignedIn, json!({"session": Session { id, begun: begun.clone(), at }})))
        }
        (_, None) => Err(ScimError::new(404, "there is no such session").into()),
        (SessionChange::SignIn { digest }, Some(SessionState::Invited(until))) if at < until => {
            Ok((EventType::SignedIn, json!({"digest": digest, "at": at})))
        }
        (SessionChange::SignIn { .. }, Some(SessionState::Invited(_))) => {
            Err(ScimError::new(403, "the link has expired").into())
        }
        (SessionChange::SignIn { .. }, Some(_)) => Err(ScimError::new(403, "the link was used before").into()),
        (SessionChange::SignOut, Some(SessionState::Ended)) => {
            Err(ScimError::new(409, "the session has ended already").into())
        }
        (SessionChange::SignOut, Some(_)) => Ok((EventType::SignedOut, json!({"at": at}))),
    }
}
