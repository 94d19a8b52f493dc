//! The pages of workspaces and groups.

use askama::Template;
use rollcall_events::{GroupId, WorkspaceId};

use super::Frame;
use crate::pages::text::Language;
use crate::read::{ListedGroup, ListedWorkspace, WorkspaceMember};

/// The workspaces, and the groups that can be mapped to them.
#[derive(Template)]
#[template(path = "workspaces.html")]
pub(in crate::pages) struct WorkspaceList {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) workspaces: Vec<ListedWorkspace>,
    pub(in crate::pages) groups: Vec<ListedGroup>,
}

/// A workspace with its members.
#[derive(Template)]
#[template(path = "workspace.html")]
pub(in crate::pages) struct Workspace {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) name: String,
    pub(in crate::pages) members: Vec<WorkspaceMember>,
}

/// A workspace that a group can be mapped to.
pub(in crate::pages) struct Choice {
    pub(in crate::pages) id: WorkspaceId,
    pub(in crate::pages) name: String,
    /// Whether the group is mapped to the workspace.
    pub(in crate::pages) is_chosen: bool,
    /// The permissions of the group's members in the workspace, separated by commas.
    pub(in crate::pages) permissions: String,
}

/// The form of a group's mapping.
#[derive(Template)]
#[template(path = "group.html")]
pub(in crate::pages) struct Group {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) id: GroupId,
    pub(in crate::pages) name: String,
    pub(in crate::pages) choices: Vec<Choice>,
}
