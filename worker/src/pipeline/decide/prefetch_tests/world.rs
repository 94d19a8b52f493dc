//! The database of the test, and the keys that can be looked up in it.

use rollcall_events::OrganizationId;
use rollcall_events::request::{EntitlementKind, Request};
use std::collections::HashSet;

use super::super::{Decided, State, Step, held_names};
use super::{ORGANIZATIONS, entitlement, group, token, user, workspace};
use crate::pipeline::state::{Key, Keys, Workspace};

/// A database. A key that was never stored is absent.
pub(super) struct World(State);

impl World {
    pub(super) fn new() -> Self {
        let mut state = State::default();
        for organization in ORGANIZATIONS {
            state.load_organization(organization, "Test".to_owned());
            for n in 0..3 {
                let (id, created_at) = (workspace(n), "2026-01-01T00:00:00Z".parse().unwrap());
                state.load_workspace(organization, Workspace { id, name: format!("Workspace {n}"), created_at });
            }
        }
        Self(state)
    }

    /// Loads keys into another state, as a query would.
    pub(super) fn load(&mut self, keys: Keys, into: &mut State) {
        self.0.load_absences(keys.clone());
        let world = &self.0;
        for (of, id) in &keys.users {
            world.user(*of, *id).unwrap().into_iter().for_each(|found| into.load_user(*of, found.clone()));
        }
        for (of, name) in &keys.user_names {
            let holder = world.user_named(*of, name.clone()).unwrap();
            let holder = holder.and_then(|id| world.user(*of, id).unwrap());
            if let Some(found) = holder {
                into.load_user(*of, found.clone());
            }
        }
        for (of, id) in &keys.presences {
            if world.has_user(*of, *id).unwrap() {
                into.load_presence(*of, *id);
            }
        }
        for (of, id) in &keys.deletions {
            if world.was_deleted(*of, *id).unwrap() {
                into.load_deletion(*of, *id);
            }
        }
        load_groups(world, &keys, into);
        load_settings(world, &keys, into);
        into.load_absences(keys);
    }

    /// The names that a batch inserts although another user has them, as the unique index finds: a user whom neither the
    /// batch nor the uncommitted one before has changed.
    pub(super) fn refused_names(
        &mut self,
        uncommitted: &[(OrganizationId, Box<Decided>)],
        batch: &[Request],
        steps: &[Step],
    ) -> Vec<Key> {
        let decided = batch.iter().zip(steps).filter_map(|(request, step)| match step {
            Step::Decided(decided) => Some((request.organization_id, decided)),
            _ => None,
        });
        let before = uncommitted.iter().map(|(organization, decided)| (*organization, decided));
        let all = before.chain(decided).filter(|(_, one)| one.change.is_some());
        let changed: HashSet<_> = all.filter_map(|(of, one)| Some((of, one.subject?.1))).collect();
        let names: Vec<_> = held_names(batch, steps).collect();
        let mut is_refused = |(of, name): &(OrganizationId, String)| {
            let mut keys = Keys::default();
            keys.insert(Key::UserName(*of, name.clone()));
            self.0.load_absences(keys);
            let holder = self.0.user_named(*of, name.clone()).unwrap();
            holder.is_some_and(|holder| !changed.contains(&(*of, holder.0)))
        };
        names.into_iter().filter(|name| is_refused(name)).map(|(of, name)| Key::UserName(of, name)).collect()
    }

    /// Commits the decisions of a batch.
    pub(super) fn commit(&mut self, batch: &mut Vec<(OrganizationId, Box<Decided>)>) {
        batch.drain(..).for_each(|(organization, decided)| self.take(organization, &decided));
    }

    fn take(&mut self, organization: OrganizationId, decided: &Decided) {
        let Some(change) = &decided.change else { return };
        while let Err(missing) = change.apply(organization, &mut self.0) {
            let mut keys = Keys::default();
            keys.extend(missing.0);
            self.0.load_absences(keys);
        }
    }
}

fn load_groups(world: &State, keys: &Keys, into: &mut State) {
    for (of, id) in &keys.groups {
        world.group(*of, *id).unwrap().into_iter().for_each(|found| into.load_group(*of, found.clone()));
    }
    for (of, name) in &keys.group_names {
        let holder = world.group_named(*of, name.clone()).unwrap();
        let holder = holder.and_then(|id| world.group(*of, id).unwrap());
        if let Some(found) = holder {
            into.load_group(*of, found.clone());
        }
    }
    for (of, group, user) in &keys.members {
        if world.is_member(*of, *group, *user).unwrap() {
            into.load_member(*of, *group, *user);
        }
    }
    for (of, group) in &keys.members_of {
        world.members(*of, *group).unwrap().into_iter().for_each(|user| into.load_member(*of, *group, user));
    }
}

fn load_settings(world: &State, keys: &Keys, into: &mut State) {
    for id in &keys.organizations {
        if world.has_organization(*id).unwrap() {
            into.load_organization(*id, "Test".to_owned());
        }
    }
    for (of, id) in &keys.workspaces {
        world.workspace(*of, *id).unwrap().into_iter().for_each(|found| into.load_workspace(*of, found.clone()));
    }
    for (of, name) in &keys.workspace_names {
        let holder = world.workspace_named(*of, name.clone()).unwrap();
        let holder = holder.and_then(|id| world.workspace(*of, id).unwrap());
        if let Some(found) = holder {
            into.load_workspace(*of, found.clone());
        }
    }
    for (of, id) in &keys.entitlements {
        world.entitlement(*of, *id).unwrap().into_iter().for_each(|found| into.load_entitlement(*of, found.clone()));
    }
    for (of, kind, name) in &keys.entitlement_names {
        let named = world.entitlement_named(*of, *kind, name.clone());
        named.unwrap().into_iter().for_each(|found| into.load_entitlement(*of, found.clone()));
    }
    for (of, id) in &keys.tokens {
        if let Some(status) = world.token(*of, *id).unwrap() {
            into.load_token(*of, *id, status);
        }
    }
}

/// All keys that a step can look up.
pub(super) fn every_key() -> Keys {
    let mut keys = Keys::default();
    for of in ORGANIZATIONS {
        keys.insert(Key::Organization(of));
        for n in 0..8 {
            let name = format!("name{n}");
            keys.extend([
                Key::User(of, user(n)),
                Key::UserName(of, name),
                Key::Presence(of, user(n)),
                Key::Deletion(of, user(n)),
            ]);
        }
        for n in 0..5 {
            let name = format!("workspace {n}");
            keys.extend([Key::Workspace(of, workspace(n)), Key::WorkspaceName(of, name), Key::Token(of, token(n))]);
            // A filter can name an entitlement that is a workspace.
            keys.extend([Key::Entitlement(of, entitlement(n)), Key::WorkspaceName(of, format!("thing {n}"))]);
            keys.extend(EntitlementKind::ALL.map(|kind| Key::EntitlementName(of, kind, format!("thing {n}"))));
            keys.extend([
                Key::Group(of, group(n)),
                Key::GroupName(of, format!("group{n}")),
                Key::Members(of, group(n)),
            ]);
            keys.extend((0..8).map(|member| Key::Member(of, group(n), user(member))));
        }
    }
    keys
}
