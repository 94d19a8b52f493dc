//! What event streams tell, from the log.

use rollcall_events::feed::Happened;
use rollcall_events::{OrganizationId, StreamId};
use rollcall_service::feed::{CHANGES, STREAM_COLUMNS, Stream, Stretch, happened, stream};

use super::log::place;
use super::{Database, ReadError};

/// A stream that is delivered by being asked for.
pub(crate) async fn find_stream(database: &Database, organization: OrganizationId, id: StreamId) -> Result<Option<Stream>, ReadError> {
    let sql = format!("SELECT {STREAM_COLUMNS} WHERE s.organization_id = $1 AND s.id = $2 AND s.digest IS NOT NULL");
    let row = database.query_opt(&sql, &[&organization, &id]).await?;
    Ok(row.as_ref().map(stream).transpose()?)
}

/// The changes in a stretch of a log, in their order, and how much of it was looked through.
pub(crate) async fn next_changes(database: &Database, stream: &Stream, stretch: Stretch) -> Result<(Vec<Happened>, Stretch), ReadError> {
    let (after, until, most) = (place(stretch.after), place(stretch.until), place(stretch.most()));
    let rows = database.query(CHANGES, &[&stream.organization_id, &after, &until, &most, &!stream.feed.workspaces.is_empty()]).await?;
    let changes: Vec<_> = rows.iter().map(happened).collect::<Result<_, _>>()?;
    let seen = stretch.seen(&changes);
    Ok((changes, seen))
}
