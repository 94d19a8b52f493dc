//! Checks a whole log: every commitment, every leaf, every seq, and the root at each checkpoint. Of a filtered
//! export, which has gaps, it checks each entry alone.

use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use rollcall_log::OrganizationId;
use rollcall_log::checkpoint::Checkpoint;
use rollcall_log::erasure::Erasures;
use rollcall_log::{
    CompactRange, EventType, Hash, Header, InvalidRestore, Mismatch, Part, Restore, Timestamp, canonical,
};
use std::fs::File;
use std::io::{BufRead, BufReader, stdin};
use std::path::Path;

use crate::distinct::Distinct;
use crate::findings::Findings;
use crate::read::{Unreadable, entry};

/// How many entries are hashed in parallel before they are added to the tree.
const CHUNK: usize = 4096;
const BUFFER_BYTES: usize = 1 << 20;
/// Maximum number of restores that are reported.
const MAX_RESTORES: usize = 100;

/// The name of the only member of a line that begins a filtered export.
const FILTERED: &str = "filtered_export";

/// One line of an export. Its place in the log is checked later.
enum Line {
    Entry(Box<CheckedEntry>),
    /// Something in the entry is unknown to this program.
    Unknown {
        leaf: Hash,
        reason: String,
        broken: Option<String>,
    },
    /// The line that begins a filtered export.
    Filtered,
}

/// An entry, checked alone.
struct CheckedEntry {
    header: Header,
    leaf: Hash,
    missing: Vec<Part>,
    /// What the entry states, if it is of the type `LogRestored`.
    restore: Option<Result<Restore, InvalidRestore>>,
    /// Why the entry does not verify, if it does not.
    broken: Option<String>,
}

/// The state of the check.
struct Log {
    /// The number of lines, without those that begin a filtered export.
    lines: u64,
    /// The number of entries whose hashes were all checked.
    checked: u64,
    /// The last line that has something unknown; 0 if there is none.
    last_unknown: u64,
    /// Whether the export is filtered: it has gaps on purpose.
    is_filtered: bool,
    /// The seq of the last entry.
    last: u64,
    tree: CompactRange,
    organization: Option<OrganizationId>,
    /// The time of the last entry.
    recorded_at: Option<Timestamp>,
    erasures: Erasures,
    /// The restores of the database, each with the seq of the entry that records it.
    restores: Vec<(u64, Restore)>,
    /// The checkpoints that are not reached yet. The one with the smallest size is last.
    checkpoints: Vec<Checkpoint>,
    /// The size of the last checkpoint that matched.
    sound: u64,
    findings: Findings,
}

/// Checks an export against signed checkpoints.
pub(crate) fn check(export: &Path, mut checkpoints: Vec<Checkpoint>) -> Result<Findings, Unreadable> {
    let mut lines = open(export)?;
    checkpoints.sort_by_key(|checkpoint| std::cmp::Reverse(checkpoint.size));
    let bar = progress(checkpoints.first().map_or(0, |checkpoint| checkpoint.size));
    let mut log = Log {
        lines: 0,
        checked: 0,
        last_unknown: 0,
        is_filtered: false,
        last: 0,
        tree: CompactRange::default(),
        organization: None,
        recorded_at: None,
        erasures: Erasures::default(),
        restores: Vec::new(),
        checkpoints,
        sound: 0,
        findings: Findings::default(),
    };
    loop {
        let chunk = chunk(&mut *lines).map_err(|error| Unreadable::file(export, error))?;
        if chunk.is_empty() {
            break;
        }
        let checked: Vec<_> = chunk.par_iter().map(|line| one(line)).collect();
        bar.inc(checked.len() as u64);
        for line in checked {
            let number = log.lines + 1;
            log.take(line.map_err(|error| Unreadable::file(export, format!("line {number}: {error}")))?);
        }
    }
    bar.finish_and_clear();
    Ok(log.end())
}

fn open(export: &Path) -> Result<Box<dyn BufRead>, Unreadable> {
    if export == Path::new("-") {
        return Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, stdin())));
    }
    let file = File::open(export).map_err(|error| Unreadable::file(export, error))?;
    Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, file)))
}

/// A progress bar. It is shown on a terminal only, so scripts do not get it.
fn progress(size: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} entries, {per_sec}, {eta} left");
    ProgressBar::new(size).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn chunk(lines: &mut dyn BufRead) -> std::io::Result<Vec<Vec<u8>>> {
    let mut chunk = Vec::with_capacity(CHUNK);
    while chunk.len() < CHUNK {
        let mut line = Vec::new();
        if lines.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        chunk.push(line);
    }
    Ok(chunk)
}

