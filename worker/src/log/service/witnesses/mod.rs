//! Witnesses of the service log: offers its checkpoints to each (C2SP `tlog-witness`), verifies the cosignatures, and
//! stores them. Each witness is followed by itself: one that is down or slow delays nobody.

mod client;
mod context;
mod failure;
mod follow;
mod store;

use futures_util::future::try_join_all;
use std::future::pending;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::sign::SignedCheckpoint;
use crate::db::TaskError;
pub(super) use context::Context;
use follow::follow;
pub(super) use store::is_witnessed;

/// Offers each checkpoint to every witness, until `stop`.
pub(super) async fn follow_all(
    context: &Context<'_>,
    offered: &watch::Receiver<Option<SignedCheckpoint>>,
    stop: &CancellationToken,
) -> Result<(), TaskError> {
    let witnesses = context.witnesses();
    store::forget_others(&context.database, &witnesses).await?;
    let Some(policy) = context.policy.filter(|_| !witnesses.is_empty()) else {
        return tokio::select! { () = stop.cancelled() => Ok(()), never = pending() => never };
    };
    try_join_all(witnesses.iter().map(|witness| follow(context, policy, witness, offered.clone(), stop))).await?;
    Ok(())
}
