//! Checks a whole log: every commitment, every leaf, every seq, and the root at each checkpoint.

use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use rollcall_log::OrganizationId;
use rollcall_log::checkpoint::Checkpoint;
use rollcall_log::erasure::Erasures;
use rollcall_log::{CompactRange, Entry, Hash, Header, Part, Timestamp};
use std::fs::File;
use std::io::{BufRead, BufReader, stdin};
use std::path::Path;

use crate::Findings;
use crate::read::Unreadable;

/// How many entries are hashed in parallel before they are added to the tree.
const CHUNK: usize = 4096;
const BUFFER_BYTES: usize = 1 << 20;

/// The result of checking one line. Its place in the log is checked later.
struct CheckedLine {
    header: Header,
    leaf: Hash,
    missing: Vec<Part>,
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
    Ok(CheckedLine { header: entry.header, leaf, missing, broken })
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
        self.tree.append(entry.leaf);
        while let Some(checkpoint) = self.checkpoints.pop_if(|checkpoint| checkpoint.size == self.tree.size()) {
            self.compare(&checkpoint);
        }
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
                was changed"
            ));
        }
    }

    fn end(mut self) -> Findings {
        let size = self.tree.size();
        while let Some(checkpoint) = self.checkpoints.pop() {
            let signed = checkpoint.size;
            self.findings
                .broken
                .push(format!("entries {} to {signed} are missing: a log of {signed} entries was signed", size + 1));
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
