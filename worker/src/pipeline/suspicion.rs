//! Decides whether requests fail because of their own content, or because of a fault in the database or the
//! program.
//!
//! A fault is systemic if requests of several organizations fail with the same SQLSTATE, and no request of
//! their kind was applied since. An SQLSTATE about a value of the request is no evidence about other
//! requests.

use rollcall_events::request::{Request, RequestBody};
use rollcall_events::{EventId, OrganizationId};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::db::StoreError;

/// Time for which a failure counts. It is longer than a stopped partition waits before it tries again.
const REMEMBERED: Duration = Duration::from_mins(5);
/// Maximum number of remembered failures. Beyond it, new failures are compared with these, but not
/// remembered.
const MAX_REMEMBERED: usize = 10_000;

/// The kind of a request, as far as it determines the statements that run for it.
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
    request: EventId,
    organization: OrganizationId,
    kind: Kind,
    /// `None` if the failure is about a value of the request, or Postgres was not asked.
    sql_state: Option<String>,
}

impl Failure {
    /// The failure of a request.
    pub(crate) fn of(request: &Request, error: &StoreError) -> Self {
        let sql_state = error.sql_state().filter(|_| !error.is_about_a_value()).map(str::to_owned);
        Self { request: request.id, organization: request.organization_id, kind: Kind::of(request), sql_state }
    }
}

/// The recent failures and successes of all partitions of a worker.
#[derive(Debug, Default)]
pub(crate) struct Suspicions(Mutex<History>);

#[derive(Debug, Default)]
struct History {
    failures: HashMap<EventId, PastFailure>,
    /// The time at which a request of the kind was last applied.
    applied: HashMap<Kind, Instant>,
}

#[derive(Debug)]
struct PastFailure {
    organization: OrganizationId,
    kind: Kind,
    sql_state: String,
    /// The time of its first failure, alone or in a batch.
    first: Instant,
    last: Instant,
}

impl History {
    /// Whether no request of the kind was applied since this one first failed. If one was, the fault is in
    /// the failed request.
    fn is_unexplained(&self, failure: &PastFailure) -> bool {
        self.applied.get(&failure.kind).is_none_or(|applied| *applied < failure.first)
    }

    fn remember(&mut self, failure: &Failure, since: Instant) {
        let Some(sql_state) = failure.sql_state.clone() else { return };
        let now = Instant::now();
        if let Some(past) = self.failures.get_mut(&failure.request) {
            (past.last, past.sql_state) = (now, sql_state);
        } else if self.failures.len() < MAX_REMEMBERED {
            let Failure { request, organization, kind, .. } = *failure;
            self.failures.insert(request, PastFailure { organization, kind, sql_state, first: since, last: now });
        }
    }

    /// For each kind and SQLSTATE: an organization with unexplained failures, and whether other organizations
    /// have some too.
    fn unexplained(&self) -> HashMap<(Kind, &str), (OrganizationId, bool)> {
        let mut unexplained = HashMap::new();
        for failure in self.failures.values().filter(|failure| self.is_unexplained(failure)) {
            let (first, has_others) =
                unexplained.entry((failure.kind, failure.sql_state.as_str())).or_insert((failure.organization, false));
            *has_others |= *first != failure.organization;
        }
        unexplained
    }
}

impl Suspicions {
    /// Records that requests of these kinds were applied.
    pub(crate) fn applied(&self, kinds: impl Iterator<Item = Kind>) {
        let (mut history, now) = (self.lock(), Instant::now());
        let mut before = None;
        for kind in kinds {
            if before.replace(kind) != Some(kind) {
                history.applied.insert(kind, now);
            }
        }
    }

