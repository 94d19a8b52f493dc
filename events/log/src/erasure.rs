//! Whether the missing parts of a log's entries were erased by a recorded erasure.
//!
//! An erasure is an entry of its own: `UserErased` or `AdministratorErased`. It covers earlier entries only:
//! the payloads of those about its subject, and the actor's details of those that its subject caused. A part
//! that is missing without such an entry was removed by somebody who changed the database.

use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

use crate::actor::ActorKind;
use crate::{Header, Part, SubjectType};

/// A person: whose data an erasure removes.
type Person = (SubjectType, Uuid);

/// Follows a log from its first entry, and matches missing parts with recorded erasures.
#[derive(Debug, Default)]
pub struct Erasures {
    /// The entries with missing parts that no erasure covers so far, by the person who must have been erased.
    open: HashMap<Option<Person>, Vec<(u64, Part)>>,
    /// The covered parts, by the seq of the erasure.
    covered: BTreeMap<u64, Vec<(u64, Part)>>,
}

impl Erasures {
    /// Takes the next entry of the log, and the parts that it lacks.
    pub fn add(&mut self, header: &Header, missing: impl Iterator<Item = Part>) {
        for part in missing {
            self.open.entry(person(header, part)).or_default().push((header.seq, part));
        }
        if let (Some(kind), Some(subject)) = (header.event_type.erases(), header.subject_id)
            && let Some(parts) = self.open.remove(&Some((kind, subject)))
        {
            // The erasure itself is not among the parts that it covers.
            let (own, earlier): (Vec<_>, Vec<_>) = parts.into_iter().partition(|(seq, _)| *seq == header.seq);
            if !own.is_empty() {
                self.open.insert(Some((kind, subject)), own);
            }
            if !earlier.is_empty() {
                self.covered.entry(header.seq).or_default().extend(earlier);
            }
        }
    }

    /// The parts that recorded erasures cover: the seq of the erasure, and the seqs of the entries and their
    /// missing parts.
    pub fn covered(&self) -> &BTreeMap<u64, Vec<(u64, Part)>> {
        &self.covered
    }

    /// The missing parts that no recorded erasure covers, in the order of the log.
    pub fn unexplained(&self) -> Vec<(u64, Part)> {
        let mut parts: Vec<_> = self.open.values().flatten().copied().collect();
        parts.sort_unstable();
        parts
    }
}

/// The person whose erasure removes a part of an entry; `None` if no erasure can remove it.
fn person(header: &Header, part: Part) -> Option<Person> {
    match part {
        // The entry of an erasure is about a person too, and must keep its payload.
        Part::Payload if header.event_type.erases().is_some() => None,
        Part::Payload => {
            let kind = header.subject_type.filter(|kind| matches!(kind, SubjectType::User | SubjectType::Session));
            kind.zip(header.subject_id)
        }
        Part::Actor if header.actor_kind == ActorKind::Administrator => {
            header.actor_id.map(|session| (SubjectType::Session, session))
        }
        Part::Actor => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventId, EventType, Hash, OrganizationId, OutcomeKind, Timestamp};
    use test_case::test_case;

    const ADA: Uuid = Uuid::from_u128(1);
    const GRACE: Uuid = Uuid::from_u128(2);
    const ALAN: Uuid = Uuid::from_u128(3);

    /// An entry about a subject, caused by the session `actor`.
    fn entry(seq: u64, event_type: EventType, subject: (SubjectType, Uuid), actor: Uuid) -> Header {
        let hash = Hash::from_bytes(&[0; 32]).unwrap();
        Header {
            actor_commitment: hash,
            actor_id: Some(actor),
            actor_kind: ActorKind::Administrator,
            error: None,
            event_id: EventId(Uuid::from_u128(seq.into())),
            organization_id: OrganizationId::SYSTEM,
            outcome: OutcomeKind::Applied,
            payload_commitment: hash,
            recorded_at: Timestamp::EPOCH,
            requested_at: Timestamp::EPOCH,
            schema_version: 2,
            seq,
            subject_id: Some(subject.1),
            subject_type: Some(subject.0),
            event_type,
        }
    }

    /// A log: two users, two administrators, and the erasure of the user Ada and of the administrator Alan.
    fn log() -> Vec<Header> {
        use EventType::{AdministratorErased, SignedIn, UserCreated, UserErased, UserUpdated};
        let (user, session) = (SubjectType::User, SubjectType::Session);
        vec![
            entry(1, SignedIn, (session, ALAN), ALAN),
            entry(2, UserCreated, (user, ADA), ALAN),
            entry(3, UserCreated, (user, GRACE), GRACE),
            entry(4, UserErased, (user, ADA), GRACE),
            entry(5, UserUpdated, (user, ADA), GRACE),
            entry(6, AdministratorErased, (session, ALAN), GRACE),
        ]
    }

    fn check(missing: &[(u64, Part)]) -> Erasures {
        let mut erasures = Erasures::default();
        for header in log() {
            let parts = missing.iter().filter(|(seq, _)| *seq == header.seq).map(|(_, part)| *part);
            erasures.add(&header, parts);
        }
        erasures
    }

    #[test]
    fn recorded_erasures_cover_the_parts_about_and_by_a_person() {
        let found = check(&[(1, Part::Payload), (1, Part::Actor), (2, Part::Payload), (2, Part::Actor)]);
        assert_eq!(found.unexplained(), []);
        let covered =
            [(4, vec![(2, Part::Payload)]), (6, vec![(1, Part::Payload), (1, Part::Actor), (2, Part::Actor)])];
        let mut seen = found.covered().clone();
        for parts in seen.values_mut() {
            parts.sort_unstable();
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), covered);
    }

    #[test_case(3, Part::Payload; "another user's payload")]
    #[test_case(3, Part::Actor; "another administrator's details")]
    #[test_case(4, Part::Payload; "the erasure's own payload")]
    #[test_case(5, Part::Payload; "an entry after the erasure")]
    #[test_case(6, Part::Actor; "the details of the one who erased")]
    fn a_part_that_no_erasure_covers_is_unexplained(seq: u64, part: Part) {
        assert_eq!(check(&[(seq, part), (2, Part::Payload)]).unexplained(), [(seq, part)]);
    }
}
