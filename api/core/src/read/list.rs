//! Pages of lists: filtered, sorted, by index or by cursor.

use moka::sync::Cache;
use rollcall_events::OrganizationId;
use rollcall_scim::ScimError;
use rollcall_scim::attributes::Projection;
use rollcall_scim::filter::{AttributePath, Filter};
use rollcall_scim::list::Page;
use rollcall_scim::resource::Attributes;
use std::time::Duration;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::cursor::{self, Position, Side};
use super::filter_sql::{Values, condition, sort_key};
use super::find::resource;
use super::table::Table;
use super::{Database, ReadError};
use crate::error::ApiError;
use crate::offload::offload;

/// How many ends of pages are cached, and for how long.
const CACHED_ENDS: u64 = 10_000;
const CACHE_TIME: Duration = Duration::from_mins(10);

/// A query for a page of a list.
pub struct ListQuery<'a> {
    /// The organization.
    pub organization: OrganizationId,
    /// The types of resources to search.
    pub tables: &'a [&'static Table],
    /// The filter, already checked.
    pub filter: Option<&'a Filter>,
    /// The attribute to sort by, and whether the order is descending. Without it, the list is in the order of
    /// creation.
    pub sort: Option<(&'a AttributePath, bool)>,
    /// The requested page.
    pub page: &'a Page,
    /// The requested attributes.
    pub projection: &'a Projection,
}

/// A page of a list.
#[derive(Default)]
pub struct ListPage {
    /// The number of all resources that match.
    pub total: u64,
    /// The resources of the page, each with the endpoint of its type.
    pub resources: Vec<(&'static str, Attributes)>,
    /// The cursor of the next page.
    pub next_cursor: Option<String>,
    /// The cursor of the previous page.
    pub previous_cursor: Option<String>,
    /// The size of the rows that the resources were read from, in bytes.
    pub bytes: usize,
}

/// The rows of a page.
#[derive(Default)]
struct Rows {
    rows: Vec<Row>,
    /// How many rows there were before the page ended by bytes. This is the requested number unless fewer
    /// match.
    chosen: u64,
}

/// The ends of index pages. The next page of a listing begins there, and costs the same at any depth.
#[derive(Clone)]
pub struct PageCache(Cache<(OrganizationId, String, u64), Position>);

impl Default for PageCache {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(CACHED_ENDS).time_to_live(CACHE_TIME).build())
    }
}

/// Why a page cannot be returned.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The query is refused.
    #[error(transparent)]
    Scim(#[from] ScimError),
    /// The resources cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl From<ListError> for ApiError {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Scim(error) => error.into(),
            ListError::Read(error) => error.into(),
        }
    }
}

/// The start of a page.
enum Start {
    Offset(i64),
    At(Side, Position),
}

impl ListQuery<'_> {
    /// Identifies the query. Pages of the same query can follow each other.
    fn fingerprint(&self) -> String {
        let tables: Vec<_> = self.tables.iter().map(|table| table.name).collect();
        let text = format!(
            "{tables:?} {:?} {:?}",
            self.filter.map(ToString::to_string),
            self.sort.map(|(path, down)| (path.to_string(), down))
        );
        blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
    }
}

/// Reads one page of a list, and the number of all matches.
///
/// # Errors
/// 400 for a wrong cursor. Otherwise if Postgres fails.
pub async fn list(database: &Database, page_cache: &PageCache, query: &ListQuery<'_>) -> Result<ListPage, ListError> {
    let fingerprint = query.fingerprint();
    match query.page {
        Page::Index { start_index, count } => {
            by_index(database, page_cache, query, fingerprint, *start_index, *count).await
        }
        Page::Cursor { cursor, count } => by_cursor(database, query, &fingerprint, cursor, *count).await,
    }
}

async fn by_index(
    database: &Database,
    page_cache: &PageCache,
    query: &ListQuery<'_>,
    fingerprint: String,
    start_index: u64,
    count: u64,
) -> Result<ListPage, ListError> {
    let offset = start_index - 1;
    let known = page_cache.0.get(&(query.organization, fingerprint.clone(), start_index));
    let (is_known, start) = match known {
        Some(position) => (true, Start::At(Side::After, position)),
        None => (false, Start::Offset(i64::try_from(offset).unwrap_or(i64::MAX))),
    };
    let Rows { rows, chosen } = if count == 0 { Rows::default() } else { page(database, query, &start, count).await? };
    let shown = rows.len() as u64;
    // A page that is not full shows the total, unless it is past the end or rows before it were deleted in
    // the meantime.
    let total = if chosen < count && !is_known && (chosen > 0 || offset == 0) {
        offset + chosen
    } else {
        total(database, query).await?
    };
    if let (Some(last), true) = (rows.last(), chosen == count || shown < chosen) {
        page_cache.0.insert((query.organization, fingerprint, start_index + shown), position(last)?);
    }
    let bytes = size(&rows);
    Ok(ListPage { total, resources: resources(query, rows).await?, bytes, ..ListPage::default() })
}

