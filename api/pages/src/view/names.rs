//! The names of roles, events, kinds and meanings in the texts of the pages.

use rollcall_events::call_log::Meaning;
use rollcall_events::log::EventType;
use rollcall_events::session::Role;

use crate::text::Language;

/// The id of a role's text.
pub(crate) fn role_text(role: Role) -> &'static str {
    match role {
        Role::Owner => "role-owner",
        Role::Administrator => "role-administrator",
        Role::Auditor => "role-auditor",
    }
}

/// The id of the text of a kind of entries, as in [`KINDS`](rollcall_api_core::read::KINDS).
pub(crate) fn kind_text(kind: &str) -> &'static str {
    match kind {
        "users" => "kind-users",
        "groups" => "kind-groups",
        "settings" => "kind-settings",
        _ => "kind-rejected",
    }
}

/// The name of an event type.
pub(crate) fn event_name(event_type: EventType, t: Language) -> String {
    t.get(&format!("event-{event_type}"))
}

/// The name of a call's meaning.
pub(crate) fn meaning_name(meaning: Meaning, t: Language) -> String {
    t.get(&format!("meaning-{}", meaning.as_str()))
}
