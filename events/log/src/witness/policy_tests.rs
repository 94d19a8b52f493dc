use proptest::prelude::*;
use test_case::test_case;

use super::examples::{BY_LOG, BY_W1, BY_W2, LOG, TEXT, TIME, W1, W2};
use super::{InvalidPolicy, InvalidWitnessKey, Policy, UntrustedCheckpoint, WitnessKey};

fn policy(rest: &str) -> Result<Policy, InvalidPolicy> {
    Policy::parse(format!("log {LOG}\nwitness one {W1} https://w1.example.com/\nwitness two\t{W2}\n{rest}").as_bytes())
}

fn note(signatures: &[&str]) -> Vec<u8> {
    format!("{TEXT}\n{}", signatures.concat()).into_bytes()
}

#[test]
fn a_checkpoint_is_accepted_if_its_cosignatures_meet_the_quorum() {
    for (rest, enough) in [
        ("group both all one two\nquorum both", [false, false, false, true]),
        ("group some any one two\nquorum some", [false, true, true, true]),
        ("group both 2 one two\nquorum both\n", [false, false, false, true]),
        ("quorum two", [false, false, true, true]),
        ("  # a comment\n\nquorum  none ", [true, true, true, true]),
        ("group inner any one\ngroup outer all inner two\nquorum outer", [false, false, false, true]),
    ] {
        let policy = policy(rest).unwrap();
        for (cosignatures, enough) in [&[][..], &[BY_W1], &[BY_W2], &[BY_W1, BY_W2]].into_iter().zip(enough) {
            let opened = policy.open(&note(&[&[BY_LOG], cosignatures].concat()));
            assert_eq!(opened.is_ok(), enough, "{rest} with {cosignatures:?}");
            if let Ok(opened) = opened {
                assert_eq!((opened.checkpoint.size, opened.cosigned.len()), (3, cosignatures.len()));
                assert!(opened.cosigned.iter().all(|(_, time)| *time == TIME));
            }
        }
    }
}

#[test]
fn the_log_must_have_signed_and_no_known_signature_may_be_wrong() {
    let policy = policy("quorum one").unwrap();
    assert!(matches!(policy.open(&note(&[BY_W1])), Err(UntrustedCheckpoint::UnknownLog(_))));
    let wrong = BY_W2.replacen("ADJJ", "AEJJ", 1);
    assert_ne!(wrong, BY_W2);
    assert!(policy.open(&note(&[BY_LOG, BY_W1])).is_ok());
    assert!(matches!(policy.open(&note(&[BY_LOG, BY_W1, &wrong])), Err(UntrustedCheckpoint::Note(_))));
    let changed = String::from_utf8(note(&[BY_LOG, BY_W1])).unwrap().replace("\n3\n", "\n4\n");
    assert!(policy.open(changed.as_bytes()).is_err());
    let other = Policy::parse(format!("log {}\nquorum none", LOG.replace("example.com", "example.org")).as_bytes());
    assert!(other.is_err(), "the id of a key depends on its name");
}

#[test]
fn a_policy_names_its_logs_and_the_addresses_of_its_witnesses() {
    let policy = policy("quorum none").unwrap();
    assert_eq!(policy.logs()[0].origin(), "log.example.com/log");
    let witnesses: Vec<_> = policy.witnesses().iter().map(|found| (found.key.name(), found.url.as_deref())).collect();
    assert_eq!(
        witnesses,
        [("witness.example.com/w1", Some("https://w1.example.com/")), ("witness.example.com/w2", None)]
    );
    let octets = [b"witness \xe2\x84\xaa ".as_slice(), W1.as_bytes(), b"\nquorum \xe2\x84\xaa\n"].concat();
    assert!(Policy::parse(&octets).is_ok(), "names are octets");
}

#[test_case("quorum three", "defines three"; "an unknown name")]
#[test_case("quorum both\ngroup both all one two", "defines both"; "a name before its definition")]
#[test_case("quorum one\nquorum two", "another quorum"; "two quorums")]
#[test_case("group one any two\nquorum one", "defined already"; "a name twice")]
#[test_case("group none any two\nquorum none", "defined already"; "the reserved name")]
#[test_case("group a any one\ngroup b any one\nquorum b", "member of a group already"; "a member twice")]
#[test_case("group a all one one\nquorum a", "member of a group already"; "a member twice in one group")]
#[test_case("group a 3 one two\nquorum a", "cannot require"; "more than all")]
#[test_case("group a 0 one two\nquorum a", "cannot require"; "none of them")]
#[test_case("group a -1 one two\nquorum a", "not a number"; "a negative number")]
#[test_case("group a any\nquorum a", "not a line"; "no members")]
#[test_case("group a any none\nquorum a", "defines none"; "none as a member")]
#[test_case("quorum one\r", "0x0d"; "a carriage return")]
#[test_case("quota one", "quota is not a line"; "an unknown keyword")]
#[test_case("", "no quorum line"; "no quorum")]
fn a_malformed_policy_is_refused(rest: &str, error: &str) {
    let refused = policy(rest).err().unwrap().to_string();
    assert!(refused.contains(error), "{refused}");
}

#[test]
fn keys_must_be_of_the_right_type_and_different() {
    let twice = |line: &str| policy(&format!("{line}\nquorum none")).err().unwrap().to_string();
    assert!(twice(&format!("witness three {W1}")).contains("another witness has the same key"));
    assert!(twice(&format!("log {LOG}")).contains("another log has the same key"));
    assert_eq!(WitnessKey::read(LOG), Err(InvalidWitnessKey::OtherType(1)));
    assert_eq!(WitnessKey::read(&W1.replace("745fb5e8", "745fb5e9")), Err(InvalidWitnessKey::Malformed));
    assert_eq!(WitnessKey::read(&W1.replace('+', " ")), Err(InvalidWitnessKey::Malformed));
    assert!(twice(&format!("log {W1}")).contains("the key of the log"));
}

proptest! {
    #[test]
    fn no_file_makes_the_parser_panic(
        lines in proptest::collection::vec("(log|witness|group|quorum|#|)[ \t]{0,2}(a|b|none|all|any|[0-9]{1,22}|[a+/=]{0,9}| ){0,5}", 0..6),
        octets in proptest::collection::vec(any::<u8>(), 0..60)
    ) {
        let _ = Policy::parse(&octets);
        let text = format!("witness a {W1}\nwitness b {W2}\n{}", lines.join("\n"));
        if let Ok(policy) = Policy::parse(text.as_bytes()) {
            policy.is_met(|_| true);
            let _ = policy.open(&octets);
        }
    }
}
