//! The tables that resources are read from. Users and groups are read alike: what differs between them stands here.

use rollcall_scim::attributes::Projection;
use rollcall_scim::schema::{Attribute, ENTITLEMENT, GROUP, ROLE, ResourceType, USER, WORKSPACE};
use std::sync::LazyLock;

/// Where the resources of a type are.
#[derive(Debug)]
pub(crate) struct Table {
    /// What they are.
    pub(crate) resource_type: &'static ResourceType,
    /// The table or view; every row is called `r` in a query.
    pub(super) name: &'static str,
    /// Whether `organizations` has the number of its rows, in a column of the same name.
    pub(super) is_counted: bool,
    /// The attribute that is unique, whatever its case, and the column of its keys.
    pub(super) unique: (&'static str, &'static str),
    /// The attribute that is a relation, and not part of the stored resource.
    pub(super) relation: Option<Relation>,
    /// What follows from the relation: an attribute of an extension that is returned on request only, and its values as rows, `v`.
    pub(super) derived: Option<(&'static str, &'static str)>,
    /// The statements that find one by its id, as much as is wanted of it.
    by_id: [String; 3],
    /// The statements that find one by its unique attribute.
    by_key: [String; 3],
    /// What is selected to show a resource, as much as is wanted of it: nothing is joined that the caller does not want.
    columns: [String; 3],
}

/// An attribute whose values are rows of another table.
#[derive(Debug)]
pub(super) struct Relation {
    pub(super) attribute: &'static str,
    /// The values as they are shown, as one JSON array; NULL where there are none.
    shown: &'static str,
    /// The values as they are searched: one row each, `v`, in the form of keys.
    pub(super) searched: &'static str,
    /// Whether the value with an id is among them; the id goes between the two.
    pub(super) holds: (&'static str, &'static str),
    /// How many values there are, as far as it matters.
    count: &'static str,
    /// Whether there are few values by nature, so that all can be read to name the tag of a change.
    is_small: bool,
}

/// How many bytes a value of a relation takes in an answer, about.
const RELATED_BYTES: u32 = 220;

const NOTHING: &str = "NULL::jsonb";

/// The workspaces that a user is in by way of groups.
const GROUP_WORKSPACES: &str = "
    SELECT jsonb_build_object('value', w.workspace_id, 'group', w.group_id, 'permissions', w.permissions) AS v
    FROM group_members m JOIN group_workspaces w ON w.organization_id = m.organization_id AND w.group_id = m.group_id
    WHERE m.organization_id = r.organization_id AND m.user_id = r.id";

const GROUPS_OF_USER: &str = "(
    SELECT jsonb_agg(jsonb_build_object('value', g.id, 'display', g.resource -> 'displayName', 'type', 'direct') ORDER BY g.id)
    FROM group_members m JOIN groups g ON g.organization_id = m.organization_id AND g.id = m.group_id
    WHERE m.organization_id = r.organization_id AND m.user_id = r.id
)";

/// The name of a user for people, from one of the columns `resource` and `keys`. A `userName` that is a UUID tells people nothing.
macro_rules! name_of_user {
    ($column:literal) => {
        concat!(
            "COALESCE(",
            $column,
            " -> 'displayName', ",
            $column,
            " #> '{name,formatted}', CASE WHEN ",
            $column,
            " ->> 'userName' !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ",
            $column,
            " -> 'userName' END)"
        )
    };
}

/// A group without members shows that it has none: clients walk the list without asking whether it is there.
const MEMBERS_OF_GROUP: &str = concat!(
    "(
    SELECT COALESCE(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('value', u.id, 'display', ",
    name_of_user!("u.resource"),
    ", 'type', 'User')) ORDER BY u.id), '[]')
    FROM group_members m JOIN users u ON u.organization_id = m.organization_id AND u.id = m.user_id
    WHERE m.organization_id = r.organization_id AND m.group_id = r.id
)"
);

/// The members of a group in the form of keys.
const SEARCHED_MEMBERS: &str = concat!(
    "SELECT jsonb_build_object('value', u.id, 'display', ",
    name_of_user!("u.keys"),
    ", 'type', 'user') AS v
    FROM group_members m JOIN users u ON u.organization_id = m.organization_id AND u.id = m.user_id
    WHERE m.organization_id = r.organization_id AND m.group_id = r.id"
);

/// The names of the workspaces that a user names, for `display`.
const WORKSPACE_NAMES: &str = "(
    SELECT jsonb_object_agg(w.id, w.name)
    FROM workspace_members m JOIN workspaces w ON w.organization_id = m.organization_id AND w.id = m.workspace_id
    WHERE m.organization_id = r.organization_id AND m.user_id = r.id
)";

/// The users.
pub(crate) static USERS: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        &USER,
        "users",
        true,
        ("userName", "r.user_name_key"),
        Some(Relation {
            attribute: "groups",
            shown: GROUPS_OF_USER,
            searched: "
                SELECT jsonb_build_object('value', g.id, 'display', g.keys -> 'displayName', 'type', 'direct') AS v
                FROM group_members m JOIN groups g ON g.organization_id = m.organization_id AND g.id = m.group_id
                WHERE m.organization_id = r.organization_id AND m.user_id = r.id",
            holds: (
                "(r.organization_id, r.id) IN (SELECT m.organization_id, m.user_id FROM group_members m WHERE m.organization_id = $1 AND m.group_id = ",
                ")",
            ),
            count: "(
                SELECT count(*) FROM (
                    SELECT FROM group_members m WHERE m.organization_id = r.organization_id AND m.user_id = r.id LIMIT 100000
                ) AS counted
            )",
            is_small: true,
        }),
        WORKSPACE_NAMES,
        Some(("groupWorkspaces", GROUP_WORKSPACES)),
    )
});

