//! Settings: everything that administrators, operators and background tasks change, except users and groups.
//!
//! Each kind of setting has one file or folder with its requests, keys, decisions, changes and rows. This
//! file lists the kinds three times: by request, by type of log entry, and by rows. If an arm is missing in a
//! list, the worker does not compile.

mod dead_letter;
mod entitlement;
mod erasure;
mod kind;
mod mapping;
mod organization;
mod recording;
mod restore;
mod session;
mod stream;
mod token;
mod workspace;

use rollcall_events::log::EventType;
use rollcall_events::request::{Request, SettingsRequested};
use rollcall_events::{GroupId, OrganizationId};
use rollcall_scim::ScimError;
use serde_json::json;
use std::collections::BTreeSet;

use super::decision::{Decision, Interrupt};
use super::state::{Key, NotLoaded, State};
use crate::db::StatementBatch;
use crate::fact::{Fact, MalformedFact};
use kind::{ChangeRequest, Kind, SettingFact};

/// The list of requests.
fn change_request(settings: &SettingsRequested) -> &dyn ChangeRequest {
    match settings {
        SettingsRequested::CreateOrganization(request) => request,
        SettingsRequested::CreateWorkspace(request) => request,
        SettingsRequested::MapGroup(request) => request,
        SettingsRequested::ChangeRecording(request) => request,
        SettingsRequested::AcceptRestore(request) => request,
        SettingsRequested::EraseUser(request) => request,
        SettingsRequested::IssueToken(request) => request,
        SettingsRequested::IssueAuditorToken(request) => request,
        SettingsRequested::RevokeToken(request) => request,
        SettingsRequested::AnnounceExpiry(request) => request,
        SettingsRequested::ChangeToken(request) => request,
        SettingsRequested::ChangeSession(request) => request,
        SettingsRequested::DecideDeadLetter(request) => request,
        SettingsRequested::ChangeEntitlement(request) => request,
        SettingsRequested::ChangeStream(request) => request,
    }
}

impl SettingChange {
    /// The list of facts: the change that each makes; `None` if it makes none.
    pub(super) fn of(fact: &Fact) -> Result<Option<Self>, MalformedFact> {
        Ok(Some(match fact.event_type {
            // An erased session has no row: its erasure removes it. Any other fact must have its payload.
            EventType::SignInLinkIssued | EventType::SignedIn | EventType::SignedOut if fact.is_erased() => {
                return Ok(None);
            }
            EventType::OrganizationCreated => Self::Organization(organization::created(fact)?),
            EventType::RecordingChanged => Self::Recording(recording::changed(fact)?),
            EventType::WorkspaceCreated => Self::Workspace(workspace::created(fact)?),
            EventType::TokenIssued => Self::Token(token::issued(fact)?),
            EventType::AuditorTokenIssued => Self::Token(token::issued_to_auditor(fact)?),
            EventType::TokenRevoked => Self::Token(token::revoked(fact)?),
            EventType::TokenChanged => Self::Token(token::changed(fact)?),
            EventType::EntitlementDefined => Self::Entitlement(entitlement::defined(fact)?),
            EventType::EntitlementRemoved => Self::Entitlement(entitlement::removed(fact)?),
            EventType::GroupMapped => Self::Mapping(mapping::mapped(fact)?),
            EventType::SignInLinkIssued => Self::Session(session::invited(fact)?),
            EventType::SignedIn => Self::Session(session::signed_in(fact)?),
            EventType::SignedOut => Self::Session(session::signed_out(fact)?),
            EventType::AdministratorErased => Self::Session(session::erased(fact)?),
            EventType::StreamCreated => Self::Stream(stream::created(fact)?),
            EventType::StreamPaused => Self::Stream(stream::paused(fact)?),
            EventType::StreamResumed => Self::Stream(stream::resumed(fact)?),
            EventType::StreamDeleted => Self::Stream(stream::deleted(fact)?),
            EventType::DeadLetterRetried | EventType::DeadLetterDiscarded => {
                Self::DeadLetter(dead_letter::decided(fact)?)
            }
            // Erasures of users, restores and announcements change nothing here, and the others are no settings.
            EventType::UserErased
            | EventType::LogRestored
            | EventType::TokenExpiring
            | EventType::AccessDenied
            | EventType::RequestRejected
            | EventType::UserCreated
            | EventType::UserUpdated
            | EventType::UserDeactivated
            | EventType::UserReactivated
            | EventType::UserDeleted
            | EventType::GroupCreated
            | EventType::GroupUpdated
            | EventType::GroupDeleted => return Ok(None),
        }))
    }

