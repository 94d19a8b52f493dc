//! The changes of a batch to all projections.

use rollcall_events::OrganizationId;
use std::collections::BTreeSet;

use super::groups::{GroupRows, Groups};
use super::users::{UserTables, Users};
use super::{groups, users};
use crate::db::{StatementBatch, StoreError};
use crate::pipeline::decide::Change;
use crate::pipeline::settings::{self, SettingChange, Settings, SettingsRows};
use crate::pipeline::state::Before;

/// All statements that project, to be prepared.
pub(crate) fn statements() -> impl Iterator<Item = &'static str> {
    settings::statements().chain(users::statements()).chain(groups::statements())
}

/// The changes of a batch to the projections. Each row occurs once, however often it was changed.
#[derive(Default)]
pub(crate) struct Projection {
    users: Users,
    groups: Groups,
    settings: Settings,
}

/// The rows that a batch writes.
pub(crate) struct ProjectionRows {
    users: UserTables,
    groups: GroupRows,
    settings: SettingsRows,
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
            Change::PutGroup { group, moves } => {
                self.groups.move_members(organization, group.id, &moves.added, true);
                self.groups.move_members(organization, group.id, &moves.removed, false);
                self.groups.put(organization, seq, group, before.and_then(Before::group));
            }
            Change::DeleteGroup(id) => {
                self.groups.delete(organization, id, before.and_then(Before::group));
                self.settings.take(organization, seq, SettingChange::unmap(id));
            }
            Change::Setting(change) => self.settings.take(organization, seq, change),
        }
    }

    /// The rows to write.
    ///
    /// # Errors
    /// If a resource is malformed.
    pub(crate) fn rows(&self) -> Result<ProjectionRows, StoreError> {
        Ok(ProjectionRows { users: self.users.rows()?, groups: self.groups.rows()?, settings: self.settings.rows() })
    }

    /// The organizations whose settings change. The transaction itself notifies the apis, which cache tokens,
    /// and the worker that pushes events.
    pub(crate) fn organizations_with_new_settings(&self) -> &BTreeSet<OrganizationId> {
        self.settings.organizations_for_services()
    }

    /// The organizations whose users, groups, workspaces, roles or entitlements change. Applications listen
    /// for these.
    pub(crate) fn organizations_with_new_members(&self) -> impl Iterator<Item = OrganizationId> {
        let of_settings = self.settings.organizations_for_applications().iter().copied();
        self.users.organizations().chain(self.groups.organizations()).chain(of_settings)
    }
}

impl ProjectionRows {
    /// Adds the statements in the order in which they must run. The entries must be in the log before,
    /// because users and groups take their resources from there.
    pub(crate) fn add_to<'a>(&'a self, batch: &mut StatementBatch<'a>) {
        self.settings.add_to(batch);
        self.users.add_to(batch);
        self.groups.add_to(batch);
    }
}
