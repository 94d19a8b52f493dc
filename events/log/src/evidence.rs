//! The JSON object in the line `extra` of a proof file: the entry, without the parts that are withheld. A file
//! that proves the state of a user also has the evidence for it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Entry;
use crate::state::StateEvidence;

/// The content of the line `extra`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence<P = Value, A = Value> {
    /// The entry that the file proves. A part and its salt are `None` if they are withheld or were erased: the
    /// file does not say which.
    pub entry: Entry<P, A>,
    /// The evidence for the state of a user; `None` if the file proves the entry only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StateEvidence>,
}

/// The parts of an entry that a proof file discloses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Disclosed {
    /// Whether the facts are disclosed.
    pub payload: bool,
    /// Whether the details of the actor are disclosed.
    pub actor: bool,
}

impl Disclosed {
    /// An entry without the parts that are not disclosed.
    #[must_use]
    pub fn of<P, A>(self, entry: Entry<P, A>) -> Entry<P, A> {
        let (payload, payload_salt) = if self.payload { (entry.payload, entry.payload_salt) } else { (None, None) };
        let (actor, actor_salt) = if self.actor { (entry.actor, entry.actor_salt) } else { (None, None) };
        Entry { actor, actor_salt, payload, payload_salt, ..entry }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::{Checkpoint, VerifyingKeys};
    use crate::example::{self, KEY, PROOF_FILE, STATE_FILE};
    use crate::proof::verify_inclusion;
    use crate::tlog_proof::TlogProof;

    fn disclosed(payload: bool, actor: bool) -> Entry {
        Disclosed { payload, actor }.of(example::entry())
    }

    /// The file of the documentation proves the entry of the documentation, and shows its payload only.
    #[test]
    fn the_example_of_the_documentation_verifies() {
        let file: TlogProof = PROOF_FILE.parse().unwrap();
        let evidence: Evidence = serde_json::from_slice(&file.extra.unwrap()).unwrap();
        assert_eq!(evidence, Evidence { entry: disclosed(true, false), state: None });
        let keys = VerifyingKeys::read(&[KEY]).unwrap();
        let checkpoint = Checkpoint::open(file.checkpoint.as_bytes(), &keys).unwrap();
        let leaf = evidence.entry.check().unwrap().unwrap();
        assert_eq!(verify_inclusion(leaf, file.index + 1, checkpoint.size, checkpoint.root, &file.hashes), Ok(()));
    }

    /// The second file of the documentation proves a state: deactivated at 16:58, as of 18:00.
    #[test]
    fn the_example_of_a_state_verifies() {
        let file: TlogProof = STATE_FILE.parse().unwrap();
        let evidence: Evidence = serde_json::from_slice(&file.extra.unwrap()).unwrap();
        let keys = VerifyingKeys::read(&[KEY]).unwrap();
        let checkpoint = Checkpoint::open(file.checkpoint.as_bytes(), &keys).unwrap();
        let (leaf, state) = (evidence.entry.check().unwrap().unwrap(), evidence.state.unwrap());
        assert_eq!(verify_inclusion(leaf, file.index + 1, checkpoint.size, checkpoint.root, &file.hashes), Ok(()));
        let header = &evidence.entry.header;
        assert_eq!(header.recorded_at.to_string(), "2026-01-06T16:58:00.000000Z");
        let shown = state.check(header, checkpoint.size, checkpoint.root).unwrap();
        assert_eq!((Some(shown.user), shown.not_shown), (header.subject_id, None));
        let short = StateEvidence { between: None, ..state };
        assert_eq!(short.check(header, checkpoint.size, checkpoint.root).unwrap().not_shown, Some(3..=4));
    }

    #[test]
    fn an_entry_verifies_with_any_of_its_parts_withheld() {
        for (payload, actor) in [(false, false), (false, true), (true, false), (true, true)] {
            let entry = disclosed(payload, actor);
            assert_eq!((entry.payload.is_some(), entry.payload_salt.is_some()), (payload, payload));
            assert_eq!((entry.actor.is_some(), entry.actor_salt.is_some()), (actor, actor));
            assert_eq!(entry.check().unwrap(), Ok(entry.leaf));
            let text = serde_json::to_string(&Evidence { entry, state: None }).unwrap();
            assert_eq!((text.contains("userName"), text.contains("Okta")), (payload, actor), "{text}");
        }
    }
}