/// Checks a line.
///
/// # Errors
/// If it is neither an entry nor the beginning of a filtered export.
fn one(line: &[u8]) -> Result<Line, String> {
    let entry = match entry(line) {
        Ok(entry) => entry,
        Err(error) => return unknown(line, &error),
    };
    let (leaf, broken) = match entry.check().map_err(|error| error.to_string())? {
        Ok(leaf) => (leaf, None),
        // Build the tree from the header. Then a changed leaf does not hide other faults.
        Err(mismatch) => (entry.header.leaf().map_err(|error| error.to_string())?, Some(mismatch.to_string())),
    };
    let missing = entry.missing().collect();
    let is_restore = entry.header.event_type == EventType::LogRestored;
    let restore = is_restore.then(|| Restore::read(entry.payload.as_ref()));
    Ok(Line::Entry(Box::new(CheckedEntry { header: entry.header, leaf, missing, restore, broken })))
}

/// A line that is not an entry as this program knows them. Its header can be hashed all the same: if the hash is in
/// the tree, a newer service wrote it, and otherwise somebody changed it.
fn unknown(line: &[u8], error: &serde_json::Error) -> Result<Line, String> {
    let not_an_entry = || format!("not an entry: {error}");
    let Distinct(value) = serde_json::from_slice(line).map_err(|_| not_an_entry())?;
    if value.as_object().is_some_and(|line| line.len() == 1 && line.contains_key(FILTERED)) {
        return Ok(Line::Filtered);
    }
    let header = value.get("header").filter(|header| header.is_object()).ok_or_else(not_an_entry)?;
    let leaf = Hash::of_entry(&canonical(header).map_err(|error| error.to_string())?);
    let broken = (value["leaf"] != leaf.to_string()).then(|| Mismatch::Leaf.to_string());
    Ok(Line::Unknown { leaf, reason: error.to_string(), broken })
}

impl Log {
    fn take(&mut self, line: Line) {
        match line {
            // An export that was resumed has such a line at each beginning.
            Line::Filtered if self.is_filtered || self.lines == 0 => self.is_filtered = true,
            Line::Filtered => self.findings.broken.push(format!(
                "after line {} a filtered export begins; the lines before it are of another export",
                self.lines
            )),
            Line::Entry(entry) => {
                self.lines += 1;
                self.take_entry(*entry);
            }
            Line::Unknown { leaf, reason, broken } => {
                self.lines += 1;
                let line = self.lines;
                match broken {
                    Some(why) => self.findings.broken.push(format!("line {line}: {why}")),
                    None => self.findings.unchecked.push(format!(
                        "line {line} has something that this program does not know; a newer version may know it: \
                        {reason}"
                    )),
                }
                self.last += 1;
                self.last_unknown = line;
                self.append(leaf);
            }
        }
    }

    fn take_entry(&mut self, entry: CheckedEntry) {
        let (seq, organization) = (entry.header.seq, entry.header.organization_id);
        let (last, expected) = (std::mem::replace(&mut self.last, seq), self.tree.size() + 1);
        if self.is_filtered && seq <= last {
            self.findings.broken.push(format!("entry {seq} comes after entry {last}"));
        } else if !self.is_filtered && seq != expected {
            self.findings.broken.push(format!("entry {seq} is in the position of entry {expected}"));
        }
        if *self.organization.get_or_insert(organization) != organization {
            self.findings.broken.push(format!("entry {seq} is of another log: {organization}"));
        }
        let recorded_at = entry.header.recorded_at;
        if self.recorded_at.replace(recorded_at).is_some_and(|before| before >= recorded_at) {
            self.findings.broken.push(format!("entry {seq} is not later than the one before: {recorded_at}"));
        }
        self.erasures.add(&entry.header, entry.missing.into_iter());
        match (entry.broken, entry.restore) {
            (Some(why), _) => self.findings.broken.push(format!("entry {seq}: {why}")),
            (None, restore) => {
                self.checked += 1;
                if let Some(restore) = restore {
                    self.take_restore(seq, restore);
                }
            }
        }
        self.append(entry.leaf);
    }

    fn append(&mut self, leaf: Hash) {
        self.tree.append(leaf);
        if self.is_filtered {
            return;
        }
        while let Some(checkpoint) = self.checkpoints.pop_if(|checkpoint| checkpoint.size == self.tree.size()) {
            self.compare(&checkpoint);
        }
    }

