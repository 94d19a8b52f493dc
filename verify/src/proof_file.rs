//! Checks a proof file: an entry in a signed log, and the state of a user that it tells.

use rollcall_log::checkpoint::{Checkpoint, VerifyingKeys};
use rollcall_log::proof::{Question, verify_inclusion};
use rollcall_log::state::{InvalidState, StateEvidence};
use rollcall_log::tlog_proof::TlogProof;
use rollcall_log::{Entry, EventType, Header};
use serde_json::Value;
use std::path::Path;

use crate::findings::Findings;
use crate::read::{Unreadable, bytes, evidence};

/// Checks a proof file against the signer's keys.
pub(crate) fn check(path: &Path, keys: &VerifyingKeys) -> Result<Findings, Unreadable> {
    let text = String::from_utf8(bytes(path)?).map_err(|error| Unreadable::file(path, error))?;
    check_text(path, &text, keys)
}

/// Checks the text of a proof file.
fn check_text(path: &Path, text: &str, keys: &VerifyingKeys) -> Result<Findings, Unreadable> {
    let unreadable = |error: &dyn std::fmt::Display| Unreadable::file(path, error);
    let file: TlogProof = text.parse().map_err(|error| unreadable(&error))?;
    let checkpoint = Checkpoint::open(file.checkpoint.as_bytes(), keys).map_err(|error| unreadable(&error))?;
    let extra = file.extra.as_ref().ok_or_else(|| unreadable(&"it has no line `extra` with the entry"))?;
    let evidence = evidence(extra).map_err(|error| unreadable(&error))?;
    belongs(path, &file, &checkpoint)?;

    let (entry, mut findings) = (&evidence.entry, Findings::default());
    if let Err(fault) = prove(&file, entry, &checkpoint)? {
        findings.broken.push(format!("entry {}: {fault}", entry.header.seq));
        return Ok(findings);
    }
    let (seq, size) = (entry.header.seq, checkpoint.size);
    findings.holds.push(format!("entry {seq} is in the log of {} with {size} entries", checkpoint.origin));
    findings.holds.push(facts(&entry.header));
    if let Some(state) = &evidence.state {
        report_state(&mut findings, state, entry, &checkpoint)?;
    }
    disclose(&mut findings, entry);
    Ok(findings)
}

/// Checks that the proof was made for the size of the checkpoint. If somebody put a proof and a checkpoint
/// together that do not belong together, nothing is wrong with the log.
fn belongs(path: &Path, file: &TlogProof, checkpoint: &Checkpoint) -> Result<(), Unreadable> {
    let size = checkpoint.size;
    let needed = file.index.checked_add(1).and_then(|seq| Question::Inclusion { seq, size }.answer_len().ok());
    if needed == Some(file.hashes.len()) { Ok(()) } else { Err(Unreadable::Mixed(path.to_owned(), size)) }
}

/// Checks that the entry is the one at the index of the file, in the log of the checkpoint.
fn prove(file: &TlogProof, entry: &Entry, checkpoint: &Checkpoint) -> Result<Result<(), String>, Unreadable> {
    let leaf = match entry.check()? {
        Ok(leaf) => leaf,
        Err(mismatch) => return Ok(Err(mismatch.to_string())),
    };
    if !checkpoint.is_of(entry.header.organization_id) {
        return Ok(Err(format!("the checkpoint is of another log: {}", checkpoint.origin)));
    }
    if entry.header.seq.checked_sub(1) != Some(file.index) {
        return Ok(Err(format!("the file proves the entry in position {}", file.index.saturating_add(1))));
    }
    let proved = verify_inclusion(leaf, entry.header.seq, checkpoint.size, checkpoint.root, &file.hashes);
    Ok(proved.map_err(|error| error.to_string()))
}

/// What a header says.
fn facts(header: &Header) -> String {
    let subject = match (header.subject_type, header.subject_id) {
        (Some(kind), Some(id)) => format!(" about {kind} {id}"),
        _ => String::new(),
    };
    let (seq, event, outcome, at) = (header.seq, header.event_type, header.outcome, header.recorded_at);
    format!("entry {seq} is {event}{subject}, {outcome}, recorded at {at}")
}

