//! The format of the signer file: JSON texts, one on each line.
//!
//! The first line names the format and its version. One line for each log follows. The last line has the number
//! of logs and the BLAKE3 hash of all lines before it, so that a file that was cut off or damaged is not taken
//! for one with fewer logs.

use rollcall_events::log::TreeHead;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;

const FORMAT: &str = "rollcall signer file";
const VERSION: u32 = 1;

/// The records by the origin of their logs, as checkpoints name it.
pub(crate) type Records = BTreeMap<String, Record>;

/// What the signer remembers of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    /// The last signed tree head, or the one that an operator accepted after a restore.
    pub(crate) head: TreeHead,
    /// The tree head that had been signed before the last accepted restore.
    pub(crate) restored_from: Option<TreeHead>,
}

#[derive(Serialize, Deserialize)]
struct FirstLine {
    format: String,
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogLine {
    origin: String,
    head: TreeHead,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    restored_from: Option<TreeHead>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LastLine {
    logs: usize,
    hash: String,
}

/// Why a text is not a whole signer file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// The first line is of something else.
    #[error("it is not a signer file")]
    Other,
    /// Another version of the program wrote it.
    #[error("it has version {0}, and this program knows version {VERSION}")]
    Version(u32),
    /// The end is missing, or the content does not have the hash that the end states.
    #[error("it was cut off or damaged")]
    Damaged,
    /// A line is no record, or a second one of the same log.
    #[error("line {0} is no record of a log")]
    Line(usize),
}

/// Writes the whole content of a file.
///
/// # Errors
/// If a record cannot be written as JSON. Records can.
pub(super) fn write(records: &Records) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string(&FirstLine { format: FORMAT.to_owned(), version: VERSION })? + "\n";
    for (origin, &Record { head, restored_from }) in records {
        text += &serde_json::to_string(&LogLine { origin: origin.clone(), head, restored_from })?;
        text.push('\n');
    }
    let last = LastLine { logs: records.len(), hash: hash(&text) };
    // Writing into a string cannot fail.
    let _ = writeln!(text, "{}", serde_json::to_string(&last)?);
    Ok(text)
}

/// Reads the whole content of a file.
///
/// # Errors
/// If it is not exactly what [`write`] writes for some records.
pub(super) fn read(text: &str) -> Result<Records, Malformed> {
    let first: FirstLine =
        text.lines().next().and_then(|line| serde_json::from_str(line).ok()).ok_or(Malformed::Other)?;
    match first {
        FirstLine { format, .. } if format != FORMAT => return Err(Malformed::Other),
        FirstLine { version, .. } if version != VERSION => return Err(Malformed::Version(version)),
        FirstLine { .. } => {}
    }
    let lines = text.strip_suffix('\n').ok_or(Malformed::Damaged)?;
    let end = lines.rfind('\n').ok_or(Malformed::Damaged)? + 1;
    let (content, last) = lines.split_at(end);
    let last: LastLine = serde_json::from_str(last).map_err(|_| Malformed::Damaged)?;
    if last.hash != hash(content) {
        return Err(Malformed::Damaged);
    }
    let mut records = Records::new();
    for (number, line) in (1..).zip(content.lines()).skip(1) {
        let LogLine { origin, head, restored_from } =
            serde_json::from_str(line).map_err(|_| Malformed::Line(number))?;
        if head.size == 0 || records.insert(origin, Record { head, restored_from }).is_some() {
            return Err(Malformed::Line(number));
        }
    }
    if records.len() == last.logs { Ok(records) } else { Err(Malformed::Damaged) }
}

fn hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rollcall_events::log::Hash;
    use test_case::test_case;

    fn head(size: u64) -> TreeHead {
        TreeHead { root: Hash::from_bytes(blake3::hash(&size.to_be_bytes()).as_bytes()).unwrap(), size }
    }

    fn records() -> Records {
        let of = |size, restored_from| Record { head: head(size), restored_from };
        [("log.example.com/a".to_owned(), of(7, None)), ("log.example.com/b".to_owned(), of(9, Some(head(12))))].into()
    }

    /// Replaces the last line by one that fits the changed content.
    fn resealed(content: &str, logs: usize) -> String {
        let last = LastLine { logs, hash: hash(content) };
        format!("{content}{}\n", serde_json::to_string(&last).unwrap())
    }

    #[test]
    fn the_format_does_not_change() {
        let text = write(&records()).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], r#"{"format":"rollcall signer file","version":1}"#);
        let expected = format!(r#"{{"origin":"log.example.com/a","head":{{"root":"{}","size":7}}}}"#, head(7).root);
        assert_eq!(lines[1], expected);
        assert!(lines[2].contains("restored_from") && lines[3].starts_with(r#"{"logs":2,"hash":""#), "{text}");
        assert_eq!(read(&text), Ok(records()));
        assert_eq!(read(&write(&Records::new()).unwrap()), Ok(Records::new()));
    }

    #[test]
    fn a_file_that_was_cut_off_anywhere_is_not_read() {
        let text = write(&records()).unwrap();
        for end in 0..text.len() {
            assert!(read(&text[..end]).is_err(), "the first {end} bytes");
        }
        // Whole lines are missing, at the end and in the middle.
        let lines: Vec<_> = text.lines().collect();
        for missing in 0..lines.len() {
            let rest: Vec<_> = lines.iter().enumerate().filter(|(n, _)| *n != missing).map(|(_, line)| *line).collect();
            assert!(read(&(rest.join("\n") + "\n")).is_err(), "line {missing} is missing");
        }
    }

    #[test_case("", Malformed::Other; "empty")]
    #[test_case("{}\n", Malformed::Other; "another file")]
    #[test_case("{\"format\":\"other\",\"version\":1}\n", Malformed::Other; "another format")]
    #[test_case("{\"format\":\"rollcall signer file\",\"version\":2,\"more\":1}\n", Malformed::Version(2); "a later version")]
    #[test_case("{\"format\":\"rollcall signer file\",\"version\":1}\n", Malformed::Damaged; "only the first line")]
    fn another_content_is_refused(text: &str, expected: Malformed) {
        assert_eq!(read(text), Err(expected));
    }

    #[test]
    fn a_line_that_is_no_record_is_refused_even_with_a_right_hash() {
        let text = write(&records()).unwrap();
        let content: String = text.lines().take(3).flat_map(|line| [line, "\n"]).collect();
        assert_eq!(read(&resealed(&content, 2)), Ok(records()));
        assert_eq!(read(&resealed(&content, 3)), Err(Malformed::Damaged));
        assert_eq!(read(&resealed(&content.replace("\"size\":7", "\"size\":0"), 2)), Err(Malformed::Line(2)));
        assert_eq!(read(&resealed(&content.replace(".com/b", ".com/a"), 2)), Err(Malformed::Line(3)));
        assert_eq!(read(&resealed(&(content + "{}\n"), 3)), Err(Malformed::Line(4)));
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_noticed(at in any::<prop::sample::Index>(), bit in 0_u8..7) {
            let mut bytes = write(&records()).unwrap().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let read = std::str::from_utf8(&bytes).ok().map(read);
            prop_assert!(read.is_none_or(|read| read.is_err()));
        }
    }
}
