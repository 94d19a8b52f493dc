//! Whether requests fail because of what is in them, or because something is wrong with the database or the program.
//!
//! A fault that is clearly systemic stops the partition. It is systemic if requests of several organizations fail with the same SQLSTATE while no request of their kind
//! succeeds, unless the SQLSTATE is about a value of the request.

use rollcall_events::OrganizationId;
use rollcall_events::request::{Request, RequestBody};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::store::StoreError;

/// For how long a failure counts.
const REMEMBERED: Duration = Duration::from_mins(5);

/// What a request asks for, as far as it decides which statements are run for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Kind(&'static str, &'static str);

impl Kind {
    /// The kind of a request.
    pub(crate) fn of(request: &Request) -> Self {
        let operation = match &request.body {
            RequestBody::UserRequested(call) => call.operation.name(),
            RequestBody::GroupRequested(call) => call.operation.name(),
            RequestBody::SettingsRequested(settings) => settings.name(),
            RequestBody::AccessDenied(_) | RequestBody::StreamAcknowledged(_) => "",
        };
        Self(request.body.type_name(), operation)
    }
}

/// A request that cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    organization: OrganizationId,
    kind: Kind,
    /// `None` where the failure is about a value of the request, or Postgres was not even asked.
    sql_state: Option<String>,
}

impl Failure {
    /// The failure of a request.
    pub(crate) fn of(request: &Request, error: &StoreError) -> Self {
        let sql_state = error.sql_state().filter(|_| !error.is_about_a_value()).map(str::to_owned);
        Self { organization: request.organization_id, kind: Kind::of(request), sql_state }
    }
}

/// The failures that all partitions of a worker have met lately.
#[derive(Debug, Default)]
pub(crate) struct Suspicions(Mutex<HashMap<(Kind, String), (OrganizationId, Instant)>>);

impl Suspicions {
    /// Requests of these kinds were applied: what stopped others of the kind is theirs.
    pub(crate) fn clear(&self, kinds: impl Iterator<Item = Kind>) {
        let mut known = self.lock();
        if !known.is_empty() {
            let applied: Vec<_> = kinds.collect();
            known.retain(|(kind, _), _| !applied.contains(kind));
        }
    }

    /// Whether failures are clearly systemic: another organization has met the same one, here or in another partition.
    pub(crate) fn are_systemic(&self, failures: impl Iterator<Item = Failure>) -> bool {
        let mut known = self.lock();
        known.retain(|_, (_, at)| at.elapsed() < REMEMBERED);
        let mut is_systemic = false;
        for Failure { organization, kind, sql_state } in failures {
            let Some(sql_state) = sql_state else { continue };
            let (first, _) = *known.entry((kind, sql_state)).or_insert((organization, Instant::now()));
            is_systemic |= first != organization;
        }
        is_systemic
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Kind, String), (OrganizationId, Instant)>> {
        // Nothing that holds the lock can leave the map half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const CREATE: Kind = Kind("UserRequested", "create");
    const PATCH: Kind = Kind("UserRequested", "patch");

    fn failure(organization: u128, kind: Kind, sql_state: Option<&str>) -> Failure {
        Failure { organization: OrganizationId(Uuid::from_u128(organization)), kind, sql_state: sql_state.map(str::to_owned) }
    }

    #[test]
    fn one_organization_alone_is_not_the_system() {
        let suspicions = Suspicions::default();
        assert!(!suspicions.are_systemic([failure(1, CREATE, Some("23514")), failure(1, CREATE, Some("23514"))].into_iter()));
        assert!(
            !suspicions.are_systemic([failure(2, PATCH, Some("23514")), failure(2, CREATE, Some("23502"))].into_iter()),
            "other faults"
        );
        assert!(suspicions.are_systemic([failure(2, CREATE, Some("23514"))].into_iter()), "the same fault of another organization");
    }

    #[test]
    fn a_value_says_nothing_about_others() {
        let values = [failure(1, CREATE, None), failure(2, CREATE, None)];
        assert!(!Suspicions::default().are_systemic(values.into_iter()));
    }

    #[test]
    fn what_can_be_applied_for_others_is_not_broken() {
        let suspicions = Suspicions::default();
        assert!(!suspicions.are_systemic([failure(1, CREATE, Some("23514"))].into_iter()));
        suspicions.clear([PATCH].into_iter());
        assert!(suspicions.are_systemic([failure(2, CREATE, Some("23514"))].into_iter()), "another kind proves nothing");
        suspicions.clear([CREATE].into_iter());
        assert!(!suspicions.are_systemic([failure(2, CREATE, Some("23514"))].into_iter()));
    }
}
