//! Requests about the workspaces that groups are mapped to.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use crate::name::Permission;
use crate::{GroupId, WorkspaceId};

/// Maps a group to workspaces: the group's members become members of them. An empty map removes the mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapGroup {
    /// The group.
    pub group_id: GroupId,
    /// The workspaces, each with the permissions of the members.
    pub workspaces: BTreeMap<WorkspaceId, BTreeSet<Permission>>,
}
