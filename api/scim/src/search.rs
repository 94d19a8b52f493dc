//! Queries (RFC 7644 section 3.4.2) by GET and by POST to `/.search`, on one type of resources or on all.

use actix_web::HttpResponse;
use actix_web::web::Data;
use rollcall_api_core::SCIM_JSON;
use rollcall_api_core::auth::Caller;
use rollcall_api_core::error::{ApiError, ApiResult};
use rollcall_api_core::http::{Base, Bounds, Parameters, ScimBody, set_up};
use rollcall_api_core::offload;
use rollcall_api_core::openapi::{
    Errors, ListResponse as ListSchema, Projection as ProjectionParameters, Query, SearchRequest,
};
use rollcall_api_core::read::{Database, GROUPS, ListQuery, PageCache, Table, USERS, find_by_key, list, single};
use rollcall_scim::ScimError;
use rollcall_scim::casefold::casefold;
use rollcall_scim::filter::{self, AttributePath, Comparison, Filter, Scope, check, fit};
use rollcall_scim::list::{ListResponse, Page};
use serde_json::Value;
use std::sync::Arc;

use super::answer::Representation;
use super::dialect::{CallerDialect, Dialect};

/// Lists users (RFC 7644 section 3.4.2).
#[utoipa::path(
    method(get, head),
    path = "/Users",
    tag = "Users",
    operation_id = "listUsers",
    params(Query, ProjectionParameters),
    responses(Errors, (status = 200, description = "A page.", body = ListSchema, content_type = SCIM_JSON))
)]
pub(super) async fn users(parameters: Parameters, context: QueryContext) -> ApiResult {
    context.answer(&[&USERS], &parameters).await
}

/// Lists groups (RFC 7644 section 3.4.2).
#[utoipa::path(
    method(get, head),
    path = "/Groups",
    tag = "Groups",
    operation_id = "listGroups",
    params(Query, ProjectionParameters),
    responses(Errors, (status = 200, description = "A page.", body = ListSchema, content_type = SCIM_JSON))
)]
pub(super) async fn groups(parameters: Parameters, context: QueryContext) -> ApiResult {
    context.answer(&[&GROUPS], &parameters).await
}

/// Lists users and groups (RFC 7644 section 3.4.2).
#[utoipa::path(
    method(get, head),
    path = "",
    tag = "Users and groups",
    operation_id = "listAll",
    params(Query, ProjectionParameters),
    responses(Errors, (status = 200, description = "A page.", body = ListSchema, content_type = SCIM_JSON))
)]
pub(super) async fn everything(parameters: Parameters, context: QueryContext) -> ApiResult {
    context.answer(&Table::provisioned(), &parameters).await
}

/// Searches users by POST (RFC 7644 section 3.4.3).
#[utoipa::path(
    post,
    path = "/Users/.search",
    tag = "Users",
    operation_id = "searchUsers",
    request_body(content = SearchRequest, content_type = SCIM_JSON),
    responses(Errors, (status = 200, description = "A page.", body = ListSchema, content_type = SCIM_JSON))
)]
pub(super) async fn search_users(body: ScimBody, context: QueryContext) -> ApiResult {
    context.answer(&[&USERS], &Parameters::of_search(body.json)?).await
}

/// Searches groups by POST (RFC 7644 section 3.4.3).
#[utoipa::path(
    post,
    path = "/Groups/.search",
    tag = "Groups",
    operation_id = "searchGroups",
    request_body(content = SearchRequest, content_type = SCIM_JSON),
    responses(Errors, (status = 200, description = "A page.", body = ListSchema, content_type = SCIM_JSON))
)]
pub(super) async fn search_groups(body: ScimBody, context: QueryContext) -> ApiResult {
    context.answer(&[&GROUPS], &Parameters::of_search(body.json)?).await
}

/// Searches users and groups by POST (RFC 7644 section 3.4.3).
#[utoipa::path(
    post,
    path = "/.search",
    tag = "Users and groups",
    operation_id = "searchAll",
    request_body(content = SearchRequest, content_type = SCIM_JSON),
    responses(Errors, (status = 200, description = "A page.", body = ListSchema, content_type = SCIM_JSON))
)]
pub(super) async fn search_everything(body: ScimBody, context: QueryContext) -> ApiResult {
    context.answer(&Table::provisioned(), &Parameters::of_search(body.json)?).await
}

/// Everything that a query needs besides its parameters.
pub(super) struct QueryContext {
    caller: Caller,
    dialect: Arc<dyn Dialect>,
    database: Data<Database>,
    page_cache: Data<PageCache>,
    base: Data<Base>,
    bounds: Data<Bounds>,
}

