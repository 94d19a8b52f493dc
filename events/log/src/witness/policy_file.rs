//! Reads a policy file (C2SP `tlog-policy`).
//!
//! Names are octets: they are compared as they are, and need not be UTF-8.

use signed_note::StandardVerifier;

use super::cosignature::{InvalidWitnessKey, WitnessKey, vkey};
use super::policy::{Policy, PolicyLog, PolicyWitness, Rule};

/// Maximum size of a policy in bytes.
const MAX_BYTES: usize = 256 * 1024;
/// Maximum number of logs, and of witnesses and groups together.
const MAX_DEFINED: usize = 256;
/// The name that stands for no quorum.
const NONE: &[u8] = b"none";

/// Why a file is not a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPolicy {
    /// The file is too large, or defines too much.
    #[error("the policy is too large")]
    TooLarge,
    /// A line is wrong.
    #[error("line {line} of the policy: {what}")]
    Line {
        /// The number of the line, from 1.
        line: usize,
        /// The reason.
        what: String,
    },
    /// There is no quorum.
    #[error("the policy has no quorum line")]
    NoQuorum,
}

/// The policy, as far as it was read.
#[derive(Default)]
struct Reader {
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    /// The names of the rules, and whether each is a member of a group.
    names: Vec<(Vec<u8>, bool)>,
    rules: Vec<Rule>,
    quorum: Quorum,
}

/// The quorum line.
#[derive(Default)]
enum Quorum {
    /// There is none yet.
    #[default]
    Missing,
    /// No witness is required.
    Nobody,
    /// The number of the rule.
    Rule(usize),
}

impl Policy {
    /// Reads a policy file.
    ///
    /// # Errors
    /// If the file is malformed. The error names the line.
    pub fn parse(file: &[u8]) -> Result<Self, InvalidPolicy> {
        if file.len() > MAX_BYTES {
            return Err(InvalidPolicy::TooLarge);
        }
        let mut read = Reader::default();
        for (number, line) in (1..).zip(file.split(|byte| *byte == b'\n')) {
            read.line(line).map_err(|what| InvalidPolicy::Line { line: number, what })?;
            if read.logs.len().max(read.rules.len()) > MAX_DEFINED {
                return Err(InvalidPolicy::TooLarge);
            }
        }
        let quorum = match read.quorum {
            Quorum::Missing => return Err(InvalidPolicy::NoQuorum),
            Quorum::Nobody => None,
            Quorum::Rule(rule) => Some(rule),
        };
        Ok(Self { logs: read.logs, witnesses: read.witnesses, rules: read.rules, quorum })
    }
}

impl Reader {
    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        if let Some(byte) = line.iter().find(|byte| !matches!(byte, b'\t' | 0x20..=0x7e | 0x80..)) {
            return Err(format!("the byte {byte:#04x} is not allowed"));
        }
        let items: Vec<&[u8]> =
            line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|item| !item.is_empty()).collect();
        match items.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with(b"#") => Ok(()),
            [b"log", key, url @ ..] if url.len() <= 1 => self.log(key, url.first()),
            [b"witness", name, key, url @ ..] if url.len() <= 1 => self.witness(name, key, url.first()),
            [b"group", name, threshold, members @ ..] if !members.is_empty() => self.group(name, threshold, members),
            [b"quorum", name] => self.set_quorum(name),
            [keyword, ..] => Err(format!("{} is not a line of a policy, or has other items", shown(keyword))),
        }
    }

    fn log(&mut self, key: &[u8], url: Option<&&[u8]>) -> Result<(), String> {
        let text = std::str::from_utf8(key).map_err(|_| "the key of the log is not UTF-8".to_owned())?;
        let (_, _, _, bytes) = vkey(text).ok_or_else(|| format!("{text} is not a public key, or its id is wrong"))?;
        let key = StandardVerifier::new(text).map_err(|error| format!("the key of the log {text}: {error}"))?;
        if self.logs.iter().any(|log| log.bytes == bytes) {
            return Err(format!("another log has the same key as {text}"));
        }
        self.logs.push(PolicyLog { key, bytes, url: address(url)? });
        Ok(())
    }

    fn witness(&mut self, name: &[u8], key: &[u8], url: Option<&&[u8]>) -> Result<(), String> {
        let text = std::str::from_utf8(key).map_err(|_| "the key of the witness is not UTF-8".to_owned())?;
        let key = WitnessKey::read(text)
            .map_err(|error: InvalidWitnessKey| format!("the key of the witness {}: {error}", shown(name)))?;
        if self.witnesses.iter().any(|witness| witness.key.bytes() == key.bytes()) {
            return Err(format!("another witness has the same key as {}", shown(name)));
        }
        self.define(name, Rule::Witness(self.witnesses.len()))?;
        self.witnesses.push(PolicyWitness { key, url: address(url)? });
        Ok(())
    }

    fn group(&mut self, name: &[u8], threshold: &[u8], members: &[&[u8]]) -> Result<(), String> {
        let threshold = match threshold {
            b"all" => members.len(),
            b"any" => 1,
            number if number.iter().all(u8::is_ascii_digit) => {
                std::str::from_utf8(number).ok().and_then(|number| number.parse().ok()).unwrap_or(usize::MAX)
            }
            other => return Err(format!("{} is not a number, all or any", shown(other))),
        };
        if !(1..=members.len()).contains(&threshold) {
            return Err(format!("a group of {} members cannot require that number of them", members.len()));
        }
        let mut numbers = Vec::with_capacity(members.len());
        for member in members {
            let number = self.find(member)?;
            if std::mem::replace(&mut self.names[number].1, true) {
                return Err(format!("{} is a member of a group already", shown(member)));
            }
            numbers.push(number);
        }
        self.define(name, Rule::Group { threshold, members: numbers })
    }

    fn set_quorum(&mut self, name: &[u8]) -> Result<(), String> {
        if !matches!(self.quorum, Quorum::Missing) {
            return Err("there is another quorum line".to_owned());
        }
        self.quorum = if name == NONE { Quorum::Nobody } else { Quorum::Rule(self.find(name)?) };
        Ok(())
    }

    fn define(&mut self, name: &[u8], rule: Rule) -> Result<(), String> {
        if name == NONE || self.names.iter().any(|(known, _)| known == name) {
            return Err(format!("the name {} is defined already", shown(name)));
        }
        self.names.push((name.to_vec(), false));
        self.rules.push(rule);
        Ok(())
    }

    fn find(&self, name: &[u8]) -> Result<usize, String> {
        let found = self.names.iter().position(|(known, _)| known == name);
        found.ok_or_else(|| format!("no line before defines {}", shown(name)))
    }
}

fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

fn address(url: Option<&&[u8]>) -> Result<Option<String>, String> {
    let read = |url: &&[u8]| String::from_utf8(url.to_vec()).map_err(|_| "the address is not UTF-8".to_owned());
    url.map(read).transpose()
}
