//! Proofs that the log has an entry.

use rollcall_events::OrganizationId;
use rollcall_events::log::Hash;
use rollcall_events::log::proof::{InvalidProof, Question};
use rollcall_scim::ScimError;
use serde::Serialize;
use std::collections::BTreeSet;

use crate::error::ApiError;
use crate::read::{self, Database, log_size, tree_nodes};

/// A proof that the log has an entry.
#[derive(Serialize)]
pub struct Inclusion {
    seq: u64,
    size: u64,
    root: Hash,
    hashes: Vec<Hash>,
    /// The signed note for this size and root.
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint: Option<String>,
}

/// The proof that an organization's log of `size` has an entry. Without `size`, for the newest checkpoint
/// that has the entry, or else for the current log.
pub async fn included(
    database: &Database,
    organization: OrganizationId,
    seq: u64,
    size: Option<u64>,
) -> Result<Inclusion, ApiError> {
    let signed = read::checkpoint(database, organization, size).await?.filter(|(size, _)| *size >= seq);
    let size = match (size, &signed) {
        (Some(size), _) => within(database, organization, size).await?,
        (None, Some((size, _))) => *size,
        (None, None) => log_size(database, organization).await?,
    };
    let questions = [Question::Inclusion { seq, size }, Question::Root { size }];
    let [hashes, root] = answers(database, organization, questions).await?;
    let root = *root.first().ok_or_else(|| ApiError::Internal("a proof without a root".to_owned()))?;
    Ok(Inclusion {
        seq,
        size,
        root,
        hashes,
        checkpoint: signed.filter(|signed| signed.0 == size).map(|signed| signed.1),
    })
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

/// The error for a proof of a size or a place that the log does not have.
fn out_of_range(error: &InvalidProof) -> ScimError {
    ScimError::invalid_value(error.to_string())
}
