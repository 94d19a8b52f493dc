//! Proof files: an entry's position, its inclusion proof and a checkpoint, in one text (C2SP `tlog-proof`).
//!
//! The line `extra` carries what the tree does not: for our logs the [`Evidence`](crate::evidence::Evidence).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::str::FromStr;

use super::Hash;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1\n";
/// Maximum number of hashes. A tree with 2^64 leaves needs no more.
const MAX_HASHES: usize = 64;

/// A proof file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// Data for the application. Nothing in the format vouches for it.
    pub extra: Option<Vec<u8>>,
    /// The position of the entry in the log, from 0.
    pub index: u64,
    /// The inclusion proof, the lowest node first.
    pub hashes: Vec<Hash>,
    /// The signed note, as it was issued.
    pub checkpoint: String,
}

/// The text is not a proof file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a C2SP tlog-proof: {0}")]
pub struct MalformedProof(&'static str);

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FIRST_LINE)?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{}", STANDARD.encode(hash.as_bytes()))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for TlogProof {
    type Err = MalformedProof;

    fn from_str(text: &str) -> Result<Self, MalformedProof> {
        let text = text.strip_prefix(FIRST_LINE).ok_or(MalformedProof("its first line is another one"))?;
        let (proof, checkpoint) = text.split_once("\n\n").ok_or(MalformedProof("it has no checkpoint"))?;
        if checkpoint.is_empty() {
            return Err(MalformedProof("its checkpoint is empty"));
        }
        let mut lines = proof.split('\n').peekable();
        let extra = lines.next_if(|line| line.starts_with("extra ")).map(extra).transpose()?;
        let index = lines.next().and_then(index).ok_or(MalformedProof("its index is missing or malformed"))?;
        let hashes = lines.map(hash).collect::<Option<Vec<_>>>().filter(|hashes| hashes.len() <= MAX_HASHES);
        let hashes = hashes.ok_or(MalformedProof("a hash is malformed, or there are too many"))?;
        Ok(Self { extra, index, hashes, checkpoint: checkpoint.to_owned() })
    }
}

fn extra(line: &str) -> Result<Vec<u8>, MalformedProof> {
    let text = line.strip_prefix("extra ").unwrap_or_default();
    STANDARD.decode(text).map_err(|_| MalformedProof("its extra data is not base64"))
}

/// Reads `index N`: a decimal number without a sign and without leading zeros.
fn index(line: &str) -> Option<u64> {
    let text = line.strip_prefix("index ")?;
    text.parse().ok().filter(|index: &u64| index.to_string() == text)
}

fn hash(line: &str) -> Option<Hash> {
    STANDARD.decode(line).ok().and_then(|bytes| Hash::from_bytes(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::PROOF_FILE;
    use proptest::prelude::*;
    use test_case::test_case;

    #[test]
    fn the_example_of_the_documentation_reads_and_prints_back() {
        let proof: TlogProof = PROOF_FILE.parse().unwrap();
        assert_eq!((proof.index, proof.hashes.len()), (0, 2));
        assert_eq!(
            proof.hashes[0].to_string(),
            "a94dd4d3c2c6d2548ca4e560d72727bab5d795500191f5b85579130dd3b14603",
            "SHA-256 of a zero byte and the word `second`"
        );
        assert!(proof.checkpoint.starts_with("log.example.com/00000000-0000-0000-0000-000000000001\n3\n"));
        assert_eq!(proof.to_string(), PROOF_FILE);
    }

    #[test]
    fn the_only_entry_of_a_log_needs_no_hashes_and_extra_data_is_optional() {
        let proof = TlogProof { extra: None, index: 0, hashes: Vec::new(), checkpoint: "a\n1\nb\n\nc\n".to_owned() };
        assert_eq!(proof.to_string(), "c2sp.org/tlog-proof@v1\nindex 0\n\na\n1\nb\n\nc\n");
        assert_eq!(proof.to_string().parse(), Ok(proof));
    }

    #[test_case("", "first line"; "nothing")]
    #[test_case("c2sp.org/tlog-proof@v2\nindex 0\n\nnote", "first line"; "another version")]
    #[test_case("c2sp.org/tlog-proof@v1\nindex 0\n", "no checkpoint"; "no checkpoint")]
    #[test_case("c2sp.org/tlog-proof@v1\nindex 0\n\n", "empty"; "an empty checkpoint")]
    #[test_case("c2sp.org/tlog-proof@v1\nYQ==\n\nnote", "index"; "no index")]
    #[test_case("c2sp.org/tlog-proof@v1\nindex 01\n\nnote", "index"; "a leading zero")]
    #[test_case("c2sp.org/tlog-proof@v1\nindex +1\n\nnote", "index"; "a sign")]
    #[test_case("c2sp.org/tlog-proof@v1\nindex 18446744073709551616\n\nnote", "index"; "an index beyond 64 bits")]
    #[test_case("c2sp.org/tlog-proof@v1\nindex 0\nextra YQ==\n\nnote", "hash"; "extra data after the index")]
    #[test_case("c2sp.org/tlog-proof@v1\nextra YQ\nindex 0\n\nnote", "base64"; "extra data without padding")]
    #[test_case("c2sp.org/tlog-proof@v1\nextra YQ==\nextra YQ==\nindex 0\n\nnote", "index"; "extra data twice")]
    #[test_case("c2sp.org/tlog-proof@v1\nindex 0\nYQ==\n\nnote", "hash"; "a short hash")]
    #[test_case("c2sp.org/tlog-proof@v1\r\nindex 0\r\n\r\nnote", "first line"; "carriage returns")]
    fn is_refused(text: &str, reason: &str) {
        let error = text.parse::<TlogProof>().unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }

    #[test]
    fn more_hashes_than_a_tree_can_need_are_refused() {
        let proof = |count| {
            let hashes = vec![Hash::from_bytes(&[1; 32]).unwrap(); count];
            TlogProof { extra: None, index: 0, hashes, checkpoint: "note".to_owned() }
        };
        assert_eq!(proof(MAX_HASHES).to_string().parse(), Ok(proof(MAX_HASHES)));
        assert!(proof(MAX_HASHES + 1).to_string().parse::<TlogProof>().is_err());
    }

    proptest! {
        #[test]
        fn every_proof_reads_back(
            extra in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..100)), index in any::<u64>(),
            hashes in proptest::collection::vec(any::<[u8; 32]>(), 0..5), checkpoint in "\\PC{1,20}"
        ) {
            let proof = TlogProof { extra, index, hashes: hashes.into_iter().map(Hash).collect(), checkpoint };
            prop_assert_eq!(proof.to_string().parse(), Ok(proof));
        }
    }
}
