//! The log, to look at: a table that grows while it is watched, and each entry with what it changed.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, LOCATION};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use futures_util::stream;
use rollcall_events::UserId;
use rollcall_events::log::{EventType, Salt, SubjectType, canonical};
use rollcall_events::request::SettingsRequested;
use rollcall_scim::ScimError;
use rollcall_service::entries::StoredEntry;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::error::PageError;
use super::frame::comes_from_here;
use super::posted::Form;
use super::session::{Administrator, LIFE_SECONDS};
use super::sign_in::Bare;
use super::text::Language;
use super::view::{self, Audit, Entry, Erase, Frame, Row, Rows, event_text, minute, second};
use super::{PageResult, Pages};
use crate::audit::{Inclusion, Watch, by_now, conditions, difference, exported, included, parameter, server_sent};
use crate::error::{ApiError, ApiResult};
use crate::read::{Entries, Order, log_entries, log_size, session_lasts};
use crate::scim::Parameters;

/// The path of this page.
pub(super) const PATH: &str = "/audit";
/// How many entries a page shows.
const COUNT: u32 = 50;
/// What can be asked for, and so stands in the address of a page.
const ASKED: [&str; 8] = ["txn", "type", "outcome", "userName", "subject", "address", "since", "until"];

/// `GET /audit`: the newest entries that the conditions in the address leave, or those before a place.
pub(super) async fn list(admin: Administrator, parameters: Parameters, pages: Data<Pages>, t: Language) -> PageResult {
    // First the size, then the entries: what is logged in between comes by the live table as well as in the page, and is known by its place.
    let size = log_size(&pages.database, admin.who.organization_id).await?;
    let (Entries { entries, goes_on }, problem) = match find(&admin, &parameters, &pages).await {
        Ok(found) => (found, None),
        Err(ApiError::Scim(error)) if error.status == 400 => (Entries::default(), Some(error.detail)),
        Err(error) => return Err(error.into()),
    };
    let asked: Vec<_> = ASKED.iter().map(|name| (*name, parameters.get(name).unwrap_or_default().to_owned())).collect();
    let query = parameters.kept(&ASKED);
    let older = entries.last().filter(|_| goes_on).map(|last| format!("{PATH}?before={}{query}", last.header.seq));
    let chart = format!("{PATH}/chart?{}", query.trim_start_matches('&'));
    let live = (problem.is_none() && parameters.get("before").is_none()).then(|| {
        let after = entries.first().map_or(size, |first| first.header.seq.max(size));
        format!("{PATH}/live?after={after}{query}")
    });
    let (frame, rows) = (Frame { admin, path: PATH.to_owned() }, entries.iter().map(|entry| row(entry, t)).collect());
    let types = EventType::ALL.iter().map(|event_type| (event_type.as_str(), event_text(*event_type, t))).collect();
    Ok(view::page(StatusCode::OK, &Audit { t, frame, rows, types, asked, problem, older, live, chart }))
}

async fn find(admin: &Administrator, parameters: &Parameters, pages: &Pages) -> Result<Entries, ApiError> {
    let organization = admin.who.organization_id;
    let before = parameter(parameters, "before", "a place in the log")?;
    let wanted = conditions(&pages.database, organization, parameters).await?;
    let wanted = by_now(&pages.database, organization, wanted).await?;
    Ok(log_entries(&pages.database, organization, &wanted, Order::NewestFirst { before }, COUNT).await?)
}

/// A row of the table.
pub(super) fn row(entry: &StoredEntry, t: Language) -> Row {
    let header = &entry.header;
    let payload: Value = entry.payload.as_ref().and_then(|payload| serde_json::from_str(payload.get()).ok()).unwrap_or_default();
    Row {
        seq: header.seq,
        time: second(header.recorded_at),
        event: event_text(header.event_type, t),
        is_refused: header.error.is_some(),
        detail: header.error.as_ref().map(|error| error.detail.clone()),
        subject: name(&payload).or_else(|| header.subject_id.map(|id| id.to_string())).unwrap_or_default(),
        by: header.actor.label.clone().unwrap_or_default(),
        from: header.actor.address.map(|address| address.to_string()).unwrap_or_default(),
    }
}

