//! Reads event streams and their events.

use rollcall_events::feed::LoggedChange;
use rollcall_events::stream::SetId;
use rollcall_events::{OrganizationId, StreamId};
use rollcall_service::entries::MalformedEntry;
use rollcall_service::feed::{CHANGES, STREAM_COLUMNS, SeqRange, Stream, happened, stream};

use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::log::seq_column;
use super::{Database, ReadError};
use crate::offload::offload;

/// The entries of a log that have a given seq and a leaf that begins with given digits.
const EXISTING: &str = "
    SELECT e.seq FROM unnest($2::bigint[], $3::text[]) AS a (seq, leaf)
    JOIN events e ON e.organization_id = $1 AND e.seq = a.seq
    WHERE encode(substring(e.leaf FOR 8), 'hex') = a.leaf";

/// A receiver of a stream cannot read the log, so the error does not send it there.
fn malformed(error: &MalformedEntry) -> ReadError {
    ReadError::Malformed(error.reason())
}

/// A stream with poll delivery.
pub async fn find_stream(
    database: &Database,
    organization: OrganizationId,
    id: StreamId,
) -> Result<Option<Stream>, ReadError> {
    let sql = format!("SELECT {STREAM_COLUMNS} WHERE s.organization_id = $1 AND s.id = $2 AND s.digest IS NOT NULL");
    let row = database.points(organization).query_opt(&sql, &[&organization, &id]).await?;
    row.as_ref().map(stream).transpose().map_err(|error| malformed(&error))
}

/// The changes in a range of a log, in order, up to the size of a page. Returns the part of the range that
/// was read too.
pub async fn next_changes(
    database: &Database,
    stream: &Stream,
    range: SeqRange,
) -> Result<(Vec<LoggedChange>, SeqRange), ReadError> {
    let (after, until, most) = (seq_column(range.after), seq_column(range.until), seq_column(range.max_changes()));
    let has_before = !stream.feed.workspaces.is_empty();
    let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
        (&stream.organization_id, Type::UUID),
        (&after, Type::INT8),
        (&until, Type::INT8),
        (&most, Type::INT8),
        (&has_before, Type::BOOL),
    ];
    let (rows, is_cut) =
        database.queries(stream.organization_id).query_until(CHANGES, &parameters, database.page_bytes()).await?;
    let bytes = rows.iter().map(Row::raw_size_bytes).sum();
    let changes: Result<Vec<_>, ReadError> =
        offload(bytes, move || rows.iter().map(|row| happened(row).map_err(|error| malformed(&error))).collect())
            .await?;
    let changes = changes?;
    let read = if is_cut { range.until_last(&changes) } else { range.part_read(&changes) };
    Ok((changes, read))
}

/// The seqs of those events that are in the log. A restore of the database can have lost an event that was
/// delivered.
pub async fn existing(database: &Database, organization: OrganizationId, ids: &[SetId]) -> Result<Vec<u64>, ReadError> {
    let (seqs, leaves): (Vec<_>, Vec<_>) = ids.iter().map(|id| (seq_column(id.seq), id.leaf.as_str())).unzip();
    let rows = database.points(organization).query(EXISTING, &[&organization, &seqs, &leaves]).await?;
    rows.iter().map(|row| Ok(row.try_get::<_, i64>("seq")?.unsigned_abs())).collect()
}
