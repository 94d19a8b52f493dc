//! The page of an error.

use askama::Template;

use crate::text::Language;

/// The page of an error. It needs no session.
#[derive(Template)]
#[template(path = "failed.html")]
pub(crate) struct FailedPage {
    pub(crate) t: Language,
    pub(crate) title: String,
    pub(crate) text: String,
    /// The detail of a SCIM error, in English; empty if there is none.
    pub(crate) detail: String,
    /// Whether to offer the sign-in at the OpenID provider.
    pub(crate) can_sign_in: bool,
}
