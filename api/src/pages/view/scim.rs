//! Settings > SCIM provisioning.

use askama::Template;
use rollcall_events::{Timestamp, TokenId, WorkspaceId};

use super::Frame;
use crate::pages::form::{Problems, TokenForm};
use crate::pages::text::Language;
use crate::read::ListedToken;

/// Settings > SCIM provisioning.
#[derive(Template)]
#[template(path = "scim.html")]
pub(in crate::pages) struct Scim {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) endpoint: String,
    pub(in crate::pages) tokens: Vec<ListedToken>,
    pub(in crate::pages) workspaces: Vec<(WorkspaceId, String)>,
    pub(in crate::pages) form: TokenForm,
    pub(in crate::pages) problems: Problems,
    pub(in crate::pages) now: Timestamp,
}

/// What is wrong with the form, and the button, as it is typed.
#[derive(Template)]
#[template(path = "check.html")]
pub(in crate::pages) struct Check {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) problems: Problems,
    /// Fields that somebody has been in.
    pub(in crate::pages) touched: Vec<&'static str>,
    pub(in crate::pages) is_good: bool,
}

/// Whether an address would be let in.
#[derive(Template)]
#[template(path = "address.html")]
pub(in crate::pages) struct Address {
    pub(in crate::pages) is_good: bool,
    pub(in crate::pages) text: String,
}

/// A token, shown this once.
#[derive(Template)]
#[template(path = "token.html")]
pub(in crate::pages) struct Generated {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) endpoint: String,
    pub(in crate::pages) token: String,
    pub(in crate::pages) label: String,
    pub(in crate::pages) origin: Option<String>,
    /// What became of the token that it replaces, if it replaces one.
    pub(in crate::pages) about_old: Option<String>,
}

/// A form that changes a token.
#[derive(Template)]
#[template(path = "edit.html")]
pub(in crate::pages) struct Edit {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) id: TokenId,
    pub(in crate::pages) workspaces: Vec<(WorkspaceId, String)>,
    pub(in crate::pages) form: TokenForm,
    pub(in crate::pages) problems: Problems,
}

/// A question before something that cannot be taken back.
#[derive(Template)]
#[template(path = "confirm.html")]
pub(in crate::pages) struct Confirm {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) token: ListedToken,
    /// The id of the token that takes its place, where it is to be reset.
    pub(in crate::pages) reset: Option<TokenId>,
}

/// How to set up an identity provider.
#[derive(Template)]
#[template(path = "guide.html")]
pub(in crate::pages) struct Guide {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) provider: &'static str,
    pub(in crate::pages) endpoint: String,
}

/// The state of a token, as a text of the pages and a class of the stylesheet.
pub(in crate::pages) fn state(token: &ListedToken, now: Timestamp) -> (&'static str, &'static str) {
    match (token.revoked_at, token.settings.expires_at) {
        (Some(_), _) => ("state-revoked", "off"),
        (None, Some(at)) if at <= now => ("state-expired", "off"),
        (None, Some(at)) if at <= now.after_seconds(30 * 24 * 60 * 60) => ("state-ending", "soon"),
        (None, _) => ("state-active", "on"),
    }
}
