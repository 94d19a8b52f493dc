//! Projects facts into the tables that applications and the api read: one statement a table, however many facts.

/// Deletes the rows of a table whose column has one of some ids.
macro_rules! delete_by {
    ($table:literal, $column:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " t USING unnest($1::uuid[], $2::uuid[]) AS k (organization_id, id) WHERE t.organization_id = k.organization_id AND t.",
            $column,
            " = k.id"
        )
    };
}

mod groups;
mod sessions;
mod settings;
mod streams;
mod users;

use rollcall_events::{OrganizationId, Timestamp};
use std::collections::BTreeSet;
use uuid::Uuid;

use crate::decide::{Before, Change};
use crate::script::{Script, columns};
use crate::store::{StoreError, place};
use groups::Groups;
use sessions::Sessions;
use settings::Settings;
use streams::Streams;
use users::UserColumns;
use users::Users;
pub(crate) use users::insert_users;

/// Every statement of this room, to be prepared.
pub(crate) const STATEMENTS: [&[&str]; 5] =
    [users::STATEMENTS, groups::STATEMENTS, settings::STATEMENTS, sessions::STATEMENTS, streams::STATEMENTS];

/// The channel that applications listen on.
pub(crate) const APPLICATION_CHANNEL: &str = "rollcall_v1";
/// The channel that tells how far each log has come: the organisation, a space, the size.
pub(crate) const LOG_CHANNEL: &str = "rollcall_log";
/// The channel that the api, and whoever pushes events, listens on.
pub(crate) const SETTINGS_CHANNEL: &str = "rollcall_settings";

type Key<T> = (OrganizationId, T);

/// What a batch does to the projections, each row once however often it was changed.
#[derive(Default)]
pub(crate) struct Projection {
    users: Users,
    groups: Groups,
    settings: Settings,
    sessions: Sessions,
    streams: Streams,
}

impl Projection {
    /// Takes in a change that the log has at `seq`; `before` is the resource that it meets.
    pub(crate) fn take(&mut self, organization: OrganizationId, seq: u64, change: Change, before: Option<&Before>) {
        match change {
            Change::PutUser(user) => {
                self.users.put(organization, seq, user, before.and_then(Before::user));
            }
            Change::DeleteUser(id) => {
                self.users.delete(organization, id, before.and_then(Before::user));
                self.groups.forget_user(organization, id);
            }
            Change::PutGroup { group, added, removed } => {
                self.groups.move_members(organization, group.id, &added, true);
                self.groups.move_members(organization, group.id, &removed, false);
                self.groups.put(organization, seq, group, before.and_then(Before::group));
            }
            Change::DeleteGroup(id) => self.groups.delete(organization, id),
            Change::MapGroup { id, workspaces } => self.groups.map(organization, id, workspaces),
            Change::PutOrganization { id, name, created_at } => self.settings.organizations.push((id, name, created_at)),
            Change::SetRecording { until } => {
                self.settings.recording.insert(organization, until);
            }
            Change::PutWorkspace(workspace) => self.settings.workspaces.push((organization, workspace)),
            Change::PutToken(token) => self.settings.tokens.push((organization, token)),
            Change::PutAuditorToken(token) => self.settings.auditor_tokens.push((organization, token)),
            Change::RevokeToken { id, revoked_at } => {
                self.settings.revoked.insert((organization, id), revoked_at);
            }
            Change::SetToken { id, settings } => {
                self.settings.changed.insert((organization, id), settings);
            }
            Change::PutSignInLink(link) => self.sessions.links.push((organization, link)),
            Change::PutSession(session) => self.sessions.begun.push((organization, session)),
            Change::SignIn { id, digest, at } => {
                self.sessions.signed_in.insert((organization, id), (digest, at));
            }
            Change::SignOut { id, at } => {
                self.sessions.signed_out.insert((organization, id), at);
            }
            Change::PutStream(stream) => self.streams.put(organization, seq, stream),
            Change::SwitchStream { id, at, reason } => self.streams.switch(organization, id, at, reason),
            Change::DeleteStream(id) => self.streams.delete(organization, id),
        }
    }

    /// What is to be written before the entries of the log are: an organisation is there before its users are counted, and a name is free before it is taken.
    pub(crate) fn before_the_log<'a>(&'a self, script: &mut Script<'a>) {
        self.settings.script(script);
        self.users.removals(script);
    }

    /// The users that entries of the log leave, at the places of these entries; `None` where no entry leaves one.
    pub(crate) fn users_at(&self, entries: impl Iterator<Item = (OrganizationId, u64)>) -> Result<Option<UserColumns<'_>>, StoreError> {
        self.users.columns_at(entries)
    }

    /// What is to be written once the entries of the log are.
    pub(crate) fn after_the_log<'a>(&'a self, script: &mut Script<'a>) -> Result<(), StoreError> {
        self.users.count(script);
        self.groups.script(script)?;
        self.sessions.script(script);
        self.streams.script(script);
        Ok(())
    }

    /// What is to be written where the entries stand in the log already.
    pub(crate) fn script<'a>(&'a self, script: &mut Script<'a>) -> Result<(), StoreError> {
        self.before_the_log(script);
        self.users.script(script)?;
        self.after_the_log(script)
    }

    /// Whose settings change: the apis, which keep tokens in memory, and whoever pushes events are told in the transaction itself.
    pub(crate) fn organizations_with_new_settings(&self) -> BTreeSet<OrganizationId> {
        let workspaces = self.settings.workspaces.iter().map(|row| row.0);
        let tokens = self.settings.tokens.iter().map(|row| row.0).chain(self.settings.revoked.keys().map(|key| key.0));
        let tokens = tokens.chain(self.settings.changed.keys().map(|key| key.0));
        workspaces.chain(tokens).chain(self.settings.recording.keys().copied()).chain(self.streams.organizations()).collect()
    }

    /// Whose users, groups or workspaces change, which applications listen for.
    pub(crate) fn organizations_with_new_members(&self) -> impl Iterator<Item = OrganizationId> {
        self.users.organizations().chain(self.groups.organizations()).chain(self.settings.workspaces.iter().map(|row| row.0))
    }
}

fn delete(script: &mut Script<'_>, sql: &'static str, keys: impl IntoIterator<Item = Key<Uuid>>) {
    let (organizations, ids): (Vec<_>, Vec<_>) = keys.into_iter().unzip();
    script.add_if(!ids.is_empty(), sql, columns![organizations, ids]);
}

fn timestamp(text: &str) -> Result<Timestamp, StoreError> {
    text.parse().map_err(|_| StoreError::Unreadable("a resource's meta has no time".to_owned()))
}
