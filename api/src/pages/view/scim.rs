//! The pages under Settings > SCIM provisioning.

use askama::Template;
use rollcall_events::{Timestamp, TokenId, WorkspaceId};

use super::Frame;
use crate::pages::text::Language;
use crate::pages::token_form::{Problems, TokenForm};
use crate::read::ListedToken;

/// The page Settings > SCIM provisioning.
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

/// The problems of the form and the state of its button, while a person types.
#[derive(Template)]
#[template(path = "check.html")]
pub(in crate::pages) struct Check {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) problems: Problems,
    /// The names of the fields that are not empty.
    pub(in crate::pages) touched: Vec<&'static str>,
    pub(in crate::pages) is_good: bool,
}

/// Whether the allowlist allows an address.
#[derive(Template)]
#[template(path = "address.html")]
pub(in crate::pages) struct Address {
    pub(in crate::pages) is_good: bool,
    pub(in crate::pages) text: String,
}

/// A new token. No other page shows its secret.
#[derive(Template)]
#[template(path = "token.html")]
pub(in crate::pages) struct Generated {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) endpoint: String,
    pub(in crate::pages) token: String,
    pub(in crate::pages) label: String,
    pub(in crate::pages) origin: Option<String>,
    /// The state of the replaced token, if there is one.
    pub(in crate::pages) about_old: Option<String>,
}

/// The form that changes a token.
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

/// The confirmation page before a token is revoked or reset.
#[derive(Template)]
#[template(path = "confirm.html")]
pub(in crate::pages) struct Confirm {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) token: ListedToken,
    /// The id of the new token; `None` if the token is to be revoked.
    pub(in crate::pages) reset: Option<TokenId>,
}

/// The steps to set up an identity provider.
#[derive(Template)]
#[template(path = "guide.html")]
pub(in crate::pages) struct Guide {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) provider: &'static str,
    pub(in crate::pages) endpoint: String,
}

/// The state of a token: the id of its text, and a class of the stylesheet.
pub(in crate::pages) fn state(token: &ListedToken, now: Timestamp) -> (&'static str, &'static str) {
    match (token.revoked_at, token.settings.expires_at) {
        (Some(_), _) => ("state-revoked", "off"),
        (None, Some(at)) if at <= now => ("state-expired", "off"),
        (None, Some(at)) if at <= now.after_seconds(30 * 24 * 60 * 60) => ("state-ending", "soon"),
        (None, _) => ("state-active", "on"),
    }
}
