//! Decides the requests of a batch in order. Each request sees the changes of those before it.

use rollcall_events::log::{EventType, NotCanonical, SubjectType, canonical};
use rollcall_events::request::{Request, RequestBody};
use rollcall_events::{EventId, OrganizationId, Timestamp};
use rollcall_scim::ScimError;
use rollcall_scim::resource::Attributes;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use uuid::Uuid;

use super::change::Change;
use super::decide;
use crate::fact::{Fact, MalformedFact};
use crate::log::append::NewEntry;
use crate::pipeline::decision::Decision;
use crate::pipeline::state::{Before, Keys, NotLoaded, State};

/// The result for one request of a batch.
#[derive(Debug)]
pub(crate) enum Step {
    /// It is a receiver's acknowledgement, which leaves no log entry.
    Acknowledgement,
    /// An earlier batch recorded it.
    Recorded,
    /// It repeats an earlier request of this batch, at this index.
    Repeat(usize),
    /// It was decided.
    Decided(Box<Decided>),
}

/// A decision, ready to be recorded and projected.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) event_type: EventType,
    pub(crate) subject: Option<(SubjectType, Uuid)>,
    /// Why it was rejected, if it was.
    pub(crate) error: Option<ScimError>,
    /// The facts, in canonical JSON (RFC 8785).
    pub(crate) payload: Vec<u8>,
    /// The resource in the facts, if there is one.
    pub(crate) resource: Option<Arc<Attributes>>,
    /// The change to the projections, if there is one.
    pub(crate) change: Option<Change>,
    /// The resource before the change.
    pub(crate) before: Option<Before>,
    /// Whether the log may hold the actor's details.
    pub(crate) names_actor: bool,
}

impl Decided {
    /// The entry that records it.
    pub(crate) fn entry(&self) -> NewEntry<'_> {
        NewEntry {
            event_type: self.event_type,
            subject: self.subject,
            error: self.error.as_ref(),
            payload: &self.payload,
            names_actor: self.names_actor,
        }
    }
}

/// Why a batch could not be decided. The state is as it was loaded.
#[derive(Debug)]
pub(crate) enum DecideError {
    /// These keys must be loaded first.
    NotLoaded(Box<Keys>),
    /// A decision panicked.
    Panicked,
    /// A fact cannot be hashed.
    NotCanonical(NotCanonical),
    /// The payload of a fact is malformed.
    Malformed(MalformedFact),
}

impl From<NotLoaded> for DecideError {
    fn from(missing: NotLoaded) -> Self {
        let mut keys = Keys::default();
        keys.extend(missing.0);
        Self::NotLoaded(Box::new(keys))
    }
}

/// Decides a batch. `is_recorded` says whether the log has a request already. `time` is the time at which the
/// first entry of an organization is recorded. Each further entry is recorded one microsecond later, so that
/// no two entries of a log have the same time.
///
/// # Errors
/// If a key is not loaded. The error has the keys of this request and, as far as they can be predicted, of
/// all later ones. Once they are loaded, the batch can be decided again.
pub(crate) fn decide_batch(
    state: &mut State,
    requests: &[Request],
    is_recorded: impl Fn(&Request) -> bool,
    time: impl Fn(OrganizationId) -> Timestamp,
) -> Result<Vec<Step>, DecideError> {
    let mut first: HashMap<(OrganizationId, EventId), usize> = HashMap::with_capacity(requests.len());
    let mut steps = Vec::with_capacity(requests.len());
    let mut decided: HashMap<OrganizationId, u32> = HashMap::new();
    for (index, request) in requests.iter().enumerate() {
        let key = (request.organization_id, request.id);
        let step = if matches!(request.body, RequestBody::StreamAcknowledged(_)) {
            Step::Acknowledgement
        } else if is_recorded(request) {
            Step::Recorded
        } else if let Some(&before) = first.get(&key) {
            Step::Repeat(before)
        } else {
            first.insert(key, index);
            let before = decided.entry(request.organization_id).or_default();
            match decide_next(state, request, time(request.organization_id).after_micros(*before)) {
                Ok(decided) => {
                    *before += 1;
                    Step::Decided(Box::new(decided))
                }
                Err(DecideError::NotLoaded(mut keys)) => {
                    look_ahead(state, &requests[index + 1..], &is_recorded, &time, &mut keys);
                    state.revert();
                    return Err(DecideError::NotLoaded(keys));
                }
                Err(error) => {
                    state.revert();
                    return Err(error);
                }
            }
        };
        steps.push(step);
    }
    Ok(steps)
}

/// The names that the users whom the batch changes have in the end.
pub(crate) fn held_names<'a>(
    requests: &'a [Request],
    steps: &'a [Step],
) -> impl Iterator<Item = (OrganizationId, String)> + use<'a> {
    let mut held = HashMap::new();
    for (request, step) in requests.iter().zip(steps) {
        let Step::Decided(decided) = step else { continue };
        match &decided.change {
            Some(Change::PutUser(user)) => drop(held.insert((request.organization_id, user.id), Some(user))),
            Some(Change::DeleteUser(id)) => drop(held.insert((request.organization_id, *id), None)),
            _ => {}
        }
    }
    held.into_iter().filter_map(|((organization, _), user)| Some((organization, user?.name_key())))
}

fn decide_next(state: &mut State, request: &Request, at: Timestamp) -> Result<Decided, DecideError> {
    let decided = catch_unwind(AssertUnwindSafe(|| decide(state, request, at)));
    let Decision { event_type, subject, payload, error } = decided.map_err(|_| DecideError::Panicked)??;
    let canonical = canonical(&payload).map_err(DecideError::NotCanonical)?;
    let fact = Fact::new(event_type, subject.map(|(_, id)| id), payload);
    let resource = fact.resource.clone();
    let change = Change::of(&fact).map_err(DecideError::Malformed)?;
    let before = match &change {
        Some(change) => change.apply(request.organization_id, state)?,
        None => None,
    };
    let names_actor = names_actor(state, request)?;
    Ok(Decided { event_type, subject, error, payload: canonical, resource, change, before, names_actor })
}

/// Whether the log may hold the details of the actor, once the request is applied. A session without a row
/// was erased: a request of it that arrives later must not bring the person's name back.
fn names_actor(state: &State, request: &Request) -> Result<bool, NotLoaded> {
    match request.actor.session_id() {
        Some(session) => Ok(state.session(request.organization_id, session)?.is_some()),
        None => Ok(true),
    }
}

/// Collects the keys that the requests after an undecided one look up, as far as they can be predicted, so
/// that one round trip loads all of them. The decisions are discarded.
fn look_ahead(
    state: &State,
    rest: &[Request],
    is_recorded: &impl Fn(&Request) -> bool,
    time: &impl Fn(OrganizationId) -> Timestamp,
    keys: &mut Keys,
) {
    for request in rest.iter().filter(|request| !is_recorded(request)) {
        let decided = catch_unwind(AssertUnwindSafe(|| decide(state, request, time(request.organization_id))));
        if let Ok(Err(NotLoaded(missing))) = decided {
            keys.extend(missing);
        }
    }
}
