//! Policies: which logs and witnesses are trusted, and how many witnesses a checkpoint needs (C2SP `tlog-policy`).

use signed_note::{Note, NoteError, StandardVerifier, Verifier, VerifierList};

use super::cosignature::WitnessKey;
use crate::checkpoint::{Checkpoint, InvalidCheckpoint};

/// A policy.
#[derive(Clone)]
pub struct Policy {
    pub(super) logs: Vec<PolicyLog>,
    pub(super) witnesses: Vec<PolicyWitness>,
    /// The witnesses and groups, in the order in which they are defined.
    pub(super) rules: Vec<Rule>,
    /// The rule that a checkpoint must meet; `None` if no witness is required.
    pub(super) quorum: Option<usize>,
}

/// A log of a policy.
#[derive(Clone)]
pub struct PolicyLog {
    pub(super) key: StandardVerifier,
    pub(super) bytes: Vec<u8>,
    /// The address of the log, if the policy names it.
    pub url: Option<String>,
}

/// A witness of a policy.
#[derive(Debug, Clone)]
pub struct PolicyWitness {
    /// The public key.
    pub key: WitnessKey,
    /// The submission prefix of the witness, if the policy names it.
    pub url: Option<String>,
}

/// A witness, or a group of earlier rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rule {
    /// The number of the witness.
    Witness(usize),
    /// At least `threshold` of the members, given as numbers of rules.
    Group { threshold: usize, members: Vec<usize> },
}

/// A checkpoint that a policy accepts.
#[derive(Debug, Clone)]
pub struct WitnessedCheckpoint {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// The names of the witnesses of the policy that cosigned it, each with the time in seconds since 1970.
    pub cosigned: Vec<(String, u64)>,
}

/// Why a policy does not accept a checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum UntrustedCheckpoint {
    /// The note is malformed, or a signature by a known key is wrong.
    #[error("the checkpoint's signatures: {0}")]
    Note(#[from] NoteError),
    /// The text is not a checkpoint.
    #[error(transparent)]
    Malformed(#[from] InvalidCheckpoint),
    /// No key of the policy for this log has signed the checkpoint.
    #[error("no log of the policy has signed the checkpoint of {0}")]
    UnknownLog(String),
    /// Too few witnesses have cosigned the checkpoint.
    #[error("the cosignatures do not meet the quorum of the policy: {}", names(.0))]
    NoQuorum(Vec<String>),
}

fn names(names: &[String]) -> String {
    if names.is_empty() { "there are none by its witnesses".to_owned() } else { format!("only {}", names.join(", ")) }
}

impl PolicyLog {
    /// The origin of the log.
    pub fn origin(&self) -> &str {
        self.key.name()
    }
}

impl Policy {
    /// The logs.
    pub fn logs(&self) -> &[PolicyLog] {
        &self.logs
    }

    /// The witnesses.
    pub fn witnesses(&self) -> &[PolicyWitness] {
        &self.witnesses
    }

    /// Whether the witnesses that have cosigned meet the quorum.
    pub fn is_met(&self, has_cosigned: impl Fn(&WitnessKey) -> bool) -> bool {
        let mut met: Vec<bool> = Vec::with_capacity(self.rules.len());
        for rule in &self.rules {
            // A group refers to earlier rules only.
            met.push(match rule {
                Rule::Witness(number) => self.witnesses.get(*number).is_some_and(|witness| has_cosigned(&witness.key)),
                Rule::Group { threshold, members } => {
                    members.iter().filter(|member| met.get(**member) == Some(&true)).count() >= *threshold
                }
            });
        }
        self.quorum.is_none_or(|rule| met.get(rule) == Some(&true))
    }

    /// Opens a checkpoint that the policy accepts: a log of the policy has signed it under its origin, and enough
    /// witnesses have cosigned it.
    ///
    /// # Errors
    /// If the policy does not accept the checkpoint. A wrong signature by any known key refuses the whole note.
    pub fn open(&self, note: &[u8]) -> Result<WitnessedCheckpoint, UntrustedCheckpoint> {
        let note = Note::from_bytes(note)?;
        let logs = self.logs.iter().map(|log| Box::new(log.key.clone()) as Box<dyn Verifier>);
        let witnesses = self.witnesses.iter().map(|witness| Box::new(witness.key.clone()) as Box<dyn Verifier>);
        let (verified, _) = note.verify(&VerifierList::new(logs.chain(witnesses).collect()))?;
        let checkpoint = Checkpoint::parse(note.text())?;
        let is_by =
            |name: &str, id: u32| verified.iter().any(|signature| signature.name() == name && signature.id() == id);
        let mut of_origin = self.logs.iter().filter(|log| log.origin() == checkpoint.origin);
        if !of_origin.any(|log| is_by(log.origin(), log.key.key_id())) {
            return Err(UntrustedCheckpoint::UnknownLog(checkpoint.origin));
        }
        let cosigned: Vec<_> = self
            .witnesses
            .iter()
            .filter_map(|PolicyWitness { key, .. }| {
                let mut by_key = verified.iter().filter(|found| found.name() == key.name() && found.id() == key.id());
                Some((key.name().to_owned(), key.time_of(note.text(), by_key.next()?.signature())?))
            })
            .collect();
        if self.is_met(|key| is_by(key.name(), key.id())) {
            Ok(WitnessedCheckpoint { checkpoint, cosigned })
        } else {
            Err(UntrustedCheckpoint::NoQuorum(cosigned.into_iter().map(|(name, _)| name).collect()))
        }
    }
}
