//! The tables that resources are read from. The code for users and groups is the same; the differences are
//! defined here.

use rollcall_scim::attributes::Projection;
use rollcall_scim::schema::{Attribute, ENTITLEMENT, GROUP, ROLE, ResourceType, USER, WORKSPACE};
use std::sync::LazyLock;

/// The table of a resource type.
#[derive(Debug)]
pub struct Table {
    /// The resource type.
    pub resource_type: &'static ResourceType,
    /// The name of the table or view. Queries name its rows `r`.
    pub(super) name: &'static str,
    /// Whether `organizations` has the number of rows, in a column with the table's name.
    pub(super) is_counted: bool,
    /// The attribute that is unique ignoring case, and the column with its keys.
    pub(super) unique: (&'static str, &'static str),
    /// The attribute that is stored as a relation and not in the resource.
    pub(super) relation: Option<Relation>,
    /// An attribute of an extension that is derived from the relation and returned on request only: its name,
    /// and a query for its values as rows `v`.
    pub(super) derived: Option<(&'static str, &'static str)>,
    /// The statements that find a resource by id, one for each [`RequestedParts`].
    by_id: [String; 3],
    /// The statements that find a resource by its unique attribute, one for each [`RequestedParts`].
    by_key: [String; 3],
    /// The selected columns, one for each [`RequestedParts`]. They join only what the caller wants.
    columns: [String; 3],
}

/// An attribute whose values are rows of another table.
#[derive(Debug)]
pub(super) struct Relation {
    pub(super) attribute: &'static str,
    /// The values as they are returned, as one JSON array; NULL if there are none.
    shown: &'static str,
    /// The values as filters search them: one row `v` each, in the form of keys.
    pub(super) searched: &'static str,
    /// A condition that a value with some id is among them. The id goes between the two parts.
    pub(super) holds: (&'static str, &'static str),
    /// The number of values, as far as it matters.
    count: &'static str,
    /// Whether there are always few values, so that all of them can be read to compute the entity tag after a
    /// change.
    is_small: bool,
}

/// Approximate size of a relation's value in an answer, in bytes.
const RELATED_BYTES: u32 = 220;

const NOTHING: &str = "NULL::jsonb";

/// The workspaces that a user belongs to through groups.
const GROUP_WORKSPACES: &str = "
    SELECT jsonb_build_object('value', w.workspace_id, 'group', w.group_id, 'permissions', w.permissions) AS v
    FROM group_members m JOIN group_workspaces w ON w.organization_id = m.organization_id AND w.group_id = m.group_id
    WHERE m.organization_id = r.organization_id AND m.user_id = r.id";

const GROUPS_OF_USER: &str = "(
    SELECT jsonb_agg(jsonb_build_object('value', g.id, 'display', g.resource -> 'displayName', 'type', 'direct')
        ORDER BY g.id)
    FROM group_members m JOIN groups g ON g.organization_id = m.organization_id AND g.id = m.group_id
    WHERE m.organization_id = r.organization_id AND m.user_id = r.id
)";

/// The display name of a user, from the column `resource` or `keys`. A `userName` that is a UUID is not a
/// name for people.
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

/// A group without members has an empty list: clients read the list without checking that it exists.
const MEMBERS_OF_GROUP: &str = concat!(
    "(
    SELECT COALESCE(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('value', u.id, 'display', ",
    name_of_user!("u.resource"),
    ", 'type', 'User')) ORDER BY u.id), '[]')
    FROM group_members m JOIN users u ON u.organization_id = m.organization_id AND u.id = m.user_id
    WHERE m.organization_id = r.organization_id AND m.group_id = r.id
)"
);

/// The members of a group, in the form of keys.
const SEARCHED_MEMBERS: &str = concat!(
    "SELECT jsonb_build_object('value', u.id, 'display', ",
    name_of_user!("u.keys"),
    ", 'type', 'user') AS v
    FROM group_members m JOIN users u ON u.organization_id = m.organization_id AND u.id = m.user_id
    WHERE m.organization_id = r.organization_id AND m.group_id = r.id"
);

/// The names of a user's workspaces, for `display`.
const WORKSPACE_NAMES: &str = "(
    SELECT jsonb_object_agg(w.id, w.name)
    FROM workspace_members m JOIN workspaces w ON w.organization_id = m.organization_id AND w.id = m.workspace_id
    WHERE m.organization_id = r.organization_id AND m.user_id = r.id
)";

/// The table of users.
pub static USERS: LazyLock<Table> = LazyLock::new(|| {
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
                "(r.organization_id, r.id) IN (SELECT m.organization_id, m.user_id FROM group_members m
                    WHERE m.organization_id = $1 AND m.group_id = ",
                ")",
            ),
            count: "(
                SELECT count(*) FROM (
                    SELECT FROM group_members m
                    WHERE m.organization_id = r.organization_id AND m.user_id = r.id LIMIT 100000
                ) AS counted
            )",
            is_small: true,
        }),
        WORKSPACE_NAMES,
        Some(("groupWorkspaces", GROUP_WORKSPACES)),
    )
});

