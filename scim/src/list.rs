//! The `ListResponse` (RFC 7644 section 3.4.2) and the paging that asks for one.

use serde::Serialize;
use serde_json::Value;

use crate::ScimError;

/// The schema of a list of resources.
pub const LIST_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// One page of resources.
#[derive(Debug, Serialize)]
pub struct ListResponse {
    schemas: [&'static str; 1],
    /// How many resources match in all.
    #[serde(rename = "totalResults")]
    pub total_results: u64,
    /// How many are in this page.
    #[serde(rename = "itemsPerPage")]
    pub items_per_page: usize,
    /// The 1-based index of this page's first resource.
    #[serde(rename = "startIndex")]
    pub start_index: u64,
    /// The resources themselves.
    #[serde(rename = "Resources")]
    pub resources: Vec<Value>,
}

impl ListResponse {
    /// A page that starts at `start_index` of `total_results` matches.
    pub fn page(total_results: u64, start_index: u64, resources: Vec<Value>) -> Self {
        Self { schemas: [LIST_SCHEMA], total_results, items_per_page: resources.len(), start_index, resources }
    }

    /// All there is, as the discovery endpoints answer.
    pub fn whole(resources: Vec<Value>) -> Self {
        Self::page(resources.len() as u64, 1, resources)
    }
}

/// The window of a query: `startIndex` and `count` (RFC 7644 section 3.4.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// 1-based index of the first resource.
    pub start_index: u64,
    /// At most so many resources; 0 asks for the total only.
    pub count: u64,
}

impl Window {
    /// Reads the two parameters as given: a start below 1 means 1, a negative count means 0, and `max_count` bounds a page.
    ///
    /// # Errors
    /// 400 `invalidValue` where a parameter is not an integer.
    pub fn parse(start_index: Option<&str>, count: Option<&str>, max_count: u64) -> Result<Self, ScimError> {
        let start_index = start_index.map(|text| integer("startIndex", text)).transpose()?.unwrap_or(1);
        let count = count.map(|text| integer("count", text)).transpose()?;
        Ok(Self {
            start_index: u64::try_from(start_index).unwrap_or(1).max(1),
            count: count.map_or(max_count, |count| u64::try_from(count).unwrap_or(0).min(max_count)),
        })
    }
}

fn integer(name: &str, text: &str) -> Result<i64, ScimError> {
    text.parse().map_err(|_| ScimError::invalid_value(format!("{name} is not an integer that fits")))
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
    fn window(start_index: Option<&str>, count: Option<&str>) -> Result<(u64, u64), String> {
        Window::parse(start_index, count, 200)
            .map(|window| (window.start_index, window.count))
            .map_err(|error| error.detail.split(' ').next().unwrap_or_default().to_owned())
    }
}
