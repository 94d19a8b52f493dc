//! Follows one witness: offers it each checkpoint until it has cosigned it.

use rollcall_events::log::Hash;
use rollcall_events::log::proof::Question;
use rollcall_events::log::witness::{Answer, Cosignature, Policy, add_checkpoint, read_answer};
use rollcall_service::backoff::Backoff;
use rollcall_service::service_log::{TILES, nodes_in, tiles_of};
use std::collections::BTreeSet;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::super::sign::SignedCheckpoint;
use super::context::{Context, Witness};
use super::failure::Failure;
use super::store;
use crate::db::{Database, TaskError};
use crate::supervise::rest;

/// How often a witness may answer that it has cosigned another size, for one offer.
const MAX_CONFLICTS: u8 = 3;

/// Offers each checkpoint to a witness, until `stop`. A failure is stored and tried again after a growing delay.
pub(super) async fn follow(
    context: &Context<'_>,
    policy: &Policy,
    witness: &Witness<'_>,
    mut offered: watch::Receiver<Option<SignedCheckpoint>>,
    stop: &CancellationToken,
) -> Result<(), TaskError> {
    let database = &context.database;
    let mut known = store::known_size(database, witness).await?;
    let mut backoff = Backoff::up_to(context.retry);
    let mut last_failure = String::new();
    loop {
        let signed = offered.borrow_and_update().clone().filter(|signed| signed.checkpoint.size > known);
        let Some(signed) = signed else {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                changed = offered.changed() => if changed.is_err() { return Ok(()) },
            }
            continue;
        };
        let offer = offer(context, witness, &signed, known);
        let cosigned = tokio::select! { () = stop.cancelled() => return Ok(()), cosigned = offer => cosigned };
        match cosigned {
            Ok(cosignature) => {
                known = signed.checkpoint.size;
                store::add(database, witness, policy, known, &cosignature).await?;
                backoff = Backoff::up_to(context.retry);
                last_failure.clear();
            }
            Err(Failure::Task(error)) if error.is_outage() => return Err(error),
            Err(failure) => {
                report(witness, &failure, &mut last_failure);
                store::set_failure(database, witness, &failure.to_string()).await?;
                rest(backoff.next_delay(), stop).await;
                if stop.is_cancelled() {
                    return Ok(());
                }
            }
        }
    }
}

/// Logs a failure, once until it changes.
fn report(witness: &Witness<'_>, failure: &Failure, last: &mut String) {
    let (name, text) = (witness.key.name(), failure.to_string());
    if *last != text {
        if failure.is_alarming() {
            tracing::error!(witness = name, error = %text, "a witness did not cosign the service log");
        } else {
            tracing::warn!(witness = name, error = %text, "a witness did not cosign the service log");
        }
        *last = text;
    }
}

/// Offers a checkpoint with a proof from the size that the witness has cosigned last. If the witness names another
/// size, the proof begins there.
async fn offer(
    context: &Context<'_>,
    witness: &Witness<'_>,
    signed: &SignedCheckpoint,
    known: u64,
) -> Result<Cosignature, Failure> {
    let size = signed.checkpoint.size;
    let text = signed.checkpoint.text();
    let mut old = known;
    for _ in 0..=MAX_CONFLICTS {
        let proof = consistency(&context.database, old, size).await?;
        let reply = context.client.post(&witness.address, add_checkpoint(old, &proof, &signed.note)).await?;
        match read_answer(reply.status, reply.media_type.as_deref(), &reply.body, witness.key, text.as_bytes())? {
            Answer::Cosigned(cosignature) => return Ok(cosignature),
            Answer::Conflict { size: cosigned } if cosigned > size => return Err(Failure::Ahead { cosigned, size }),
            Answer::Conflict { size: cosigned } => old = cosigned,
        }
    }
    Err(Failure::Conflicts)
}

/// The proof that the log of `size` entries continues the log of `old` entries. It is empty if there is nothing to
/// prove.
async fn consistency(database: &Database, old: u64, size: u64) -> Result<Vec<Hash>, TaskError> {
    if old == 0 || old == size {
        return Ok(Vec::new());
    }
    let unreadable = |error: &dyn std::fmt::Display| TaskError::Unreadable(format!("the service log: {error}"));
    let question = Question::Consistency { earlier: old, size };
    let nodes: BTreeSet<_> = question.nodes().map_err(|error| unreadable(&error))?.into_iter().collect();
    let (levels, tiles) = tiles_of(&nodes);
    let rows = database.query(TILES, &[&levels, &tiles]).await?;
    let nodes = nodes_in(&rows, &nodes)?.ok_or_else(|| unreadable(&"its tree has holes"))?;
    question.answer(&nodes).map_err(|error| unreadable(&error))
}
