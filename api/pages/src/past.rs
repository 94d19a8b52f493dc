//! The users at a time, from the log; and the chart of the number of log entries over time.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use rollcall_api_core::audit::{by_now, conditions, parameter, user_at, users_at};
use rollcall_api_core::error::ApiError;
use rollcall_api_core::http::Parameters;
use rollcall_api_core::read::{KINDS, TimelineBucket, log_timeline};
use rollcall_events::{Timestamp, UserId};
use rollcall_scim::ScimError;
use serde_json::Value;

use super::context::Pages;
use super::error::{PageError, PageResult};
use super::session::Administrator;
use super::text::Language;
use super::view::{self, Chart, Frame, Past, PastUser, Segment, UserRow, kind_text, minute, user_attributes};

/// The path of this page.
const PATH: &str = "/audit/users";
/// Number of users on a page.
const COUNT: u32 = 50;

/// The requested time. A browser's field gives it to the minute, in UTC. Without a parameter it is the
/// current time.
fn at(parameters: &Parameters) -> Result<Timestamp, ApiError> {
    let Some(text) = parameters.get("at").filter(|text| !text.is_empty()) else { return Ok(Timestamp::now()) };
    let read = text.parse().or_else(|_| format!("{text}:00Z").parse());
    read.map_err(|_| ScimError::invalid_value(format!("at: {text} is not a time such as 2026-01-31T00:00:00Z")).into())
}

/// A time as a browser's input field takes it.
fn field(time: Timestamp) -> String {
    time.to_string().get(..16).unwrap_or_default().to_owned()
}

/// `GET /audit/users?at=`: the users at a time.
pub(super) async fn list(admin: Administrator, parameters: Parameters, pages: Data<Pages>, t: Language) -> PageResult {
    let (at, after) = (at(&parameters)?, parameter(&parameters, "cursor", "a cursor").map_err(ApiError::from)?);
    let (users, next) = users_at(&pages.database, admin.person.organization_id, at, after, COUNT).await?;
    let next = next.map(|next| format!("{PATH}?at={at}&cursor={next}"));
    let users = users.iter().filter_map(Value::as_object).map(UserRow::new).collect();
    let frame = Frame { admin, path: PATH.to_owned() };
    Ok(view::page(
        StatusCode::OK,
        &Past { t, frame, at: at.to_string(), field: field(at), shown: minute(&at), users, next },
    ))
}

/// `GET /audit/users/{id}?at=`: one user at a time.
pub(super) async fn show(
    admin: Administrator,
    id: Path<String>,
    parameters: Parameters,
    pages: Data<Pages>,
    t: Language,
) -> PageResult {
    let (at, id) = (at(&parameters)?, id.parse::<UserId>().map_err(|_| PageError::NotFound)?);
    let found = user_at(&pages.database, admin.person.organization_id, id.0, at).await?;
    let user = found.as_ref().and_then(Value::as_object);
    let (name, attributes) =
        (user.map(|user| UserRow::new(user).user_name), user.map(user_attributes).unwrap_or_default());
    let frame = Frame { admin, path: format!("{PATH}/{id}") };
    Ok(view::page(StatusCode::OK, &PastUser { t, frame, id, field: field(at), shown: minute(&at), name, attributes }))
}

/// Height of the chart, in the units of the picture.
const HEIGHT: u64 = 100;

/// `GET /audit/chart`: the number of entries over time, among the newest that match the conditions in the
/// address.
pub(super) async fn chart(admin: Administrator, parameters: Parameters, pages: Data<Pages>, t: Language) -> PageResult {
    let organization = admin.person.organization_id;
    let wanted = conditions(&pages.database, organization, &parameters).await?;
    let wanted = by_now(&pages.database, organization, wanted).await?;
    let timeline = log_timeline(&pages.database, organization, &wanted).await?;
    let total = |kind: usize| timeline.buckets.iter().map(|bucket| bucket.counts[kind]).sum();
    let totals = KINDS.iter().enumerate().map(|(index, kind)| (*kind, kind_text(kind), total(index))).collect();
    let range = timeline.range.map(|(from, until)| (minute(&from), minute(&until)));
    Ok(view::page(StatusCode::OK, &Chart { t, range, totals, segments: segments(&timeline.buckets) }))
}

/// The segments of the bars, stacked from the bottom.
fn segments(buckets: &[TimelineBucket]) -> Vec<Segment> {
    let most = buckets.iter().map(|bucket| bucket.counts.iter().sum::<u64>()).max().unwrap_or_default().max(1);
    let mut segments = Vec::new();
    for bucket in buckets {
        let mut sum = 0;
        for (kind, count) in KINDS.iter().zip(bucket.counts).filter(|(_, count)| *count > 0) {
            // A small count still gets a visible segment.
            let (below, above) = (sum * HEIGHT / most, ((sum + count) * HEIGHT / most).max(sum * HEIGHT / most + 1));
            segments.push(Segment {
                kind,
                x: bucket.bucket * 10,
                y: HEIGHT.saturating_sub(above),
                height: above - below,
            });
            sum += count;
        }
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_stacked_and_the_highest_bar_fills_the_picture() {
        let buckets = [
            TimelineBucket { bucket: 0, counts: [1, 0, 0, 3] },
            TimelineBucket { bucket: 7, counts: [1000, 0, 0, 0] },
            TimelineBucket { bucket: 9, counts: [0; 4] },
        ];
        let drawn: Vec<_> =
            segments(&buckets).iter().map(|segment| (segment.kind, segment.x, segment.y, segment.height)).collect();
        assert_eq!(drawn, [("users", 0, 99, 1), ("rejected", 0, 99, 1), ("users", 70, 0, 100)]);
    }

    #[test]
    fn a_time_is_read_as_a_browser_gives_it() {
        let read = |text: &str| at(&Parameters::read(&format!("at={text}")).unwrap()).map(|at| at.to_string());
        assert_eq!(read("2026-01-31T10:00").unwrap(), "2026-01-31T10:00:00.000000Z");
        assert_eq!(read("2026-01-31T10:00:30Z").unwrap(), "2026-01-31T10:00:30.000000Z");
        assert!(read("yesterday").is_err());
    }
}
