//! Users, and where they belong.

use askama::Template;
use rollcall_events::{GroupId, WorkspaceId};

use super::{Frame, Row};
use crate::pages::text::Language;
use crate::read::{Belonging, ListedGroup, ListedWorkspace, WorkspaceMember};

/// A user, on a line.
pub(in crate::pages) struct UserRow {
    pub(in crate::pages) id: String,
    pub(in crate::pages) user_name: String,
    pub(in crate::pages) display_name: String,
    pub(in crate::pages) email: String,
    pub(in crate::pages) is_active: bool,
}

/// Users that were looked for.
#[derive(Template)]
#[template(path = "users.html")]
pub(in crate::pages) struct Users {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) asked: String,
    pub(in crate::pages) problem: Option<String>,
    pub(in crate::pages) total: u64,
    pub(in crate::pages) found: Vec<UserRow>,
    pub(in crate::pages) newer: Option<String>,
    pub(in crate::pages) older: Option<String>,
}

/// An attribute of a user.
pub(in crate::pages) struct Fact {
    pub(in crate::pages) name: String,
    pub(in crate::pages) values: Vec<String>,
}

/// A user.
#[derive(Template)]
#[template(path = "user.html")]
pub(in crate::pages) struct User {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) shown: UserRow,
    pub(in crate::pages) facts: Vec<Fact>,
    pub(in crate::pages) groups: Vec<String>,
    pub(in crate::pages) belongings: Vec<Belonging>,
    pub(in crate::pages) rows: Vec<Row>,
}

/// Workspaces, and the groups that can be mapped to them.
#[derive(Template)]
#[template(path = "workspaces.html")]
pub(in crate::pages) struct Workspaces {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) places: Vec<ListedWorkspace>,
    pub(in crate::pages) groups: Vec<ListedGroup>,
}

/// A workspace.
#[derive(Template)]
#[template(path = "workspace.html")]
pub(in crate::pages) struct Workspace {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) name: String,
    pub(in crate::pages) members: Vec<WorkspaceMember>,
}

/// A workspace that a group can be mapped to, and what its members may do there.
pub(in crate::pages) struct Choice {
    pub(in crate::pages) id: WorkspaceId,
    pub(in crate::pages) name: String,
    pub(in crate::pages) is_chosen: bool,
    pub(in crate::pages) permissions: String,
}

/// What a group is mapped to.
#[derive(Template)]
#[template(path = "group.html")]
pub(in crate::pages) struct Group {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) id: GroupId,
    pub(in crate::pages) name: String,
    pub(in crate::pages) choices: Vec<Choice>,
}
