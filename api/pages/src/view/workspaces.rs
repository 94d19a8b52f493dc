//! The pages of workspaces and groups.

use askama::Template;
use rollcall_api_core::read::{ListedGroup, ListedWorkspace, WorkspaceMember};
use rollcall_events::{GroupId, WorkspaceId};

use super::Frame;
use crate::text::Language;

/// The workspaces, and the groups that can be mapped to them.
#[derive(Template)]
#[template(path = "workspaces.html")]
pub(crate) struct WorkspaceList {
    pub(crate) t: Language,
    pub(crate) frame: Frame,
    pub(crate) workspaces: Vec<ListedWorkspace>,
    pub(crate) groups: Vec<ListedGroup>,
}

/// A workspace with its members.
#[derive(Template)]
#[template(path = "workspace.html")]
pub(crate) struct Workspace {
    pub(crate) t: Language,
    pub(crate) frame: Frame,
    pub(crate) name: String,
    pub(crate) members: Vec<WorkspaceMember>,
}

/// A workspace that a group can be mapped to.
pub(crate) struct Choice {
    pub(crate) id: WorkspaceId,
    pub(crate) name: String,
    /// Whether the group is mapped to the workspace.
    pub(crate) is_chosen: bool,
    /// The permissions of the group's members in the workspace, separated by commas.
    pub(crate) permissions: String,
}

/// The form of a group's mapping.
#[derive(Template)]
#[template(path = "group.html")]
pub(crate) struct Group {
    pub(crate) t: Language,
    pub(crate) frame: Frame,
    pub(crate) id: GroupId,
    pub(crate) name: String,
    pub(crate) choices: Vec<Choice>,
}
