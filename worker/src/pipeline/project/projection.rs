//! The changes of a batch to all projections.

use rollcall_events::OrganizationId;
use std::collections::BTreeSet;

use super::entitlements::{EntitlementRows, Entitlements};
use super::groups::{GroupRows, Groups};
use super::sessions::{SessionRows, Sessions};
use super::settings::{Settings, SettingsRows};
use super::streams::{StreamRows, Streams};
use super::users::{UserTables, Users};
use super::{entitlements, groups, sessions, settings, streams, users};
use crate::db::{StatementBatch, StoreError};
use crate::pipeline::decide::{Before, Change};

/// All statements that project, to be prepared.
pub(crate) fn statements() -> impl Iterator<Item = &'static str> {
    let of_resources = users::statements().chain(groups::statements());
    of_resources
        .chain(settings::statements())
        .chain(entitlements::statements())
        .chain(sessions::statements())
        .chain(streams::statements())
}

/// The changes of a batch to the projections. Each row occurs once, however often it was changed.
#[derive(Default)]
pub(crate) struct Projection {
    users: Users,
    groups: Groups,
    settings: Settings,
    entitlements: Entitlements,
    sessions: Sessions,
    streams: Streams,
}

/// The rows that a batch writes.
pub(crate) struct ProjectionRows {
    users: UserTables,
    groups: GroupRows,
    settings: SettingsRows,
    entitlements: EntitlementRows,
    sessions: SessionRows,
    streams: StreamRows,
}

impl Projection {
    /// Adds a change that the log has at `seq`. `before` is the resource before the change.
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
            Change::DeleteGroup(id) => self.groups.delete(organization, id, before.and_then(Before::group)),
            Change::MapGroup { id, workspaces } => self.groups.map(organization, id, workspaces),
            Change::PutOrganization { id, name, created_at } => {
                self.settings.organizations.push((id, name, created_at))
            }
            Change::SetRecording { until } => {
                self.settings.recording.insert(organization, until);
            }
            Change::PutWorkspace(workspace) => self.settings.workspaces.push((organization, workspace)),
            Change::PutEntitlement(entitlement) => self.entitlements.put(organization, entitlement),
            Change::DeleteEntitlement(id) => self.entitlements.delete(organization, id),
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

    /// The rows to write.
    ///
    /// # Errors
    /// If a resource is malformed.
    pub(crate) fn rows(&self) -> Result<ProjectionRows, StoreError> {
        Ok(ProjectionRows {
            users: self.users.rows()?,
            groups: self.groups.rows()?,
            settings: self.settings.rows(),
            entitlements: self.entitlements.rows(),
            sessions: self.sessions.rows(),
            streams: self.streams.rows(),
        })
    }

    /// The organizations whose settings change. The transaction itself notifies the apis, which cache tokens,
    /// and the worker that pushes events.
    pub(crate) fn organizations_with_new_settings(&self) -> BTreeSet<OrganizationId> {
        self.settings.organizations_of_callers().chain(self.streams.organizations()).collect()
    }

    /// The organizations whose users, groups, workspaces, roles or entitlements change. Applications listen
    /// for these.
    pub(crate) fn organizations_with_new_members(&self) -> impl Iterator<Item = OrganizationId> {
        let of_settings = self.settings.workspaces.iter().map(|row| row.0).chain(self.entitlements.organizations());
        self.users.organizations().chain(self.groups.organizations()).chain(of_settings)
    }
}

impl ProjectionRows {
    /// Adds the statements in the order in which they must run. The entries must be in the log before,
    /// because users and groups take their resources from there.
    pub(crate) fn add_to<'a>(&'a self, batch: &mut StatementBatch<'a>) {
        self.settings.add_to(batch);
        self.entitlements.add_to(batch);
        self.users.add_to(batch);
        self.groups.add_to(batch);
        self.sessions.add_to(batch);
        self.streams.add_to(batch);
    }
}
