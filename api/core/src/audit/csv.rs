//! The log as a CSV (RFC 4180) for spreadsheets: one row for each entry, with names beside ids.

use rollcall_events::actor::ActorDetails;
use rollcall_events::log::{Part, SubjectType};
use rollcall_events::{OrganizationId, WorkspaceId};
use rollcall_scim::schema::ROLLCALL_SCHEMA;
use rollcall_service::entries::{MalformedRow, StoredEntry, StoredRow, error};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

use crate::error::ApiError;
use crate::read::{Database, subject_name, subject_names, workspace_names};

/// The byte order mark. Without it, spreadsheets take the text for another encoding than UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Between several values in one cell.
const SEPARATOR: &str = "; ";

const COLUMNS: [&str; 26] = [
    "seq",
    "event_id",
    "type",
    "schema_version",
    "subject_type",
    "subject_id",
    "subject_name",
    "workspace_ids",
    "workspace_names",
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
    "erased",
    "payload",
    "payload_salt",
    "payload_commitment",
    "actor_salt",
    "actor_commitment",
    "leaf",
];

/// A row of the log, with what its payload names.
pub(super) struct Line {
    row: StoredRow,
    /// The name of the subject, if the payload has it.
    name: Option<String>,
    /// The workspaces that the entry is about, or that it left a user in.
    workspaces: Vec<WorkspaceId>,
}

/// The names that the cells of an export need. Names of workspaces are read once.
#[derive(Default, Clone)]
pub(super) struct Names {
    workspaces: Arc<HashMap<WorkspaceId, String>>,
    /// The subjects of the current rows whose payload does not name them.
    subjects: Arc<HashMap<Uuid, String>>,
}

/// The beginning of the file: the byte order mark and the names of the columns.
///
/// # Errors
/// If the names cannot be written.
pub(super) fn head() -> Result<Vec<u8>, ApiError> {
    let mut writer = writer(BYTE_ORDER_MARK.to_vec());
    writer.write_record(COLUMNS).map_err(unwritable)?;
    writer.into_inner().map_err(unwritable)
}

/// Appends lines.
///
/// # Errors
/// If an entry cannot be written.
pub(super) fn write(out: Vec<u8>, lines: &[Line], names: &Names) -> Result<Vec<u8>, ApiError> {
    let mut writer = writer(out);
    for line in lines {
        let cells = match &line.row {
            StoredRow::Entry(entry) => line.cells(entry, names)?,
            StoredRow::Malformed(row) => malformed_cells(row),
        };
        writer.write_record(cells.iter().map(|cell| escape_formula(cell).into_owned())).map_err(unwritable)?;
    }
    writer.into_inner().map_err(unwritable)
}

/// The error for an entry that cannot be written.
pub(super) fn unwritable(error: impl std::fmt::Display) -> ApiError {
    ApiError::Internal(format!("an entry cannot be written: {error}"))
}

fn writer(out: Vec<u8>) -> ::csv::Writer<Vec<u8>> {
    ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(out)
}

impl Line {
    /// Reads what the payload of a row names.
    pub(super) fn new(row: StoredRow) -> Self {
        let payload: Option<Value> = row
            .entry()
            .and_then(|entry| entry.payload.as_ref())
            .and_then(|payload| serde_json::from_str(payload.get()).ok());
        let mut workspaces: Vec<_> = payload.as_ref().map(workspaces).unwrap_or_default();
        if let Some(header) = row.entry().map(|entry| &entry.header)
            && header.subject_type == Some(SubjectType::Workspace)
        {
            workspaces.extend(header.subject_id.map(WorkspaceId));
        }
        Self { row, name: payload.as_ref().and_then(subject_name), workspaces }
    }

    /// The subject, if its name is not in the payload.
    fn unnamed_subject(&self) -> Option<Uuid> {
        self.row.entry().filter(|_| self.name.is_none()).and_then(|entry| entry.header.subject_id)
    }