/// The groups.
pub(crate) static GROUPS: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        &GROUP,
        "groups",
        true,
        ("displayName", "r.display_name_key"),
        Some(Relation {
            attribute: "members",
            shown: MEMBERS_OF_GROUP,
            searched: SEARCHED_MEMBERS,
            holds: (
                "(r.organization_id, r.id) IN (SELECT m.organization_id, m.group_id FROM group_members m WHERE m.organization_id = $1 AND m.user_id = ",
                ")",
            ),
            count: "(
                SELECT count(*) FROM (
                    SELECT FROM group_members m WHERE m.organization_id = r.organization_id AND m.group_id = r.id LIMIT 100000
                ) AS counted
            )",
            // A change of one member must not cost as much as there are members.
            is_small: false,
        }),
        NOTHING,
        None,
    )
});

/// The roles that administrators have defined.
pub(crate) static ROLES: LazyLock<Table> = LazyLock::new(|| Table::of_names(&ROLE, "role_resources"));
/// The entitlements that administrators have defined.
pub(crate) static ENTITLEMENTS: LazyLock<Table> = LazyLock::new(|| Table::of_names(&ENTITLEMENT, "entitlement_resources"));
/// The workspaces, as entitlements.
pub(crate) static WORKSPACES: LazyLock<Table> = LazyLock::new(|| Table::of_names(&WORKSPACE, "workspace_resources"));

/// How much of a resource is wanted.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    /// What is returned by default.
    Default,
    /// That and what is returned on request only.
    OnRequest,
    /// What the row itself holds.
    Bare,
}

impl Table {
    fn new(
        resource_type: &'static ResourceType,
        name: &'static str,
        is_counted: bool,
        unique: (&'static str, &'static str),
        relation: Option<Relation>,
        names: &'static str,
        derived: Option<(&'static str, &'static str)>,
    ) -> Self {
        let select =
            |names: &str, related: &str, derived: &str| format!("r.resource, {names} AS names, {related} AS related, {derived} AS derived");
        let all_derived = derived.map_or_else(|| NOTHING.to_owned(), |(_, rows)| format!("(SELECT jsonb_agg(d.v) FROM ({rows}) d)"));
        let related = relation.as_ref().map_or(NOTHING, |relation| relation.shown);
        let columns = [select(NOTHING, related, NOTHING), select(names, related, &all_derived), select(NOTHING, NOTHING, NOTHING)];
        let find = |column: &str| {
            let find = |columns: &String| format!("SELECT {columns} FROM {name} r WHERE r.organization_id = $1 AND {column} = $2");
            columns.each_ref().map(find)
        };
        let (by_id, by_key) = (find("r.id"), find(unique.1));
        Self { resource_type, name, is_counted, unique, relation, derived, by_id, by_key, columns }
    }

    /// Things that have a name and are not changed by callers.
    fn of_names(resource_type: &'static ResourceType, name: &'static str) -> Self {
        Self::new(resource_type, name, false, ("displayName", "r.name_key"), None, NOTHING, None)
    }

    /// What callers provision, in the order in which a query across types goes through it.
    pub(crate) fn provisioned() -> [&'static Self; 2] {
        [&USERS, &GROUPS]
    }

    /// What callers can only read.
    pub(crate) fn read_only() -> [&'static Self; 3] {
        [&ROLES, &ENTITLEMENTS, &WORKSPACES]
    }

    fn wanted(&self, projection: &Projection) -> usize {
        let wanted = if projection.asks_on_request(self.resource_type) {
            Wanted::OnRequest
        } else if self.relation.as_ref().is_some_and(|relation| projection.wants(relation.attribute)) {
            Wanted::Default
        } else {
            Wanted::Bare
        };
        wanted as usize
    }

    /// The statement that finds one by its id.
    pub(super) fn by_id(&self, projection: &Projection) -> &str {
        &self.by_id[self.wanted(projection)]
    }

    /// The statement that finds one by its unique attribute.
    pub(super) fn by_key(&self, projection: &Projection) -> &str {
        &self.by_key[self.wanted(projection)]
    }

    /// What is selected to show a resource.
    pub(super) fn columns(&self, projection: &Projection) -> &str {
        &self.columns[self.wanted(projection)]
    }

    /// How many bytes a resource takes in an answer, about: as it is stored, and what is joined to it by the number of its values.
    pub(super) fn bytes(&self, projection: &Projection) -> String {
        let stored = "octet_length(r.resource::text)";
        match &self.relation {
            Some(relation) if self.wanted(projection) != Wanted::Bare as usize => {
                format!("{stored} + {RELATED_BYTES} * {}", relation.count)
            }
            _ => stored.to_owned(),
        }
    }

    /// Whether an attribute of the core schema is the one that is unique.
    pub(crate) fn is_unique(&self, attribute: &Attribute) -> bool {
        attribute.name == self.unique.0
    }

    /// Whether the relation has few values by nature.
    pub(crate) fn is_small(&self) -> bool {
        self.relation.as_ref().is_none_or(|relation| relation.is_small)
    }

    /// Whether an attribute of the core schema is the relation.
    pub(crate) fn is_relation(&self, attribute: &Attribute) -> bool {
        self.relation_of(&attribute.name).is_some()
    }

    /// The relation, if that is the name of its attribute.
    pub(super) fn relation_of(&self, name: &str) -> Option<&Relation> {
        self.relation.as_ref().filter(|relation| relation.attribute == name)
    }
}