/// Reports the state of the user at the time.
fn report_state(
    findings: &mut Findings,
    state: &StateEvidence,
    entry: &Entry,
    checkpoint: &Checkpoint,
) -> Result<(), Unreadable> {
    let (at, seq, size) = (state.at, entry.header.seq, checkpoint.size);
    let shown = match state.check(&entry.header, size, checkpoint.root) {
        Ok(shown) => shown,
        Err(InvalidState::NotCanonical(error)) => return Err(error.into()),
        Err(fault) => {
            findings.broken.push(format!("the state at {at}: {fault}"));
            return Ok(());
        }
    };
    let told = format!("user {} was {} at {at}", shown.user, told(entry));
    match shown.not_shown {
        None => findings.holds.push(format!("{told}: entry {seq} is the last change before")),
        Some(left_out) => findings.unchecked.push(format!(
            "{told}: only if none of the entries {} to {}, which the file leaves out, changed the user",
            left_out.start(),
            left_out.end()
        )),
    }
    match &state.next {
        Some(next) => findings.holds.push(format!(
            "the log went on after that time with entry {}, recorded at {}",
            next.header.seq, next.header.recorded_at
        )),
        None => findings.unchecked.push(format!(
            "the state at {at}, because the checkpoint has no entry from after that time, and entries after {size} may \
             have been recorded before it"
        )),
    }
    Ok(())
}

/// The state that an entry leaves a user in.
fn told(entry: &Entry) -> String {
    let seq = entry.header.seq;
    let resource = entry.payload.as_ref().and_then(|payload| payload.get("resource"));
    let active = resource.map(|resource| resource["active"] != Value::Bool(false));
    match (entry.header.event_type, active) {
        (EventType::UserDeleted | EventType::UserErased, _) => "deleted".to_owned(),
        (EventType::UserDeactivated, _) | (_, Some(false)) => "inactive".to_owned(),
        (EventType::UserReactivated, _) | (_, Some(true)) => "active".to_owned(),
        (_, None) => format!("as entry {seq} left it"),
    }
}

