//! Proof files: an entry with its inclusion proof and a checkpoint (C2SP `tlog-proof`), and the evidence for the
//! state of a user at a time.
//!
//! Every look-up is by a key, so a file costs as much in a long log as in a short one.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use rollcall_events::log::Hash;
use rollcall_events::log::Header;
use rollcall_events::log::evidence::{Disclosed, Evidence};
use rollcall_events::log::proof::{InvalidProof, Question};
use rollcall_events::log::state::{EntriesBetween, NextEntry, StateEvidence};
use rollcall_events::log::tlog_proof::TlogProof;
use rollcall_events::{OrganizationId, Timestamp};
use rollcall_scim::ScimError;
use rollcall_service::entries::StoredEntry;
use std::collections::BTreeSet;
use uuid::Uuid;

use super::history::payload_size;
use super::query::MAX_COUNT;
use crate::error::ApiError;
use crate::offload::offload;
use crate::read::{
    Condition, Database, Order, checkpoint, checkpoint_from, log_entries, log_entry, log_headers, log_size,
    recorded_until, tree_nodes,
};

/// Size of a header in a file, in bytes, to estimate the work of writing it.
const HEADER_BYTES: usize = 1024;

/// A signed checkpoint: its size and its note.
type Signed = (u64, String);

/// The proof file of an entry for the checkpoint of a size, or for the newest checkpoint.
///
/// # Errors
/// 404 if there is no such entry or checkpoint, or if no checkpoint has the entry yet; 400 if the checkpoint of
/// this size does not have the entry.
pub async fn entry_proof(
    database: &Database,
    organization: OrganizationId,
    seq: u64,
    size: Option<u64>,
    disclosed: Disclosed,
) -> Result<String, ApiError> {
    let entry = log_entry(database, organization, seq).await?;
    let entry = entry.ok_or_else(|| ScimError::new(404, "the log has no such entry"))?;
    let signed = checkpoint(database, organization, size).await?;
    let signed = match size {
        Some(_) => signed.ok_or_else(|| ScimError::new(404, "there is no such checkpoint"))?,
        None => signed.filter(|(size, _)| *size >= seq).ok_or_else(|| not_signed(seq))?,
    };
    write(database, organization, entry, signed, None, disclosed).await
}

/// The proof file of a user's state at a time: the entry that last changed the user at or before the time, and
/// the first checkpoint with an entry recorded later. `with_between` adds the headers in between.
///
/// # Errors
/// 404 if there was no such user, or no checkpoint reaches the time yet; 400 if the time is in the future or
/// there are too many headers in between.
pub async fn user_proof(
    database: &Database,
    organization: OrganizationId,
    user: Uuid,
    at: Timestamp,
    with_between: bool,
    disclosed: Disclosed,
) -> Result<String, ApiError> {
    if at > Timestamp::now() {
        return Err(ScimError::invalid_value("at: the time is in the future").into());
    }
    let until = recorded_until(database, organization, at).await?;
    if until.last == until.signed && until.signed < until.size {
        // Entries that are not signed yet may be at or before the time.
        return Err(not_signed(until.signed + 1).into());
    }
    let conditions = [Condition::Subjects(vec![user]), Condition::AppliedToUsers];
    let order = Order::NewestFirst { before: Some(until.last + 1) };
    let found = log_entries(database, organization, &conditions, order, 1).await?;
    let entry = found.entries.into_iter().next();
    let entry = entry.ok_or_else(|| ScimError::new(404, "there was no such user then"))?;

    let next = (until.last < until.signed).then_some(until.last + 1);
    let signed = checkpoint_from(database, organization, next.unwrap_or(until.last)).await?;
    let signed = signed.ok_or_else(|| not_signed(until.last))?;
    let between = if with_between {
        Some(between(database, organization, entry.header.seq, until.last, signed.0).await?)
    } else {
        None
    };
    let next = match next {
        Some(seq) => Some(next_entry(database, organization, seq, signed.0).await?),
        None => None,
    };
    write(database, organization, entry, signed, Some(StateEvidence { at, between, next }), disclosed).await
}

