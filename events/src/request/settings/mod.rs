//! Requests that change settings. Each kind of setting has a file; this one lists the requests.

mod dead_letter;
mod entitlement;
mod erasure;
mod mapping;
mod organization;
mod recording;
mod restore;
mod session;
mod stream;
mod token;
mod workspace;

pub use dead_letter::{DeadLetterChange, DecideDeadLetter};
pub use entitlement::{
    ChangeEntitlement, ENTITLEMENT_TYPE, EntitlementChange, EntitlementKind, EntitlementSettings, ROLE_TYPE,
};
pub use erasure::EraseUser;
pub use mapping::MapGroup;
pub use organization::CreateOrganization;
pub use recording::{ChangeRecording, MAX_RECORDING_SECONDS};
pub use restore::AcceptRestore;
pub use session::{BegunSession, ChangeSession, SessionChange};
pub use stream::{ChangeStream, StreamChange};
pub use token::{
    AnnounceExpiry, AuditorTokenSettings, ChangeToken, Dialect, IssueAuditorToken, IssueToken, RevokeToken,
    TokenSettings,
};
pub use workspace::CreateWorkspace;

use serde::{Deserialize, Serialize};

/// Defines the list of requests from their types, each with its name in messages.
macro_rules! requests {
    ($($(#[$about:meta])* $request:ident = $name:literal,)+) => {
        /// A change of settings.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub enum SettingsRequested {
            $($(#[$about])* #[serde(rename = $name)] $request($request),)+
        }

        impl SettingsRequested {
            /// The name of the request, as messages have it.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$request(_) => $name,)+
                }
            }
        }

        $(impl From<$request> for SettingsRequested {
            fn from(request: $request) -> Self {
                Self::$request(request)
            }
        })+
    };
}

requests! {
    /// Creates an organization.
    CreateOrganization = "createOrganization",
    /// Creates a workspace.
    CreateWorkspace = "createWorkspace",
    /// Maps a group to workspaces.
    MapGroup = "mapGroup",
    /// Starts or stops the recording of bodies.
    ChangeRecording = "changeRecording",
    /// Records that a log goes on after a restore.
    AcceptRestore = "acceptRestore",
    /// Erases what the log holds about a deleted user.
    EraseUser = "eraseUser",
    /// Issues a SCIM token.
    IssueToken = "issueToken",
    /// Issues an auditor token.
    IssueAuditorToken = "issueAuditorToken",
    /// Revokes a token.
    RevokeToken = "revokeToken",
    /// Announces that a token is about to expire.
    AnnounceExpiry = "announceExpiry",
    /// Changes the settings of a SCIM token.
    ChangeToken = "changeToken",
    /// Changes a session.
    ChangeSession = "session",
    /// Decides about a dead letter.
    DecideDeadLetter = "deadLetter",
    /// Changes a role or an entitlement.
    ChangeEntitlement = "entitlement",
    /// Changes an event stream.
    ChangeStream = "stream",
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DeadLetterId, GroupId, OrganizationId, StreamId, TokenId, WorkspaceId};
    use test_case::test_case;
    use uuid::Uuid;

    const ID: Uuid = Uuid::from_u128(1);
    const SHOWN: &str = "00000000-0000-0000-0000-000000000001";

    #[test_case(
        CreateOrganization { organization_id: OrganizationId(ID), name: "Acme".parse().unwrap() }
        => r#"{"createOrganization":{"organization_id":"ID","name":"Acme"}}"#; "organization"
    )]
    #[test_case(
        CreateWorkspace { workspace_id: WorkspaceId(ID), name: "Sales".parse().unwrap() }
        => r#"{"createWorkspace":{"workspace_id":"ID","name":"Sales"}}"#; "workspace"
    )]
    #[test_case(
        MapGroup { group_id: GroupId(ID), workspaces: [(WorkspaceId(ID), ["read".parse().unwrap()].into())].into() }
        => r#"{"mapGroup":{"group_id":"ID","workspaces":{"ID":["read"]}}}"#; "mapping"
    )]
    #[test_case(ChangeRecording { until: None } => r#"{"changeRecording":{}}"#; "recording")]
    #[test_case(RevokeToken { token_id: TokenId(ID) } => r#"{"revokeToken":{"token_id":"ID"}}"#; "token")]
    #[test_case(
        DecideDeadLetter { dead_letter_id: DeadLetterId(ID), change: DeadLetterChange::Retry }
        => r#"{"deadLetter":{"dead_letter_id":"ID","change":"retry"}}"#; "dead letter"
    )]
    #[test_case(
        ChangeStream { stream_id: StreamId(ID), change: StreamChange::Resume }
        => r#"{"stream":{"stream_id":"ID","change":"resume"}}"#; "stream"
    )]
    fn the_format_of_a_message_does_not_change(request: impl Into<SettingsRequested>) -> String {
        let request = request.into();
        let json = serde_json::to_string(&request).unwrap();
        assert_eq!(serde_json::from_str::<SettingsRequested>(&json).unwrap(), request);
        json.replace(SHOWN, "ID")
    }
}
