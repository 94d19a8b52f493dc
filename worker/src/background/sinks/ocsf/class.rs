//! The class and the activity of an entry. Activities that a class does not have are `Other` (99) with a name,
//! as OCSF says.

use rollcall_events::log::{EventType, Header, SubjectType};

use crate::background::sinks::sink::Version;

/// A class of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    AccountChange,
    Authentication,
    EntityManagement,
    GroupManagement,
    UserManagement,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action<'a> {
    Create,
    Update,
    Delete,
    Enable,
    Disable,
    LogOn,
    LogOff,
    Suspend,
    Resume,
    Other(&'a str),
}

/// An activity of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Activity {
    pub(super) id: u8,
    pub(super) name: String,
}

/// What an entry is about. The class follows from it and the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    User,
    Group,
    Login,
    Entity,
}

impl Class {
    pub(super) fn uid(self) -> u16 {
        match self {
            Self::AccountChange => 3001,
            Self::Authentication => 3002,
            Self::EntityManagement => 3004,
            Self::GroupManagement => 3006,
            Self::UserManagement => 3007,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::AccountChange => "Account Change",
            Self::Authentication => "Authentication",
            Self::EntityManagement => "Entity Management",
            Self::GroupManagement => "Group Management",
            Self::UserManagement => "User Management",
        }
    }
}

/// The class and the activity of an entry. `operation` is that of the payload.
pub(super) fn classify(header: &Header, operation: Option<&str>, version: Version) -> (Class, Activity) {
    let (about, action) = match header.event_type {
        EventType::RequestRejected => rejected(header.subject_type, operation),
        applied => of_applied(applied),
    };
    let class = match (about, version) {
        (About::User, Version::V1_8) => Class::AccountChange,
        (About::User, Version::V1_9) => Class::UserManagement,
        (About::Group, _) => Class::GroupManagement,
        (About::Login, _) => Class::Authentication,
        (About::Entity, _) => Class::EntityManagement,
    };
    (class, activity(class, action, version))
}

/// A new type of entry needs a line here. Without a better class it is about an entity.
fn of_applied(event_type: EventType) -> (About, Action<'static>) {
    match event_type {
        EventType::UserCreated => (About::User, Action::Create),
        EventType::UserUpdated => (About::User, Action::Update),
        EventType::UserDeactivated => (About::User, Action::Disable),
        EventType::UserReactivated => (About::User, Action::Enable),
        EventType::UserDeleted => (About::User, Action::Delete),
        EventType::UserErased => (About::User, Action::Other("Erase")),
        EventType::GroupCreated => (About::Group, Action::Create),
        EventType::GroupUpdated => (About::Group, Action::Update),
        EventType::GroupDeleted => (About::Group, Action::Delete),
        EventType::GroupMapped => (About::Group, Action::Other("Map")),
        EventType::SignedIn | EventType::AccessDenied => (About::Login, Action::LogOn),
        EventType::SignedOut => (About::Login, Action::LogOff),
        EventType::OrganizationCreated
        | EventType::WorkspaceCreated
        | EventType::EntitlementDefined
        | EventType::TokenIssued
        | EventType::AuditorTokenIssued
        | EventType::SignInLinkIssued
        | EventType::StreamCreated => (About::Entity, Action::Create),
        EventType::RecordingChanged | EventType::TokenChanged => (About::Entity, Action::Update),
        EventType::TokenRevoked => (About::Entity, Action::Disable),
        EventType::EntitlementRemoved | EventType::StreamDeleted | EventType::DeadLetterDiscarded => {
            (About::Entity, Action::Delete)
        }
        EventType::StreamPaused => (About::Entity, Action::Suspend),
        EventType::StreamResumed => (About::Entity, Action::Resume),
        EventType::TokenExpiring => (About::Entity, Action::Other("Expire")),
        EventType::DeadLetterRetried => (About::Entity, Action::Other("Retry")),
        EventType::AdministratorErased => (About::Entity, Action::Other("Erase")),
        EventType::LogRestored => (About::Entity, Action::Other("Restore")),
        EventType::RequestRejected => (About::Entity, Action::Other("Request")),
    }
}

/// A rejected request is of the class that it would have been of.
fn rejected(subject: Option<SubjectType>, operation: Option<&str>) -> (About, Action<'_>) {
    let about = match (subject, operation) {
        (Some(SubjectType::Session), Some("signIn" | "signOut")) => About::Login,
        (Some(SubjectType::User), _) => About::User,
        (Some(SubjectType::Group), _) => About::Group,
        _ => About::Entity,
    };
    let action = match operation {
        Some("create") => Action::Create,
        Some("replace" | "patch") => Action::Update,
        Some("delete") => Action::Delete,
        Some("signIn") => Action::LogOn,
        Some("signOut") => Action::LogOff,
        other => Action::Other(other.unwrap_or("Request")),
    };
    (about, action)
}

/// The activity of a class. OCSF numbers the same activities differently in each class.
fn activity(class: Class, action: Action<'_>, version: Version) -> Activity {
    let id = match (class, action) {
        (Class::AccountChange | Class::UserManagement | Class::EntityManagement, Action::Create)
        | (Class::Authentication, Action::LogOn) => 1,
        (Class::UserManagement, Action::Update)
        | (Class::AccountChange, Action::Enable)
        | (Class::Authentication, Action::LogOff) => 2,
        (Class::UserManagement, Action::Delete) | (Class::EntityManagement, Action::Update) => 3,
        (Class::UserManagement, Action::Enable) | (Class::EntityManagement, Action::Delete) => 4,
        (Class::AccountChange | Class::UserManagement, Action::Disable) | (Class::GroupManagement, Action::Delete) => 5,
        (Class::AccountChange, Action::Delete) | (Class::GroupManagement, Action::Create) => 6,
        (Class::EntityManagement, Action::Enable) => 8,
        (Class::EntityManagement, Action::Disable) => 9,
        (Class::GroupManagement, Action::Update) if version == Version::V1_9 => 9,
        (Class::EntityManagement, Action::Suspend) => 12,
        (Class::EntityManagement, Action::Resume) => 13,
        _ => 99,
    };
    Activity { id, name: action.name().to_owned() }
}

impl Action<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Create => "Create",
            Self::Update => "Update",
            Self::Delete => "Delete",
            Self::Enable => "Enable",
            Self::Disable => "Disable",
            Self::LogOn => "Logon",
            Self::LogOff => "Logoff",
            Self::Suspend => "Suspend",
            Self::Resume => "Resume",
            Self::Other(name) => name,
        }
    }
}
