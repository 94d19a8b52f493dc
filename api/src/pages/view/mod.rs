//! What the pages show: one type for each template in `api/templates`.

mod audit;
mod operations;
mod people;
mod requests;
mod scim;

pub(in crate::pages) use audit::{Audit, Chart, Entry, Erase, Past, PastUser, Row, Rows, event_text, kind_text};
pub(in crate::pages) use operations::{Bar, LetterRow, Operations, Replay, ServiceStatus, Waiting};
pub(in crate::pages) use people::{Choice, Fact, Group, User, UserRow, Users, Workspace, Workspaces};
pub(in crate::pages) use requests::{CallPage, CallRow, Calls, NewCalls};
pub(in crate::pages) use scim::{Address, Check, Confirm, Edit, Generated, Guide, Scim, state};

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;
use rollcall_events::{OrganizationId, Timestamp};

use super::session::{Administrator, role_text};
use super::text::Language;
use crate::read::Who;

/// Writes a page.
pub(in crate::pages) fn page(status: StatusCode, template: &impl Template) -> HttpResponse {
    match template.render() {
        Ok(page) => HttpResponse::build(status).content_type("text/html; charset=utf-8").body(page),
        Err(error) => {
            tracing::error!(%error, "a page cannot be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// What is around every page of somebody who is signed in.
pub(in crate::pages) struct Frame {
    pub(in crate::pages) admin: Administrator,
    /// The path, for the language switch and the navigation.
    pub(in crate::pages) path: String,
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
pub(in crate::pages) struct Failed {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) title: String,
    pub(in crate::pages) text: String,
    pub(in crate::pages) detail: String,
    pub(in crate::pages) can_sign_in: bool,
}

/// The page that asks somebody who has several organizations for which of them to sign in to.
#[derive(Template)]
#[template(path = "choose.html")]
pub(in crate::pages) struct Choose {
    pub(in crate::pages) t: Language,
    /// The organizations, and what role there is in each, as a text.
    pub(in crate::pages) choices: Vec<(OrganizationId, String, &'static str)>,
    /// Who it is, sealed.
    pub(in crate::pages) known: String,
}

/// The page that a sign-in link leads to.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub(in crate::pages) struct SignIn {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) who: Who,
    pub(in crate::pages) link: String,
}

impl SignIn {
    fn role(&self) -> &'static str {
        role_text(self.who.role)
    }
}

/// A time for people: to the minute, in UTC.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "templates hand references over")]
pub(in crate::pages) fn minute(time: &Timestamp) -> String {
    let text = time.to_string();
    format!("{} {} UTC", text.get(..10).unwrap_or_default(), text.get(11..16).unwrap_or_default())
}

/// A time for people: to the second, in UTC.
pub(in crate::pages) fn second(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{} {}", text.get(..10).unwrap_or_default(), text.get(11..19).unwrap_or_default())
}

/// A duration for people.
pub(in crate::pages) fn took(micros: i64) -> String {
    match micros / 1000 {
        0..10 => format!("{}.{} ms", micros / 1000, micros % 1000 / 100),
        millis @ ..10_000 => format!("{millis} ms"),
        millis @ ..600_000 => format!("{} s", millis / 1000),
        millis => format!("{} min", millis / 60_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case(340 => "0.3 ms")]
    #[test_case(9_990 => "9.9 ms")]
    #[test_case(12_345 => "12 ms")]
    #[test_case(31_000_000 => "31 s")]
    #[test_case(3_600_000_000 => "60 min")]
    fn a_duration(micros: i64) -> String {
        took(micros)
    }
}