/// The table of groups.
pub static GROUPS: LazyLock<Table> = LazyLock::new(|| {
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
                "(r.organization_id, r.id) IN (SELECT m.organization_id, m.group_id FROM group_members m
                    WHERE m.organization_id = $1 AND m.user_id = ",
                ")",
            ),
            count: "(
                SELECT count(*) FROM (
                    SELECT FROM group_members m
                    WHERE m.organization_id = r.organization_id AND m.group_id = r.id LIMIT 100000
                ) AS counted
            )",
            // A change of one member must not cost as much as the number of members.
            is_small: false,
        }),
        NOTHING,
        None,
    )
});

/// The table of roles that administrators have defined.
pub static ROLES: LazyLock<Table> = LazyLock::new(|| Table::of_names(&ROLE, "role_resources"));
/// The table of entitlements that administrators have defined.
pub static ENTITLEMENTS: LazyLock<Table> = LazyLock::new(|| Table::of_names(&ENTITLEMENT, "entitlement_resources"));
/// The table of workspaces, as entitlements.
pub static WORKSPACES: LazyLock<Table> = LazyLock::new(|| Table::of_names(&WORKSPACE, "workspace_resources"));

/// The parts of a resource that a caller wants.
#[derive(Debug, Clone, Copy)]
enum RequestedParts {
    /// The parts that are returned by default.
    Default,
    /// Those, and the parts that are returned on request only.
    OnRequest,
    /// Only the parts in the row itself.
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
        let select = |names: &str, related: &str, derived: &str| {
            format!("r.resource, {names} AS names, {related} AS related, {derived} AS derived")
        };
        let all_derived =
            derived.map_or_else(|| NOTHING.to_owned(), |(_, rows)| format!("(SELECT jsonb_agg(d.v) FROM ({rows}) d)"));
        let related = relation.as_ref().map_or(NOTHING, |relation| relation.shown);
        let columns = [
            select(NOTHING, related, NOTHING),
            select(names, related, &all_derived),
            select(NOTHING, NOTHING, NOTHING),
        ];
        let find = |column: &str| {
            let find = |columns: &String| {
                format!("SELECT {columns} FROM {name} r WHERE r.organization_id = $1 AND {column} = $2")
            };
            columns.each_ref().map(find)
        };
        let (by_id, by_key) = (find("r.id"), find(unique.1));
        Self { resource_type, name, is_counted, unique, relation, derived, by_id, by_key, columns }
    }

    /// A table of named things that callers cannot change.
    fn of_names(resource_type: &'static ResourceType, name: &'static str) -> Self {
        Self::new(resource_type, name, false, ("displayName", "r.name_key"), None, NOTHING, None)
    }

    /// The types that callers provision, in the order in which a query across types reads them.
    pub fn provisioned() -> [&'static Self; 2] {
        [&USERS, &GROUPS]
    }

    fn wanted(&self, projection: &Projection) -> usize {
        let wanted = if projection.asks_on_request(self.resource_type) {
            RequestedParts::OnRequest
        } else if self.relation.as_ref().is_some_and(|relation| projection.wants(relation.attribute)) {
            RequestedParts::Default
        } else {
            RequestedParts::Bare
        };
        wanted as usize
    }

    /// The statement that finds a resource by id.
    pub(super) fn by_id(&self, projection: &Projection) -> &str {
        &self.by_id[self.wanted(projection)]
    }

    /// The statement that finds a resource by its unique attribute.
    pub(super) fn by_key(&self, projection: &Projection) -> &str {
        &self.by_key[self.wanted(projection)]
    }

    /// The columns to select for a resource.
    pub(super) fn columns(&self, projection: &Projection) -> &str {
        &self.columns[self.wanted(projection)]
    }

    /// The approximate size of a resource in an answer, in bytes: its stored size, and a fixed size for each
    /// value of its relation.
    pub(super) fn bytes(&self, projection: &Projection) -> String {
        let stored = "octet_length(r.resource::text)";
        match &self.relation {
            Some(relation) if self.wanted(projection) != RequestedParts::Bare as usize => {
                format!("{stored} + {RELATED_BYTES} * {}", relation.count)
            }
            _ => stored.to_owned(),
        }
    }

    /// Whether a core attribute is the unique one.
    pub fn is_unique(&self, attribute: &Attribute) -> bool {
        attribute.name == self.unique.0
    }

    /// Whether the relation always has few values.
    pub fn is_small(&self) -> bool {
        self.relation.as_ref().is_none_or(|relation| relation.is_small)
    }

    /// Whether a core attribute is the relation.
    pub fn is_relation(&self, attribute: &Attribute) -> bool {
        self.relation_of(&attribute.name).is_some()
    }

    /// The relation, if this is the name of its attribute.
    pub(super) fn relation_of(&self, name: &str) -> Option<&Relation> {
        self.relation.as_ref().filter(|relation| relation.attribute == name)
    }
}
