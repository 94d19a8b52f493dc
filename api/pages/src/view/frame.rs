//! The frame of every page of a signed-in person: navigation, name, language and sign-out.

use super::names::role_text;
use crate::session::Administrator;

/// The frame of a page.
pub(crate) struct Frame {
    pub(crate) admin: Administrator,
    /// The path of the page, for the navigation and the language switch.
    pub(crate) path: String,
}

impl Frame {
    /// Whether the page belongs to an entry of the navigation.
    pub(super) fn is_in(&self, entry: &str) -> bool {
        self.path.starts_with(entry)
    }

    /// The id of the role's text.
    pub(super) fn role(&self) -> &'static str {
        role_text(self.admin.person.role)
    }
}
