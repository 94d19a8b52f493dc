//! Chooses entries of the log: by conditions that the database checks, and by a filter that is checked here.

use rollcall_events::OrganizationId;
use rollcall_service::entries::{StoredEntry, StoredRow};
use std::sync::Arc;

use super::filter::EntryFilter;
use super::history::payload_size;
use super::query::{by_now, conditions};
use crate::error::ApiError;
use crate::http::Parameters;
use crate::offload::offload;
use crate::read::{Condition, Database, ReadError};

/// The entries that are wanted. Without conditions and filter, all of them.
#[derive(Clone)]
pub struct Selection {
    /// The conditions that the database checks.
    pub conditions: Vec<Condition>,
    filter: Option<Arc<EntryFilter>>,
}

/// A line of the log, which may be an entry.
pub trait LogLine: Send + 'static {
    /// The entry, if the line is one.
    fn entry(&self) -> Option<&StoredEntry>;
}

impl LogLine for StoredEntry {
    fn entry(&self) -> Option<&StoredEntry> {
        Some(self)
    }
}

impl LogLine for StoredRow {
    fn entry(&self) -> Option<&StoredEntry> {
        self.entry()
    }
}

impl Selection {
    /// Parses the conditions and the filter of a call.
    ///
    /// # Errors
    /// 400 if one of them is malformed. The detail names its parameter.
    pub async fn read(
        database: &Database,
        organization: OrganizationId,
        parameters: &Parameters,
    ) -> Result<Self, ApiError> {
        let filter = parameters.get("filter").map(EntryFilter::parse).transpose()?.map(Arc::new);
        Ok(Self { conditions: conditions(database, organization, parameters).await?, filter })
    }

    /// The same choice for the current log.
    ///
    /// # Errors
    /// If Postgres fails.
    pub async fn by_now(self, database: &Database, organization: OrganizationId) -> Result<Self, ApiError> {
        Ok(Self { conditions: by_now(database, organization, self.conditions).await?, ..self })
    }

    /// Whether all entries are wanted.
    pub fn is_everything(&self) -> bool {
        self.conditions.is_empty() && self.filter.is_none()
    }

    /// The number of comparisons in the filter; `None` without a filter.
    pub fn filter_terms(&self) -> Option<usize> {
        self.filter.as_ref().map(|filter| filter.terms())
    }

    /// The lines that match the filter, among those that meet the conditions. A line that is not an entry
    /// matches no filter.
    ///
    /// # Errors
    /// If the work panics.
    pub async fn matching<T: LogLine>(&self, lines: Vec<T>) -> Result<Vec<T>, ReadError> {
        let Some(filter) = self.filter.clone() else { return Ok(lines) };
        let bytes: usize = lines.iter().filter_map(T::entry).map(payload_size).sum();
        let chosen = move |filter: &EntryFilter, line: &T| line.entry().is_some_and(|entry| filter.chooses(entry));
        let choose = move || lines.into_iter().filter(|line| chosen(&filter, line)).collect();
        offload(bytes.saturating_mul(self.filter_terms().unwrap_or(1)), choose).await
    }
}
