//! The loop of one delivery.

use rollcall_service::backoff::Backoff;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::db::TaskError;
use crate::supervise::rest;

/// Interval at which a delivery checks for new entries, in case a notification was lost.
const LOOK: Duration = Duration::from_mins(1);

/// The result of one step of a delivery.
#[derive(Debug)]
pub(in crate::background) enum Progress {
    /// There is more to deliver.
    More,
    /// The end of the log was reached.
    All,
    /// Nothing can be delivered for this time, unless the log grows.
    Later(Duration),
    /// The receiver did not accept something, or an entry cannot be read. Holds the reason.
    Stuck(String),
}

/// A delivery of the log to one receiver, from a position.
pub(in crate::background) trait Delivery: Send {
    /// Maximum delay after the receiver has failed.
    const LONGEST_DELAY: Duration;

    /// How long new entries are awaited before they are delivered together.
    fn linger(&self) -> Duration {
        Duration::ZERO
    }

    /// Delivers the next entries and saves the position.
    fn advance(&mut self, stop: &CancellationToken) -> impl Future<Output = Result<Progress, TaskError>> + Send;

    /// Records why [`advance`](Self::advance) is stuck. Returns whether the delivery has ended.
    fn failed(&mut self, reason: String) -> impl Future<Output = Result<bool, TaskError>> + Send;
}

/// Delivers until `stop`, or until the delivery ends itself. `grown` says that the log has grown.
pub(super) async fn deliver<D: Delivery>(
    mut delivery: D,
    grown: &Notify,
    stop: &CancellationToken,
) -> Result<(), TaskError> {
    let mut backoff = Backoff::up_to(D::LONGEST_DELAY);
    while !stop.is_cancelled() {
        match delivery.advance(stop).await? {
            Progress::More => backoff = Backoff::up_to(D::LONGEST_DELAY),
            Progress::All => {
                backoff = Backoff::up_to(D::LONGEST_DELAY);
                growth(LOOK, delivery.linger(), grown, stop).await;
            }
            Progress::Later(delay) => growth(delay.min(LOOK), delivery.linger(), grown, stop).await,
            Progress::Stuck(reason) => {
                if delivery.failed(reason).await? {
                    return Ok(());
                }
                // While a receiver fails, new entries are no reason to try sooner.
                rest(backoff.next_delay(), stop).await;
            }
        }
    }
    Ok(())
}

/// Waits until the log has grown, and then for `linger`; at most for `limit`, or until `stop`.
async fn growth(limit: Duration, linger: Duration, grown: &Notify, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(limit) => {}
        () = grown.notified() => rest(linger, stop).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// Takes the given steps, and ends itself after the given number of failures.
    struct Scripted {
        steps: VecDeque<Progress>,
        failures: usize,
    }

    impl Delivery for Scripted {
        const LONGEST_DELAY: Duration = Duration::from_mins(1);

        async fn advance(&mut self, stop: &CancellationToken) -> Result<Progress, TaskError> {
            if self.steps.is_empty() {
                stop.cancel();
            }
            Ok(self.steps.pop_front().unwrap_or(Progress::All))
        }

        async fn failed(&mut self, _: String) -> Result<bool, TaskError> {
            self.failures -= 1;
            Ok(self.failures == 0)
        }
    }

    async fn run(steps: Vec<Progress>, failures: usize) -> bool {
        let stop = CancellationToken::new();
        deliver(Scripted { steps: steps.into(), failures }, &Notify::new(), &stop).await.unwrap();
        stop.is_cancelled()
    }

    #[tokio::test]
    async fn a_delivery_goes_on_after_failures_and_pauses() {
        let steps = || vec![Progress::More, stuck(), Progress::Later(Duration::ZERO), stuck(), Progress::More];
        assert!(run(steps(), 3).await, "all steps were taken");
    }

    #[tokio::test]
    async fn a_delivery_can_end_itself_after_a_failure() {
        assert!(!run(vec![stuck(), stuck(), Progress::More], 2).await);
    }

    fn stuck() -> Progress {
        Progress::Stuck("refused".to_owned())
    }
}
