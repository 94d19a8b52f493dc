//! The part of the state that a batch needs, and how a change changes it.

use rollcall_events::{DeadLetterId, GroupId, OrganizationId, SessionId, StreamId, Timestamp, TokenId, UserId, WorkspaceId};
use rollcall_scim::fold::fold as fold_case;
use std::collections::{HashMap, HashSet};

use super::entity::{AuditorToken, Before, Change, Group, SessionState, Standing, Stream, Token, User, Workspace};

/// The state of the organisations in a batch, as far as the batch may touch it.
#[derive(Debug, Default)]
pub(crate) struct State {
    users: HashMap<(OrganizationId, UserId), User>,
    user_names: HashMap<(OrganizationId, String), UserId>,
    /// Users of whom it is only known that they are there.
    known_users: HashSet<(OrganizationId, UserId)>,
    /// Users who were deleted, as far as it matters.
    deleted_users: HashSet<(OrganizationId, UserId)>,
    groups: HashMap<(OrganizationId, GroupId), Group>,
    group_names: HashMap<(OrganizationId, String), GroupId>,
    /// The members that requests speak of; all of them for a group that is set as a whole.
    members: HashMap<(OrganizationId, GroupId), HashSet<UserId>>,
    organizations: HashMap<OrganizationId, String>,
    workspaces: HashMap<(OrganizationId, WorkspaceId), Workspace>,
    workspace_names: HashMap<(OrganizationId, String), WorkspaceId>,
    tokens: HashMap<(OrganizationId, TokenId), Standing>,
    sessions: HashMap<(OrganizationId, SessionId), SessionState>,
    dead_letters: HashSet<(OrganizationId, DeadLetterId)>,
    /// Whether each is delivered.
    streams: HashMap<(OrganizationId, StreamId), bool>,
}

impl State {
    pub(crate) fn user(&self, organization: OrganizationId, id: UserId) -> Option<&User> {
        self.users.get(&(organization, id))
    }

    pub(crate) fn user_named(&self, organization: OrganizationId, name_key: String) -> Option<UserId> {
        self.user_names.get(&(organization, name_key)).copied()
    }

    /// Whether there is such a user.
    pub(crate) fn knows_user(&self, organization: OrganizationId, id: UserId) -> bool {
        self.users.contains_key(&(organization, id)) || self.known_users.contains(&(organization, id))
    }

    /// Whether a user was there once and was deleted.
    pub(crate) fn was_deleted(&self, organization: OrganizationId, id: UserId) -> bool {
        self.deleted_users.contains(&(organization, id))
    }

    pub(crate) fn group(&self, organization: OrganizationId, id: GroupId) -> Option<&Group> {
        self.groups.get(&(organization, id))
    }

    pub(crate) fn group_named(&self, organization: OrganizationId, name_key: String) -> Option<GroupId> {
        self.group_names.get(&(organization, name_key)).copied()
    }

    /// The members of a group, as far as they were loaded.
    pub(crate) fn members(&self, organization: OrganizationId, group: GroupId) -> impl Iterator<Item = UserId> {
        self.members.get(&(organization, group)).into_iter().flatten().copied()
    }

    pub(crate) fn is_member(&self, organization: OrganizationId, group: GroupId, user: UserId) -> bool {
        self.members.get(&(organization, group)).is_some_and(|members| members.contains(&user))
    }

    pub(crate) fn has_organization(&self, id: OrganizationId) -> bool {
        self.organizations.contains_key(&id)
    }

    pub(crate) fn workspace(&self, organization: OrganizationId, id: WorkspaceId) -> Option<&Workspace> {
        self.workspaces.get(&(organization, id))
    }

    pub(crate) fn workspace_named(&self, organization: OrganizationId, name_key: String) -> Option<WorkspaceId> {
        self.workspace_names.get(&(organization, name_key)).copied()
    }

    /// How a token stands, if there is one.
    pub(crate) fn token(&self, organization: OrganizationId, id: TokenId) -> Option<Standing> {
        self.tokens.get(&(organization, id)).copied()
    }

    /// Whether there is such a dead letter.
    pub(crate) fn has_dead_letter(&self, organization: OrganizationId, id: DeadLetterId) -> bool {
        self.dead_letters.contains(&(organization, id))
    }

    /// How far a session has come, if there is one.
    pub(crate) fn session(&self, organization: OrganizationId, id: SessionId) -> Option<SessionState> {
        self.sessions.get(&(organization, id)).copied()
    }

    /// Whether an event stream is delivered, if there is one.
    pub(crate) fn stream(&self, organization: OrganizationId, id: StreamId) -> Option<bool> {
        self.streams.get(&(organization, id)).copied()
    }

