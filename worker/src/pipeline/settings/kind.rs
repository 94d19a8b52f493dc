//! What a kind of setting consists of. Each kind has a file that implements these traits.

use rollcall_events::log::{EventType, SubjectType};
use rollcall_events::request::Request;
use rollcall_events::{OrganizationId, WorkspaceId};
use rollcall_scim::ScimError;
use serde_json::Value;
use std::fmt::{Debug, Display};
use uuid::Uuid;

use crate::db::StatementBatch;
use crate::pipeline::decision::Interrupt;
use crate::pipeline::state::{Key, NotLoaded, State};

/// The type of a log entry and its facts.
pub(super) type SettingFact = (EventType, Value);

/// A request for a change of settings.
pub(super) trait ChangeRequest {
    /// The thing that the log entry is about.
    fn subject(&self, organization: OrganizationId) -> (SubjectType, Uuid);

    /// The name of the change in the log.
    fn operation(&self) -> &'static str;

    /// Whether the organization of the request must exist. The system organization is in no table.
    fn needs_organization(&self, _organization: OrganizationId) -> bool {
        true
    }

    /// The keys that the decision is expected to look up.
    fn keys(&self, organization: OrganizationId) -> Vec<Key>;

    /// Checks the values of the request against the rules of their types. Commands and pages have parsed
    /// them, but a message may come from elsewhere.
    ///
    /// # Errors
    /// 400 `invalidValue` that names the value.
    fn check(&self) -> Result<(), ScimError>;

    /// Decides the request, whose values are checked. This is pure: no I/O and no clock.
    fn decide(&self, state: &State, request: &Request) -> Result<SettingFact, Interrupt>;
}

/// The changes of a batch to one kind of setting, and the rows that they write.
pub(crate) trait Kind: Default {
    /// The change that a fact of this kind makes.
    type Change: Debug + Clone + PartialEq;
    /// The rows to write.
    type Rows;

    /// All statements of the kind, to be prepared.
    fn statements() -> Vec<&'static str>;

    /// Applies a change to the state, so that the next request of the batch sees it.
    ///
    /// # Errors
    /// If the thing that the change replaces is not loaded. Then nothing is changed.
    fn apply(change: &Self::Change, organization: OrganizationId, state: &mut State) -> Result<(), NotLoaded>;

    /// The processes that are notified of a change.
    fn listeners(_change: &Self::Change) -> Listeners {
        Listeners::default()
    }

    /// Adds a change that the log has at `seq`.
    fn take(&mut self, organization: OrganizationId, seq: u64, change: Self::Change);

    /// The rows to write. Each row occurs once, however often it was changed.
    fn rows(&self) -> Self::Rows;

    /// Adds the statements that write the rows, in the order in which they must run.
    fn add_to<'a>(rows: &'a Self::Rows, batch: &mut StatementBatch<'a>);
}

/// The processes that are notified of a change, besides the readers of the log.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Listeners {
    /// The apis, which cache tokens and what belongs to them, and the worker that pushes events.
    pub(super) services: bool,
    /// Applications, which read workspaces, roles and entitlements.
    pub(super) applications: bool,
}

impl Listeners {
    /// Only the services.
    pub(super) const SERVICES: Self = Self { services: true, applications: false };
    /// Only the applications.
    pub(super) const APPLICATIONS: Self = Self { services: false, applications: true };
    /// The services and the applications.
    pub(super) const ALL: Self = Self { services: true, applications: true };
}

/// The error for a value that breaks the rule of its type; `name` is the name of the value.
pub(super) fn checked<E: Display>(name: &str, checked: Result<(), E>) -> Result<(), ScimError> {
    checked.map_err(|error| ScimError::invalid_value(format!("{name}: {error}")))
}

/// The error for a workspace that a setting names and that does not exist in the organization.
pub(super) fn no_workspace(id: WorkspaceId) -> ScimError {
    ScimError::invalid_value(format!("workspaces: there is no workspace {id} in the organization"))
}