/// What the thing is called that an entry is about.
fn name(payload: &Value) -> Option<String> {
    let places = [
        "/resource/userName",
        "/resource/displayName",
        "/userName",
        "/token/settings/label",
        "/settings/label",
        "/stream/settings/label",
        "/workspace/name",
        "/link/name",
        "/label",
        "/name",
    ];
    places.iter().find_map(|place| payload.pointer(place)?.as_str().map(str::to_owned))
}

/// `GET /audit/events/{seq}`: an entry, with what it changed.
pub(super) async fn entry(admin: Administrator, seq: Path<String>, pages: Data<Pages>, t: Language) -> PageResult {
    let organization = admin.who.organization_id;
    let entry = find_entry(&admin, &seq, &pages).await?;
    let seq = entry.header.seq;
    let changes = difference(&pages.database, organization, &entry).await?;
    let payload: Option<Value> = entry.payload.as_ref().and_then(|payload| serde_json::from_str(payload.get()).ok());
    let written = payload.map(|payload| serde_json::to_string_pretty(&payload).unwrap_or_default());
    let is_erasable = admin.may_administer() && entry.header.event_type == EventType::UserDeleted && entry.payload.is_some();
    let is_user = entry.header.subject_type == Some(SubjectType::User);
    let (frame, row, recorded) = (Frame { admin, path: format!("{PATH}/events/{seq}") }, row(&entry, t), minute(&entry.header.recorded_at));
    Ok(view::page(
        StatusCode::OK,
        &Entry {
            t,
            frame,
            row,
            recorded,
            header: entry.header,
            leaf: entry.leaf.to_string(),
            changes,
            payload: written,
            is_user,
            is_erasable,
        },
    ))
}

async fn find_entry(admin: &Administrator, seq: &str, pages: &Pages) -> Result<StoredEntry, PageError> {
    let seq: u64 = seq.parse().ok().filter(|seq| *seq > 0).ok_or(PageError::NotFound)?;
    let found = log_entries(&pages.database, admin.who.organization_id, &[], Order::OldestFirst { after: seq - 1 }, 1).await?;
    found.entries.into_iter().find(|entry| entry.header.seq == seq).ok_or(PageError::NotFound)
}

/// What a browser checks an entry with: the proof, and the very texts that are hashed.
#[derive(Serialize)]
struct Checked {
    #[serde(flatten)]
    inclusion: Inclusion,
    header: String,
    payload: Option<String>,
    salt: Option<Salt>,
}

/// `GET /audit/events/{seq}/proof`: what it takes to check an entry.
pub(super) async fn proof(admin: Administrator, seq: Path<String>, pages: Data<Pages>) -> PageResult {
    let entry = find_entry(&admin, &seq, &pages).await?;
    let inclusion = included(&pages.database, admin.who.organization_id, entry.header.seq, None).await?;
    let unwritable = |error: &dyn std::fmt::Display| ApiError::Internal(format!("an entry cannot be written: {error}"));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|error| unwritable(&error));
    let canonical = |payload: Box<RawValue>| {
        let payload: Value = serde_json::from_str(payload.get()).map_err(|error| unwritable(&error))?;
        text(canonical(&payload).map_err(|error| unwritable(&error))?)
    };
    let header = text(serde_json::to_vec(&entry.header).map_err(|error| unwritable(&error))?)?;
    let payload = entry.payload.map(canonical).transpose()?;
    Ok(HttpResponse::Ok().json(Checked { inclusion, header, payload, salt: entry.salt }))
}

/// `GET /audit/users/{id}/erase`: asks once.
pub(super) async fn ask_erase(admin: Administrator, id: Path<String>, t: Language) -> PageResult {
    admin.must_administer()?;
    let id: UserId = id.parse().map_err(|_| PageError::NotFound)?;
    let frame = Frame { admin, path: format!("{PATH}/users/{id}/erase") };
    Ok(view::page(StatusCode::OK, &Erase { t, frame, id }))
}

