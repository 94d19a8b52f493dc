//! The evidence for the state of a user at a time.
//!
//! The state is that of the last entry that changed the user at or before the time. The evidence has two parts.
//! An entry recorded after the time shows that the log went on. The headers in between show that no other entry
//! changed the user. There can be many, and they are about others, so a file can leave them out. Then it proves
//! the entry, but not that it was the last one.

use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use uuid::Uuid;

use super::{CompactRange, Hash, Header, NotCanonical, OutcomeKind, SubjectType, Timestamp};
use crate::proof::{InvalidProof, verify_consistency, verify_inclusion};

/// The evidence that an entry has the state of a user at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateEvidence {
    /// The time.
    pub at: Timestamp,
    /// The entries between the entry and `next`; `None` if they are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub between: Option<EntriesBetween>,
    /// The first entry that was recorded after the time; `None` if the checkpoint has no such entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<NextEntry>,
}

/// The first entry that was recorded after the time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextEntry {
    /// Its inclusion proof for the checkpoint.
    pub hashes: Vec<Hash>,
    /// Its header.
    pub header: Header,
}

/// All entries between two entries, and the proof that they are those of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntriesBetween {
    /// The consistency proof from the last of the entries to the checkpoint.
    pub hashes: Vec<Hash>,
    /// The headers, in the order of the log.
    pub headers: Vec<Header>,
    /// The roots of the complete subtrees over all entries before the one that has the state, from the left.
    pub peaks: Vec<Hash>,
}

/// The state that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownState {
    /// The user.
    pub user: Uuid,
    /// The entries that could have changed the user before the time and are not shown.
    pub not_shown: Option<RangeInclusive<u64>>,
}

/// Why the state is not shown.
#[derive(Debug, thiserror::Error)]
pub enum InvalidState {
    /// The entry changed no user.
    #[error("entry {0} is not a change of a user")]
    NoChange(u64),
    /// An entry is of another log.
    #[error("entry {0} is of another log")]
    OtherLog(u64),
    /// An entry is in the wrong position or order.
    #[error("entry {0} is not the next one that must be shown")]
    Order(u64),
    /// The time of an entry does not fit.
    #[error("entry {0} was recorded at a time that does not fit")]
    Time(u64),
    /// A later entry changed the user.
    #[error("entry {0} changed the user later")]
    ChangedLater(u64),
    /// The proof of an entry does not hold.
    #[error("entry {0}: {1}")]
    Proof(u64, InvalidProof),
    /// A header cannot be hashed.
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
}

impl StateEvidence {
    /// Checks that an entry has the state, in the log of a size and root. The entry itself must be proved
    /// already.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn check(&self, entry: &Header, size: u64, root: Hash) -> Result<ShownState, InvalidState> {
        let user = changed_user(entry).ok_or(InvalidState::NoChange(entry.seq))?;
        if entry.recorded_at > self.at {
            return Err(InvalidState::Time(entry.seq));
        }
        let end = match &self.next {
            Some(next) => next.check(entry, self.at, size, root)?,
            None => size,
        };
        if let Some(between) = &self.between {
            between.check(entry, user, self.at, end)?;
            between.prove(entry, size, root)?;
        }
        let is_complete = self.between.is_some() || end <= entry.seq;
        Ok(ShownState { user, not_shown: (!is_complete).then(|| entry.seq + 1..=end) })
    }
}

impl NextEntry {
    /// Checks that this is an entry of the same log, recorded after the time. Returns the seq before it.
    fn check(&self, entry: &Header, at: Timestamp, size: u64, root: Hash) -> Result<u64, InvalidState> {
        let header = &self.header;
        if header.organization_id != entry.organization_id {
            return Err(InvalidState::OtherLog(header.seq));
        }
        if header.seq <= entry.seq {
            return Err(InvalidState::Order(header.seq));
        }
        if header.recorded_at <= at {
            return Err(InvalidState::Time(header.seq));
        }
        verify_inclusion(header.leaf()?, header.seq, size, root, &self.hashes)
            .map_err(|error| InvalidState::Proof(header.seq, error))?;
        Ok(header.seq - 1)
    }
}