    /// Whether one of the failures is systemic: another organization has the same failure, in any partition,
    /// and no request of the kind was applied since the first one failed. `since` is the time from which
    /// these requests have failed, alone or in a batch.
    pub(crate) fn are_systemic(&self, failures: impl Iterator<Item = Failure>, since: Instant) -> bool {
        let mut history = self.lock();
        history.failures.retain(|_, failure| failure.last.elapsed() < REMEMBERED);
        let failures: Vec<_> = failures.collect();
        for failure in &failures {
            history.remember(failure, since);
        }
        let unexplained = history.unexplained();
        failures.iter().any(|failure| {
            let remembered = history.failures.get(&failure.request);
            let is_unexplained = remembered.is_some_and(|failure| history.is_unexplained(failure));
            let same = failure.sql_state.as_deref().and_then(|sql_state| unexplained.get(&(failure.kind, sql_state)));
            is_unexplained && same.is_some_and(|(_, has_others)| *has_others)
        })
    }

    /// Whether a request has an unexplained recent failure.
    pub(crate) fn suspects(&self, request: EventId) -> bool {
        let history = self.lock();
        history.failures.get(&request).is_some_and(|failure| history.is_unexplained(failure))
    }

    fn lock(&self) -> MutexGuard<'_, History> {
        // No code that holds the lock leaves a partial change, so a poisoned lock is usable.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const CREATE: Kind = Kind("UserRequested", "create");
    const PATCH: Kind = Kind("UserRequested", "patch");

    fn failure(request: u128, organization: u128, kind: Kind, sql_state: Option<&str>) -> Failure {
        let (request, organization) =
            (EventId(Uuid::from_u128(request)), OrganizationId(Uuid::from_u128(organization)));
        Failure { request, organization, kind, sql_state: sql_state.map(str::to_owned) }
    }

    fn are_systemic<const N: usize>(suspicions: &Suspicions, failures: [Failure; N]) -> bool {
        suspicions.are_systemic(failures.into_iter(), Instant::now())
    }

    #[test]
    fn failures_of_one_organization_are_not_systemic() {
        let suspicions = Suspicions::default();
        assert!(!are_systemic(
            &suspicions,
            [failure(1, 1, CREATE, Some("23514")), failure(2, 1, CREATE, Some("23514"))]
        ));
        let others = [failure(3, 2, PATCH, Some("23514")), failure(4, 2, CREATE, Some("23502"))];
        assert!(!are_systemic(&suspicions, others), "other faults");
        assert!(
            are_systemic(&suspicions, [failure(5, 2, CREATE, Some("23514"))]),
            "the same fault of another organization"
        );
    }

    #[test]
    fn a_value_error_is_not_systemic() {
        assert!(!are_systemic(&Suspicions::default(), [failure(1, 1, CREATE, None), failure(2, 2, CREATE, None)]));
    }

    #[test]
    fn a_success_of_the_same_kind_explains_a_failure() {
        let suspicions = Suspicions::default();
        assert!(!are_systemic(&suspicions, [failure(1, 1, CREATE, Some("23514"))]));
        suspicions.applied([PATCH].into_iter());
        assert!(are_systemic(&suspicions, [failure(2, 2, CREATE, Some("23514"))]), "another kind proves nothing");
        suspicions.applied([CREATE].into_iter());
        assert!(!are_systemic(
            &suspicions,
            [failure(1, 1, CREATE, Some("23514")), failure(2, 2, CREATE, Some("23514"))]
        ));
        assert!(!suspicions.suspects(EventId(Uuid::from_u128(1))) && !suspicions.suspects(EventId(Uuid::from_u128(2))));
    }

    #[test]
    fn a_success_in_the_failing_batch_explains_a_failure() {
        let (suspicions, since) = (Suspicions::default(), Instant::now());
        suspicions.applied([CREATE].into_iter());
        let failures = [failure(1, 1, CREATE, Some("23514")), failure(2, 2, CREATE, Some("23514"))];
        assert!(!suspicions.are_systemic(failures.into_iter(), since));
    }

    #[test]
    fn a_success_before_the_failure_explains_nothing() {
        let suspicions = Suspicions::default();
        suspicions.applied([CREATE].into_iter());
        assert!(are_systemic(
            &suspicions,
            [failure(1, 1, CREATE, Some("23514")), failure(2, 2, CREATE, Some("23514"))]
        ));
        assert!(suspicions.suspects(EventId(Uuid::from_u128(1))) && suspicions.suspects(EventId(Uuid::from_u128(2))));
    }
}
