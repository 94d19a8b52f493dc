//! The page of one call, and the switch for the recording of bodies.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Path};
use rollcall_api_core::read::find_call;
use rollcall_events::Timestamp;
use rollcall_events::request::ChangeRecording;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::call_log::PATH;
use super::context::Pages;
use super::error::{PageError, PageResult};
use super::form::Form;
use super::session::Administrator;
use super::text::Language;
use super::view::{self, CallPage, CallRow, Frame, RECORDING_HOURS};

/// `GET /call-log/{id}`: one call.
pub(super) async fn show(admin: Administrator, id: Path<String>, pages: Data<Pages>, t: Language) -> PageResult {
    admin.must_administer()?;
    let id: Uuid = id.parse().map_err(|_| PageError::NotFound)?;
    let found = find_call(&pages.database, admin.person.organization_id, id).await?.ok_or(PageError::NotFound)?;
    let bodies = [("body-request", found.request_body), ("body-response", found.response_body)];
    let bodies = bodies.into_iter().filter_map(|(name, body)| Some((name, indented(body?)))).collect();
    let frame = Frame { admin, path: format!("{PATH}/{id}") };
    Ok(view::page(StatusCode::OK, &CallPage { t, frame, call: CallRow::new(found.call, t), bodies }))
}

/// A body with line breaks. A shortened body is not valid JSON and stays as it is.
fn indented(body: String) -> String {
    match serde_json::from_str::<Value>(&body) {
        Ok(value) => serde_json::to_string_pretty(&value).unwrap_or(body),
        Err(_) => body,
    }
}

/// The form that switches recording on or off.
#[derive(Debug, Deserialize)]
pub(super) struct Recording {
    csrf: String,
    /// For how many hours to record bodies; 0 to stop.
    hours: u32,
}

/// `POST /call-log/recording`: records bodies for some hours, or stops recording.
pub(super) async fn record(admin: Administrator, form: Form<Recording>, pages: Data<Pages>) -> PageResult {
    admin.must_administer()?;
    admin.check(&form.csrf)?;
    let is_offered = form.hours == 0 || RECORDING_HOURS.contains(&form.hours);
    if is_offered {
        let until = (form.hours > 0).then(|| Timestamp::now().after_seconds(form.hours * 3600));
        admin.apply(&pages, ChangeRecording { until }).await?;
    }
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, pages.address(PATH))).finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_body_is_indented_and_a_shortened_one_stays_as_it_is() {
        assert_eq!(indented("{\"a\":1}".to_owned()), "{\n  \"a\": 1\n}");
        assert_eq!(indented("{\"a\":…".to_owned()), "{\"a\":…");
    }
}