impl EntriesBetween {
    /// Checks that these are the entries after `entry` up to `end`, in time, and that none changed the user.
    fn check(&self, entry: &Header, user: Uuid, at: Timestamp, end: u64) -> Result<(), InvalidState> {
        let mut before = entry;
        for header in &self.headers {
            if header.organization_id != entry.organization_id {
                return Err(InvalidState::OtherLog(header.seq));
            }
            if header.seq.checked_sub(1) != Some(before.seq) {
                return Err(InvalidState::Order(header.seq));
            }
            if header.recorded_at <= before.recorded_at || header.recorded_at > at {
                return Err(InvalidState::Time(header.seq));
            }
            if changed_user(header) == Some(user) {
                return Err(InvalidState::ChangedLater(header.seq));
            }
            before = header;
        }
        if before.seq == end { Ok(()) } else { Err(InvalidState::Order(before.seq)) }
    }

    /// Checks that the entries are those of the log: the tree that they complete begins the log's tree.
    fn prove(&self, entry: &Header, size: u64, root: Hash) -> Result<(), InvalidState> {
        let wrong = |error| InvalidState::Proof(entry.seq, error);
        let before = entry.seq.checked_sub(1).ok_or(InvalidState::Order(entry.seq))?;
        let peaks: Vec<_> = self.peaks.iter().map(Hash::as_bytes).collect();
        let before = CompactRange::from_parts(before, &peaks);
        let mut tree = before.map_err(|_| wrong(InvalidProof::WrongRoot))?;
        tree.append(entry.leaf()?);
        for header in &self.headers {
            tree.append(header.leaf()?);
        }
        verify_consistency((tree.size(), tree.root()), (size, root), &self.hashes).map_err(wrong)
    }
}