async fn by_cursor(
    database: &Database,
    query: &ListQuery<'_>,
    fingerprint: &str,
    cursor: &str,
    count: u64,
) -> Result<ListPage, ListError> {
    let start = match cursor {
        "" => Start::Offset(0),
        cursor => {
            let (side, position) = cursor::read(fingerprint, cursor)?;
            Start::At(side, position)
        }
    };
    let total = total(database, query).await?;
    if count == 0 {
        return Ok(ListPage { total, ..ListPage::default() });
    }
    // Read one more than requested, to know whether there is another page.
    let Rows { mut rows, chosen } = page(database, query, &start, count + 1).await?;
    rows.truncate(usize::try_from(count).unwrap_or(usize::MAX));
    let goes_on = chosen > rows.len() as u64;
    let (has_more, has_less) = match start {
        Start::Offset(_) => (goes_on, false),
        Start::At(Side::After, _) => (goes_on, true),
        Start::At(Side::Before, _) => (true, goes_on),
    };
    if matches!(start, Start::At(Side::Before, _)) {
        rows.reverse();
    }
    let end = |row: Option<&Row>, side, wanted: bool| match row.filter(|_| wanted) {
        Some(row) => cursor::write(fingerprint, side, position(row)?)
            .map(Some)
            .map_err(|error| ReadError::Malformed(error.to_string())),
        None => Ok(None),
    };
    let next_cursor = end(rows.last(), Side::After, has_more)?;
    let previous_cursor = end(rows.first(), Side::Before, has_less)?;
    let bytes = size(&rows);
    Ok(ListPage { total, resources: resources(query, rows).await?, next_cursor, previous_cursor, bytes })
}

fn size(rows: &[Row]) -> usize {
    rows.iter().map(Row::raw_size_bytes).sum()
}

fn position(row: &Row) -> Result<Position, ReadError> {
    Ok(Position { table: row.try_get("n")?, id: row.try_get("id")?, sort_key: row.try_get("sort_key")? })
}

async fn resources(query: &ListQuery<'_>, rows: Vec<Row>) -> Result<Vec<(&'static str, Attributes)>, ReadError> {
    let tables: Vec<&'static Table> = query.tables.to_vec();
    offload(size(&rows), move || rows.iter().map(|row| named_resource(&tables, row)).collect()).await?
}

