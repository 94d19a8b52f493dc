//! The page of an error.

use askama::Template;

use crate::pages::text::Language;

/// The page of an error. It needs no session.
#[derive(Template)]
#[template(path = "failed.html")]
pub(in crate::pages) struct Failed {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) title: String,
    pub(in crate::pages) text: String,
    /// The detail of a SCIM error, in English; empty if there is none.
    pub(in crate::pages) detail: String,
    /// Whether to offer the sign-in at the OpenID provider.
    pub(in crate::pages) can_sign_in: bool,
}
