//! The `ListResponse` (RFC 7644 section 3.4.2), and the parameters for paging.

use serde::Serialize;
use serde_json::Value;

use crate::{ScimError, ScimType};

/// The schema of a list of resources.
pub const LIST_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// One page of resources.
#[derive(Debug, Serialize)]
pub struct ListResponse {
    schemas: [&'static str; 1],
    /// The number of resources that match.
    #[serde(rename = "totalResults")]
    pub total_results: u64,
    /// The number of resources in this page.
    #[serde(rename = "itemsPerPage")]
    pub items_per_page: usize,
    /// The 1-based index of the first resource in this page, if pages go by index.
    #[serde(rename = "startIndex", skip_serializing_if = "Option::is_none")]
    pub start_index: Option<u64>,
    /// The cursor of the next page (RFC 9865 section 2).
    #[serde(rename = "nextCursor", skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// The cursor of the previous page (RFC 9865 section 2).
    #[serde(rename = "previousCursor", skip_serializing_if = "Option::is_none")]
    pub previous_cursor: Option<String>,
    /// The resources.
    #[serde(rename = "Resources")]
    pub resources: Vec<Value>,
}

impl ListResponse {
    /// A page of `total_results` matches. The caller adds its index or its cursors.
    pub fn of(total_results: u64, resources: Vec<Value>) -> Self {
        Self {
            schemas: [LIST_SCHEMA],
            total_results,
            items_per_page: resources.len(),
            start_index: None,
            next_cursor: None,
            previous_cursor: None,
            resources,
        }
    }

    /// A list with all resources, as the discovery endpoints return it.
    pub fn whole(resources: Vec<Value>) -> Self {
        Self { start_index: Some(1), ..Self::of(resources.len() as u64, resources) }
    }
}

/// The page of a query that a caller asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// By index (RFC 7644 section 3.4.2.4).
    Index {
        /// The 1-based index of the first resource.
        start_index: u64,
        /// The most resources in the page; 0 asks for the total only.
        count: u64,
    },
    /// By cursor (RFC 9865). An empty cursor asks for the first page.
    Cursor {
        /// The cursor, as an earlier page gave it.
        cursor: String,
        /// The most resources in the page.
        count: u64,
    },
}

impl Page {
    /// Reads the parameters. A start below 1 means 1, a negative count means 0, and `max_count` bounds a
    /// page.
    ///
    /// # Errors
    /// 400 `invalidValue` if a parameter is not an integer, 400 `invalidCount` if a page with a cursor cannot
    /// have that count.
    pub fn parse(
        start_index: Option<&str>,
        count: Option<&str>,
        cursor: Option<&str>,
        max_count: u64,
    ) -> Result<Self, ScimError> {
        let bounded = |count: i64| u64::try_from(count).unwrap_or(0).min(max_count);
        if let Some(cursor) = cursor {
            let count = match count.map(str::parse::<i64>) {
                None => max_count,
                Some(Ok(count)) if count >= 0 => bounded(count),
                Some(_) => {
                    return Err(ScimError::bad_request(
                        ScimType::InvalidCount,
                        "count is not a whole number from 0 on",
                    ));
                }
            };
            return Ok(Self::Cursor { cursor: cursor.to_owned(), count });
        }
        let start_index = start_index.map(|text| integer("startIndex", text)).transpose()?.unwrap_or(1);
        let count = count.map(|text| integer("count", text)).transpose()?.map_or(max_count, bounded);
        Ok(Self::Index { start_index: u64::try_from(start_index).unwrap_or(1).max(1), count })
    }

    /// The most resources in the page.
    pub fn count(&self) -> u64 {
        match self {
            Self::Index { count, .. } | Self::Cursor { count, .. } => *count,
        }
    }
}

fn integer(name: &str, text: &str) -> Result<i64, ScimError> {
    text.parse().map_err(|_| ScimError::invalid_value(format!("{name} must be an integer in range")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case(None, None => Ok((1, 200)); "defaults")]
    #[test_case(Some("0"), Some("-3") => Ok((1, 0)); "below the range")]
    #[test_case(Some("-7"), Some("0") => Ok((1, 0)); "totals only")]
    #[test_case(Some("11"), Some("10") => Ok((11, 10)); "plain")]
    #[test_case(Some("2"), Some("100000") => Ok((2, 200)); "bounded")]
    #[test_case(Some("x"), None => Err("startIndex".to_owned()); "not a number")]
    #[test_case(None, Some("1.5") => Err("count".to_owned()); "not an integer")]
    fn by_index(start_index: Option<&str>, count: Option<&str>) -> Result<(u64, u64), String> {
        match Page::parse(start_index, count, None, 200) {
            Ok(Page::Index { start_index, count }) => Ok((start_index, count)),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.detail.split(' ').next().unwrap_or_default().to_owned()),
        }
    }

    #[test_case("", None => Ok(200); "the first page")]
    #[test_case("x", Some("10") => Ok(10); "plain")]
    #[test_case("x", Some("-1") => Err(Some(ScimType::InvalidCount)); "negative")]
    #[test_case("x", Some("many") => Err(Some(ScimType::InvalidCount)); "not a number")]
    fn by_cursor(cursor: &str, count: Option<&str>) -> Result<u64, Option<ScimType>> {
        Page::parse(None, count, Some(cursor), 200).map(|page| page.count()).map_err(|error| error.scim_type)
    }
}