    /// Takes what a `LogRestored` entry states, before the entry is added to the tree. A filtered export has no
    /// tree that the entry could be compared with.
    fn take_restore(&mut self, seq: u64, restore: Result<Restore, InvalidRestore>) {
        let fits = |restore: Restore| {
            if self.is_filtered { Ok(restore) } else { restore.follows(&self.tree).map(|()| restore) }
        };
        match restore.and_then(fits) {
            Ok(restore) if self.restores.len() < MAX_RESTORES => {
                self.findings.holds.push(format!("entry {seq} records {restore}"));
                self.restores.push((seq, restore));
            }
            Ok(_) => {}
            Err(error) => self.findings.broken.push(format!("entry {seq} records a restore: {error}")),
        }
    }

    /// Why a checkpoint does not fit, if an entry records a restore that lost the signed entries.
    fn explanation(&self, checkpoint: &Checkpoint) -> String {
        let explains = |(_, restore): &&(u64, Restore)| restore.explains(checkpoint.size, checkpoint.root);
        let explaining = self.restores.iter().find(explains);
        explaining.map_or_else(String::new, |(seq, _)| format!(". Entry {seq} records a restore that lost them"))
    }

    /// Whether a checkpoint is of the log that was exported.
    fn is_ours(&self, checkpoint: &Checkpoint) -> bool {
        self.organization.is_none_or(|organization| checkpoint.is_of(organization))
    }

    fn compare(&mut self, checkpoint: &Checkpoint) {
        let size = checkpoint.size;
        if !self.is_ours(checkpoint) {
            self.findings.unchecked.push(mixed(checkpoint));
        } else if checkpoint.root == self.tree.root() {
            self.sound = size;
            self.findings
                .holds
                .push(format!("the first {size} entries are those that were signed for {}", checkpoint.origin));
        } else {
            let place = self.sound + 1;
            self.findings.broken.push(format!(
                "the first {size} entries are not those that were signed: something between entries {place} and {size} \
                was changed{}",
                self.explanation(checkpoint)
            ));
        }
    }

    fn end(mut self) -> Findings {
        if self.is_filtered {
            return self.end_filtered();
        }
        let size = self.tree.size();
        while let Some(checkpoint) = self.checkpoints.pop() {
            if !self.is_ours(&checkpoint) {
                self.findings.unchecked.push(mixed(&checkpoint));
                continue;
            }
            let (first, signed, explanation) = (size + 1, checkpoint.size, self.explanation(&checkpoint));
            self.findings.broken.push(format!(
                "entries {first} to {signed} are missing: a log of {signed} entries was signed{explanation}"
            ));
        }
        if self.sound < size {
            let unsigned = format!("entries {} to {size} are whole, but no checkpoint covers them", self.sound + 1);
            self.findings.holds.extend(self.findings.broken.is_empty().then_some(unsigned));
        }
        for (erasure, parts) in self.erasures.covered() {
            let parts = named(parts);
            self.findings.holds.push(format!("entry {erasure} records the erasure of {parts}; their hashes are kept"));
        }
        for (seq, part) in self.erasures.unexplained() {
            let fault = format!("entry {seq} has lost its {part}, and no later entry of this export");
            // The entry that this program does not know can be the record of an erasure.
            if seq < self.last_unknown {
                self.findings.unchecked.push(format!("{fault} that this program knows records an erasure"));
            } else {
                self.findings.broken.push(format!("{fault} records an erasure"));
            }
        }
        self.findings
    }

    /// The end of a filtered export: what its gaps leave unchecked.
    fn end_filtered(mut self) -> Findings {
        if self.findings.broken.is_empty() {
            self.findings.holds.push(format!("each of the {} entries matches its own hashes", self.checked));
        }
        self.findings.unchecked.push(
            "a filtered export cannot be verified as a whole log: it does not show that these entries are in the \
            signed log, or that no other entry meets the conditions. Export the whole log, or check single entries \
            with `rollcall-verify proof`"
                .to_owned(),
        );
        let parts = self.erasures.unexplained();
        if !parts.is_empty() {
            let parts = named(&parts);
            self.findings.unchecked.push(format!("whether an erasure was recorded for what is missing: {parts}"));
        }
        self.findings
    }
}

/// Maximum number of parts that are named in one line.
const MAX_NAMED: usize = 20;

/// Names parts of entries: `entry 3 (payload), entry 5 (actor)`.
fn named(parts: &[(u64, Part)]) -> String {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    let mut names: Vec<_> = parts.iter().take(MAX_NAMED).map(|(seq, part)| format!("entry {seq} ({part})")).collect();
    if parts.len() > MAX_NAMED {
        names.push(format!("{} more", parts.len() - MAX_NAMED));
    }
    names.join(", ")
}

/// Nothing is wrong with either log if somebody puts the files of two logs together.
fn mixed(checkpoint: &Checkpoint) -> String {
    format!(
        "the checkpoint with {} entries is of another log, {}: it does not belong to this export",
        checkpoint.size, checkpoint.origin
    )
}
