//! Exports the log. An export is streamed page by page, so that its size costs no memory.

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::http::header::{ACCEPT, CONTENT_DISPOSITION};
use actix_web::web::{Bytes, Data};
use futures_util::stream;
use rollcall_events::OrganizationId;
use rollcall_scim::ScimError;
use rollcall_service::entries::StoredRow;
use serde_json::{Map, Value, json};

use super::csv::{self, Names, unwritable};
use super::history::payload_size;
use super::query::{CONDITIONS, parameter};
use super::selection::Selection;
use crate::error::{ApiError, ApiResult};
use crate::http::Parameters;
use crate::offload::offload;
use crate::read::{Condition, Database, Order, log_rows, log_size};

/// Maximum number of entries that are read at once. It is fewer if they are large.
const CHUNK: u32 = 1000;
/// Maximum number of seqs that one query examines. If few entries meet a condition, an export runs many short
/// queries instead of one long one.
const WINDOW: u64 = 50_000;

/// The formats of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Ndjson,
    Csv,
}

/// An export that is being written.
struct Export {
    database: Data<Database>,
    organization: OrganizationId,
    selection: Selection,
    format: Format,
    /// The seq after which the next entries are read.
    after: u64,
    /// The last seq to export.
    to: u64,
    /// Whether the export has every entry up to the end of the log.
    is_whole: bool,
    /// The lines before the entries. Empty once they are written.
    head: Vec<u8>,
    /// The names for a CSV, as far as they are known.
    names: Names,
    /// The first chunk of the answer. It is written before the answer begins, so that an error can still be reported.
    written: Option<Bytes>,
}

/// Exports the requested part of an organization's log: the entries in a range that meet all conditions.
pub async fn exported(
    organization: OrganizationId,
    http: &HttpRequest,
    parameters: &Parameters,
    database: Data<Database>,
) -> ApiResult {
    let format = format(http, parameters)?;
    let from: u64 = parameter(parameters, "from", "a seq")?.unwrap_or(1).max(1);
    let wanted: Option<u64> = parameter(parameters, "to", "a seq")?;
    // Read the size first. Then the conditions are resolved for all entries up to this size.
    let size = log_size(&database, organization).await?;
    let to = wanted.unwrap_or(size).min(size);
    let selection = Selection::read(&database, organization, parameters).await?;
    let is_everything = selection.is_everything();
    let head = match format {
        Format::Ndjson if is_everything => Vec::new(),
        Format::Ndjson => filtered_line(organization, from, to, parameters),
        Format::Csv => csv::head()?,
    };
    let mut export = Export {
        selection: selection.by_now(&database, organization).await?,
        database,
        organization,
        format,
        after: from - 1,
        to,
        is_whole: wanted.is_none() && is_everything,
        head,
        names: Names::default(),
        written: None,
    };
    // If the first query fails, the answer is an error.
    export.written = export.next().await?;
    let (media_type, ending) = match format {
        Format::Ndjson => ("application/x-ndjson", "ndjson"),
        Format::Csv => ("text/csv; charset=utf-8; header=present", "csv"),
    };
    let filtered = if is_everything { "" } else { "-filtered" };
    let name = format!("attachment; filename=\"{organization}-{from}-{to}{filtered}.{ending}\"");
    let chunks = stream::try_unfold(export, |mut export| async move {
        let written = match export.written.take() {
            Some(written) => Some(written),
            None => export.next().await?,
        };
        Ok::<_, ApiError>(written.map(|bytes| (bytes, export)))
    });
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

/// The first line of a filtered export. It says that entries are missing on purpose, and which ones: without it,
/// a verifier would take the gaps for tampering.
fn filtered_line(organization: OrganizationId, from: u64, to: u64, parameters: &Parameters) -> Vec<u8> {
    let given = CONDITIONS.iter().filter_map(|(name, _)| Some(((*name).to_owned(), json!(parameters.get(name)?))));
    let conditions: Map<String, Value> = given.collect();
    let about = json!({"conditions": conditions, "from": from, "organization_id": organization, "to": to});
    format!("{}\n", json!({"filtered_export": about})).into_bytes()
}

impl Export {
    /// The next chunk of the answer; `None` at the end. A chunk is never empty, because an empty one would end the
    /// answer.
    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        loop {
            let mut out = std::mem::take(&mut self.head);
            let rows = self.read().await?;
            if !rows.is_empty() {
                out = self.write(out, rows).await?;
            }
            if !out.is_empty() {
                return Ok(Some(out.into()));
            }
            if self.after >= self.to {
                return Ok(None);
            }
        }
    }

    /// Reads the next rows. There can be none although more follow.
    async fn read(&mut self) -> Result<Vec<StoredRow>, ApiError> {
        if self.after >= self.to {
            return Ok(Vec::new());
        }
        let window = self.to.min(self.after.saturating_add(WINDOW));
        let mut conditions = self.selection.conditions.clone();
        conditions.push(Condition::UpTo(window));
        let order = Order::OldestFirst { after: self.after };
        let found = log_rows(&self.database, self.organization, &conditions, order, CHUNK).await?;
        self.after = found.entries.last().filter(|_| found.goes_on).map_or(window, StoredRow::seq);
        // An erasure can be recorded while the log is exported. Then the export must have its entry too: without
        // it, the missing parts would look like tampering.
        let lacks_parts = |row: &StoredRow| row.entry().is_some_and(|entry| entry.missing().next().is_some());
        if self.is_whole && found.entries.iter().any(lacks_parts) {
            self.to = self.to.max(log_size(&self.database, self.organization).await?);
        }
        Ok(self.selection.matching(found.entries).await?)
    }

    /// Appends rows in the format of the export.
    async fn write(&mut self, mut out: Vec<u8>, rows: Vec<StoredRow>) -> Result<Vec<u8>, ApiError> {
        let bytes = rows.iter().filter_map(StoredRow::entry).map(payload_size).sum();
        match self.format {
            Format::Ndjson => {
                offload(bytes, move || {
                    for row in &rows {
                        serde_json::to_writer(&mut out, row).map_err(unwritable)?;
                        out.push(b'\n');
                    }
                    Ok(out)
                })
                .await?
            }
            Format::Csv => {
                let lines: Vec<_> = offload(bytes, move || rows.into_iter().map(csv::Line::new).collect()).await?;
                let names = self.names.known(&self.database, self.organization, &lines).await?;
                offload(bytes, move || csv::write(out, &lines, &names)).await?
            }
        }
    }
}
