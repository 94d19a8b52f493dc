//! Whole logs.

use super::*;
use test_case::test_case;

#[test]
fn an_unchanged_log_verifies_at_every_checkpoint() {
    let (case, log) = (Case::new(), log());
    let (code, output) = case.verify_log(&log, &log);
    assert_eq!(code, 0, "{output}");
    for size in [5, 10] {
        assert!(output.contains(&format!("holds: the first {size} entries are those that were signed")), "{output}");
    }
    let (code, output) = case.verify_log(&log[..8], &log);
    assert!(code == 0 && output.contains("entries 9 to 10 are whole, but no checkpoint covers them"), "{output}");
}

/// Changes of a stored log, and the words of the fault. The checkpoints are of sizes 5 and 10.
#[test_case(|log| log[2].payload = Some(json!({"name": "Eve"})),
    "entry 3: the payload does not match its commitment"; "edit a payload")]
#[test_case(|log| log[2].actor = Some(json!({"label": "Eve"})),
    "entry 3: the actor does not match its commitment"; "edit an actor")]
#[test_case(|log| log[2].header.outcome = OutcomeKind::Rejected,
    "entry 3: the header does not match the leaf"; "edit a header")]
#[test_case(|log| log[2].header.payload_commitment = log[3].header.payload_commitment,
    "entry 3: the payload does not match its commitment"; "edit a commitment")]
#[test_case(|log| log[2].leaf = log[3].leaf,
    "entry 3: the header does not match the leaf"; "edit a leaf")]
#[test_case(|log| { log[2].payload = Some(json!({"name": "Eve"})); log[2] = rehashed(log[2].clone()); },
    "the first 5 entries are not those that were signed: something between entries 1 and 5 was changed";
    "edit and rehash before the first checkpoint")]
#[test_case(|log| { log[8].payload = Some(json!({"name": "Eve"})); log[8] = rehashed(log[8].clone()); },
    "the first 10 entries are not those that were signed: something between entries 6 and 10 was changed";
    "edit and rehash after the first checkpoint")]
#[test_case(|log| { log[3].header.seq = 12; log[3] = rehashed(log[3].clone()); },
    "entry 12 is in the position of entry 4"; "renumber one and rehash")]
#[test_case(|log| for entry in log { entry.header.seq += 1; *entry = rehashed(entry.clone()); },
    "entry 2 is in the position of entry 1"; "renumber all and rehash")]
#[test_case(|log| log.swap(2, 3), "entry 4 is in the position of entry 3"; "swap")]
#[test_case(|log| {
        log.swap(2, 3);
        for seq in [3, 4] { log[seq - 1].header.seq = seq as u64; log[seq - 1] = rehashed(log[seq - 1].clone()); }
    }, "something between entries 1 and 5 was changed"; "swap, renumber and rehash")]
#[test_case(|log| drop(log.remove(0)), "entry 2 is in the position of entry 1"; "drop the first")]
#[test_case(|log| drop(log.remove(3)), "entry 5 is in the position of entry 4"; "drop one in the middle")]
#[test_case(|log| drop(log.pop()), "entries 10 to 10 are missing: a log of 10 entries was signed"; "drop the last")]
#[test_case(|log| log.truncate(3), "entries 4 to 5 are missing: a log of 5 entries was signed"; "roll back")]
#[test_case(Vec::clear, "entries 1 to 10 are missing: a log of 10 entries was signed"; "drop everything")]
#[test_case(|log| log.insert(4, log[3].clone()), "entry 4 is in the position of entry 5"; "repeat one")]
#[test_case(|log| { log[3].header.organization_id = EMCA; log[3] = rehashed(log[3].clone()); },
    "entry 4 is of another log: 00000000-0000-0000-0000-0000000000c8"; "an entry of another log")]
#[test_case(|log| erase(&mut log[3], Part::Payload),
    "entry 4 has lost its payload, and no later entry of this export records an erasure"; "erase a user silently")]
#[test_case(|log| erase(&mut log[3], Part::Actor),
    "entry 4 has lost its actor, and no later entry of this export records an erasure"; "erase an actor silently")]
#[test_case(|log| erase(&mut log[6], Part::Payload), "entry 7 has lost its payload"; "erase an erasure")]
#[test_case(|log| erase(&mut log[9], Part::Payload), "entry 10 has lost its payload"; "erase the newest entry")]
#[test_case(|log| log[2].payload_salt = None, "entry 3: the payload without its salt"; "lose a salt")]
#[test_case(|log| log[2].actor = None, "entry 3: the actor without its salt, or the salt without the actor";
    "lose a part")]
