//! The pages of the log: a table with live updates, each entry with its changes and its proof, erasure and
//! export.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, LOCATION};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use futures_util::stream;
use rollcall_api_core::audit::{
    Selection, Watch, by_now, conditions, difference, entry_proof, exported, parameter, proof_file, server_sent,
};
use rollcall_api_core::error::{ApiError, ApiResult};
use rollcall_api_core::http::Parameters;
use rollcall_api_core::openapi::Errors;
use rollcall_api_core::read::{LogPage, Order, log_entry, log_rows, log_size, session_lasts};
use rollcall_events::UserId;
use rollcall_events::log::evidence::Disclosed;
use rollcall_events::log::{EventType, SubjectType};
use rollcall_events::request::EraseUser;
use rollcall_scim::ScimError;
use rollcall_service::entries::{StoredEntry, StoredRow};
use serde_json::Value;

use super::context::Pages;
use super::error::{PageError, PageResult};
use super::form::{CsrfForm, Form};
use super::middleware::is_same_origin;
use super::session::{Administrator, LIFE_SECONDS};
use super::text::Language;
use super::view::{self, Audit, Entry, Erase, Frame, LogRow, Rows, event_name, minute};
use super::witnessing;

/// The path of this page.
pub(super) const PATH: &str = "/audit";
/// Number of entries on a page.
const COUNT: u32 = 50;
/// The conditions that a page's address may have.
const CONDITIONS: [&str; 8] = ["txn", "type", "outcome", "userName", "subject", "address", "since", "until"];

/// `GET /audit`: the newest entries that match the conditions in the address, or those before a seq.
pub(super) async fn list(admin: Administrator, parameters: Parameters, pages: Data<Pages>, t: Language) -> PageResult {
    // Read the size before the entries. An entry that is recorded in between is on the page and in the live
    // updates; the browser recognizes it by its seq. In the other order it would be missing.
    let size = log_size(&pages.database, admin.person.organization_id).await?;
    let (LogPage { entries, goes_on }, problem) = match find(&admin, &parameters, &pages).await {
        Ok(found) => (found, None),
        Err(ApiError::Scim(error)) if error.status == 400 => (LogPage::default(), Some(error.detail)),
        Err(error) => return Err(error.into()),
    };
    let asked: Vec<_> =
        CONDITIONS.iter().map(|name| (*name, parameters.get(name).unwrap_or_default().to_owned())).collect();
    let query = parameters.kept(&CONDITIONS);
    let older = entries.last().filter(|_| goes_on).map(|last| format!("{PATH}?before={}{query}", last.seq()));
    let chart = format!("{PATH}/chart?{}", query.trim_start_matches('&'));
    let live = (problem.is_none() && parameters.get("before").is_none()).then(|| {
        let after = entries.first().map_or(size, |first| first.seq().max(size));
        format!("{PATH}/live?after={after}{query}")
    });
    let (frame, rows) =
        (Frame { admin, path: PATH.to_owned() }, entries.iter().map(|row| LogRow::of(row, t)).collect());
    let types = EventType::ALL.iter().map(|event_type| (event_type.as_str(), event_name(*event_type, t))).collect();
    let witnessing = witnessing::read(&pages.database, t).await?;
    let page = Audit { t, frame, rows, types, asked, problem, older, live, chart, witnessing, query };
    Ok(view::page(StatusCode::OK, &page))
}

async fn find(admin: &Administrator, parameters: &Parameters, pages: &Pages) -> Result<LogPage<StoredRow>, ApiError> {
    let organization = admin.person.organization_id;
    let before = parameter(parameters, "before", "a seq")?;
    let wanted = conditions(&pages.database, organization, parameters).await?;
    let wanted = by_now(&pages.database, organization, wanted).await?;
    Ok(log_rows(&pages.database, organization, &wanted, Order::NewestFirst { before }, COUNT).await?)
}

/// `GET /audit/events/{seq}`: an entry with its changes.
pub(super) async fn entry(admin: Administrator, seq: Path<String>, pages: Data<Pages>, t: Language) -> PageResult {
    let organization = admin.person.organization_id;
    let entry = find_entry(&admin, &seq, &pages).await?;
    let seq = entry.header.seq;
    let changes = difference(&pages.database, organization, &entry).await?;
    let payload: Option<Value> = entry.payload.as_ref().and_then(|payload| serde_json::from_str(payload.get()).ok());
    let pretty = payload.map(|payload| serde_json::to_string_pretty(&payload).unwrap_or_default());
    let is_erasable =
        admin.may_administer() && entry.header.event_type == EventType::UserDeleted && entry.payload.is_some();
    let is_user = entry.header.subject_type == Some(SubjectType::User);
    let (frame, row, recorded) = (
        Frame { admin, path: format!("{PATH}/events/{seq}") },
        LogRow::new(&entry, t),
        minute(&entry.header.recorded_at),
    );
    Ok(view::page(
        StatusCode::OK,
        &Entry {
            t,
            frame,
            row,
            recorded,
            header: entry.header,
            actor: entry.actor,
            leaf: entry.leaf.to_string(),
            changes,
            payload: pretty,
            is_user,
            is_erasable,
        },
    ))
}

