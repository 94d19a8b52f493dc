//! Proof files of single entries, and proofs of two checkpoints.

use super::*;

/// Writes a proof file and checks it: the entry, the seq and the hashes that prove it, and a checkpoint.
fn verify_entry(case: &Case, entry: &Entry, (seq, hashes): (u64, Vec<Hash>), checkpoint: &str) -> (u8, String) {
    let evidence = Evidence { entry: entry.clone(), state: None };
    verify_evidence(case, serde_json::to_string(&evidence).unwrap(), (seq, hashes), checkpoint)
}

/// As [`verify_entry`], with the text of the line `extra`.
fn verify_evidence(case: &Case, extra: String, proof: (u64, Vec<Hash>), checkpoint: &str) -> (u8, String) {
    let checkpoint = std::fs::read_to_string(checkpoint).unwrap();
    let file = TlogProof { extra: Some(extra.into_bytes()), index: proof.0 - 1, hashes: proof.1, checkpoint };
    case.verify(&["proof", &case.file("entry.tlog-proof", &file.to_string())])
}

fn inclusion(seq: u64, log: &[Entry]) -> (u64, Vec<Hash>) {
    (seq, proof(Question::Inclusion { seq, size: log.len() as u64 }, log))
}

#[test]
fn an_entry_verifies_with_its_own_proof_only() {
    let (case, log) = (Case::new(), log());
    let checkpoint = case.checkpoint("log.checkpoint", ACME, &log);
    for (index, entry) in log.iter().enumerate() {
        let seq = index as u64 + 1;
        let (code, output) = verify_entry(&case, entry, inclusion(seq, &log), &checkpoint);
        assert!(code == 0 && output.contains(&format!("entry {seq} is in the log of log.example.com/")), "{output}");
        // The proof of another entry, with as many hashes.
        let other = (seq, inclusion(if seq > 8 { 19 - seq } else { seq % 8 + 1 }, &log).1);
        let (code, output) = verify_entry(&case, entry, other, &checkpoint);
        assert!(code == 1 && output.contains(&format!("entry {seq}: the proof does not lead to the root")), "{output}");
    }
    let mut changed = log[3].clone();
    changed.payload = Some(json!({"name": "Eve"}));
    let (code, output) = verify_entry(&case, &changed, inclusion(4, &log), &checkpoint);
    assert!(code == 1 && output.contains("entry 4: the payload does not match its commitment"), "{output}");
    let (code, output) = verify_entry(&case, &rehashed(changed), inclusion(4, &log), &checkpoint);
    assert!(code == 1 && output.contains("entry 4: the proof does not lead to the root"), "{output}");
    let beyond = entry(11, EventType::UserUpdated, (SubjectType::User, ADA), MARY);
    let (code, output) = verify_entry(&case, &beyond, inclusion(10, &log), &checkpoint);
    assert!(code == 1 && output.contains("entry 11: "), "{output}");
}

#[test]
fn an_entry_without_a_part_verifies_and_says_what_is_not_proved() {
    let (case, log) = (Case::new(), log());
    let checkpoint = case.checkpoint("log.checkpoint", ACME, &log);
    let mut erased = log[2].clone();
    erase(&mut erased, Part::Payload);
    let (code, output) = verify_entry(&case, &erased, inclusion(3, &log), &checkpoint);
    assert!(
        code == 0 && output.contains("not proved: the payload of entry 3: it is withheld, or it was erased"),
        "{output}"
    );
}

/// Two readers of a repeated member could take two values; only one of them was committed to.
#[test]
fn a_repeated_member_name_is_refused() {
    let (case, log) = (Case::new(), log());
    let checkpoint = case.checkpoint("log.checkpoint", ACME, &log);
    let extra = serde_json::to_string(&Evidence { entry: log[2].clone(), state: None }).unwrap();
    for (once, twice) in [(r#""name":3"#, r#""name":4,"name":3"#), (r#"{"label":"#, r#"{"label":"eve","label":"#)] {
        assert!(extra.contains(once), "{extra}");
        let (code, output) = verify_evidence(&case, extra.replace(once, twice), inclusion(3, &log), &checkpoint);
        assert!(code == 2 && output.contains("occurs twice"), "{output}");
    }
}

#[test]
fn files_that_do_not_belong_together_are_named() {
    let (case, log) = (Case::new(), log());
    let later = case.checkpoint("later.checkpoint", ACME, &log);
    let earlier = case.checkpoint("earlier.checkpoint", ACME, &log[..6]);
    let (code, output) = verify_entry(&case, &log[2], inclusion(3, &log), &earlier);
    assert!(
        code == 2 && output.contains("entry.tlog-proof: the proof is not for the checkpoint of the file"),
        "{output}"
    );
    let proof = json!({"from": 6, "to": 10, "hashes": proof(Question::Consistency { earlier: 6, size: 10 }, &log)});
    let proof = case.file("proof.json", &proof.to_string());
    for (first, second, named) in [
        (&later, &later, "later.checkpoint was signed for 10"),
        (&earlier, &earlier, "earlier.checkpoint was signed for 6"),
    ] {
        let (code, output) = case.verify(&["consistency", "--earlier", first, "--later", second, "--proof", &proof]);
        assert!(code == 2 && output.contains(named), "{output}");
    }
}

#[test]
fn an_entry_is_not_proved_by_a_checkpoint_of_another_log() {
    let (case, log) = (Case::new(), log());
    let other = case.checkpoint("other.checkpoint", EMCA, &log);
    let (code, output) = verify_entry(&case, &log[2], inclusion(3, &log), &other);
    assert!(code == 1 && output.contains("the checkpoint is of another log"), "{output}");
}

#[test]
fn a_later_log_begins_with_the_earlier_one_or_it_is_broken() {
    let (case, log) = (Case::new(), log());
    let hashes = proof(Question::Consistency { earlier: 6, size: 10 }, &log);
    let verify = |earlier: &str, later: &str, hashes: &Value| {
        let proof = case.file("proof.json", &json!({"from": 6, "to": 10, "hashes": hashes}).to_string());
        case.verify(&["consistency", "--earlier", earlier, "--later", later, "--proof", &proof])
    };
    let earlier = case.checkpoint("earlier.checkpoint", ACME, &log[..6]);
    let later = case.checkpoint("later.checkpoint", ACME, &log);
    let (code, output) = verify(&earlier, &later, &json!(hashes));
    assert!(code == 0 && output.contains("the log with 10 entries begins with the one with 6"), "{output}");
    let mut changed = log.clone();
    changed[2].payload = Some(json!({"name": "Eve"}));
    changed[2] = rehashed(changed[2].clone());
    let forged = case.checkpoint("forged.checkpoint", ACME, &changed);
    let reversed: Vec<_> = hashes.iter().rev().collect();
    for (later, hashes) in [(&forged, json!(hashes)), (&later, json!(reversed)), (&later, json!([]))] {
        let (code, output) = verify(&earlier, later, &hashes);
        assert!(code == 1 && output.contains("from 6 to 10 entries: the proof does not lead"), "{output}");
    }
    let other = case.checkpoint("other.checkpoint", EMCA, &log);
    let (code, output) = verify(&earlier, &other, &json!(hashes));
    assert!(
        code == 2 && output.contains("it is of log.example.com/") && output.contains("earlier.checkpoint is of"),
        "{output}"
    );
}