fn a_change_is_reported(change: impl FnOnce(&mut Vec<Entry>), fault: &str) {
    let (case, signed) = (Case::new(), log());
    let mut found = signed.clone();
    change(&mut found);
    let (code, output) = case.verify_log(&signed, &found);
    assert!(code == 1 && output.lines().any(|line| line.starts_with("BROKEN: ") && line.contains(fault)), "{output}");
}

#[test]
fn a_recorded_erasure_names_both_entries() {
    let (case, signed) = (Case::new(), log());
    let mut found = signed.clone();
    for seq in [3, 5, 6] {
        erase(&mut found[seq - 1], Part::Payload);
    }
    for seq in [1, 3, 6] {
        erase(&mut found[seq - 1], Part::Actor);
    }
    erase(&mut found[0], Part::Payload);
    let (code, output) = case.verify_log(&signed, &found);
    assert_eq!(code, 0, "{output}");
    let of_ada = "entry 7 records the erasure of entry 3 (payload), entry 5 (payload), entry 6 (payload)";
    let of_alan = "entry 8 records the erasure of entry 1 (payload), entry 1 (actor), entry 3 (actor), entry 6 (actor)";
    assert!(output.contains(of_ada) && output.contains(of_alan), "{output}");
}

#[test]
fn many_faults_are_counted_and_not_all_printed() {
    let (case, signed) = (Case::new(), log());
    let mut found: Vec<_> = (0..3).flat_map(|_| signed.clone()).collect();
    for entry in &mut found {
        entry.payload = Some(json!("x"));
    }
    let (code, output) = case.verify_log(&signed, &found);
    assert_eq!((code, output.matches("BROKEN: ").count()), (1, 21), "{output}");
    assert!(output.contains("BROKEN: and 32 more"), "{output}");
}

#[test]
fn a_checkpoint_of_another_log_or_another_signer_proves_nothing() {
    let (case, stranger, log) = (Case::new(), Case::new(), log());
    let export = case.file("export.ndjson", &lines(&log));
    let other_log = case.checkpoint("other.checkpoint", EMCA, &log);
    let (code, output) = case.verify(&["log", &export, "--checkpoint", &other_log]);
    let mixed = "NOT CHECKED: the checkpoint with 10 entries is of another log, log.example.com/";
    assert!(code == 2 && output.contains(mixed), "{output}");
    // However many entries the other log has.
    let export_of_less = case.file("less.ndjson", &lines(&log[..4]));
    let (code, output) = case.verify(&["log", &export_of_less, "--checkpoint", &other_log]);
    assert!(code == 2 && output.contains(mixed), "{output}");
    let other_signer = stranger.checkpoint("stranger.checkpoint", ACME, &log);
    let (code, output) = case.verify(&["log", &export, "--checkpoint", &other_signer]);
    assert!(code == 2 && output.contains("stranger.checkpoint: the checkpoint's signature"), "{output}");
    let good = case.checkpoint("good.checkpoint", ACME, &log);
    let both = ["log", &export, "--checkpoint", &good, "--key", &stranger.key];
    assert_eq!(case.verify(&both).0, 0, "during a key change, two keys are accepted");
    let changed = std::fs::read_to_string(&good).unwrap().replace("\n10\n", "\n11\n");
    let changed = case.file("changed.checkpoint", &changed);
    assert_eq!(case.verify(&["log", &export, "--checkpoint", &changed]).0, 2);
}

#[test]
fn what_cannot_be_read_is_no_verdict() {
    let (case, log) = (Case::new(), log());
    let good = case.checkpoint("good.checkpoint", ACME, &log);
    let text = lines(&log);
    let cut = &text[..text.len() - 10];
    let csv = "seq,event_id\r\n1,x\r\n".to_owned();
    let repeated = text.replacen("\"changed\":[]", "\"changed\":[],\"changed\":[]", 3);
    for (lines, why) in [
        (cut, "line 10: not an entry: EOF"),
        (csv.as_str(), "line 1: not an entry"),
        ("{}\n", "line 1: not an entry: missing field"),
        (repeated.as_str(), "line 1: not an entry: a member name occurs twice"),
    ] {
        let (code, output) = case.verify_lines(&log, lines);
        assert!(code == 2 && output.contains(why), "{why}: {output}");
    }
    let export = case.file("export.ndjson", &text);
    let missing = case.folder.join("missing").to_str().unwrap().to_owned();
    for arguments in [
        ["log", missing.as_str(), "--checkpoint", &good, "--key", &case.key],
        ["log", export.as_str(), "--checkpoint", &missing, "--key", &case.key],
        ["log", export.as_str(), "--checkpoint", &export, "--key", &case.key],
        ["log", export.as_str(), "--checkpoint", &good, "--key", "log.example.com+00000000+AAAA"],
    ] {
        let (code, output) = verify(&arguments);
        assert!(code == 2 && output.starts_with("rollcall-verify: "), "{arguments:?}: {output}");
    }
    assert_eq!(verify(&["log", &export, "--key", &case.key]).0, 2, "without a checkpoint there is nothing to check");
}

