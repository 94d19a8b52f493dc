//! Requests about administrators' sessions on the pages.

use serde::{Deserialize, Serialize};

use crate::name::DisplayName;
use crate::session::Role;
use crate::token::TokenDigest;
use crate::{SessionId, Timestamp};

/// Changes an administrator's session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangeSession {
    /// The session.
    pub session_id: SessionId,
    /// The change of the session.
    pub change: SessionChange,
}

/// A change of an administrator's session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SessionChange {
    /// Creates a sign-in link, which can be used once.
    Invite {
        /// The digest of the secret in the link.
        digest: TokenDigest,
        /// The name of the person who may sign in.
        name: DisplayName,
        /// The role of the person.
        role: Role,
        /// When the link expires.
        expires_at: Timestamp,
    },
    /// Uses the link to sign in.
    SignIn {
        /// The digest of the secret that the browser holds from then on.
        digest: TokenDigest,
    },
    /// Starts a session at once, for a person whom an OpenID provider has identified.
    Begin(BegunSession),
    /// Ends the session.
    SignOut,
    /// Ends the session, and erases from the log what it holds about the person: the name in the entries
    /// about the session, and the actor's details in the entries that the session caused.
    Erase,
}

/// A session of a person whom an OpenID provider has identified.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BegunSession {
    /// The digest of the secret that the browser holds.
    pub digest: TokenDigest,
    /// The name of the person who signed in. It is the provider's, so no rule of ours applies.
    pub name: String,
    /// The role of the person.
    pub role: Role,
    /// The provider (OpenID Connect Core 1.0 section 2, `iss`).
    pub issuer: String,
    /// The person's identifier at the provider (`sub`).
    pub subject: String,
}
