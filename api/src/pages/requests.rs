//! What identity providers have asked for and how they were answered: where an administrator looks when provisioning does not work.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpRequest};
use rollcall_events::Timestamp;
use rollcall_events::call_log::Meaning;
use uuid::{Builder, Uuid};

use super::call::HOURS;
use super::session::{Administrator, Renewed};
use super::text::Language;
use super::view::{self, CallRow, Calls, Frame, NewCalls, minute, second, took};
use super::{PageResult, Pages};
use crate::audit::parameter;
use crate::error::ApiError;
use crate::read::{FoundCall, Wanted, find_calls, recording};
use crate::scim::Parameters;

/// The path of this page.
pub(super) const PATH: &str = "/requests";
/// How many calls a page shows.
const COUNT: u32 = 50;
/// After how long every api has told of a call, in seconds.
const SETTLED_SECONDS: i64 = 2;
/// What can be asked for, and so stands in the address of a page.
const ASKED: [&str; 3] = ["q", "meaning", "outcome"];

/// `GET /requests`: the newest calls that the conditions in the address leave, or those before one.
pub(super) async fn list(admin: Administrator, parameters: Parameters, pages: Data<Pages>, t: Language) -> PageResult {
    admin.must_administer()?;
    let (wanted, problem) = match wanted(&parameters) {
        Ok(wanted) => (Some(wanted), None),
        Err(error) => (None, Some(error.to_scim().detail)),
    };
    let is_live = wanted.as_ref().is_some_and(|wanted| wanted.before.is_none());
    let found = match wanted {
        Some(wanted) => {
            find_calls(&pages.database, admin.who.organization_id, &Wanted { before: wanted.before.or(Some(settled())), ..wanted }, COUNT)
                .await?
        }
        None => Vec::new(),
    };
    let asked = ASKED.map(|name| parameters.get(name).unwrap_or_default().to_owned());
    let query = parameters.kept(&ASKED);
    let is_full = found.len() == usize::try_from(COUNT).unwrap_or(usize::MAX);
    let older = found.last().filter(|_| is_full).map(|last| format!("{PATH}?before={}{query}", last.id));
    let next = is_live.then(|| next(found.first().map(|first| first.id), &query));
    let meanings = Meaning::ALL.iter().map(|meaning| (meaning.as_str(), meaning_text(*meaning, t))).collect();
    let [q, meaning, outcome] = asked;
    let recording = recording(&pages.database, admin.who.organization_id).await?.map(|until| minute(&until));
    let (frame, rows) = (Frame { admin, path: PATH.to_owned() }, found.into_iter().map(|call| row(call, t)).collect());
    Ok(view::page(StatusCode::OK, &Calls { t, frame, rows, meanings, q, meaning, outcome, problem, older, next, recording, hours: HOURS }))
}

/// `GET /requests/new`: those that came since, on top of a table that is there. A page that is left open does not keep its session alive by this.
pub(super) async fn new(http: HttpRequest, admin: Administrator, parameters: Parameters, pages: Data<Pages>, t: Language) -> PageResult {
    admin.must_administer()?;
    http.extensions_mut().remove::<Renewed>();
    let wanted = Wanted { before: Some(settled()), ..wanted(&parameters)? };
    let found = find_calls(&pages.database, admin.who.organization_id, &wanted, COUNT).await?;
    let next = next(found.first().map(|first| first.id).or(wanted.after), &parameters.kept(&ASKED));
    Ok(view::page(StatusCode::OK, &NewCalls { t, rows: found.into_iter().map(|call| row(call, t)).collect(), next: Some(next) }))
}

fn wanted(parameters: &Parameters) -> Result<Wanted, ApiError> {
    let no_such = |name: &str| ApiError::from(rollcall_scim::ScimError::invalid_value(format!("there is no such {name}")));
    Ok(Wanted {
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

/// The id that calls have from two seconds ago on. Each api tells of its calls once a second: of what is younger, some may come later than what is younger still.
fn settled() -> Uuid {
    let millis = u64::try_from(Timestamp::now().as_second() - SETTLED_SECONDS).unwrap_or_default() * 1000;
    Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}

/// Where newer calls are asked for.
fn next(newest: Option<Uuid>, query: &str) -> String {
    format!("{PATH}/new?after={}{query}", newest.unwrap_or_default())
}

/// A call as it is shown.
pub(super) fn row(call: FoundCall, t: Language) -> CallRow {
    let path = if call.path.is_empty() { "/".to_owned() } else { call.path };
    CallRow {
        id: call.id,
        time: second(call.at),
        meaning: meaning_text(call.meaning, t),
        asked: format!("{} {path}", call.method),
        query: call.query,
        subject: call.subject.or_else(|| call.subject_id.map(|id| id.to_string())).unwrap_or_default(),
        is_failed: call.status >= 400,
        status: call.status,
        error: call.scim_type.into_iter().chain(call.detail).collect::<Vec<_>>().join(": "),
        took: took(call.micros),
        txn: call.txn.map(|txn| txn.to_string()),
        by: call.label,
        from: call.address.unwrap_or_default(),
        user_agent: call.user_agent.unwrap_or_default(),
    }
}

fn meaning_text(meaning: Meaning, t: Language) -> String {
    t.get(&format!("meaning-{}", meaning.as_str()))
}