/// A line whose header names a type that this program does not know. `forge` changes it after it was hashed.
fn newer(forge: impl FnOnce(&mut Value)) -> Value {
    let mut line = serde_json::to_value(&log()[9]).unwrap();
    line["header"]["type"] = json!("PlanetMoved");
    line["leaf"] = json!(Hash::of_entry(&canonical(&line["header"]).unwrap()));
    forge(&mut line);
    line
}

#[test]
fn an_entry_of_a_newer_service_is_not_checked_and_a_forged_one_is_broken() {
    let (case, mut signed) = (Case::new(), log());
    let honest = newer(|_| {});
    signed[9].leaf = serde_json::from_value(honest["leaf"].clone()).unwrap();
    let lines = |last: &Value| format!("{}{last}\n", lines(&signed[..9]));
    let (code, output) = case.verify_lines(&signed, &lines(&honest));
    assert_eq!(code, 2, "{output}");
    assert!(output.contains("the first 10 entries are those that were signed"), "{output}");
    assert!(output.contains("NOT CHECKED: line 10 has something that this program does not know"), "{output}");
    let forged = newer(|line| line["header"]["error"] = json!({"status": 400, "by": "Eve"}));
    let (code, output) = case.verify_lines(&signed, &lines(&forged));
    assert!(code == 1 && output.contains("line 10: the header does not match"), "{output}");
    let mut rehashed = forged;
    rehashed["leaf"] = json!(Hash::of_entry(&canonical(&rehashed["header"]).unwrap()));
    let (code, output) = case.verify_lines(&signed, &lines(&rehashed));
    assert!(code == 1 && output.contains("something between entries 6 and 10 was changed"), "{output}");
}

/// A filtered export: only these entries, after the line that says so.
fn filtered(entries: &[Entry]) -> String {
    let about = json!({"filtered_export": {"conditions": {"type": "UserCreated"}, "organization_id": ACME}});
    format!("{about}\n{}", lines(entries))
}

#[test]
fn a_filtered_export_is_not_called_broken_and_not_called_whole() {
    let (case, log) = (Case::new(), log());
    let (code, output) = case.verify_lines(&log, &filtered(&log[2..4]));
    assert_eq!(code, 2, "{output}");
    assert!(output.contains("holds: each of the 2 entries matches its own hashes"), "{output}");
    assert!(output.contains("NOT CHECKED: a filtered export cannot be verified as a whole log"), "{output}");
    assert!(!output.contains("BROKEN"), "{output}");
    let resumed = filtered(&log[2..4]) + &filtered(&log[8..]);
    assert_eq!(case.verify_lines(&log, &resumed).0, 2, "one that was resumed has the line twice");
    let mut erased = log[2..4].to_vec();
    erase(&mut erased[0], Part::Payload);
    let (code, output) = case.verify_lines(&log, &filtered(&erased));
    assert!(code == 2 && output.contains("what is missing: entry 3 (payload)"), "{output}");
}

#[test_case(|log| log[0].payload = Some(json!({"name": "Eve"})), "entry 3: the payload does not match"; "edit")]
#[test_case(|log| log.swap(0, 1), "entry 3 comes after entry 4"; "swap")]
#[test_case(|log| { log[1].header.organization_id = EMCA; log[1] = rehashed(log[1].clone()); },
    "entry 4 is of another log"; "an entry of another log")]
fn a_change_in_a_filtered_export_is_reported(change: impl FnOnce(&mut Vec<Entry>), fault: &str) {
    let (case, log) = (Case::new(), log());
    let mut found = log[2..4].to_vec();
    change(&mut found);
    let (code, output) = case.verify_lines(&log, &filtered(&found));
    assert!(code == 1 && output.contains(&format!("BROKEN: {fault}")), "{output}");
}