/// The first entry after the time, with its proof.
async fn next_entry(
    database: &Database,
    organization: OrganizationId,
    seq: u64,
    size: u64,
) -> Result<NextEntry, ApiError> {
    let [hashes] = answers(database, organization, [Question::Inclusion { seq, size }]).await?;
    let header = log_headers(database, organization, seq..=seq).await?.pop();
    let header = header.ok_or_else(|| ApiError::Internal("a header is missing".to_owned()))?;
    Ok(NextEntry { hashes, header })
}

/// The entries after entry `seq` up to entry `last`, with their proof.
async fn between(
    database: &Database,
    organization: OrganizationId,
    seq: u64,
    last: u64,
    size: u64,
) -> Result<EntriesBetween, ApiError> {
    if last - seq > MAX_COUNT.into() {
        let detail = format!(
            "there are {} entries between the last change and the time, and a file can show {MAX_COUNT}; without \
             `between` the file proves the change, and an export shows the entries",
            last - seq
        );
        return Err(ScimError::invalid_value(detail).into());
    }
    let questions = [Question::Peaks { size: seq - 1 }, Question::Consistency { earlier: last, size }];
    let [peaks, hashes] = answers(database, organization, questions).await?;
    let headers: Vec<Header> =
        if seq < last { log_headers(database, organization, seq + 1..=last).await? } else { Vec::new() };
    Ok(EntriesBetween { hashes, headers, peaks })
}

/// Writes the file. Large work is done on another thread.
async fn write(
    database: &Database,
    organization: OrganizationId,
    entry: StoredEntry,
    (size, checkpoint): Signed,
    state: Option<StateEvidence>,
    disclosed: Disclosed,
) -> Result<String, ApiError> {
    let seq = entry.header.seq;
    let [hashes] = answers(database, organization, [Question::Inclusion { seq, size }]).await?;
    let shown = state.as_ref().and_then(|state| state.between.as_ref()).map_or(0, |between| between.headers.len());
    let bytes = payload_size(&entry) + shown * HEADER_BYTES;
    let evidence = Evidence { entry: disclosed.of(entry), state };
    let writing = move || {
        let extra = serde_json::to_vec(&evidence)?;
        Ok(TlogProof { extra: Some(extra), index: seq - 1, hashes, checkpoint }.to_string())
    };
    offload(bytes, writing)
        .await?
        .map_err(|error: serde_json::Error| ApiError::Internal(format!("a proof cannot be written: {error}")))
}

/// A proof file as an answer. It can hold personal data, so it is not cached.
pub fn proof_file(name: &str, text: String) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.tlog-proof\"")))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(text)
}

/// Answers questions about the tree of an organization's log, with one query for all of them.
pub async fn answers<const N: usize>(
    database: &Database,
    organization: OrganizationId,
    questions: [Question; N],
) -> Result<[Vec<Hash>; N], ApiError> {
    let mut needed = BTreeSet::new();
    for question in questions {
        needed.extend(question.nodes().map_err(|error| out_of_range(&error))?);
    }
    let nodes = tree_nodes(database, organization, &needed).await?;
    let mut answers = [const { Vec::new() }; N];
    for (answer, question) in answers.iter_mut().zip(questions) {
        *answer = question.answer(&nodes).map_err(|error| ApiError::Internal(error.to_string()))?;
    }
    Ok(answers)
}

/// Checks that the log has reached a size.
pub async fn within(database: &Database, organization: OrganizationId, size: u64) -> Result<u64, ApiError> {
    let reached = log_size(database, organization).await?;
    if size <= reached {
        Ok(size)
    } else {
        Err(ScimError::invalid_value(format!("the log has {reached} entries, not {size}")).into())
    }
}

/// The error for a proof of a size or a seq that the log does not have.
fn out_of_range(error: &InvalidProof) -> ScimError {
    ScimError::invalid_value(error.to_string())
}

/// The error for an entry that no checkpoint has yet.
fn not_signed(seq: u64) -> ScimError {
    ScimError::new(404, format!("no signed checkpoint has entry {seq} yet; ask again in a minute"))
}
