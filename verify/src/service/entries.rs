//! Checks all entries of an organization in the service log against its exported log. If the service log had entries
//! for a second history, they would carry labels of the same secret, and not fit the export.

use rollcall_log::checkpoint::{Checkpoint, is_origin_of};
use rollcall_log::service_log::{LogSecret, ServiceEntry};
use rollcall_log::witness::WitnessedCheckpoint;
use rollcall_log::{CompactRange, Entry, Hash, OrganizationId};
use serde::Deserialize;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::describe;
use crate::findings::Findings;
use crate::read::{Unreadable, bytes, json};

/// The answer of `/audit/v1/log-secret`.
#[derive(Deserialize)]
struct SecretFile {
    secret: String,
    /// The organization whose log it is.
    organization_id: OrganizationId,
}

/// Checks the entries.
pub(super) fn check(
    bundles: &[PathBuf],
    secret_file: &Path,
    export: &Path,
    service: &WitnessedCheckpoint,
    origin: &str,
) -> Result<Findings, Unreadable> {
    let text: SecretFile = json(secret_file)?;
    let secret = LogSecret::from_hex(&text.secret)
        .ok_or_else(|| Unreadable::file(secret_file, "it has no secret of 32 bytes"))?;
    if !is_origin_of(origin, text.organization_id) {
        let mixed = format!("it is of organization {}, and the origin is {origin}", text.organization_id);
        return Err(Unreadable::file(secret_file, mixed));
    }
    let (roots, mut findings) = (roots(export, origin)?, Findings::default());
    let (mut tree, mut found, mut last) = (CompactRange::default(), 0_u64, 0);
    for path in bundles {
        for entry in read_bundle(path)? {
            if tree.size() == service.checkpoint.size {
                break;
            }
            let index = tree.size();
            let entry: ServiceEntry = serde_json::from_slice(&entry).map_err(|error| Unreadable::file(path, error))?;
            tree.append(entry.leaf()?);
            if entry.label == ServiceEntry::label_of(secret.entry_key(index)) {
                found += 1;
                if let Some(size) = opened(&secret, index, &entry, origin, &roots, last)? {
                    last = size;
                } else {
                    findings.broken.push(format!(
                        "entry {index} of the service log is of {origin}, but no checkpoint of this export fits it: \
                         the log has a second history, or the export ends too early"
                    ));
                }
            }
        }
    }
    let Checkpoint { size, root, .. } = &service.checkpoint;
    if tree.size() < *size {
        let missing = format!("the bundles have {} entries, and the checkpoint {size}", tree.size());
        return Err(Unreadable::file(bundles.last().map_or(export, PathBuf::as_path), missing));
    }
    if tree.root() == *root {
        findings.holds.push(describe(service));
        findings.holds.push(format!("the first {size} entries of the service log are those that were signed"));
    } else {
        findings.broken.push("the entries are not those of the checkpoint of the service log".to_owned());
    }
    if findings.broken.is_empty() {
        findings.holds.push(format!("{found} of them are of {origin}, and each is a checkpoint of this export"));
    }
    Ok(findings)
}

/// The size of the checkpoint that an entry commits to; `None` if the export has none after `last` that fits. The
/// entry hides its size, but the sizes of a log only grow.
fn opened(
    secret: &LogSecret,
    index: u64,
    entry: &ServiceEntry,
    origin: &str,
    roots: &[Hash],
    last: usize,
) -> Result<Option<usize>, Unreadable> {
    for (size, &root) in (1..).zip(roots).skip(last) {
        let checkpoint = Checkpoint { origin: origin.to_owned(), size: size as u64, root };
        if secret.open(index, &checkpoint).entry()? == *entry {
            return Ok(Some(size));
        }
    }
    Ok(None)
}

/// The root of the exported log at every size, from 1. Fails if the export is not of the log with this origin.
fn roots(export: &Path, origin: &str) -> Result<Vec<Hash>, Unreadable> {
    let unreadable = |error: &dyn std::fmt::Display| Unreadable::file(export, error);
    let file = File::open(export).map_err(|error| unreadable(&error))?;
    let (mut tree, mut roots) = (CompactRange::default(), Vec::new());
    for line in BufReader::new(file).lines() {
        let line = line.map_err(|error| unreadable(&error))?;
        let entry: Entry = serde_json::from_str(&line).map_err(|error| unreadable(&error))?;
        let organization = entry.header.organization_id;
        if !is_origin_of(origin, organization) {
            return Err(unreadable(&format!("it is of organization {organization}, and the origin is {origin}")));
        }
        tree.append(entry.header.leaf()?);
        roots.push(tree.root());
    }
    Ok(roots)
}

/// The entries of a bundle, each after its length in two bytes (C2SP `tlog-tiles`).
fn read_bundle(path: &Path) -> Result<Vec<Vec<u8>>, Unreadable> {
    let content = bytes(path)?;
    let (mut rest, mut entries) = (content.as_slice(), Vec::new());
    while let Some((length, behind)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        let entry = behind.get(..length).ok_or_else(|| Unreadable::file(path, "an entry is cut off"))?;
        entries.push(entry.to_vec());
        rest = &behind[length..];
    }
    if rest.is_empty() { Ok(entries) } else { Err(Unreadable::file(path, "a length is cut off")) }
}
