//! The pages under Settings > SCIM provisioning.

use askama::Template;
use rollcall_api_core::read::ListedToken;
use rollcall_events::{Timestamp, TokenId, WorkspaceId};

use super::Frame;
use crate::text::Language;
use crate::token_form::{Problems, TokenForm};

/// The page Settings > SCIM provisioning.
#[derive(Template)]
#[template(path = "scim.html")]
pub(crate) struct Scim {
    pub(crate) t: Language,
    pub(crate) frame: Frame,
    pub(crate) endpoint: String,
    pub(crate) tokens: Vec<ListedToken>,
    pub(crate) workspaces: Vec<(WorkspaceId, String)>,
    pub(crate) form: TokenForm,
    pub(crate) problems: Problems,
    pub(crate) now: Timestamp,
}

/// The problems of the form and the state of its button, while a person types.
#[derive(Template)]
#[template(path = "check.html")]
pub(crate) struct Check {
    pub(crate) t: Language,
    pub(crate) problems: Problems,
    /// The names of the fields that are not empty.
    pub(crate) touched: Vec<&'static str>,
    pub(crate) is_good: bool,
}

/// Whether the allowlist allows an address.
#[derive(Template)]
#[template(path = "address.html")]
pub(crate) struct Address {
    pub(crate) is_good: bool,
    pub(crate) text: String,
}

/// A new token. No other page shows its secret.
#[derive(Template)]
#[template(path = "token.html")]
pub(crate) struct NewToken {
    pub(crate) t: Language,
    pub(crate) frame: Frame,
    pub(crate) endpoint: String,
    pub(crate) token: String,
    pub(crate) label: String,
    pub(crate) origin: Option<String>,
    /// The state of the replaced token, if there is one.
    pub(crate) about_old: Option<String>,
}

/// The form that changes a token.
#[derive(Template)]
#[template(path = "edit.html")]
pub(crate) struct Edit {
    pub(crate) t: Language,
    pub(crate) frame: Frame,
    pub(crate) id: TokenId,
    pub(crate) workspaces: Vec<(WorkspaceId, String)>,
    pub(crate) form: TokenForm,
    pub(crate) problems: Problems,
}

/// The confirmation page before a token is revoked or reset.
#[derive(Template)]
#[template(path = "confirm.html")]
pub(crate) struct Confirm {
    pub(crate) t: Language,
    pub(crate) frame: Frame,
    pub(crate) token: ListedToken,
    /// The id of the new token; `None` if the token is to be revoked.
    pub(crate) reset: Option<TokenId>,
}

/// The steps to set up an identity provider.
#[derive(Template)]
#[template(path = "guide.html")]
pub(crate) struct Guide {
    pub(crate) t: Language,
    pub(crate) frame: Frame,
    pub(crate) provider: &'static str,
    pub(crate) endpoint: String,
}

/// The state of a token: the id of its text, and a class of the stylesheet.
pub(crate) fn state(token: &ListedToken, now: Timestamp) -> (&'static str, &'static str) {
    match (token.revoked_at, token.settings.expires_at) {
        (Some(_), _) => ("state-revoked", "off"),
        (None, Some(at)) if at <= now => ("state-expired", "off"),
        (None, Some(at)) if at <= now.after_seconds(30 * 24 * 60 * 60) => ("state-ending", "soon"),
        (None, _) => ("state-active", "on"),
    }
}