    /// Takes a change into the state, so that the next request of the batch meets it; answers the resource as it was before.
    pub(crate) fn apply(&mut self, organization: OrganizationId, change: &Change) -> Option<Before> {
        match change {
            Change::PutUser(user) => {
                let before = self.remove_user(organization, user.id);
                self.user_names.insert((organization, user.name_key()), user.id);
                self.users.insert((organization, user.id), user.clone());
                return before.map(Before::User);
            }
            Change::DeleteUser(id) => {
                self.known_users.remove(&(organization, *id));
                self.deleted_users.insert((organization, *id));
                self.members.iter_mut().filter(|((of, _), _)| *of == organization).for_each(|(_, members)| {
                    members.remove(id);
                });
                return self.remove_user(organization, *id).map(Before::User);
            }
            Change::PutGroup { group, added, removed } => {
                let before = self.remove_group(organization, group.id);
                self.group_names.insert((organization, group.name_key()), group.id);
                self.groups.insert((organization, group.id), group.clone());
                let members = self.members.entry((organization, group.id)).or_default();
                members.extend(added);
                for user in removed {
                    members.remove(user);
                }
                return before.map(Before::Group);
            }
            Change::DeleteGroup(id) => {
                self.members.remove(&(organization, *id));
                return self.remove_group(organization, *id).map(Before::Group);
            }
            Change::MapGroup { .. } | Change::SetToken { .. } | Change::SetRecording { .. } => {}
            Change::PutOrganization { id, name, .. } => {
                self.organizations.insert(*id, name.clone());
            }
            Change::PutWorkspace(workspace) => {
                self.workspace_names.insert((organization, fold_case(&workspace.name)), workspace.id);
                self.workspaces.insert((organization, workspace.id), workspace.clone());
            }
            Change::PutToken(Token { id, .. }) | Change::PutAuditorToken(AuditorToken { id, .. }) => {
                self.tokens.insert((organization, *id), Standing::Valid);
            }
            Change::RevokeToken { id, revoked_at } => {
                self.tokens.insert((organization, *id), Standing::RevokedAt(*revoked_at));
            }
            Change::PutSignInLink(link) => self.load_session(organization, link.id, SessionState::Invited(link.expires_at)),
            Change::PutSession(session) => self.load_session(organization, session.id, SessionState::SignedIn),
            Change::SignIn { id, .. } => self.load_session(organization, *id, SessionState::SignedIn),
            Change::SignOut { id, .. } => self.load_session(organization, *id, SessionState::Ended),
            Change::PutStream(Stream { id, .. }) => self.load_stream(organization, *id, true),
            Change::SwitchStream { id, reason, .. } => self.load_stream(organization, *id, reason.is_none()),
            Change::DeleteStream(id) => {
                self.streams.remove(&(organization, *id));
            }
        }
        None
    }

    /// Takes into the state that a user is there.
    pub(crate) fn load_known_user(&mut self, organization: OrganizationId, id: UserId) {
        self.known_users.insert((organization, id));
    }

    /// Takes into the state that a user was deleted.
    pub(crate) fn load_deleted_user(&mut self, organization: OrganizationId, id: UserId) {
        self.deleted_users.insert((organization, id));
    }

    /// Takes a stored member into the state.
    pub(crate) fn load_member(&mut self, organization: OrganizationId, group: GroupId, user: UserId) {
        self.members.entry((organization, group)).or_default().insert(user);
    }

    /// Takes a stored token's standing into the state.
    pub(crate) fn load_token(&mut self, organization: OrganizationId, id: TokenId, revoked_at: Option<Timestamp>) {
        self.tokens.insert((organization, id), revoked_at.map_or(Standing::Valid, Standing::RevokedAt));
    }

    /// Takes a stored session into the state.
    pub(crate) fn load_dead_letter(&mut self, organization: OrganizationId, id: DeadLetterId) {
        self.dead_letters.insert((organization, id));
    }

    pub(crate) fn load_session(&mut self, organization: OrganizationId, id: SessionId, state: SessionState) {
        self.sessions.insert((organization, id), state);
    }

    /// Takes into the state whether a stored event stream is delivered.
    pub(crate) fn load_stream(&mut self, organization: OrganizationId, id: StreamId, enabled: bool) {
        self.streams.insert((organization, id), enabled);
    }

    fn remove_group(&mut self, organization: OrganizationId, id: GroupId) -> Option<Group> {
        let before = self.groups.remove(&(organization, id))?;
        self.group_names.remove(&(organization, before.name_key()));
        Some(before)
    }

    fn remove_user(&mut self, organization: OrganizationId, id: UserId) -> Option<User> {
        let before = self.users.remove(&(organization, id))?;
        self.user_names.remove(&(organization, before.name_key()));
        Some(before)
    }
}
