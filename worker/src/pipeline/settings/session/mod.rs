//! Administrators' sessions.

mod rows;

use rollcall_events::log::{EventType, SubjectType};
use rollcall_events::name::DisplayName;
use rollcall_events::request::{BegunSession, ChangeSession, Request, SessionChange};
use rollcall_events::session::Role;
use rollcall_events::token::TokenDigest;
use rollcall_events::{OrganizationId, SessionId, Timestamp};
use rollcall_scim::ScimError;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::kind::{ChangeRequest, SettingFact, checked};
use crate::fact::{Fact, MalformedFact};
use crate::pipeline::decision::Interrupt;
use crate::pipeline::state::{Key, SessionState, State};
pub(crate) use rows::Sessions;

impl ChangeRequest for ChangeSession {
    fn subject(&self, _: OrganizationId) -> (SubjectType, Uuid) {
        (SubjectType::Session, self.session_id.0)
    }

    fn operation(&self) -> &'static str {
        match self.change {
            SessionChange::Invite { .. } => "invite",
            SessionChange::SignIn { .. } | SessionChange::Begin(_) => "signIn",
            SessionChange::SignOut => "signOut",
            SessionChange::Erase => "eraseAdministrator",
        }
    }

    fn keys(&self, organization: OrganizationId) -> Vec<Key> {
        vec![Key::Session(organization, self.session_id)]
    }

    fn check(&self) -> Result<(), ScimError> {
        match &self.change {
            SessionChange::Invite { name, .. } => checked("name", name.check()),
            SessionChange::SignIn { .. } | SessionChange::Begin(_) | SessionChange::SignOut | SessionChange::Erase => {
                Ok(())
            }
        }
    }

    fn decide(&self, state: &State, request: &Request) -> Result<SettingFact, Interrupt> {
        let (id, at) = (self.session_id, request.requested_at);
        match (&self.change, state.session(request.organization_id, id)?) {
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
            (SessionChange::Erase, Some(_)) => {
                Ok((EventType::AdministratorErased, json!({"operation": self.operation()})))
            }
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
}

/// A sign-in link, and the session that it begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SignInLink {
    id: SessionId,
    digest: TokenDigest,
    name: DisplayName,
    role: Role,
    expires_at: Timestamp,
    created_at: Timestamp,
}

/// A session that began without a link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Session {
    id: SessionId,
    #[serde(flatten)]
    begun: BegunSession,
    at: Timestamp,
}

/// A change of a session.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    Invite(SignInLink),
    Begin(Session),
    SignIn { id: SessionId, digest: TokenDigest, at: Timestamp },
    SignOut { id: SessionId, at: Timestamp },
    Erase { id: SessionId },
}

/// Reads the change from a `SignInLinkIssued` fact.
pub(super) fn invited(fact: &Fact) -> Result<Change, MalformedFact> {
    fact.read("link").map(Change::Invite)
}

/// Reads the change from a `SignedIn` fact: a sign-in with or without a link.
pub(super) fn signed_in(fact: &Fact) -> Result<Change, MalformedFact> {
    if fact.has("session") {
        return fact.read("session").map(Change::Begin);
    }
    Ok(Change::SignIn { id: SessionId(fact.subject()?), digest: fact.read("digest")?, at: fact.read("at")? })
}

/// Reads the change from a `SignedOut` fact.
pub(super) fn signed_out(fact: &Fact) -> Result<Change, MalformedFact> {
    Ok(Change::SignOut { id: SessionId(fact.subject()?), at: fact.read("at")? })
}

/// Reads the change from an `AdministratorErased` fact, whose subject is the session.
pub(super) fn erased(fact: &Fact) -> Result<Change, MalformedFact> {
    Ok(Change::Erase { id: SessionId(fact.subject()?) })
}
