//! Groups, who is in them, and which workspaces that makes them members of.

use rollcall_events::{GroupId, OrganizationId, UserId, WorkspaceId};
use rollcall_scim::resource::text;
use rollcall_scim::schema::GROUP;
use rollcall_scim::search;
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::types::Json;

use super::{Key, delete, place, timestamp};
use crate::decide::{Group, Mapping};
use crate::script::{Script, columns};
use crate::store::{StoreError, array_text};

/// Every statement of this room, to be prepared.
pub(crate) const STATEMENTS: &[&str] = &[
    DELETE_GROUPS,
    DELETE_MEMBERS_OF_GROUPS,
    DELETE_MEMBERSHIPS_OF_USERS,
    DELETE_MAPPINGS,
    DELETE_MEMBERS,
    PUT_GROUPS,
    PUT_MEMBERS,
    PUT_MAPPINGS,
    COUNT_GROUPS,
];

const DELETE_GROUPS: &str = delete_by!("groups", "id");
const DELETE_MEMBERS_OF_GROUPS: &str = delete_by!("group_members", "group_id");
const DELETE_MEMBERSHIPS_OF_USERS: &str = delete_by!("group_members", "user_id");
const DELETE_MAPPINGS: &str = delete_by!("group_workspaces", "group_id");

const DELETE_MEMBERS: &str = "
    DELETE FROM group_members m USING unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS k (organization_id, group_id, user_id)
    WHERE m.organization_id = k.organization_id AND m.group_id = k.group_id AND m.user_id = k.user_id";

/// The resource comes from the log, as that of a user does.
const PUT_GROUPS: &str = "
    INSERT INTO groups (organization_id, id, display_name_key, external_id, keys, resource, created_at, last_modified_at)
    SELECT g.organization_id, g.id, g.display_name_key, g.external_id, g.keys, e.payload -> 'resource', g.created_at, g.last_modified_at
    FROM unnest(
        $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::jsonb[], $6::bigint[], $7::timestamptz[], $8::timestamptz[]
    ) AS g (organization_id, id, display_name_key, external_id, keys, seq, created_at, last_modified_at)
    JOIN events e ON e.organization_id = g.organization_id AND e.seq = g.seq
    ON CONFLICT (organization_id, id) DO UPDATE SET
        display_name_key = excluded.display_name_key, external_id = excluded.external_id, keys = excluded.keys,
        resource = excluded.resource, last_modified_at = excluded.last_modified_at";

/// Who left and came back within a batch is there already.
const PUT_MEMBERS: &str = "
    INSERT INTO group_members (organization_id, group_id, user_id)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) ON CONFLICT DO NOTHING";

const PUT_MAPPINGS: &str = "
    INSERT INTO group_workspaces (organization_id, group_id, workspace_id, permissions)
    SELECT m.organization_id, m.group_id, m.workspace_id, m.permissions::text[]
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[]) AS m (organization_id, group_id, workspace_id, permissions)";

/// Keeps count of an organisation's groups.
const COUNT_GROUPS: &str = "
    UPDATE organizations o SET groups = o.groups + k.more FROM unnest($1::uuid[], $2::bigint[]) AS k (id, more) WHERE o.id = k.id";

/// What a batch does to groups.
#[derive(Default)]
pub(super) struct Groups {
    /// Each with the place in the log where its resource stands.
    rows: BTreeMap<Key<GroupId>, (Group, u64)>,
    /// Rows to be taken out first, as those of users are.
    removed: BTreeSet<Key<GroupId>>,
    gone: BTreeSet<Key<GroupId>>,
    gone_users: BTreeSet<Key<UserId>>,
    /// Who is in which group in the end, and who is not.
    members: BTreeMap<(OrganizationId, GroupId, UserId), bool>,
    mappings: BTreeMap<Key<GroupId>, Mapping>,
    /// How many more groups there are; fewer where it is negative.
    more: BTreeMap<OrganizationId, i64>,
}

impl Groups {
    pub(super) fn put(&mut self, organization: OrganizationId, seq: u64, group: Group, before: Option<&Group>) {
        let key = (organization, group.id);
        match before {
            Some(before) if before.name_key() != group.name_key() => {
                self.removed.insert(key);
            }
            Some(_) => {}
            None => *self.more.entry(organization).or_default() += 1,
        }
        self.rows.insert(key, (group, seq));
    }

    pub(super) fn move_members(&mut self, organization: OrganizationId, group: GroupId, users: &[UserId], are_in: bool) {
        self.members.extend(users.iter().map(|user| ((organization, group, *user), are_in)));
    }

