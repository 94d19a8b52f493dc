//! Checks a whole log: every commitment, every leaf, every seq, and the root at each checkpoint.

use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use rollcall_log::OrganizationId;
use rollcall_log::checkpoint::Checkpoint;
use rollcall_log::erasure::Erasures;
use rollcall_log::{CompactRange, Entry, EventType, Hash, Header, InvalidRestore, Part, Restore, Timestamp};
use std::fs::File;
use std::io::{BufRead, BufReader, stdin};
use std::path::Path;

use crate::Findings;
use crate::read::Unreadable;

/// How many entries are hashed in parallel before they are added to the tree.
const CHUNK: usize = 4096;
const BUFFER_BYTES: usize = 1 << 20;
/// Maximum number of restores that are reported.
const MAX_RESTORES: usize = 100;

/// The result of checking one line. Its place in the log is checked later.
struct CheckedLine {
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
        let checked: Vec<_> = chunk
            .par_iter()
            .map(|line| one(line))
            .collect::<Result<_, _>>()
            .map_err(|error| Unreadable::file(export, error))?;
        bar.inc(checked.len() as u64);
        for entry in checked {
            log.take(entry);
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

fn one(line: &[u8]) -> Result<CheckedLine, String> {
    let entry: Entry = serde_json::from_slice(line).map_err(|error| format!("a line is not an entry: {error}"))?;
    let (leaf, broken) = match entry.check().map_err(|error| error.to_string())? {
        Ok(leaf) => (leaf, None),
        // Build the tree from the header. Then a changed leaf does not hide other faults.
        Err(mismatch) => (entry.header.leaf().map_err(|error| error.to_string())?, Some(mismatch.to_string())),
    };
    let missing = entry.missing().collect();
    let is_restore = entry.header.event_type == EventType::LogRestored;
    let restore = is_restore.then(|| Restore::read(entry.payload.as_ref()));
    Ok(CheckedLine { header: entry.header, leaf, missing, restore, broken })
}

impl Log {
    fn take(&mut self, entry: CheckedLine) {
        let (seq, organization) = (entry.header.seq, entry.header.organization_id);
        let expected = self.tree.size() + 1;
        if seq != expected {
            self.findings.broken.push(format!("entry {seq} is in the position of entry {expected}"));
        }
        if *self.organization.get_or_insert(organization) != organization {
            self.findings.broken.push(format!("entry {seq} is of another log: {organization}"));
        }
        let recorded_at = entry.header.recorded_at;
        if self.recorded_at.replace(recorded_at).is_some_and(|before| before >= recorded_at) {
            self.findings.broken.push(format!("entry {seq} is not later than the one before: {recorded_at}"));
        }
        self.findings.broken.extend(entry.broken.map(|why| format!("entry {seq}: {why}")));
        self.erasures.add(&entry.header, entry.missing.into_iter());
        if let Some(restore) = entry.restore {
            self.take_restore(seq, restore);
        }
        self.tree.append(entry.leaf);
        while let Some(checkpoint) = self.checkpoints.pop_if(|checkpoint| checkpoint.size == self.tree.size()) {
            self.compare(&checkpoint);
        }
    }

    /// Takes what a `LogRestored` entry states, before the entry is added to the tree.
    fn take_restore(&mut self, seq: u64, restore: Result<Restore, InvalidRestore>) {
        match restore.and_then(|restore| restore.follows(&self.tree).map(|()| restore)) {
            Ok(restore) if self.restores.len() < MAX_RESTORES => {
                self.findings.holds.push(format!("entry {seq} records {restore}"));
                self.restores.push((seq, restore));
            }
            Ok(_) => {}
            Err(error) => self.findings.broken.push(format!("entry {seq} records a restore: {error}")),
        }
    }

    /// Why a checkpoint does not fit, if an entry records a restore that lost what was signed.
    fn explanation(&self, checkpoint: &Checkpoint) -> String {
        let explains = |(_, restore): &&(u64, Restore)| restore.explains(checkpoint.size, checkpoint.root);
        let explaining = self.restores.iter().find(explains);
        explaining.map_or_else(String::new, |(seq, _)| format!(". Entry {seq} records a restore that lost them"))
    }

    fn compare(&mut self, checkpoint: &Checkpoint) {
        let size = checkpoint.size;
        let is_ours =
            self.organization.is_none_or(|organization| checkpoint.origin.ends_with(&format!("/{organization}")));
        if !is_ours {
            self.findings.broken.push(format!("the checkpoint at {size} is of another log: {}", checkpoint.origin));
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
        let size = self.tree.size();
        while let Some(checkpoint) = self.checkpoints.pop() {
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
            let fault =
                format!("entry {seq} has lost its {part}, and no later entry of this export records an erasure");
            self.findings.broken.push(fault);
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
