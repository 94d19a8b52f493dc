//! What the log says that users were at a date, and how much of what happened when.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use rollcall_events::{Timestamp, UserId};
use rollcall_scim::ScimError;
use serde_json::Value;

use super::error::PageError;
use super::session::Administrator;
use super::text::Language;
use super::users::{facts, shown};
use super::view::{self, Chart, Frame, Past, PastUser, kind_text, minute};
use super::{PageResult, Pages};
use crate::audit::{by_now, conditions, parameter, user_at, users_at};
use crate::error::ApiError;
use crate::read::{KINDS, Moment, log_timeline};
use crate::scim::Parameters;

/// The path of this page.
const PATH: &str = "/audit/users";
/// How many users a page shows.
const COUNT: u32 = 50;

/// When is asked for: a time, or one as a browser's field gives it, to the minute and in UTC; nothing is now.
fn at(parameters: &Parameters) -> Result<Timestamp, ApiError> {
    let Some(text) = parameters.get("at").filter(|text| !text.is_empty()) else { return Ok(Timestamp::now()) };
    let read = text.parse().or_else(|_| format!("{text}:00Z").parse());
    read.map_err(|_| ScimError::invalid_value(format!("at: {text} is not a time such as 2026-01-31T00:00:00Z")).into())
}

/// A time as a browser's field takes it.
fn field(time: Timestamp) -> String {
    time.to_string().get(..16).unwrap_or_default().to_owned()
}

/// `GET /audit/users?at=`: the users as they were.
pub(super) async fn list(admin: Administrator, parameters: Parameters, pages: Data<Pages>, t: Language) -> PageResult {
    let (at, after) = (at(&parameters)?, parameter(&parameters, "cursor", "a cursor").map_err(ApiError::from)?);
    let (users, next) = users_at(&pages.database, admin.who.organization_id, at, after, COUNT).await?;
    let next = next.map(|next| format!("{PATH}?at={at}&cursor={next}"));
    let users = users.iter().filter_map(Value::as_object).map(shown).collect();
    let frame = Frame { admin, path: PATH.to_owned() };
    Ok(view::page(StatusCode::OK, &Past { t, frame, at: at.to_string(), field: field(at), shown: minute(&at), users, next }))
}

/// `GET /audit/users/{id}?at=`: one user as it was.
pub(super) async fn show(admin: Administrator, id: Path<String>, parameters: Parameters, pages: Data<Pages>, t: Language) -> PageResult {
    let (at, id) = (at(&parameters)?, id.parse::<UserId>().map_err(|_| PageError::NotFound)?);
    let found = user_at(&pages.database, admin.who.organization_id, id.0, at).await?;
    let user = found.as_ref().and_then(Value::as_object);
    let (name, facts) = (user.map(|user| shown(user).user_name), user.map(facts).unwrap_or_default());
    let frame = Frame { admin, path: format!("{PATH}/{id}") };
    Ok(view::page(StatusCode::OK, &PastUser { t, frame, id, field: field(at), shown: minute(&at), name, facts }))
}

/// How high the chart is, in the units of its picture.
const HEIGHT: u64 = 100;

/// A part of a bar.
pub(super) struct Part {
    pub(super) kind: &'static str,
    pub(super) x: usize,
    pub(super) y: u64,
    pub(super) height: u64,
}

/// `GET /audit/chart`: how much of what happened when, among the newest entries that the conditions in the address leave.
pub(super) async fn chart(admin: Administrator, parameters: Parameters, pages: Data<Pages>, t: Language) -> PageResult {
    let organization = admin.who.organization_id;
    let wanted = conditions(&pages.database, organization, &parameters).await?;
    let wanted = by_now(&pages.database, organization, wanted).await?;
    let timeline = log_timeline(&pages.database, organization, &wanted).await?;
    let total = |kind: usize| timeline.moments.iter().map(|moment| moment.counts[kind]).sum();
    let totals = KINDS.iter().enumerate().map(|(index, kind)| (*kind, kind_text(kind), total(index))).collect();
    let range = timeline.range.map(|(from, until)| (minute(&from), minute(&until)));
    Ok(view::page(StatusCode::OK, &Chart { t, range, totals, parts: parts(&timeline.moments) }))
}

/// The bars, each of its parts upon the one before.
fn parts(moments: &[Moment]) -> Vec<Part> {
    let most = moments.iter().map(|moment| moment.counts.iter().sum::<u64>()).max().unwrap_or_default().max(1);
    let mut parts = Vec::new();
    for moment in moments {
        let mut sum = 0;
        for (kind, count) in KINDS.iter().zip(moment.counts).filter(|(_, count)| *count > 0) {
            // What is there at all can be seen.
            let (below, above) = (sum * HEIGHT / most, ((sum + count) * HEIGHT / most).max(sum * HEIGHT / most + 1));
            parts.push(Part { kind, x: moment.bucket * 10, y: HEIGHT.saturating_sub(above), height: above - below });
            sum += count;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_bar_stand_on_each_other_and_the_highest_fills_the_picture() {
        let moments = [
            Moment { bucket: 0, counts: [1, 0, 0, 3] },
            Moment { bucket: 7, counts: [1000, 0, 0, 0] },
            Moment { bucket: 9, counts: [0; 4] },
        ];
        let told: Vec<_> = parts(&moments).iter().map(|part| (part.kind, part.x, part.y, part.height)).collect();
        assert_eq!(told, [("users", 0, 99, 1), ("refused", 0, 99, 1), ("users", 70, 0, 100)]);
    }

    #[test]
    fn a_time_is_read_as_a_browser_gives_it() {
        let read = |text: &str| at(&Parameters::read(&format!("at={text}")).unwrap()).map(|at| at.to_string());
        assert_eq!(read("2026-01-31T10:00").unwrap(), "2026-01-31T10:00:00.000000Z");
        assert_eq!(read("2026-01-31T10:00:30Z").unwrap(), "2026-01-31T10:00:30.000000Z");
        assert!(read("yesterday").is_err());
    }
}