/// The resource of a row, with the name of its type.
fn named_resource(tables: &[&'static Table], row: &Row) -> Result<(&'static str, Attributes), ReadError> {
    let number = usize::try_from(row.try_get::<_, i32>("n")?).unwrap_or_default();
    let table = tables.get(number).ok_or_else(|| ReadError::Malformed("a row is of no table".to_owned()))?;
    Ok((table.resource_type.name, resource(table, row)?))
}

async fn total(database: &Database, query: &ListQuery<'_>) -> Result<u64, ReadError> {
    let mut values = Values::default();
    let organization = values.bind(query.organization, Type::UUID);
    let counts = query.tables.iter().map(|table| match query.filter {
        // The worker keeps the number of all users and groups.
        None if table.is_counted => format!("(SELECT {} FROM organizations WHERE id = {organization})", table.name),
        None => format!("(SELECT count(*) FROM {} r WHERE r.organization_id = {organization})", table.name),
        Some(filter) => {
            let filter = condition(filter, table, &mut values);
            format!("(SELECT count(*) FROM {} r WHERE r.organization_id = {organization} AND {filter})", table.name)
        }
    });
    let sql = format!("SELECT {} AS total", counts.collect::<Vec<_>>().join(" + "));
    let rows = database.queries(query.organization).query_typed(&sql, &values.parameters()).await?;
    Ok(rows.first().map(|row| row.try_get::<_, i64>("total")).transpose()?.unwrap_or_default().unsigned_abs())
}

/// The rows of a page. Rows are first selected by their keys, so that nothing is joined to rows before the
/// page. Then their sizes decide how many of them fit; these are known without the joins. The first row
/// always fits.
async fn page(database: &Database, query: &ListQuery<'_>, start: &Start, limit: u64) -> Result<Rows, ReadError> {
    let mut values = Values::default();
    values.bind(query.organization, Type::UUID);
    let backwards = matches!(start, Start::At(Side::Before, _));
    let chosen: Vec<_> =
        (0_i32..).zip(query.tables).map(|(number, table)| chosen(query, number, table, start, &mut values)).collect();
    let order = order(query, backwards);
    let offset = values.bind(if let Start::Offset(offset) = start { *offset } else { 0 }, Type::INT8);
    let limit = values.bind(i64::try_from(limit).unwrap_or(i64::MAX), Type::INT8);
    let enough = values.bind(i64::try_from(database.page_bytes()).unwrap_or(i64::MAX), Type::INT8);
    // One SELECT for each table, with the given columns of its rows in the page.
    let of_each = |what: &dyn Fn(&Table) -> String, from: &str, fits: &str| {
        let selected = (0..).zip(query.tables).map(|(number, table): (i32, _)| {
            let (what, name) = (what(table), table.name);
            format!(
                "SELECT {what} FROM {from} p JOIN {name} r ON r.organization_id = $1 AND r.id = p.id
                WHERE p.n = {number} AND {fits}"
            )
        });
        selected.collect::<Vec<_>>().join(" UNION ALL ")
    };
    let measured =
        of_each(&|table| format!("p.n, p.id, p.sort_key, {} AS bytes", table.bytes(query.projection)), "page", "TRUE");
    let fits = format!("p.before < {enough}");
    let shown = of_each(
        &|table| format!("p.n, p.id, p.sort_key, p.chosen, {}", table.columns(query.projection)),
        "measured",
        &fits,
    );
    let chosen = chosen.join(" UNION ALL ");
    let sql = format!(
        "WITH page AS MATERIALIZED ({chosen} ORDER BY {order} OFFSET {offset} LIMIT {limit}),
        measured AS MATERIALIZED (
            SELECT n, id, sort_key, count(*) OVER () AS chosen,
                sum(bytes) OVER (ORDER BY {order} ROWS UNBOUNDED PRECEDING) - bytes AS before
            FROM ({measured}) AS m
        ) {shown} ORDER BY {order}"
    );
    let rows = database.queries(query.organization).query_typed(&sql, &values.parameters()).await?;
    let chosen = rows.first().map(|row| row.try_get::<_, i64>("chosen")).transpose()?;
    Ok(Rows { rows, chosen: chosen.unwrap_or_default().unsigned_abs() })
}

/// Selects the keys of a table's rows that match.
fn chosen(query: &ListQuery<'_>, number: i32, table: &Table, start: &Start, values: &mut Values) -> String {
    let sort = query.sort.map(|(path, _)| sort_key(path, table).unwrap_or_else(|| "NULL::text".to_owned()));
    let filter = query.filter.map_or_else(|| "TRUE".to_owned(), |filter| condition(filter, table, values));
    let seek = match start {
        Start::Offset(_) => "TRUE".to_owned(),
        Start::At(side, position) => seek(query, number, sort.as_deref(), *side, position, values),
    };
    let key = sort.as_deref().unwrap_or("NULL::text");
    format!(
        "SELECT {number} AS n, r.id AS id, {key} COLLATE \"C\" AS sort_key FROM {} r
        WHERE r.organization_id = $1 AND {filter} AND {seek}",
        table.name
    )
}

/// The order of a list. In ascending order, resources without a value come last (RFC 7644 section 3.4.2.3).
fn order(query: &ListQuery<'_>, backwards: bool) -> String {
    let ids = if backwards { "DESC" } else { "ASC" };
    let mut parts = Vec::new();
    if let Some((_, descending)) = query.sort {
        parts.push(
            if descending == backwards { "sort_key ASC NULLS LAST" } else { "sort_key DESC NULLS FIRST" }.to_owned(),
        );
    }
    if query.tables.len() > 1 {
        parts.push(format!("n {ids}"));
    }
    parts.push(format!("id {ids}"));
    parts.join(", ")
}

/// The condition that a row is on a side of a position.
fn seek(
    query: &ListQuery<'_>,
    number: i32,
    sort: Option<&str>,
    side: Side,
    position: &Position,
    values: &mut Values,
) -> String {
    let by_id = |values: &mut Values, sign: &str| match number.cmp(&position.table) {
        std::cmp::Ordering::Equal => format!("r.id {sign} {}", values.bind(position.id, Type::UUID)),
        std::cmp::Ordering::Greater => (sign == ">").to_string(),
        std::cmp::Ordering::Less => (sign == "<").to_string(),
    };
    let (sign, is_after) = if side == Side::After { (">", true) } else { ("<", false) };
    let (Some(sort), Some((_, descending))) = (sort, query.sort) else { return by_id(values, sign) };
    let same = by_id(values, sign);
    // Whether the values grow in the direction of reading.
    let ascends = is_after != descending;
    match &position.sort_key {
        None if ascends => format!("({sort} IS NULL AND {same})"),
        None => format!("({sort} IS NOT NULL OR {same})"),
        Some(key) => {
            let key = values.bind(key.clone(), Type::TEXT);
            let beyond = if ascends {
                format!("({sort} COLLATE \"C\" > {key} OR {sort} IS NULL)")
            } else {
                format!("COALESCE({sort} COLLATE \"C\" < {key}, FALSE)")
            };
            format!("({beyond} OR COALESCE({sort} = {key} AND {same}, FALSE))")
        }
    }
}

/// A page of a look-up by key: at most one resource.
pub fn single(found: Option<Attributes>, table: &Table, page: &Page) -> ListPage {
    let is_shown = page.count() > 0 && !matches!(page, Page::Index { start_index, .. } if *start_index > 1);
    let total = u64::from(found.is_some());
    let resources = found.into_iter().filter(|_| is_shown).map(|found| (table.resource_type.name, found)).collect();
    ListPage { total, resources, ..ListPage::default() }
}
