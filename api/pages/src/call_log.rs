//! The page of the call log. Administrators use it to find out why provisioning does not work.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpRequest};
use rollcall_api_core::audit::parameter;
use rollcall_api_core::error::ApiError;
use rollcall_api_core::http::Parameters;
use rollcall_api_core::read::{CallFilter, find_calls, recording};
use rollcall_events::Timestamp;
use rollcall_events::call_log::Meaning;
use uuid::{Builder, Uuid};

use super::context::Pages;
use super::error::PageResult;
use super::session::{Administrator, RenewedCookie};
use super::text::Language;
use super::view::{self, CallRow, Calls, Frame, NewCalls, RECORDING_HOURS, meaning_name, minute};

/// The path of this page.
pub(super) const PATH: &str = "/call-log";
/// Number of calls on a page.
const COUNT: u32 = 50;
/// Every api has published a call record after this time, in seconds.
const PUBLISHED_SECONDS: i64 = 2;
/// The conditions that a page's address may have.
const CONDITIONS: [&str; 3] = ["q", "meaning", "outcome"];

/// `GET /call-log`: the newest calls that match the conditions in the address, or those before a call.
pub(super) async fn list(admin: Administrator, parameters: Parameters, pages: Data<Pages>, t: Language) -> PageResult {
    admin.must_administer()?;
    let (filter, problem) = match filter(&parameters) {
        Ok(filter) => (Some(filter), None),
        Err(error) => (None, Some(error.to_scim().detail)),
    };
    let is_live = filter.as_ref().is_some_and(|filter| filter.before.is_none());
    let found = match filter {
        Some(filter) => {
            let filter = CallFilter { before: filter.before.or(Some(first_unpublished())), ..filter };
            find_calls(&pages.database, admin.person.organization_id, &filter, COUNT).await?
        }
        None => Vec::new(),
    };
    let asked = CONDITIONS.map(|name| parameters.get(name).unwrap_or_default().to_owned());
    let query = parameters.kept(&CONDITIONS);
    let is_full = found.len() == usize::try_from(COUNT).unwrap_or(usize::MAX);
    let older = found.last().filter(|_| is_full).map(|last| format!("{PATH}?before={}{query}", last.id));
    let next = is_live.then(|| next(found.first().map(|first| first.id), &query));
    let meanings = Meaning::ALL.iter().map(|meaning| (meaning.as_str(), meaning_name(*meaning, t))).collect();
    let [q, meaning, outcome] = asked;
    let recording = recording(&pages.database, admin.person.organization_id).await?.map(|until| minute(&until));
    let (frame, rows) =
        (Frame { admin, path: PATH.to_owned() }, found.into_iter().map(|call| CallRow::new(call, t)).collect());
    Ok(view::page(
        StatusCode::OK,
        &Calls {
            t,
            frame,
            rows,
            meanings,
            q,
            meaning,
            outcome,
            problem,
            older,
            next,
            recording,
            hours: RECORDING_HOURS,
        },
    ))
}

/// `GET /call-log/new`: newer calls, for the top of the table. This call does not renew the session, so an
/// open page does not keep it alive.
pub(super) async fn new(
    http: HttpRequest,
    admin: Administrator,
    parameters: Parameters,
    pages: Data<Pages>,
    t: Language,
) -> PageResult {
    admin.must_administer()?;
    http.extensions_mut().remove::<RenewedCookie>();
    let filter = CallFilter { before: Some(first_unpublished()), ..filter(&parameters)? };
    let found = find_calls(&pages.database, admin.person.organization_id, &filter, COUNT).await?;
    let next = next(found.first().map(|first| first.id).or(filter.after), &parameters.kept(&CONDITIONS));
    Ok(view::page(
        StatusCode::OK,
        &NewCalls { t, rows: found.into_iter().map(|call| CallRow::new(call, t)).collect(), next: Some(next) },
    ))
}

fn filter(parameters: &Parameters) -> Result<CallFilter, ApiError> {
    let no_such =
        |name: &str| ApiError::from(rollcall_scim::ScimError::invalid_value(format!("there is no such {name}")));
    Ok(CallFilter {
        before: parameter(parameters, "before", "an id")?,
        after: parameter(parameters, "after", "an id")?,
        meaning: parameters.get("meaning").map(|name| name.parse().map_err(|_| no_such("meaning"))).transpose()?,
        failed: match parameters.get("outcome") {
            None => None,
            Some("failed") => Some(true),
            Some("succeeded") => Some(false),
            Some(_) => return Err(no_such("outcome")),
        },
        text: parameters.get("q").map(str::to_owned),
    })
}

/// The first id of calls that may not be in the call log yet. Each api publishes its records once a second,
/// so newer calls of one api may arrive before older calls of another.
fn first_unpublished() -> Uuid {
    let millis = u64::try_from(Timestamp::now().as_second() - PUBLISHED_SECONDS).unwrap_or_default() * 1000;
    Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}

/// The address that the page polls for newer calls.
fn next(newest: Option<Uuid>, query: &str) -> String {
    format!("{PATH}/new?after={}{query}", newest.unwrap_or_default())
}
