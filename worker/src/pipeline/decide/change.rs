//! The change that a fact makes to the state and to the projections. The live path and a replay both use
//! this.

use rollcall_events::log::EventType;
use rollcall_events::members::MEMBERS;
use rollcall_events::{GroupId, OrganizationId, UserId};
use serde::Deserialize;

use crate::fact::{Fact, MalformedFact};
use crate::pipeline::settings::SettingChange;
use crate::pipeline::state::{Before, Group, Lookup, State, User};

/// The change that a fact makes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    PutUser(User),
    DeleteUser(UserId),
    PutGroup { group: Group, moves: Moves },
    DeleteGroup(GroupId),
    Setting(SettingChange),
}

/// The users who join and leave a group.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Moves {
    pub(crate) added: Vec<UserId>,
    pub(crate) removed: Vec<UserId>,
}

impl Change {
    /// The change that a fact makes; `None` if it makes none.
    pub(crate) fn of(fact: &Fact) -> Result<Option<Self>, MalformedFact> {
        Ok(Some(match fact.event_type {
            EventType::UserCreated
            | EventType::UserUpdated
            | EventType::UserDeactivated
            | EventType::UserReactivated
            | EventType::GroupCreated
            | EventType::GroupUpdated
                if !fact.changes_attributes() =>
            {
                return Ok(None);
            }
            EventType::UserCreated
            | EventType::UserUpdated
            | EventType::UserDeactivated
            | EventType::UserReactivated => {
                Self::PutUser(User { id: UserId(fact.subject()?), resource: fact.required_resource()? })
            }
            EventType::UserDeleted => Self::DeleteUser(UserId(fact.subject()?)),
            EventType::GroupCreated | EventType::GroupUpdated => Self::PutGroup {
                group: Group { id: GroupId(fact.subject()?), resource: fact.required_resource()? },
                moves: fact.read(MEMBERS)?,
            },
            EventType::GroupDeleted => Self::DeleteGroup(GroupId(fact.subject()?)),
            _ => return Ok(SettingChange::of(fact)?.map(Self::Setting)),
        }))
    }

    /// Applies the change to the state, so that the next request of the batch sees it. Returns the resource
    /// before the change.
    ///
    /// # Errors
    /// If the thing that the change replaces is not loaded. Then nothing is changed.
    pub(crate) fn apply(&self, organization: OrganizationId, state: &mut State) -> Lookup<Before> {
        match self {
            Self::PutUser(user) => state.put_user(organization, user),
            Self::DeleteUser(id) => state.delete_user(organization, *id),
            Self::PutGroup { group, moves } => state.put_group(organization, group, &moves.added, &moves.removed),
            Self::DeleteGroup(id) => state.delete_group(organization, *id),
            Self::Setting(change) => change.apply(organization, state).map(|()| None),
        }
    }
}
