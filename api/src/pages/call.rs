//! One call with all that was observed of it, and whether what calls hold is recorded.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Path};
use rollcall_events::Timestamp;
use rollcall_events::request::{MAX_RECORDING_SECONDS, SettingsRequested};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::error::PageError;
use super::posted::Form;
use super::requests::{PATH, row};
use super::session::Administrator;
use super::text::Language;
use super::view::{self, CallPage, Frame};
use super::{PageResult, Pages};
use crate::read::find_call;

/// For how many hours bodies can be recorded.
pub(super) const HOURS: [u32; 4] = [1, 8, 24, MAX_RECORDING_SECONDS / 3600];

/// `GET /requests/{id}`: one call.
pub(super) async fn show(admin: Administrator, id: Path<String>, pages: Data<Pages>, t: Language) -> PageResult {
    admin.must_administer()?;
    let id: Uuid = id.parse().map_err(|_| PageError::NotFound)?;
    let found = find_call(&pages.database, admin.who.organization_id, id).await?.ok_or(PageError::NotFound)?;
    let bodies = [("body-request", found.request_body), ("body-response", found.response_body)];
    let bodies = bodies.into_iter().filter_map(|(name, body)| Some((name, readable(body?)))).collect();
    let frame = Frame { admin, path: format!("{PATH}/{id}") };
    Ok(view::page(StatusCode::OK, &CallPage { t, frame, call: row(found.call, t), bodies }))
}

/// A body as a person would write it; one that was shortened is shown as it is.
fn readable(body: String) -> String {
    match serde_json::from_str::<Value>(&body) {
        Ok(value) => serde_json::to_string_pretty(&value).unwrap_or(body),
        Err(_) => body,
    }
}

/// For how long bodies are to be recorded.
#[derive(Debug, Deserialize)]
pub(super) struct Recording {
    csrf: String,
    /// 0 for no longer.
    hours: u32,
}

/// `POST /requests/recording`: has bodies recorded for a while, or no longer.
pub(super) async fn record(admin: Administrator, form: Form<Recording>, pages: Data<Pages>) -> PageResult {
    admin.must_administer()?;
    admin.check(&form.csrf)?;
    let is_known = form.hours == 0 || HOURS.contains(&form.hours);
    if is_known {
        let until = (form.hours > 0).then(|| Timestamp::now().after_seconds(form.hours * 3600));
        pages.ask(&admin, SettingsRequested::ChangeRecording { until }).await?;
    }
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, pages.address(PATH))).finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_shown_line_by_line_where_it_is_whole() {
        assert_eq!(readable("{\"a\":1}".to_owned()), "{\n  \"a\": 1\n}");
        assert_eq!(readable("{\"a\":…".to_owned()), "{\"a\":…");
    }
}