    pub(super) fn map(&mut self, organization: OrganizationId, group: GroupId, workspaces: Mapping) {
        self.mappings.insert((organization, group), workspaces);
    }

    pub(super) fn delete(&mut self, organization: OrganizationId, id: GroupId) {
        *self.more.entry(organization).or_default() -= 1;
        self.rows.remove(&(organization, id));
        self.members.retain(|(of, group, _), _| (*of, *group) != (organization, id));
        self.mappings.insert((organization, id), Mapping::new());
        self.removed.insert((organization, id));
        self.gone.insert((organization, id));
    }

    /// A user is gone, and so is in no group.
    pub(super) fn forget_user(&mut self, organization: OrganizationId, id: UserId) {
        self.members.retain(|(of, _, user), _| (*of, *user) != (organization, id));
        self.gone_users.insert((organization, id));
    }

    /// The organisations whose groups change.
    pub(super) fn organizations(&self) -> impl Iterator<Item = OrganizationId> {
        let groups = self.rows.keys().chain(&self.removed).chain(self.mappings.keys());
        groups.map(|key| key.0)
    }

    /// What is to be written, in this order.
    pub(super) fn script<'a>(&'a self, script: &mut Script<'a>) -> Result<(), StoreError> {
        let keys = |keys: &BTreeSet<Key<GroupId>>| keys.iter().map(|key| (key.0, key.1.0)).collect::<Vec<_>>();
        delete(script, DELETE_GROUPS, keys(&self.removed));
        delete(script, DELETE_MEMBERS_OF_GROUPS, keys(&self.gone));
        delete(script, DELETE_MEMBERSHIPS_OF_USERS, self.gone_users.iter().map(|key| (key.0, key.1.0)));
        delete(script, DELETE_MAPPINGS, self.mappings.keys().map(|key| (key.0, key.1.0)));
        self.put_groups(script)?;
        self.put_members(script, DELETE_MEMBERS, false);
        self.put_members(script, PUT_MEMBERS, true);
        self.put_mappings(script);
        self.count(script);
        Ok(())
    }

    fn put_groups<'a>(&'a self, script: &mut Script<'a>) -> Result<(), StoreError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let groups = || self.rows.values().map(|(group, _)| group);
        let (organizations, ids): (Vec<_>, Vec<_>) = self.rows.keys().copied().unzip();
        let names: Vec<_> = groups().map(Group::name_key).collect();
        let external_ids: Vec<_> = groups().map(|group| text(&group.resource, "externalId")).collect();
        let keys: Vec<_> = groups().map(|group| Json(search::keys(&GROUP, &group.resource))).collect();
        let seqs: Vec<_> = self.rows.values().map(|(_, seq)| place(*seq)).collect();
        let created: Vec<_> = groups().map(|group| timestamp(group.created())).collect::<Result<_, _>>()?;
        let modified: Vec<_> = groups().map(|group| timestamp(group.last_modified())).collect::<Result<_, _>>()?;
        script.add(PUT_GROUPS, columns![organizations, ids, names, external_ids, keys, seqs, created, modified]);
        Ok(())
    }

    fn put_members<'a>(&'a self, script: &mut Script<'a>, sql: &'static str, are_in: bool) {
        let chosen = self.members.iter().filter(|(_, to)| **to == are_in).map(|(key, _)| *key);
        let (mut organizations, mut groups, mut users) = (Vec::new(), Vec::new(), Vec::new());
        for (organization, group, user) in chosen {
            organizations.push(organization);
            groups.push(group);
            users.push(user);
        }
        script.add_if(!users.is_empty(), sql, columns![organizations, groups, users]);
    }

    fn count<'a>(&'a self, script: &mut Script<'a>) {
        let (organizations, more): (Vec<_>, Vec<_>) = self.more.iter().map(|(organization, more)| (*organization, *more)).unzip();
        script.add_if(!organizations.is_empty(), COUNT_GROUPS, columns![organizations, more]);
    }

    fn put_mappings<'a>(&'a self, script: &mut Script<'a>) {
        let (mut organizations, mut groups) = (Vec::new(), Vec::new());
        let (mut workspaces, mut permissions): (Vec<WorkspaceId>, Vec<String>) = (Vec::new(), Vec::new());
        for ((organization, group), mapping) in &self.mappings {
            for (workspace, allowed) in mapping {
                organizations.push(*organization);
                groups.push(*group);
                workspaces.push(*workspace);
                permissions.push(array_text(allowed));
            }
        }
        script.add_if(!groups.is_empty(), PUT_MAPPINGS, columns![organizations, groups, workspaces, permissions]);
    }
}