/// Reports the parts that the file discloses, and those that it does not.
fn disclose(findings: &mut Findings, entry: &Entry) {
    let seq = entry.header.seq;
    let parts = [("payload", &entry.payload), ("actor", &entry.actor)];
    findings.shows.extend(
        parts
            .iter()
            .filter_map(|(name, part)| part.as_ref().map(|value| format!("the {name} of entry {seq}: {value}"))),
    );
    findings
        .open
        .extend(entry.missing().map(|part| format!("the {part} of entry {seq}: it is withheld, or it was erased")));
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_log::evidence::Evidence;
    use test_case::test_case;

    /// The files of `docs/log-format.md`.
    const ENTRY: &str = include_str!("../../docs/example.tlog-proof");
    const STATE: &str = include_str!("../../docs/example-state.tlog-proof");
    const KEY: &str = "log.example.com+4a66a772+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";

    fn check(text: &str) -> Result<Findings, String> {
        let keys = VerifyingKeys::read(&[KEY]).unwrap();
        check_text(Path::new("a.tlog-proof"), text, &keys).map_err(|error| error.to_string())
    }

    /// A file whose line `extra` was changed.
    fn with_extra(file: &str, from: &str, to: &str) -> String {
        let mut file: TlogProof = file.parse().unwrap();
        let extra = String::from_utf8(file.extra.unwrap()).unwrap();
        assert!(extra.contains(from), "{extra}");
        file.extra = Some(extra.replace(from, to).into_bytes());
        file.to_string()
    }

    #[test]
    fn an_entry_is_proved_with_the_parts_that_the_file_discloses() {
        let found = check(ENTRY).unwrap();
        let log = "log.example.com/00000000-0000-0000-0000-000000000001";
        assert_eq!(found.holds[0], format!("entry 1 is in the log of {log} with 3 entries"));
        assert!(found.holds[1].contains("UserCreated about User 00000000-0000-0000-0000-000000000003, rejected"));
        assert_eq!(found.shows, [r#"the payload of entry 1: {"changed":[],"resource":{"userName":"ada"}}"#]);
        assert_eq!(found.open, ["the actor of entry 1: it is withheld, or it was erased"]);
        assert_eq!(found.broken, [""; 0]);
    }

    #[test]
    fn the_state_of_a_user_is_proved() {
        let found = check(STATE).unwrap();
        assert_eq!(found.broken, [""; 0]);
        let state = "user 00000000-0000-0000-0000-000000000003 was inactive at 2026-01-06T18:00:00.000000Z";
        assert_eq!(found.holds[2], format!("{state}: entry 2 is the last change before"));
        assert!(found.holds[3].contains("with entry 5, recorded at 2026-01-06T18:30"), "{:?}", found.holds);
    }

    #[test]
    fn entries_that_the_file_leaves_out_are_reported() {
        let mut file: TlogProof = STATE.parse().unwrap();
        let mut evidence: Evidence = serde_json::from_slice(&file.extra.unwrap()).unwrap();
        evidence.state.as_mut().unwrap().between = None;
        file.extra = Some(serde_json::to_vec(&evidence).unwrap());
        let found = check(&file.to_string()).unwrap();
        assert!(found.broken.is_empty() && found.unchecked[0].contains("entries 3 to 4, which the file leaves out"));
        evidence.state.as_mut().unwrap().next = None;
        file.extra = Some(serde_json::to_vec(&evidence).unwrap());
        let found = check(&file.to_string()).unwrap();
        assert!(found.broken.is_empty() && found.unchecked[0].contains("entries 3 to 5"), "{:?}", found.unchecked);
        assert!(
            found.unchecked[1].contains("the checkpoint has no entry from after that time"),
            "{:?}",
            found.unchecked
        );
    }

    #[test_case(ENTRY, r#""userName":"ada""#, r#""userName":"bob""#, "entry 1: the payload"; "another payload")]
    #[test_case(ENTRY, r#""status":409"#, r#""status":400"#, "entry 1: the header"; "another header")]
    #[test_case(ENTRY, r#""payload_salt":"09"#, r#""payload_salt":"08"#, "entry 1: the payload"; "another salt")]
    #[test_case(STATE, "17:45:00", "17:46:00", "the state at"; "another header in between")]
    #[test_case(STATE, "18:30:00", "18:31:00", "entry 5: the proof"; "another next entry")]
    #[test_case(STATE, r#""at":"2026-01-06T18:00"#, r#""at":"2026-01-06T19:00"#, "entry 5 was recorded"; "a later time")]
    fn a_changed_file_is_broken(file: &str, from: &str, to: &str, finding: &str) {
        let found = check(&with_extra(file, from, to)).unwrap();
        assert!(found.broken[0].contains(finding), "{:?}", found.broken);
    }

    #[test]
    fn a_header_and_a_leaf_that_were_changed_together_do_not_lead_to_the_root() {
        let mut file: TlogProof = ENTRY.parse().unwrap();
        let mut evidence: Evidence = serde_json::from_slice(&file.extra.unwrap()).unwrap();
        evidence.entry.header.error = None;
        evidence.entry.leaf = evidence.entry.header.leaf().unwrap();
        file.extra = Some(serde_json::to_vec(&evidence).unwrap());
        assert_eq!(check(&file.to_string()).unwrap().broken, ["entry 1: the proof does not lead to the root"]);
    }

    #[test]
    fn an_index_of_another_entry_is_broken() {
        let moved = ENTRY.replace("\nindex 0\n", "\nindex 1\n");
        assert_eq!(check(&moved).unwrap().broken, ["entry 1: the file proves the entry in position 2"]);
    }

    /// Each of these files could not be checked: exit code 2.
    #[test]
    fn a_file_whose_parts_do_not_belong_together_is_not_checked() {
        let note = |file: &str| file.split_once("\n\n").unwrap().1.to_owned();
        let mixed = ENTRY.replace(&note(ENTRY), &note(STATE));
        assert!(check(&mixed).unwrap_err().contains("not for the checkpoint of the file, which has 5 entries"));
        assert!(check(&ENTRY.replace("\nindex 0\n", "\nindex 3\n")).unwrap_err().contains("which has 3 entries"));
        let longer = ENTRY.replace("\nindex 0\n", &format!("\nindex 0\n{}\n", "A".repeat(43) + "="));
        assert!(check(&longer).unwrap_err().contains("not for the checkpoint"));
        let without = TlogProof { extra: None, ..ENTRY.parse().unwrap() };
        assert!(check(&without.to_string()).unwrap_err().contains("no line `extra`"));
        assert!(check(&ENTRY.replace("\n3\n", "\n4\n")).unwrap_err().contains("signature"));
    }
}
