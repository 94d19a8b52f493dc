//! What the pages show: one type for each template in `api/templates`.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;
use rollcall_events::log::{EventType, Header};
use rollcall_events::{GroupId, OrganizationId, Timestamp, TokenId, UserId, WorkspaceId};

use super::form::{Problems, TokenForm};
use super::session::{Administrator, role_text};
use super::text::Language;
use crate::audit::Change;
use crate::read::{Belonging, ListedGroup, ListedToken, ListedWorkspace, Who, WorkspaceMember};

/// Writes a page.
pub(super) fn page(status: StatusCode, template: &impl Template) -> HttpResponse {
    match template.render() {
        Ok(page) => HttpResponse::build(status).content_type("text/html; charset=utf-8").body(page),
        Err(error) => {
            tracing::error!(%error, "a page cannot be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// What is around every page of somebody who is signed in.
pub(super) struct Frame {
    pub(super) admin: Administrator,
    /// The path, for the language switch and the navigation.
    pub(super) path: String,
}

impl Frame {
    /// Whether a place of the navigation is where this page is.
    fn is_in(&self, place: &str) -> bool {
        self.path.starts_with(place)
    }

    fn role(&self) -> &'static str {
        role_text(self.admin.who.role)
    }
}

/// A page for nobody in particular that says what went wrong.
#[derive(Template)]
#[template(path = "failed.html")]
pub(super) struct Failed {
    pub(super) t: Language,
    pub(super) title: String,
    pub(super) text: String,
    pub(super) detail: String,
    pub(super) can_sign_in: bool,
}

/// The page that asks somebody who has several organisations for which of them to sign in to.
#[derive(Template)]
#[template(path = "choose.html")]
pub(super) struct Choose {
    pub(super) t: Language,
    /// The organisations, and what role there is in each, as a text.
    pub(super) choices: Vec<(OrganizationId, String, &'static str)>,
    /// Who it is, sealed.
    pub(super) known: String,
}

/// The page that a sign-in link leads to.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub(super) struct SignIn {
    pub(super) t: Language,
    pub(super) who: Who,
    pub(super) link: String,
}

impl SignIn {
    fn role(&self) -> &'static str {
        role_text(self.who.role)
    }
}

/// Settings > SCIM provisioning.
#[derive(Template)]
#[template(path = "scim.html")]
pub(super) struct Scim {
    pub(super) t: Language,
    pub(super) frame: Frame,
    pub(super) endpoint: String,
    pub(super) tokens: Vec<ListedToken>,
    pub(super) workspaces: Vec<(WorkspaceId, String)>,
    pub(super) form: TokenForm,
    pub(super) problems: Problems,
    pub(super) now: Timestamp,
}

/// What is wrong with the form, and the button, as it is typed.
#[derive(Template)]
#[template(path = "check.html")]
pub(super) struct Check {
    pub(super) t: Language,
    pub(super) problems: Problems,
    /// Fields that somebody has been in.
    pub(super) touched: Vec<&'static str>,
    pub(super) is_good: bool,
}

/// Whether an address would be let in.
#[derive(Template)]
#[template(path = "address.html")]
pub(super) struct Address {
    pub(super) is_good: bool,
    pub(super) text: String,
}

/// A token, shown this once.
#[derive(Template)]
#[template(path = "token.html")]
pub(super) struct Generated {
    pub(super) t: Language,
    pub(super) frame: Frame,
    pub(super) endpoint: String,
    pub(super) token: String,
    pub(super) label: String,
    pub(super) origin: Option<String>,
    /// What became of the token that it replaces, if it replaces one.
    pub(super) about_old: Option<String>,
}

/// A form that changes a token.
#[derive(Template)]
#[template(path = "edit.html")]
pub(super) struct Edit {
    pub(super) t: Language,
    pub(super) frame: Frame,
    pub(super) id: TokenId,
    pub(super) workspaces: Vec<(WorkspaceId, String)>,
    pub(super) form: TokenForm,
    pub(super) problems: Problems,
}

/// A question before something that cannot be taken back.
#[derive(Template)]
#[template(path = "confirm.html")]
pub(super) struct Confirm {
    pub(super) t: Language,
    pub(super) frame: Frame,
    pub(super) token: ListedToken,
    /// The id of the token that takes its place, where it is to be reset.
    pub(super) reset: Option<TokenId>,
}

/// How to set up an identity provider.
#[derive(Template)]
#[template(path = "guide.html")]
pub(super) struct Guide {
    pub(super) t: Language,
    pub(super) frame: Frame,
    pub(super) provider: &'static str,
    pub(super) endpoint: String,
}

/// A row of the log's table.
pub(super) struct Row {
    pub(super) seq: u64,
    pub(super) time: String,
    pub(super) event: String,
    pub(super) is_refused: bool,
    pub(super) detail: Option<String>,
    /// What the thing is called that it is about.
    pub(super) subject: String,
    pub(super) by: String,
    pub(super) from: String,
}

/// The log.
#[derive(Template)]
#[template(path = "audit.html")]
pub(super) struct Audit {
    pub(super) t: Language,
    pub(super) frame: Frame,
    pub(super) rows: Vec<Row>,
    /// Every type, with its name for people.
    pub(super) types: Vec<(&'static str, String)>,
    /// What was asked for, by the names of the parameters.
    pub(super) asked: Vec<(&'static str, String)>,
    pub(super) problem: Option<String>,
    /// Where older entries are.
    pub(super) older: Option<String>,
    /// Where newer ones come from as they are logged.
    pub(super) live: Option<String>,
}

/// Rows alone, for a table that is there.
#[derive(Template)]
#[template(path = "rows.html")]
pub(super) struct Rows {
    pub(super) t: Language,
    pub(super) rows: Vec<Row>,
}

/// A call that was observed.
pub(super) struct CallRow {
    pub(super) time: String,
    pub(super) meaning: String,
    /// Method and path.
    pub(super) asked: String,
    pub(super) query: Option<String>,
    pub(super) subject: String,
    pub(super) is_failed: bool,
    pub(super) status: u16,
    pub(super) error: String,
    pub(super) took: String,
    pub(super) txn: Option<String>,
    pub(super) by: String,
    pub(super) from: String,
    pub(super) user_agent: String,
}

/// Calls.
#[derive(Template)]
#[template(path = "requests.html")]
pub(super) struct Calls {
    pub(super) t: Language,
    pub(super) frame: Frame,
    pub(super) rows: Vec<CallRow>,
    /// Every meaning, with its name for people.
    pub(super) meanings: Vec<(&'static str, String)>,
    pub(super) q: String,
    pub(super) meaning: String,
    pub(super) outcome: String,
    pub(super) problem: Option<String>,
    pub(super) older: Option<String>,
    /// Where newer ones are asked for.
    pub(super) next: Option<String>,
}

/// Newer calls alone, for a table that is there.
#[derive(Template)]
#[template(path = "new_calls.html")]
pub(super) struct NewCalls {
    pub(super) t: Language,
    pub(super) rows: Vec<CallRow>,
    pub(super) next: Option<String>,
}

/// A user, on a line.
pub(super) struct UserRow {
    pub(super) id: String,
    pub(super) user_name: String,
    pub(super) display_name: String,
    pub(super) email: String,
    pub(super) is_active: bool,
}

/// Users that were looked for.
#[derive(Template)]
#[template(path = "users.html")]
pub(super) struct Users {
    pub(super) t: Language,
    pub(super) frame: Frame,
    pub(super) asked: String,
    pub(super) problem: Option<String>,
    pub(super) total: u64,
    pub(super) found: Vec<UserRow>,
    pub(super) newer: Option<String>,
    pub(super) older: Option<String>,
}

/// An attribute of a user.
pub(super) struct Fact {
    pub(super) name: String,
    pub(super) values: Vec<String>,
}

/// A user.
#[derive(Template)]
#[template(path = "user.html")]
pub(super) struct User {
    pub(super) t: Language,
    pub(super) frame: Frame,
    pub(super) shown: UserRow,
    pub(super) facts: Vec<Fact>,
    pub(super) groups: Vec<String>,
    pub(super) belongings: Vec<Belonging>,
    pub(super) rows: Vec<Row>,
}

/// Workspaces, and the groups that can be mapped to them.
#[derive(Template)]
#[template(path = "workspaces.html")]
pub(super) struct Workspaces {
    pub(super) t: Language,
    pub(super) frame: Frame,
    pub(super) places: Vec<ListedWorkspace>,
    pub(super) groups: Vec<ListedGroup>,
}

/// A workspace.
#[derive(Template)]
#[template(path = "workspace.html")]
pub(super) struct Workspace {
    pub(super) t: Language,
    pub(super) frame: Frame,
    pub(super) name: String,
    pub(super) members: Vec<WorkspaceMember>,
}

/// A workspace that a group can be mapped to, and what its members may do there.
pub(super) struct Choice {
    pub(super) id: WorkspaceId,
    pub(super) name: String,
    pub(super) is_chosen: bool,
    pub(super) permissions: String,
}

/// What a group is mapped to.
#[derive(Template)]
#[template(path = "group.html")]
pub(super) struct Group {
    pub(super) t: Language,
    pub(super) frame: Frame,
    pub(super) id: GroupId,
    pub(super) name: String,
    pub(super) choices: Vec<Choice>,
}

/// An entry of the log.
#[derive(Template)]
#[template(path = "entry.html")]
pub(super) struct Entry {
    pub(super) t: Language,
    pub(super) frame: Frame,
    pub(super) row: Row,
    pub(super) recorded: String,
    pub(super) header: Header,
    pub(super) leaf: String,
    pub(super) changes: Vec<Change>,
    /// The facts, written to be read; `None` where they were erased.
    pub(super) payload: Option<String>,
    /// Whether it is about a deleted user whom whoever looks may erase.
    pub(super) is_erasable: bool,
}

/// A question before a deleted user is erased.
#[derive(Template)]
#[template(path = "erase.html")]
pub(super) struct Erase {
    pub(super) t: Language,
    pub(super) frame: Frame,
    pub(super) id: UserId,
}

/// What happened, for people.
pub(super) fn event_text(event_type: EventType, t: Language) -> String {
    t.get(&format!("event-{event_type}"))
}

/// The state of a token, as a text of the pages and a class of the stylesheet.
pub(super) fn state(token: &ListedToken, now: Timestamp) -> (&'static str, &'static str) {
    match (token.revoked_at, token.settings.expires_at) {
        (Some(_), _) => ("state-revoked", "off"),
        (None, Some(at)) if at <= now => ("state-expired", "off"),
        (None, Some(at)) if at <= now.after_seconds(30 * 24 * 60 * 60) => ("state-ending", "soon"),
        (None, _) => ("state-active", "on"),
    }
}

/// A time for people: to the minute, in UTC.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "templates hand references over")]
pub(super) fn minute(time: &Timestamp) -> String {
    let text = time.to_string();
    format!("{} {} UTC", text.get(..10).unwrap_or_default(), text.get(11..16).unwrap_or_default())
}

/// A time for people: to the second, in UTC.
pub(super) fn second(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{} {}", text.get(..10).unwrap_or_default(), text.get(11..19).unwrap_or_default())
}
