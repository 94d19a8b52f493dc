//! Exports the log. An export is streamed page by page, so that its size costs no memory.

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::http::header::{ACCEPT, CONTENT_DISPOSITION};
use actix_web::web::{Bytes, Data};
use futures_util::stream;
use rollcall_events::OrganizationId;
use rollcall_events::actor::ActorDetails;
use rollcall_scim::ScimError;
use rollcall_service::entries::{StoredEntry, error};
use serde::Serialize;
use std::borrow::Cow;

use super::query::parameter;
use crate::error::{ApiError, ApiResult};
use crate::http::Parameters;
use crate::offload::offload;
use crate::read::{Database, Order, log_entries, log_size};

/// Maximum number of entries that are read at once. It is fewer if they are large.
const CHUNK: u32 = 1000;

/// The formats of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Ndjson,
    Csv,
}

/// Exports the requested part of an organization's log.
pub async fn exported(
    organization: OrganizationId,
    http: &HttpRequest,
    parameters: &Parameters,
    database: Data<Database>,
) -> ApiResult {
    let format = format(http, parameters)?;
    let from: u64 = parameter(parameters, "from", "a seq")?.unwrap_or(1).max(1);
    let size = log_size(&database, organization).await?;
    let wanted: Option<u64> = parameter(parameters, "to", "a seq")?;
    let to = wanted.unwrap_or(size).min(size);
    let (media_type, ending) = match format {
        Format::Ndjson => ("application/x-ndjson", "ndjson"),
        Format::Csv => ("text/csv; charset=utf-8; header=present", "csv"),
    };
    let name = format!("attachment; filename=\"{organization}-{from}-{to}.{ending}\"");
    let start = Progress { after: from - 1, to, is_whole: wanted.is_none(), format, is_begun: false };
    let chunks = stream::try_unfold(start, move |progress| chunk(database.clone(), organization, progress));
    Ok(HttpResponse::Ok()
        .content_type(media_type)
        .insert_header((CONTENT_DISPOSITION, name))
        .streaming(Box::pin(chunks)))
}

/// The format of the parameter, or else of the accepted media type.
fn format(http: &HttpRequest, parameters: &Parameters) -> Result<Format, ScimError> {
    let accepted = http.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match parameters.get("format") {
        Some("ndjson") => Ok(Format::Ndjson),
        Some("csv") => Ok(Format::Csv),
        Some(_) => Err(ScimError::invalid_value("format must be ndjson or csv")),
        None if accepted.starts_with("text/csv") => Ok(Format::Csv),
        None => Ok(Format::Ndjson),
    }
}

/// The progress of an export.
#[derive(Debug, Clone, Copy)]
struct Progress {
    after: u64,
    to: u64,
    /// Whether the export goes to the end of the log.
    is_whole: bool,
    format: Format,
    is_begun: bool,
}

async fn chunk(
    database: Data<Database>,
    organization: OrganizationId,
    mut progress: Progress,
) -> Result<Option<(Bytes, Progress)>, ApiError> {
    let is_first = !std::mem::replace(&mut progress.is_begun, true);
    let limit = u32::try_from(progress.to.saturating_sub(progress.after)).unwrap_or(CHUNK).min(CHUNK);
    let entries = match limit {
        0 => Vec::new(),
        limit => {
            log_entries(&database, organization, &[], Order::OldestFirst { after: progress.after }, limit)
                .await?
                .entries
        }
    };
    if entries.is_empty() && !is_first {
        return Ok(None);
    }
    // An erasure can be recorded while the log is exported. Then the export must have its entry too: without
    // it, the missing parts would look like tampering.
    if progress.is_whole && entries.iter().any(|entry| entry.missing().next().is_some()) {
        progress.to = progress.to.max(log_size(&database, organization).await?);
    }
    progress.after = entries.last().map_or(progress.to, |entry| entry.header.seq);
    let (bytes, format) =
        (entries.iter().filter_map(|entry| Some(entry.payload.as_ref()?.get().len())).sum(), progress.format);
    let writing = move || match format {
        Format::Ndjson => ndjson(&entries),
        Format::Csv => csv(&entries, is_first),
    };
    Ok(Some((offload(bytes, writing).await??, progress)))
}

