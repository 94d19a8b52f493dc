//! Whether requests fail because of what is in them, or because something is wrong with the database or the program.
//!
//! A fault is systemic if requests of several organizations fail with the same SQLSTATE, and no request of their kind was applied since. An SQLSTATE about a value of the
//! request says nothing about others.

use rollcall_events::request::{Request, RequestBody};
use rollcall_events::{EventId, OrganizationId};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::db::StoreError;

/// How long a failure counts: longer than a partition that has stopped waits before it tries again.
const REMEMBERED: Duration = Duration::from_mins(5);
/// How many failures are remembered. Where there are more of them, the newest are judged by these.
const MAX_REMEMBERED: usize = 10_000;

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
    request: EventId,
    organization: OrganizationId,
    kind: Kind,
    /// `None` where the failure is about a value of the request, or Postgres was not even asked.
    sql_state: Option<String>,
}

impl Failure {
    /// The failure of a request.
    pub(crate) fn of(request: &Request, error: &StoreError) -> Self {
        let sql_state = error.sql_state().filter(|_| !error.is_about_a_value()).map(str::to_owned);
        Self { request: request.id, organization: request.organization_id, kind: Kind::of(request), sql_state }
    }
}

/// The failures and the successes that all partitions of a worker have met lately.
#[derive(Debug, Default)]
pub(crate) struct Suspicions(Mutex<Met>);

#[derive(Debug, Default)]
struct Met {
    failures: HashMap<EventId, MetFailure>,
    /// When a request of the kind was applied last.
    applied: HashMap<Kind, Instant>,
}

#[derive(Debug)]
struct MetFailure {
    organization: OrganizationId,
    kind: Kind,
    sql_state: String,
    /// When the request failed first, alone or among others.
    first: Instant,
    last: Instant,
}

impl Met {
    /// Whether nothing of the kind was applied since the request failed first. Otherwise the fault is its own.
    fn is_unexplained(&self, failure: &MetFailure) -> bool {
        self.applied.get(&failure.kind).is_none_or(|applied| *applied < failure.first)
    }

    fn remember(&mut self, failure: &Failure, since: Instant) {
        let Some(sql_state) = failure.sql_state.clone() else { return };
        let now = Instant::now();
        if let Some(met) = self.failures.get_mut(&failure.request) {
            (met.last, met.sql_state) = (now, sql_state);
        } else if self.failures.len() < MAX_REMEMBERED {
            let Failure { request, organization, kind, .. } = *failure;
            self.failures.insert(request, MetFailure { organization, kind, sql_state, first: since, last: now });
        }
    }

    /// By kind and SQLSTATE, an organization that has failures without an explanation, and whether others have some too.
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
    /// Requests of these kinds were applied.
    pub(crate) fn applied(&self, kinds: impl Iterator<Item = Kind>) {
        let (mut met, now) = (self.lock(), Instant::now());
        let mut before = None;
        for kind in kinds {
            if before.replace(kind) != Some(kind) {
                met.applied.insert(kind, now);
            }
        }
    }

    /// Whether one of the failures is clearly systemic: another organization has met the same one, here or in another partition, and nothing of the kind was applied since
    /// they failed first. These requests have failed since then, alone or among others.
    pub(crate) fn are_systemic(&self, failures: impl Iterator<Item = Failure>, since: Instant) -> bool {
        let mut met = self.lock();
        met.failures.retain(|_, failure| failure.last.elapsed() < REMEMBERED);
        let failures: Vec<_> = failures.collect();
        for failure in &failures {
            met.remember(failure, since);
        }
        let unexplained = met.unexplained();
        failures.iter().any(|failure| {
            let met_before = met.failures.get(&failure.request);
            let is_unexplained = met_before.is_some_and(|failure| met.is_unexplained(failure));
            let same = failure.sql_state.as_deref().and_then(|sql_state| unexplained.get(&(failure.kind, sql_state)));
            is_unexplained && same.is_some_and(|(_, has_others)| *has_others)
        })
    }

    /// Whether a request has failed lately without an explanation.
    pub(crate) fn suspects(&self, request: EventId) -> bool {
        let met = self.lock();
        met.failures.get(&request).is_some_and(|failure| met.is_unexplained(failure))
    }

    fn lock(&self) -> MutexGuard<'_, Met> {
        // Nothing that holds the lock can leave it half-changed.
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
        let (request, organization) = (EventId(Uuid::from_u128(request)), OrganizationId(Uuid::from_u128(organization)));
        Failure { request, organization, kind, sql_state: sql_state.map(str::to_owned) }
    }

    fn are_systemic<const N: usize>(suspicions: &Suspicions, failures: [Failure; N]) -> bool {
        suspicions.are_systemic(failures.into_iter(), Instant::now())
    }

    #[test]
    fn one_organization_alone_is_not_the_system() {
        let suspicions = Suspicions::default();
        assert!(!are_systemic(&suspicions, [failure(1, 1, CREATE, Some("23514")), failure(2, 1, CREATE, Some("23514"))]));
        let others = [failure(3, 2, PATCH, Some("23514")), failure(4, 2, CREATE, Some("23502"))];
        assert!(!are_systemic(&suspicions, others), "other faults");
        assert!(are_systemic(&suspicions, [failure(5, 2, CREATE, Some("23514"))]), "the same fault of another organization");
    }

    #[test]
    fn a_value_says_nothing_about_others() {
        assert!(!are_systemic(&Suspicions::default(), [failure(1, 1, CREATE, None), failure(2, 2, CREATE, None)]));
    }

    #[test]
    fn what_can_be_applied_for_others_is_not_broken() {
        let suspicions = Suspicions::default();
        assert!(!are_systemic(&suspicions, [failure(1, 1, CREATE, Some("23514"))]));
        suspicions.applied([PATCH].into_iter());
        assert!(are_systemic(&suspicions, [failure(2, 2, CREATE, Some("23514"))]), "another kind proves nothing");
        suspicions.applied([CREATE].into_iter());
        assert!(!are_systemic(&suspicions, [failure(1, 1, CREATE, Some("23514")), failure(2, 2, CREATE, Some("23514"))]));
        assert!(!suspicions.suspects(EventId(Uuid::from_u128(1))) && !suspicions.suspects(EventId(Uuid::from_u128(2))));
    }

    #[test]
    fn what_was_applied_in_the_batch_that_failed_is_an_explanation() {
        let (suspicions, since) = (Suspicions::default(), Instant::now());
        suspicions.applied([CREATE].into_iter());
        let failures = [failure(1, 1, CREATE, Some("23514")), failure(2, 2, CREATE, Some("23514"))];
        assert!(!suspicions.are_systemic(failures.into_iter(), since));
    }

    #[test]
    fn what_was_applied_before_a_request_failed_explains_nothing() {
        let suspicions = Suspicions::default();
        suspicions.applied([CREATE].into_iter());
        assert!(are_systemic(&suspicions, [failure(1, 1, CREATE, Some("23514")), failure(2, 2, CREATE, Some("23514"))]));
        assert!(suspicions.suspects(EventId(Uuid::from_u128(1))) && suspicions.suspects(EventId(Uuid::from_u128(2))));
    }
}
