//! Sinks and streams after a restore that an operator has accepted: the new entries have the seqs of the lost ones.

use rollcall_tests::audit::id;
use rollcall_tests::client::user;
use rollcall_tests::eventually;
use rollcall_tests::receiver::Receiver;
use rollcall_tests::service::ready;
use rollcall_tests::set::claims;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

use super::case::Case;
use crate::streams::Polled;

/// What receives the logs of the case: a file with both, and for each log a receiver of pushed events and one that
/// polls.
struct Receivers {
    archive: PathBuf,
    pushed: [Receiver; 2],
    polled: [Polled; 2],
}

impl Receivers {
    async fn start(case: &mut Case) -> Self {
        let archive = case.stack.instance.dir().join("archive.ndjson");
        case.stop_worker().await;
        case.settings.extend([
            ("ROLLCALL_WORKER__SINKS__ARCHIVE__KIND", "file".to_owned()),
            ("ROLLCALL_WORKER__SINKS__ARCHIVE__PATH", archive.to_str().unwrap().to_owned()),
            ("ROLLCALL_WORKER__SINKS__ARCHIVE__ORGANIZATIONS", "all".to_owned()),
            ("ROLLCALL_WORKER__SINKS__ARCHIVE__BATCH_SECONDS", "0".to_owned()),
        ]);
        case.start_worker();
        let pushed = [Receiver::start(), Receiver::start()];
        let polled = case.organizations.each_ref().map(|organization| Polled::create(&case.stack, organization, &[]));
        for (organization, receiver) in case.organizations.iter().zip(&pushed) {
            organization.stream(&["--push", &receiver.url]);
        }
        Self { archive, pushed, polled }
    }

    /// The names in the events that were pushed for a log, once there are `count`.
    async fn pushed(&self, case: &Case, n: usize, count: usize) -> Vec<String> {
        let receiver = &self.pushed[n];
        let tokens = eventually("pushed events", async || Some(receiver.tokens()).filter(|t| t.len() >= count)).await;
        let mut names = Vec::new();
        for token in &tokens {
            names.push(created(&claims(&case.stack.url, token).await));
        }
        names
    }

    /// Acknowledges, and returns the events that are not acknowledged.
    async fn poll(&self, n: usize, acknowledged: &[Value]) -> Vec<Value> {
        self.polled[n].poll(json!({"ack": acknowledged})).await.0
    }

    /// Waits until the file has an entry that contains these texts.
    async fn archived(&self, texts: &[&str]) {
        eventually("an archived entry", async || {
            let lines = lines(&self.archive);
            lines.iter().any(|line| texts.iter().all(|text| line.contains(text))).then_some(())
        })
        .await;
    }
}

fn lines(file: &Path) -> Vec<String> {
    std::fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// The name of the user whose creation an event reports.
fn created(set: &Value) -> String {
    let user = &set["events"]["urn:ietf:params:scim:event:prov:create:full"]["data"];
    user["userName"].as_str().unwrap().to_owned()
}

fn ids(sets: &[Value]) -> Vec<Value> {
    sets.iter().map(|set| set["jti"].clone()).collect()
}

/// The worker runs all the time, so what it knows of the positions is from before the loss.
#[tokio::test]
async fn receivers_get_what_is_recorded_after_an_accepted_restore() {
    let mut case = Case::new("receivers").await;
    let receivers = Receivers::start(&mut case).await;
    let names = ["grace", "alan", "edsger", "tony"];
    for client in &case.clients {
        for name in names {
            client.create(user(name)).await.expect(201);
        }
    }
    let mut lost = Vec::new();
    for n in 0..2 {
        case.signed(n).await;
        assert_eq!(receivers.pushed(&case, n, 4).await, names);
        let sets = receivers.poll(n, &[]).await;
        assert_eq!(sets.iter().map(created).collect::<Vec<_>>(), names);
        lost.push(ids(&sets));
        receivers.archived(&[&case.organizations[n].id, "tony"]).await;
    }
    // One receiver acknowledges in time, the other one does not.
    assert_eq!(receivers.poll(0, &lost[0]).await, [] as [Value; 0]);

    // The last three entries of each log are lost.
    let owner = case.owner().await;
    for n in 0..2 {
        let kept = i64::try_from(case.size(n).await - 3).unwrap();
        let cut = "DELETE FROM events WHERE organization_id = $1 AND seq > $2";
        assert_eq!(owner.execute(cut, &[&id(&case.organizations[n].id), &kept]).await.unwrap(), 3);
        case.rehash(&owner, n).await;
        case.send(n, "ada").await;
    }
    for organization in &case.organizations {
        case.refused(&organization.id).await;
    }
    // Acknowledgements wait in the queues of the stopped partitions. They have positions from before the loss.
    for (n, lost) in lost.iter().enumerate() {
        receivers.poll(n, lost).await;
    }
    let accept = ["log", "accept-restore", "--all", "--reason", "the last entries are lost"];
    assert_eq!(case.command(&accept).unwrap().len(), 2);
    ready(&case.stack.url).await;
    for n in 0..2 {
        for name in ["barbara", "donald"] {
            case.send(n, name).await;
            case.applied(n, name).await;
        }
    }

    for (n, lost) in lost.iter().enumerate() {
        // Late acknowledgements of lost events do not concern the new events with their seqs. One old event is still
        // in the log.
        let sets = receivers.poll(n, lost).await;
        assert_eq!(sets.iter().map(created).collect::<Vec<_>>(), ["barbara", "donald"]);
        assert!(ids(&sets).iter().all(|id| !lost.contains(id)), "a receiver can tell the new events from the lost");
        assert_eq!(receivers.pushed(&case, n, 6).await[4..], ["barbara", "donald"]);
        for text in ["LogRestored", "barbara", "donald"] {
            receivers.archived(&[&case.organizations[n].id, text]).await;
        }
    }
}
