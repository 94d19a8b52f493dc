use super::examples::{BY_LOG, BY_W1, BY_W2, TEXT, TIME, W1, W2};
use super::{Answer, Cosignature, Refusal, WitnessKey, add_checkpoint, read_answer};
use crate::Hash;

#[test]
fn the_body_has_the_lines_of_the_specification() {
    let note = format!("{TEXT}\n{BY_LOG}");
    let body = add_checkpoint(2, &[Hash([0; 32]), Hash([255; 32])], &note);
    let expected = [
        "old 2\n",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "//////////////////////////////////////////8=\n",
        "\n",
        note.as_str(),
    ];
    assert_eq!(body, expected.concat());
    assert_eq!(add_checkpoint(0, &[], &note), format!("old 0\n\n{note}"));
}

fn read(status: u16, media_type: Option<&str>, body: &str) -> Result<Answer, Refusal> {
    read_answer(status, media_type, body.as_bytes(), &WitnessKey::read(W1).unwrap(), TEXT.as_bytes())
}

#[test]
fn a_cosignature_is_verified_and_lines_by_other_keys_are_ignored() {
    let cosigned = Ok(Answer::Cosigned(Cosignature { line: BY_W1.to_owned(), time: TIME }));
    assert_eq!(read(200, None, BY_W1), cosigned);
    assert_eq!(read(200, None, &format!("{BY_W2}{BY_W1}")), cosigned);
    assert_eq!(read(200, None, BY_W2), Err(Refusal::NoCosignature));
    assert_eq!(read(200, None, &BY_W1.replacen("AT81", "AT82", 1)), Err(Refusal::WrongSignature));
    for malformed in ["", "\n", "hello\n", BY_W1.trim_end(), &format!("{BY_W1}\n")] {
        assert_eq!(read(200, None, malformed), Err(Refusal::Malformed), "{malformed:?}");
    }
    let key = WitnessKey::read(W1).unwrap();
    let other = TEXT.replace("\n3\n", "\n4\n");
    let of_another = read_answer(200, None, BY_W1.as_bytes(), &key, other.as_bytes());
    assert_eq!(of_another, Err(Refusal::WrongSignature), "the cosignature is for another checkpoint");
    assert_ne!(WitnessKey::read(W2).unwrap(), key);
}

#[test]
fn a_conflict_names_a_size() {
    let size = Some("text/x.tlog.size");
    assert_eq!(read(409, size, "20852014\n"), Ok(Answer::Conflict { size: 20_852_014 }));
    assert_eq!(read(409, size, "0\n"), Ok(Answer::Conflict { size: 0 }));
    for (media_type, body) in [
        (size, "20852014"),
        (size, "020852014\n"),
        (size, "-1\n"),
        (size, ""),
        (None, "3\n"),
        (Some("text/plain"), "3\n"),
    ] {
        assert_eq!(read(409, media_type, body), Err(Refusal::MalformedConflict), "{media_type:?} {body:?}");
    }
}

#[test]
fn other_answers_are_refusals() {
    assert_eq!(read(403, None, BY_W1), Err(Refusal::Untrusted));
    assert_eq!(read(404, None, ""), Err(Refusal::UnknownLog));
    assert_eq!(read(422, None, ""), Err(Refusal::Inconsistent));
    assert_eq!(read(500, None, BY_W1), Err(Refusal::Status(500)));
    assert_eq!(read(204, None, ""), Err(Refusal::Status(204)));
}