fn unwritable(error: impl std::fmt::Display) -> ApiError {
    ApiError::Internal(format!("an entry cannot be written: {error}"))
}

fn ndjson(entries: &[StoredEntry]) -> Result<Bytes, ApiError> {
    let mut lines = Vec::with_capacity(entries.len() * 2048);
    for entry in entries {
        serde_json::to_writer(&mut lines, entry).map_err(unwritable)?;
        lines.push(b'\n');
    }
    Ok(lines.into())
}

const CSV_COLUMNS: [&str; 22] = [
    "seq",
    "event_id",
    "type",
    "schema_version",
    "subject_type",
    "subject_id",
    "actor_kind",
    "actor_id",
    "actor_label",
    "actor_service_origin",
    "actor_address",
    "actor_user_agent",
    "requested_at",
    "recorded_at",
    "outcome",
    "error",
    "payload",
    "payload_salt",
    "payload_commitment",
    "actor_salt",
    "actor_commitment",
    "leaf",
];

fn csv(entries: &[StoredEntry], with_names: bool) -> Result<Bytes, ApiError> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::with_capacity(entries.len() * 2048));
    if with_names {
        writer.write_record(CSV_COLUMNS).map_err(unwritable)?;
    }
    for entry in entries {
        let cells = cells(entry)?;
        writer.write_record(cells.iter().map(|cell| escape_formula(cell).into_owned())).map_err(unwritable)?;
    }
    Ok(writer.into_inner().map_err(unwritable)?.into())
}

fn cells(entry: &StoredEntry) -> Result<[String; 22], ApiError> {
    fn shown<T: ToString>(value: Option<&T>) -> String {
        value.map(ToString::to_string).unwrap_or_default()
    }
    fn json(value: Option<&impl Serialize>) -> Result<String, ApiError> {
        value.map(serde_json::to_string).transpose().map(Option::unwrap_or_default).map_err(unwritable)
    }
    let (header, unknown) = (&entry.header, ActorDetails::default());
    let actor = entry.actor.as_ref().unwrap_or(&unknown);
    Ok([
        header.seq.to_string(),
        header.event_id.to_string(),
        header.event_type.to_string(),
        header.schema_version.to_string(),
        shown(header.subject_type.as_ref()),
        shown(header.subject_id.as_ref()),
        header.actor_kind.to_string(),
        shown(header.actor_id.as_ref()),
        shown(actor.label.as_ref()),
        shown(actor.service_origin.as_ref()),
        shown(actor.address.as_ref()),
        shown(actor.user_agent.as_ref()),
        header.requested_at.to_string(),
        header.recorded_at.to_string(),
        header.outcome.to_string(),
        json(error(entry).as_ref())?,
        entry.payload.as_ref().map(|payload| payload.get().to_owned()).unwrap_or_default(),
        entry.payload_salt.map(String::from).unwrap_or_default(),
        header.payload_commitment.to_string(),
        entry.actor_salt.map(String::from).unwrap_or_default(),
        header.actor_commitment.to_string(),
        entry.leaf.to_string(),
    ])
}

/// Makes a CSV cell safe for spreadsheets. A cell that begins like a formula gets an apostrophe in front,
/// which spreadsheets do not show.
fn escape_formula(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case("=HYPERLINK(\"http://evil.example\")" => "'=HYPERLINK(\"http://evil.example\")"; "formula")]
    #[test_case("+1" => "'+1"; "plus")]
    #[test_case("-1" => "'-1"; "minus")]
    #[test_case("@SUM(A1)" => "'@SUM(A1)"; "at")]
    #[test_case("\tx" => "'\tx"; "tab")]
    #[test_case("Ada = x" => "Ada = x"; "plain text")]
    fn a_spreadsheet_sees_no_formula(cell: &str) -> String {
        escape_formula(cell).into_owned()
    }
}