impl QueryContext {
    /// Answers a query.
    pub(super) async fn answer(&self, tables: &[&'static Table], parameters: &Parameters) -> ApiResult {
        let projection = self.dialect.projection(parameters)?;
        let page = Page::parse(
            parameters.get("startIndex"),
            parameters.get("count"),
            parameters.get("cursor"),
            self.bounds.max_page,
        )?;
        let filter = parameters.get("filter").map(|text| checked(text, tables)).transpose()?;
        let sort = parameters.get("sortBy").map(|text| sort(text, parameters.get("sortOrder"), tables)).transpose()?;
        let query = ListQuery {
            organization: self.caller.organization_id(),
            tables,
            filter: filter.as_ref(),
            sort: sort.as_ref().map(|(path, descending)| (path, *descending)),
            page: &page,
            projection: &projection,
        };
        let listed = match by_key(&query) {
            Some((table, key)) => {
                single(find_by_key(&self.database, table, query.organization, &key, &projection).await?, table, &page)
            }
            None => list(&self.database, &self.page_cache, &query).await?,
        };
        let (base, dialect) = (self.base.clone(), self.dialect.clone());
        let types: Vec<_> = tables.iter().map(|table| table.resource_type).collect();
        let writing = move || {
            let shown = listed.resources.into_iter().filter_map(|(name, resource)| {
                let resource_type = types.iter().find(|known| known.name == name)?;
                Some(dialect.shown(Representation::new(resource_type, &base, resource), &projection))
            });
            let mut response = ListResponse::of(listed.total, shown.collect());
            match page {
                Page::Index { start_index, .. } => response.start_index = Some(start_index),
                Page::Cursor { .. } => {
                    (response.next_cursor, response.previous_cursor) = (listed.next_cursor, listed.previous_cursor);
                }
            }
            serde_json::to_string(&response)
        };
        let text = offload(listed.bytes, writing).await?;
        text.map(listing).map_err(|error| ApiError::Internal(format!("a list cannot be written: {error}")))
    }
}

fn listing(text: String) -> HttpResponse {
    HttpResponse::Ok().content_type(SCIM_JSON).body(text)
}

/// The key that a query looks for, if it is a unique attribute. Identity providers ask before every create
/// whether the name is taken; one prepared statement answers that.
fn by_key(query: &ListQuery<'_>) -> Option<(&'static Table, String)> {
    let ([table], Some(Filter::Compare(path, Comparison::Eq, Value::String(value))), None) =
        (query.tables, query.filter, query.sort)
    else {
        return None;
    };
    let found = Scope::Resource(table.resource_type).resolve(path)?;
    (found.sub.is_none() && found.extension.is_none() && table.is_unique(found.attribute))
        .then(|| (*table, casefold(value)))
}

/// A filter that at least one type of the resources knows.
fn checked(text: &str, tables: &[&'static Table]) -> Result<Filter, ScimError> {
    let filter =
        tables.iter().fold(filter::parse(text)?, |filter, table| fit(filter, Scope::Resource(table.resource_type)));
    let mut wrong = None;
    for table in tables {
        match check(&filter, Scope::Resource(table.resource_type)) {
            Ok(()) => return Ok(filter),
            Err(error) => wrong = wrong.or(Some(error)),
        }
    }
    wrong.map_or(Ok(filter), Err)
}

/// The attribute to sort by, and whether the order is descending (RFC 7644 section 3.4.2.3).
fn sort(text: &str, order: Option<&str>, tables: &[&'static Table]) -> Result<(AttributePath, bool), ScimError> {
    let path = filter::parse_name(text).map_err(|why| ScimError::invalid_value(format!("sortBy is wrong {why}")))?;
    if !tables.iter().any(|table| is_sortable(&path, table)) {
        return Err(ScimError::invalid_value(format!("sortBy: {path} is not an attribute that can be sorted by")));
    }
    let descending = match order.map(str::to_ascii_lowercase).as_deref() {
        None | Some("" | "ascending") => false,
        Some("descending") => true,
        Some(_) => return Err(ScimError::invalid_value("sortOrder is not ascending or descending")),
    };
    Ok((path, descending))
}

fn is_sortable(path: &AttributePath, table: &Table) -> bool {
    // Every attribute that a filter may name can be sorted by, except for relations.
    let asked = Filter::Present(path.clone());
    check(&asked, Scope::Resource(table.resource_type)).is_ok()
        && Scope::Resource(table.resource_type).resolve(path).is_some_and(|found| !table.is_relation(found.attribute))
}

impl actix_web::FromRequest for QueryContext {
    type Error = ApiError;
    type Future = std::future::Ready<Result<Self, ApiError>>;

    fn from_request(request: &actix_web::HttpRequest, payload: &mut actix_web::dev::Payload) -> Self::Future {
        let caller = Caller::from_request(request, payload).into_inner();
        std::future::ready(caller.and_then(|caller| {
            Ok(Self {
                dialect: CallerDialect::of(&caller, request)?,
                caller,
                database: set_up(request, "the database")?,
                page_cache: set_up(request, "the page cache")?,
                base: set_up(request, "the base")?,
                bounds: set_up(request, "the bounds")?,
            })
        }))
    }
}