async fn find_entry(admin: &Administrator, seq: &str, pages: &Pages) -> Result<StoredEntry, PageError> {
    let seq: u64 = seq.parse().map_err(|_| PageError::NotFound)?;
    log_entry(&pages.database, admin.person.organization_id, seq).await?.ok_or(PageError::NotFound)
}

/// `GET /audit/events/{seq}/proof`: the proof file of an entry with both parts, which the page checks.
pub(super) async fn proof(admin: Administrator, seq: Path<String>, pages: Data<Pages>) -> PageResult {
    let organization = admin.person.organization_id;
    let seq: u64 = seq.parse().map_err(|_| PageError::NotFound)?;
    let text = entry_proof(&pages.database, organization, seq, None, Disclosed { payload: true, actor: true }).await?;
    Ok(proof_file(&format!("{organization}-{seq}"), text))
}

/// `GET /audit/users/{id}/erase`: asks for confirmation.
pub(super) async fn ask_erase(admin: Administrator, id: Path<String>, t: Language) -> PageResult {
    admin.must_administer()?;
    let id: UserId = id.parse().map_err(|_| PageError::NotFound)?;
    let frame = Frame { admin, path: format!("{PATH}/users/{id}/erase") };
    Ok(view::page(StatusCode::OK, &Erase { t, frame, id }))
}

/// `POST /audit/users/{id}/erase`: erases the data of a deleted user from the log.
pub(super) async fn erase(
    admin: Administrator,
    id: Path<String>,
    form: Form<CsrfForm>,
    pages: Data<Pages>,
) -> PageResult {
    admin.must_administer()?;
    admin.check(&form.csrf)?;
    let user_id: UserId = id.parse().map_err(|_| PageError::NotFound)?;
    admin.apply(&pages, EraseUser { user_id }).await?;
    let location = (LOCATION, pages.address(&format!("{PATH}?subject={user_id}")));
    Ok(HttpResponse::SeeOther().insert_header(location).finish())
}

/// Erases what the log holds about a deleted user.
///
/// It is for programs of administrators, with the cookie of a session. The content type must be JSON, because
/// a form of another site cannot send that.
#[utoipa::path(
    post,
    context_path = rollcall_api_core::audit::BASE_PATH,
    path = "/users/{id}/erase",
    tag = "Audit",
    operation_id = "eraseUser",
    params(("id" = String, Path)),
    responses(Errors, (status = 204, description = "Erased."))
)]
pub(super) async fn erase_by_api(
    admin: Result<Administrator, PageError>,
    http: HttpRequest,
    id: Path<String>,
    pages: Data<Pages>,
) -> ApiResult {
    let is_json =
        http.headers().get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    if !is_json {
        return Err(ScimError::new(415, "Content-Type must be application/json").into());
    }
    if !is_same_origin(&http) {
        return Err(ScimError::new(403, "the call was made by a page of another site").into());
    }
    let admin = admin.map_err(PageError::into_api)?;
    admin.must_administer().map_err(PageError::into_api)?;
    let user_id: UserId = id.parse().map_err(|_| ScimError::new(404, "there is no such user in the log"))?;
    admin.apply(&pages, EraseUser { user_id }).await.map_err(PageError::into_api)?;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /audit/export`: the log as a file.
pub(super) async fn export(
    admin: Administrator,
    http: HttpRequest,
    parameters: Parameters,
    pages: Data<Pages>,
) -> PageResult {
    Ok(exported(admin.person.organization_id, &http, &parameters, pages.database.clone()).await?)
}

/// `GET /audit/live?after=`: new rows of the table as Server-Sent Events.
pub(super) async fn live(admin: Administrator, parameters: Parameters, pages: Data<Pages>, t: Language) -> PageResult {
    let organization = admin.person.organization_id;
    let following =
        pages.followers.follow(organization).ok_or(ApiError::Unavailable("too many connections follow the logs"))?;
    let after = parameter(&parameters, "after", "a seq").map_err(ApiError::from)?.unwrap_or_default();
    let selection = Selection::read(&pages.database, organization, &parameters).await?;
    let watch = Watch { database: pages.database.clone(), organization, selection, following, after, most: COUNT };
    let session = admin.person.session_id;
    Ok(server_sent(stream::try_unfold(watch, move |mut watch| async move {
        let database = watch.database.clone();
        let lasts = async || session_lasts(&database, organization, session, LIFE_SECONDS).await;
        let next = watch.next(lasts, |entries| rows(entries, t)).await?;
        Ok(next.map(|bytes| (bytes, watch)))
    })))
}

/// Rows of the table, newest first, as one event. Its id is the seq of the newest entry.
fn rows(entries: &[StoredRow], t: Language) -> Result<String, ApiError> {
    let newest = entries.last().map_or(0, StoredRow::seq);
    let rows = Rows { t, rows: entries.iter().rev().map(|row| LogRow::of(row, t)).collect() };
    let rows = rows.render().map_err(|error| ApiError::Internal(format!("rows cannot be rendered: {error}")))?;
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

    #[test]
    fn every_line_of_an_event_is_data() {
        assert_eq!(event(7, "<tr>\n</tr>"), "id: 7\ndata: <tr>\ndata: </tr>\n\n");
    }
}