/// `POST /audit/users/{id}/erase`: what the log holds about a deleted user is erased.
pub(super) async fn erase(admin: Administrator, id: Path<String>, form: Form<Bare>, pages: Data<Pages>) -> PageResult {
    admin.must_administer()?;
    admin.check(&form.csrf)?;
    let user_id: UserId = id.parse().map_err(|_| PageError::NotFound)?;
    pages.ask(&admin, SettingsRequested::EraseUser { user_id }).await?;
    let location = (LOCATION, pages.address(&format!("{PATH}?subject={user_id}")));
    Ok(HttpResponse::SeeOther().insert_header(location).finish())
}

/// `POST /audit/v1/users/{id}/erase`: the same for programs of an administrator, which hold a session as a browser does. What they send must be
/// called JSON, as no form of another site can call it.
pub(super) async fn erase_by_api(
    admin: Result<Administrator, PageError>,
    http: HttpRequest,
    id: Path<String>,
    pages: Data<Pages>,
) -> ApiResult {
    let is_json = http.headers().get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    if !is_json {
        return Err(ScimError::new(415, "Content-Type must be application/json").into());
    }
    if !comes_from_here(&http) {
        return Err(ScimError::new(403, "the call comes from a page of another site").into());
    }
    let admin = admin.map_err(PageError::into_api)?;
    admin.must_administer().map_err(PageError::into_api)?;
    let user_id: UserId = id.parse().map_err(|_| ScimError::new(404, "the log knows of no such user"))?;
    pages.ask(&admin, SettingsRequested::EraseUser { user_id }).await.map_err(PageError::into_api)?;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /audit/export`: the log to take away.
pub(super) async fn export(admin: Administrator, http: HttpRequest, parameters: Parameters, pages: Data<Pages>) -> PageResult {
    Ok(exported(admin.who.organization_id, &http, &parameters, pages.database.clone()).await?)
}

/// `GET /audit/live?after=`: rows of the table as Server-Sent Events, as the log grows.
pub(super) async fn live(admin: Administrator, parameters: Parameters, pages: Data<Pages>, t: Language) -> PageResult {
    let organization = admin.who.organization_id;
    let following = pages.followers.follow(organization).ok_or(ApiError::Unavailable("too many follow the logs"))?;
    let after = parameter(&parameters, "after", "a place in the log").map_err(ApiError::from)?.unwrap_or_default();
    let conditions = conditions(&pages.database, organization, &parameters).await?;
    let watch = Watch { database: pages.database.clone(), organization, conditions, following, after, most: COUNT };
    let session = admin.who.session_id;
    Ok(server_sent(stream::try_unfold(watch, move |mut watch| async move {
        let database = watch.database.clone();
        let lasts = async || session_lasts(&database, organization, session, LIFE_SECONDS).await;
        let next = watch.next(lasts, |entries| rows(entries, t)).await?;
        Ok(next.map(|bytes| (bytes, watch)))
    })))
}

/// Rows of the table, the newest first, as an event whose id is the place of that one.
fn rows(entries: &[StoredEntry], t: Language) -> Result<String, ApiError> {
    let newest = entries.last().map_or(0, |last| last.header.seq);
    let rows = Rows { t, rows: entries.iter().rev().map(|entry| row(entry, t)).collect() };
    let rows = rows.render().map_err(|error| ApiError::Internal(format!("rows cannot be written: {error}")))?;
    Ok(event(newest, &rows))
}

/// A text as a Server-Sent Event.
fn event(id: u64, text: &str) -> String {
    let lines: String = text.lines().flat_map(|line| ["data: ", line, "\n"]).collect();
    format!("id: {id}\n{lines}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_thing_is_called_by_its_name() {
        assert_eq!(name(&json!({"resource": {"userName": "ada"}})).as_deref(), Some("ada"));
        assert_eq!(name(&json!({"token": {"settings": {"label": "HR"}}})).as_deref(), Some("HR"));
        assert_eq!(name(&json!({"at": "now"})), None);
    }

    #[test]
    fn every_line_of_an_event_is_data() {
        assert_eq!(event(7, "<tr>\n</tr>"), "id: 7\ndata: <tr>\ndata: </tr>\n\n");
    }
}