    fn cells(&self, entry: &StoredEntry, names: &Names) -> Result<[String; COLUMNS.len()], ApiError> {
        fn shown<T: ToString>(value: Option<&T>) -> String {
            value.map(ToString::to_string).unwrap_or_default()
        }
        fn json(value: Option<&impl Serialize>) -> Result<String, ApiError> {
            value.map(serde_json::to_string).transpose().map(Option::unwrap_or_default).map_err(unwritable)
        }
        fn joined(values: impl Iterator<Item = String>) -> String {
            values.collect::<Vec<_>>().join(SEPARATOR)
        }
        let (header, unknown) = (&entry.header, ActorDetails::default());
        let actor = entry.actor.as_ref().unwrap_or(&unknown);
        let name = self.name.as_ref().or_else(|| names.subjects.get(header.subject_id.as_ref()?));
        Ok([
            header.seq.to_string(),
            header.event_id.to_string(),
            header.event_type.to_string(),
            header.schema_version.to_string(),
            shown(header.subject_type.as_ref()),
            shown(header.subject_id.as_ref()),
            shown(name),
            joined(self.workspaces.iter().map(ToString::to_string)),
            joined(self.workspaces.iter().map(|id| shown(names.workspaces.get(id)))),
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
            joined(entry.missing().map(|part: Part| part.to_string())),
            entry.payload.as_ref().map(|payload| payload.get().to_owned()).unwrap_or_default(),
            entry.payload_salt.map(String::from).unwrap_or_default(),
            header.payload_commitment.to_string(),
            entry.actor_salt.map(String::from).unwrap_or_default(),
            header.actor_commitment.to_string(),
            entry.leaf.to_string(),
        ])
    }
}

/// The workspaces in a payload: those that a user is left in, those that a group is mapped to, and the default of
/// a token.
fn workspaces(payload: &Value) -> Vec<WorkspaceId> {
    let of_user = payload["resource"][ROLLCALL_SCHEMA]["workspaces"].as_array().into_iter().flatten();
    let of_user = of_user.filter_map(|workspace| workspace["value"].as_str());
    let of_group = payload["workspaces"].as_object().into_iter().flatten().map(|(id, _)| id.as_str());
    let of_token = ["/token/settings/default_workspace", "/settings/default_workspace"];
    let of_token = of_token.iter().filter_map(|path| payload.pointer(path)?.as_str());
    of_user.chain(of_group).chain(of_token).filter_map(|id| id.parse().ok()).collect()
}

impl Names {
    /// Reads the names that some lines need and that are not known yet.
    ///
    /// # Errors
    /// If Postgres fails.
    pub(super) async fn known(
        &mut self,
        database: &Database,
        organization: OrganizationId,
        lines: &[Line],
    ) -> Result<Self, ApiError> {
        let mut missing: Vec<_> = lines.iter().flat_map(|line| line.workspaces.iter().copied()).collect();
        missing.sort_unstable();
        missing.dedup();
        missing.retain(|id| !self.workspaces.contains_key(id));
        let found = workspace_names(database, organization, &missing).await?;
        Arc::make_mut(&mut self.workspaces).extend(found);
        let mut unnamed: Vec<_> = lines.iter().filter_map(Line::unnamed_subject).collect();
        unnamed.sort_unstable();
        unnamed.dedup();
        self.subjects = Arc::new(subject_names(database, organization, &unnamed).await?);
        Ok(self.clone())
    }
}

/// The cells of a row that is not an entry: the stored values as they are.
fn malformed_cells(row: &MalformedRow) -> [String; COLUMNS.len()] {
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    COLUMNS.map(|column| {
        let of_actor = |name: &str| row.line["actor"].get(name);
        let stored = row.line["header"].get(column).or_else(|| row.line.get(column));
        stored.or_else(|| of_actor(column.strip_prefix("actor_")?)).map(text).unwrap_or_default()
    })
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
    use serde_json::json;
    use test_case::test_case;

    #[test]
    fn every_workspace_of_a_payload_is_found() {
        let id = |n: u128| WorkspaceId(Uuid::from_u128(n));
        let payloads = [
            json!({"resource": {ROLLCALL_SCHEMA: {"workspaces": [{"value": id(1)}, {"value": id(2)}]}}}),
            json!({"workspaces": {id(1).to_string(): ["read"], id(2).to_string(): []}}),
            json!({"token": {"settings": {"default_workspace": id(3)}}}),
            json!({"settings": {"default_workspace": id(3)}}),
            json!({"operation": "delete"}),
        ];
        let found: Vec<_> = payloads.iter().map(workspaces).collect();
        assert_eq!(found, [vec![id(1), id(2)], vec![id(1), id(2)], vec![id(3)], vec![id(3)], vec![]]);
    }

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