    /// The change that a `GroupDeleted` fact makes to the mapping: the group is mapped to no workspace.
    pub(super) fn unmap(group: GroupId) -> Self {
        Self::Mapping(mapping::Mapping::none(group))
    }
}

/// Defines the types that hold something of every kind with rows.
macro_rules! kinds {
    ($($change:ident in $field:ident: $kind:ty,)+) => {
        /// The change that a fact makes to one kind of setting.
        #[derive(Debug, Clone, PartialEq)]
        pub(crate) enum SettingChange {
            $($change(<$kind as Kind>::Change),)+
        }

        /// The changes of a batch to settings.
        #[derive(Default)]
        pub(crate) struct Settings {
            $($field: $kind,)+
            services: BTreeSet<OrganizationId>,
            applications: BTreeSet<OrganizationId>,
        }

        /// The rows of settings that a batch writes.
        pub(crate) struct SettingsRows {
            $($field: <$kind as Kind>::Rows,)+
        }

        impl SettingChange {
            /// Applies the change to the state.
            ///
            /// # Errors
            /// If the thing that the change replaces is not loaded. Then nothing is changed.
            pub(super) fn apply(&self, organization: OrganizationId, state: &mut State) -> Result<(), NotLoaded> {
                match self {
                    $(Self::$change(change) => <$kind>::apply(change, organization, state),)+
                }
            }
        }

        impl Settings {
            /// Adds a change that the log has at `seq`.
            pub(super) fn take(&mut self, organization: OrganizationId, seq: u64, change: SettingChange) {
                let listeners = match &change {
                    $(SettingChange::$change(change) => <$kind>::listeners(change),)+
                };
                self.services.extend(listeners.services.then_some(organization));
                self.applications.extend(listeners.applications.then_some(organization));
                match change {
                    $(SettingChange::$change(change) => self.$field.take(organization, seq, change),)+
                }
            }

            /// The rows to write.
            pub(super) fn rows(&self) -> SettingsRows {
                SettingsRows { $($field: self.$field.rows(),)+ }
            }
        }

        impl SettingsRows {
            /// Adds the statements, in the order of the list.
            pub(super) fn add_to<'a>(&'a self, batch: &mut StatementBatch<'a>) {
                $(<$kind>::add_to(&self.$field, batch);)+
            }
        }

        /// All statements that write settings, to be prepared.
        pub(super) fn statements() -> impl Iterator<Item = &'static str> {
            [$(<$kind>::statements()),+].into_iter().flatten()
        }
    };
}

kinds! {
    Organization in organizations: organization::Organizations,
    Recording in recordings: recording::Recordings,
    Workspace in workspaces: workspace::Workspaces,
    Token in tokens: token::Tokens,
    Entitlement in entitlements: entitlement::Entitlements,
    Mapping in mappings: mapping::Mappings,
    Session in sessions: session::Sessions,
    Stream in streams: stream::Streams,
    DeadLetter in dead_letters: dead_letter::DeadLetters,
}

impl Settings {
    /// The organizations with changes that the apis and the worker that pushes events must learn of.
    pub(super) fn organizations_for_services(&self) -> &BTreeSet<OrganizationId> {
        &self.services
    }

    /// The organizations with changes that applications can see.
    pub(super) fn organizations_for_applications(&self) -> &BTreeSet<OrganizationId> {
        &self.applications
    }
}

/// The keys that a request is expected to look up.
pub(super) fn keys(organization: OrganizationId, settings: &SettingsRequested) -> Vec<Key> {
    let mut keys = change_request(settings).keys(organization);
    keys.push(Key::Organization(organization));
    keys
}

/// Decides a change of settings.
pub(super) fn decide(state: &State, request: &Request, settings: &SettingsRequested) -> Result<Decision, NotLoaded> {
    let change = change_request(settings);
    let subject = Some(change.subject(request.organization_id));
    match attempt(state, request, change) {
        Ok((event_type, payload)) => Ok(Decision { event_type, subject, error: None, payload }),
        Err(Interrupt::NotLoaded(missing)) => Err(missing),
        Err(Interrupt::Rejected(rejection)) => {
            Ok(Decision::rejected(rejection.error, subject, json!({"operation": change.operation()})))
        }
    }
}

fn attempt(state: &State, request: &Request, change: &dyn ChangeRequest) -> Result<SettingFact, Interrupt> {
    let organization = request.organization_id;
    if change.needs_organization(organization) && !state.has_organization(organization)? {
        return Err(ScimError::new(404, "there is no such organization").into());
    }
    change.check()?;
    change.decide(state, request)
}
