//! The operations page: the state of the service, and the dead letters, which can be retried or discarded.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Path};
use rollcall_api_core::read::{DeadLetter, SHOWN_BYTES, dead_letters};
use rollcall_api_core::redact;
use rollcall_events::name::Reason;
use rollcall_events::request::{DeadLetterChange, DecideDeadLetter};
use rollcall_events::{DeadLetterId, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::context::Pages;
use super::error::{PageError, PageResult};
use super::form::{CsrfForm, Form};
use super::service_status;
use super::session::Administrator;
use super::text::Language;
use super::view::{self, DeadLetterRow, Frame, Operations, minute};

/// The path of this page.
const PATH: &str = "/operations";

/// `GET /operations`.
pub(super) async fn show(admin: Administrator, pages: Data<Pages>, t: Language) -> PageResult {
    admin.must_administer()?;
    let organization = admin.person.organization_id;
    let status = service_status::read(&pages, organization, t).await?;
    let letters = dead_letters(&pages.database, organization).await?.into_iter().map(row).collect();
    let since = Timestamp::now().before_seconds(60 * 60).to_string();
    let view = Operations { t, frame: Frame { admin, path: PATH.to_owned() }, status, since, letters };
    Ok(view::page(StatusCode::OK, &view))
}

fn row(letter: DeadLetter) -> DeadLetterRow {
    DeadLetterRow {
        id: letter.id,
        stored: minute(&letter.kept_at),
        what: letter.type_name.or(letter.message_id).unwrap_or_default(),
        reason: letter.reason,
        body: shown(&letter.body),
    }
}

/// The body of a message without secrets. A long or unreadable body is replaced by its size.
fn shown(body: &[u8]) -> String {
    if i32::try_from(body.len()).is_ok_and(|bytes| bytes > SHOWN_BYTES) {
        return format!("more than {SHOWN_BYTES} bytes");
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(mut value) => {
            redact(&mut value);
            serde_json::to_string_pretty(&value).unwrap_or_default()
        }
        Err(_) => format!("{} bytes that are not JSON", body.len()),
    }
}

/// `POST /operations/dead-letters/{id}/retry`: retries a request, unchanged.
pub(super) async fn retry(
    admin: Administrator,
    id: Path<String>,
    form: Form<CsrfForm>,
    pages: Data<Pages>,
) -> PageResult {
    decide(&admin, &id, &form.csrf, DeadLetterChange::Retry, &pages).await
}

/// The form that discards a request.
#[derive(Debug, Deserialize)]
pub(super) struct DiscardForm {
    csrf: String,
    reason: String,
}

/// `POST /operations/dead-letters/{id}/discard`: discards a request. The reason goes into the log.
pub(super) async fn discard(
    admin: Administrator,
    id: Path<String>,
    form: Form<DiscardForm>,
    pages: Data<Pages>,
) -> PageResult {
    let reason: String = form.reason.trim().chars().filter(|c| !c.is_control()).take(Reason::MAX_CHARS).collect();
    let Ok(reason) = reason.parse() else { return Ok(back(&pages)) };
    decide(&admin, &id, &form.csrf, DeadLetterChange::Discard { reason }, &pages).await
}

/// Submits the administrator's decision about a dead letter.
async fn decide(admin: &Administrator, id: &str, csrf: &str, change: DeadLetterChange, pages: &Pages) -> PageResult {
    admin.must_administer()?;
    admin.check(csrf)?;
    let dead_letter_id: DeadLetterId = id.parse().map_err(|_| PageError::NotFound)?;
    admin.apply(pages, DecideDeadLetter { dead_letter_id, change }).await?;
    Ok(back(pages))
}

fn back(pages: &Pages) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, pages.address(PATH))).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_shown_without_secrets() {
        assert_eq!(shown(b"{\"password\": \"x\"}"), "{\n  \"password\": \"•••\"\n}");
        assert_eq!(shown(b"{"), "1 bytes that are not JSON");
        assert_eq!(shown(&vec![b' '; 65_537]), "more than 65536 bytes");
    }
}
