//! Reads event streams and their events.

use rollcall_events::feed::LoggedChange;
use rollcall_events::{OrganizationId, StreamId};
use rollcall_service::feed::{CHANGES, STREAM_COLUMNS, SeqRange, Stream, happened, stream};

use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::log::seq_column;
use super::{Database, ReadError};
use crate::offload::offload;

/// A stream with poll delivery.
pub async fn find_stream(
    database: &Database,
    organization: OrganizationId,
    id: StreamId,
) -> Result<Option<Stream>, ReadError> {
    let sql = format!("SELECT {STREAM_COLUMNS} WHERE s.organization_id = $1 AND s.id = $2 AND s.digest IS NOT NULL");
    let row = database.points(organization).query_opt(&sql, &[&organization, &id]).await?;
    Ok(row.as_ref().map(stream).transpose()?)
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
        offload(bytes, move || rows.iter().map(|row| Ok(happened(row)?)).collect()).await?;
    let changes = changes?;
    let read = if is_cut { range.until_last(&changes) } else { range.part_read(&changes) };
    Ok((changes, read))
}