/// The user that an entry changed; `None` if it changed none. A rejected request changes nothing.
fn changed_user(header: &Header) -> Option<Uuid> {
    let is_change = header.subject_type == Some(SubjectType::User) && header.outcome == OutcomeKind::Applied;
    header.subject_id.filter(|_| is_change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::{Node, Question};
    use crate::{EventType, OrganizationId, example};

    const ADA: Uuid = Uuid::from_u128(1);
    const GRACE: Uuid = Uuid::from_u128(2);
    /// The entries about Ada: created, deactivated, and refused a change. All others are about Grace.
    const CREATED: u64 = 3;
    const DEACTIVATED: u64 = 9;
    const REFUSED: u64 = 12;
    const SIZE: u64 = 20;

    fn time(seconds: u64) -> Timestamp {
        Timestamp::EPOCH.after_seconds(u32::try_from(seconds).unwrap())
    }

    /// A log: one entry in each second.
    fn log() -> Vec<Header> {
        let entry = |seq: u64| {
            let (event_type, subject, outcome) = match seq {
                CREATED => (EventType::UserCreated, ADA, OutcomeKind::Applied),
                DEACTIVATED => (EventType::UserDeactivated, ADA, OutcomeKind::Applied),
                REFUSED => (EventType::RequestRejected, ADA, OutcomeKind::Rejected),
                _ => (EventType::UserUpdated, GRACE, OutcomeKind::Applied),
            };
            let header = example::entry().header;
            Header { seq, event_type, subject_id: Some(subject), outcome, recorded_at: time(seq), ..header }
        };
        (1..=SIZE).map(entry).collect()
    }

    fn tree(headers: &[Header]) -> CompactRange {
        let mut tree = CompactRange::default();
        for header in headers {
            tree.append(header.leaf().unwrap());
        }
        tree
    }

    fn answer(log: &[Header], question: Question) -> Vec<Hash> {
        let node = |node: Node| {
            let (height, n) = tlog_tiles::split_stored_hash_index(node);
            let range = usize::try_from(n << height).unwrap()..usize::try_from((n + 1) << height).unwrap();
            (node, tree(&log[range]).root())
        };
        question.answer(&question.nodes().unwrap().into_iter().map(node).collect()).unwrap()
    }

    fn next(log: &[Header], seq: u64) -> NextEntry {
        let header = log[usize::try_from(seq).unwrap() - 1].clone();
        NextEntry { hashes: answer(log, Question::Inclusion { seq, size: SIZE }), header }
    }

    fn between(log: &[Header], seq: u64, end: u64) -> EntriesBetween {
        let headers = log[usize::try_from(seq).unwrap()..usize::try_from(end).unwrap()].to_vec();
        let hashes = answer(log, Question::Consistency { earlier: end, size: SIZE });
        EntriesBetween { hashes, headers, peaks: answer(log, Question::Peaks { size: seq - 1 }) }
    }

    fn evidence(seq: u64, at: u64) -> StateEvidence {
        let log = log();
        let next = (at < SIZE).then(|| next(&log, at + 1));
        StateEvidence { at: time(at), next, between: Some(between(&log, seq, at)) }
    }

    fn check(evidence: &StateEvidence, seq: u64) -> Result<ShownState, String> {
        let log = log();
        let entry = &log[usize::try_from(seq).unwrap() - 1];
        evidence.check(entry, SIZE, tree(&log).root()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_last_change_before_a_time_tells_the_state_at_every_time() {
        for at in CREATED..=SIZE {
            let seq = if at < DEACTIVATED { CREATED } else { DEACTIVATED };
            let shown = ShownState { user: ADA, not_shown: None };
            assert_eq!(check(&evidence(seq, at), seq), Ok(shown), "at {at}");
        }
    }

    #[test]
    fn entries_that_are_left_out_are_named() {
        let not_shown = |seq, at| check(&StateEvidence { between: None, ..evidence(seq, at) }, seq).unwrap().not_shown;
        assert_eq!(not_shown(CREATED, CREATED), None, "the next entry follows directly");
        assert_eq!(not_shown(CREATED, 7), Some(4..=7));
        assert_eq!(not_shown(DEACTIVATED, SIZE), Some(10..=SIZE));
    }

    /// What somebody might change in a file, and the finding.
    #[test]
    fn evidence_that_does_not_show_the_state_is_refused() {
        let whole = evidence(CREATED, 7);
        let changed = |change: fn(&mut StateEvidence)| {
            let mut evidence = whole.clone();
            change(&mut evidence);
            check(&evidence, CREATED).unwrap_err()
        };
        assert_eq!(changed(|e| e.at = time(2)), "entry 3 was recorded at a time that does not fit");
        assert_eq!(changed(|e| e.at = time(8)), "entry 8 was recorded at a time that does not fit", "not after it");
        assert_eq!(changed(|e| e.at = time(6)), "entry 7 was recorded at a time that does not fit", "in between");
        assert_eq!(
            changed(|e| _ = e.between.as_mut().unwrap().headers.remove(1)),
            "entry 6 is not the next one that must be shown"
        );
        assert_eq!(
            changed(|e| e.between.as_mut().unwrap().headers.truncate(3)),
            "entry 6 is not the next one that must be shown"
        );
        assert_eq!(changed(|e| e.next = None), "entry 7 is not the next one that must be shown", "the log goes on");
        assert_eq!(
            changed(|e| e.between.as_mut().unwrap().headers[1].subject_id = Some(Uuid::nil())),
            "entry 3: the proof does not lead to the root"
        );
        assert_eq!(
            changed(|e| e.between.as_mut().unwrap().peaks[0] = Hash::from_bytes(&[0; 32]).unwrap()),
            "entry 3: the proof does not lead to the root"
        );
        assert_eq!(
            changed(|e| e.between.as_mut().unwrap().peaks.clear()),
            "entry 3: the proof does not lead to the root"
        );
        assert_eq!(
            changed(|e| e.next.as_mut().unwrap().header.recorded_at = time(100)),
            "entry 8: the proof does not lead to the root"
        );
        assert_eq!(
            changed(|e| e.next.as_mut().unwrap().header.organization_id = OrganizationId::SYSTEM),
            "entry 8 is of another log"
        );
        assert_eq!(
            changed(|e| e.between.as_mut().unwrap().headers[0].organization_id = OrganizationId::SYSTEM),
            "entry 4 is of another log"
        );
    }

    #[test]
    fn an_entry_that_a_later_one_overrides_does_not_tell_the_state() {
        let error = check(&evidence(CREATED, 10), CREATED).unwrap_err();
        assert_eq!(error, "entry 9 changed the user later");
        let refused = check(&evidence(REFUSED, 15), REFUSED).unwrap_err();
        assert_eq!(refused, "entry 12 is not a change of a user");
    }
}
