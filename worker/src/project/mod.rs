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

use futures_util::try_join;
use rollcall_events::{OrganizationId, Timestamp};
use std::collections::BTreeSet;
use uuid::Uuid;

use crate::decide::{Before, Change};
use crate::store::{Store, StoreError, place};
use groups::Groups;
use sessions::Sessions;
use settings::Settings;
use streams::Streams;
use users::Users;

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

    /// Writes everything. The futures are polled in this order, and so the statements run in it: an organisation is there before its users are counted.
    pub(crate) async fn write(&self, store: &Store) -> Result<(), StoreError> {
        try_join!(
            self.settings.write(store),
            self.users.write(store),
            self.groups.write(store),
            self.sessions.write(store),
            self.streams.write(store)
        )
        .map(|_| ())
    }

    /// Commits, and by that tells listening applications, and the apis that keep tokens in memory, whose organisation has changed, and whoever follows the
    /// logs how far they have come.
    pub(crate) fn commit(&self, sizes: impl Iterator<Item = (OrganizationId, u64)>) -> String {
        let workspaces = self.settings.workspaces.iter().map(|row| row.0);
        let tokens = self.settings.tokens.iter().map(|row| row.0).chain(self.settings.revoked.keys().map(|key| key.0));
        let tokens = tokens.chain(self.settings.changed.keys().map(|key| key.0));
        let for_applications = self.users.organizations().chain(self.groups.organizations()).chain(workspaces.clone());
        let for_applications = for_applications.map(|organization| (APPLICATION_CHANNEL, organization));
        let recording = self.settings.recording.keys().copied();
        let for_apis = workspaces
            .chain(tokens)
            .chain(recording)
            .chain(self.streams.organizations())
            .map(|organization| (SETTINGS_CHANNEL, organization));
        let told: BTreeSet<_> = for_applications.chain(for_apis).collect();
        let logs = sizes.map(|(organization, size)| format!("NOTIFY {LOG_CHANNEL}, '{organization} {size}'; "));
        let notify = told.into_iter().map(|(channel, organization)| format!("NOTIFY {channel}, '{organization}'; "));
        logs.chain(notify).chain(["COMMIT".to_owned()]).collect()
    }
}

async fn delete(store: &Store, sql: &'static str, keys: impl IntoIterator<Item = Key<Uuid>>) -> Result<(), StoreError> {
    let (organizations, ids): (Vec<_>, Vec<_>) = keys.into_iter().unzip();
    store.query_if(!ids.is_empty(), sql, &[&organizations, &ids]).await.map(|_| ())
}

fn timestamp(text: &str) -> Result<Timestamp, StoreError> {
    text.parse().map_err(|_| StoreError::Unreadable("a resource's meta has no time".to_owned()))
}
