//! A cache of the log heads that a partition wrote last, and of workspaces that it read.
//!
//! It can be stale, if another worker took over in between, a replay repaired a table, or a write failed. That costs
//! a second decision and never makes a wrong one: everything that changes a log or its tables advances the version of
//! its head, and a batch is only written if the head still has the version that the batch was decided on.

use rollcall_events::request::{Request, RequestBody, UserOperation};
use rollcall_events::{OrganizationId, WorkspaceId};
use std::collections::{BTreeMap, HashMap};

use super::state::{State, Workspace};
#[cfg(doc)]
use crate::db::StoreError;
use crate::log::Head;

/// Maximum number of logs that are known. A head has about 1 KB.
const MAX_LOGS: usize = 1000;
/// Maximum number of workspaces that are known of a log.
const MAX_WORKSPACES: usize = 16;

/// Number of batches whose names are looked up after one was taken for free and was not. A sender that meets one taken
/// name often meets more.
const LOOK_UPS: u32 = 64;

/// Whether a batch may contain repeated requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// All requests are taken for new. Recorded requests are looked for only if the sender chose the event
    /// id, and users to be created are not looked for. If one exists anyway, Postgres refuses the batch
    /// ([`StoreError::AlreadyRecorded`]), and it is decided again with [`Expected::Repeats`].
    New,
    /// As [`Expected::New`]. The names of users to be created are taken for free, and are not looked for either.
    NewNames,
    /// Some requests may have been applied before.
    Repeats,
}

/// The known logs of a partition.
#[derive(Debug, Default)]
pub(crate) struct KnownLogs {
    logs: HashMap<OrganizationId, KnownLog>,
    /// The number of batches whose names are still looked up.
    look_ups: u32,
    /// The connection that wrote these heads.
    writer: u64,
}

#[derive(Debug)]
struct KnownLog {
    head: Head,
    /// Workspaces, as they were at this head.
    workspaces: HashMap<WorkspaceId, Workspace>,
}

impl KnownLogs {
    /// Forgets all logs if another connection wrote them. After a failover, the server can have lost commits, and a
    /// log with other entries can have the same version.
    pub(crate) fn rely_on(&mut self, writer: u64) {
        if self.writer != writer {
            self.logs.clear();
            self.writer = writer;
        }
    }

    /// The head of a log.
    pub(crate) fn head(&self, organization: OrganizationId) -> Option<&Head> {
        self.logs.get(&organization).map(|log| &log.head)
    }

    /// A workspace.
    pub(crate) fn workspace(&self, organization: OrganizationId, id: WorkspaceId) -> Option<&Workspace> {
        self.logs.get(&organization)?.workspaces.get(&id)
    }

    /// Takes the heads after a batch, and the default workspaces that it has looked up. The batch must not
    /// change settings.
    pub(crate) fn advance(&mut self, heads: BTreeMap<OrganizationId, Head>, requests: &[Request], state: &State) {
        let new = heads.keys().filter(|organization| !self.logs.contains_key(organization)).count();
        if self.logs.len() + new > MAX_LOGS {
            self.logs.clear();
        }
        for (organization, head) in heads {
            let workspaces = self.logs.remove(&organization).map(|log| log.workspaces).unwrap_or_default();
            self.logs.insert(organization, KnownLog { head, workspaces });
        }
        for (organization, id) in requests.iter().filter_map(default_workspace) {
            let Some(log) = self.logs.get_mut(&organization) else { continue };
            if log.workspaces.len() < MAX_WORKSPACES
                && !log.workspaces.contains_key(&id)
                && let Ok(Some(workspace)) = state.workspace(organization, id)
            {
                log.workspaces.insert(id, workspace.clone());
            }
        }
    }

    /// Forgets all logs. `has_collided` says whether a name that was taken for free was not.
    pub(crate) fn forget(&mut self, has_collided: bool) {
        self.logs.clear();
        if has_collided {
            self.look_ups = LOOK_UPS;
        }
    }

    /// Says how to load the next batch. Counts the batches whose names are looked up.
    pub(crate) fn expect_next(&mut self, expected: Expected) -> Expected {
        if expected != Expected::New {
            return expected;
        }
        match self.look_ups.checked_sub(1) {
            Some(less) => {
                self.look_ups = less;
                Expected::New
            }
            None => Expected::NewNames,
        }
    }
}

/// The workspace that a request looks up.
fn default_workspace(request: &Request) -> Option<(OrganizationId, WorkspaceId)> {
    match &request.body {
        RequestBody::UserRequested(call) if matches!(call.operation, UserOperation::Create(_)) => {
            Some((request.organization_id, call.default_workspace))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_events::log::CompactRange;
    use uuid::Uuid;

    fn organization(n: u128) -> OrganizationId {
        OrganizationId(Uuid::from_u128(n))
    }

    fn heads(organizations: impl IntoIterator<Item = u128>, version: i64) -> BTreeMap<OrganizationId, Head> {
        let head = || Head { log: CompactRange::default(), version, recorded_at: None, refused: None };
        organizations.into_iter().map(|n| (organization(n), head())).collect()
    }

    fn version(known: &KnownLogs, n: u128) -> Option<i64> {
        known.head(organization(n)).map(|head| head.version)
    }

    #[test]
    fn heads_of_another_connection_are_forgotten() {
        let mut known = KnownLogs::default();
        known.rely_on(7);
        known.advance(heads([1, 2], 5), &[], &State::default());
        known.rely_on(7);
        assert_eq!((version(&known, 1), version(&known, 2), version(&known, 3)), (Some(5), Some(5), None));
        known.rely_on(8);
        assert_eq!((version(&known, 1), version(&known, 2)), (None, None));
    }

    #[test]
    fn known_logs_are_bounded_and_known_ones_need_no_room() {
        let mut known = KnownLogs::default();
        let most = u128::try_from(MAX_LOGS).unwrap();
        known.advance(heads(0..most, 1), &[], &State::default());
        known.advance(heads(0..most, 2), &[], &State::default());
        assert_eq!((version(&known, 0), version(&known, most - 1)), (Some(2), Some(2)));
        known.advance(heads([most], 1), &[], &State::default());
        assert_eq!((version(&known, 0), version(&known, most)), (None, Some(1)));
    }

    #[test]
    fn after_a_collision_names_are_looked_up_for_some_batches() {
        let mut known = KnownLogs::default();
        assert_eq!(known.expect_next(Expected::New), Expected::NewNames);
        known.forget(true);
        assert!((0..LOOK_UPS).all(|_| known.expect_next(Expected::New) == Expected::New));
        assert_eq!(known.expect_next(Expected::New), Expected::NewNames);
        assert_eq!(known.expect_next(Expected::Repeats), Expected::Repeats);
    }
}
