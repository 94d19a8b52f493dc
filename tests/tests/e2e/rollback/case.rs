//! A stack whose worker signs, with two organizations, for the tests of this module.

use reqwest::Method;
use rollcall_events::log::checkpoint::generate_key;
use rollcall_events::log::{CompactRange, Hash};
use rollcall_queue::topology::partition;
use rollcall_tests::amqp::PARTITIONS;
use rollcall_tests::audit::id;
use rollcall_tests::client::user;
use rollcall_tests::service::{Service, attempt_with, verify};
use rollcall_tests::{Client, Organization, Stack, eventually};
use secrecy::ExposeSecret;
use serde_json::Value;
use std::path::PathBuf;
use tokio_postgres::Client as Database;

/// A stack whose worker signs, and two organizations in two partitions.
pub(super) struct Case {
    pub(super) stack: Stack,
    pub(super) settings: Vec<(&'static str, String)>,
    pub(super) file: PathBuf,
    pub(super) organizations: [Organization; 2],
    pub(super) clients: [Client; 2],
    pub(super) auditors: [Client; 2],
}

impl Case {
    pub(super) async fn new(name: &str) -> Self {
        let (private, public) = generate_key("log.example.com").unwrap();
        let folder = PathBuf::from(std::env::var("ROLLCALL_TEST_DIR").unwrap()).join(name);
        // The folder of the stack is made anew.
        let file = folder.join("signer.state");
        let settings = vec![
            ("ROLLCALL_WORKER__CHECKPOINT_KEYS", private.expose_secret().to_owned()),
            ("ROLLCALL_WORKER__SIGNER_FILE", file.to_str().unwrap().to_owned()),
            ("ROLLCALL_WORKER__CHECKPOINT_SECONDS", "1".to_owned()),
        ];
        let stack = Stack::private_with(name, &[], &borrowed(&settings)).await;
        std::fs::write(folder.join("checkpoint.pub"), public).unwrap();
        let of = |organization: &Organization| partition(organization.id.parse().unwrap(), PARTITIONS);
        let first = stack.organization();
        let mut second = stack.organization();
        while of(&second) == of(&first) {
            second = stack.organization();
        }
        let organizations = [first, second];
        let clients = organizations.each_ref().map(Organization::client);
        let auditors = organizations.each_ref().map(Organization::auditor);
        let case = Self { stack, settings, file, organizations, clients, auditors };
        for client in &case.clients {
            client.create(user("ada")).await.expect(201);
        }
        for n in 0..2 {
            case.signed(n).await;
        }
        case
    }

    pub(super) fn start_worker(&mut self) {
        self.stack.worker = Some(Service::worker_with(&self.stack.instance, &borrowed(&self.settings)));
    }

    pub(super) async fn stop_worker(&mut self) {
        let mut worker = self.stack.worker.take().unwrap();
        worker.terminate();
        assert!(worker.ended().await);
    }

    /// Runs a command of the signer.
    pub(super) fn command(&self, arguments: &[&str]) -> Result<Vec<Value>, String> {
        attempt_with(&self.stack.instance, &borrowed(&self.settings), arguments)
    }

    /// The size of a log.
    pub(super) async fn size(&self, n: usize) -> u64 {
        let newest = self.auditors[n].get("/events?count=1").await.expect(200);
        newest["entries"][0]["header"]["seq"].as_u64().unwrap()
    }

    /// Waits until the whole log has a checkpoint. Returns its size and the checkpoint.
    pub(super) async fn signed(&self, n: usize) -> (u64, String) {
        let size = self.size(n).await;
        let path = format!("/checkpoint?size={size}");
        let note = eventually("a checkpoint of the whole log", async || {
            let answer = self.auditors[n].get(&path).await;
            (answer.status == 200).then(|| answer.body.as_str().unwrap().to_owned())
        })
        .await;
        (size, note)
    }

    /// What the signer file says about a log.
    pub(super) fn remembered(&self, n: usize) -> Value {
        let text = std::fs::read_to_string(&self.file).unwrap();
        let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let origin = format!("log.example.com/{}", self.organizations[n].id);
        lines.find(|line| line["origin"] == *origin).unwrap()
    }

    /// The answer of `/readyz`: whether the api is ready, and the body.
    pub(super) async fn readiness(&self) -> (bool, String) {
        let answer = reqwest::get(format!("{}/readyz", self.stack.url)).await.unwrap();
        (answer.status() == 200, answer.text().await.unwrap())
    }

    /// Waits until `/readyz` says that something is refused. Returns the body.
    pub(super) async fn refused(&self, reason: &str) -> String {
        eventually(reason, async || {
            let (is_ready, body) = self.readiness().await;
            (!is_ready && body.contains(reason)).then_some(body)
        })
        .await
    }

    /// Sends a create that nobody waits for.
    pub(super) async fn send(&self, n: usize, name: &str) {
        let call = self.clients[n].call(Method::POST, "/Users").header("prefer", "respond-async").json(&user(name));
        call.send().await.expect(202);
    }

    /// Waits for a user.
    pub(super) async fn applied(&self, n: usize, name: &str) {
        let filter = format!("userName eq \"{name}\"");
        eventually("the user", async || {
            let found = self.clients[n].find(&filter).await;
            (found.status == 200 && found.body["totalResults"] == 1).then_some(())
        })
        .await;
    }

    /// The lines of the worker's log that contain all these texts.
    pub(super) fn logged(&self, texts: &[&str]) -> usize {
        let log = self.stack.instance.worker_log();
        log.lines().filter(|line| texts.iter().all(|text| line.contains(text))).count()
    }

    /// Exports a log and checks it against a checkpoint with `rollcall-verify`.
    pub(super) async fn verify(&self, n: usize, checkpoint: &str) -> (i32, String) {
        let folder = self.organizations[n].folder();
        let (export, note) = (folder.join("export.ndjson"), folder.join("log.checkpoint"));
        let text = self.auditors[n].get("/export").await.expect(200).as_str().unwrap().to_owned();
        std::fs::write(&export, text).unwrap();
        std::fs::write(&note, checkpoint).unwrap();
        let (export, note) = (export.to_str().unwrap(), note.to_str().unwrap());
        verify(&["log", export, "--checkpoint", note, "--key", &self.organizations[n].checkpoint_key()])
    }

    /// The owner of the database, for whom no trigger applies.
    pub(super) async fn owner(&self) -> Database {
        let owner = self.stack.database("postgres").await;
        owner.batch_execute("SET session_replication_role = replica; SET search_path = rollcall").await.unwrap();
        owner
    }

    /// Makes the head and the checkpoints fit the entries of a log, as the owner of the database can.
    pub(super) async fn rehash(&self, owner: &Database, n: usize) {
        let organization = id(&self.organizations[n].id);
        let leaves = "SELECT leaf FROM events WHERE organization_id = $1 ORDER BY seq";
        let mut log = CompactRange::default();
        for row in owner.query(leaves, &[&organization]).await.unwrap() {
            log.append(Hash::from_bytes(row.get(0)).unwrap());
        }
        let peaks: Vec<&[u8]> = log.peaks().iter().map(Hash::as_bytes).collect();
        let size = i64::try_from(log.size()).unwrap();
        let head = "UPDATE log_heads SET size = $2, peaks = $3, version = version + 1 WHERE organization_id = $1";
        owner.execute(head, &[&organization, &size, &peaks]).await.unwrap();
        owner.execute("DELETE FROM checkpoints WHERE organization_id = $1", &[&organization]).await.unwrap();
    }

    /// Changes the time of an entry, and computes every hash again.
    pub(super) async fn rewrite(&self, owner: &Database, n: usize, seq: u64) {
        let organization = &self.organizations[n].id;
        let mut header =
            self.stack.auditor().await.log(organization).await.remove(usize::try_from(seq).unwrap() - 1).header;
        header.requested_at = header.requested_at.next();
        let leaf = header.leaf().unwrap();
        let change = "UPDATE events SET requested_at = $3, leaf = $4 WHERE organization_id = $1 AND seq = $2";
        let seq = i64::try_from(seq).unwrap();
        let changed = owner.execute(change, &[&id(organization), &seq, &header.requested_at, &leaf.as_bytes()]).await;
        assert_eq!(changed.unwrap(), 1);
        self.rehash(owner, n).await;
    }
}

pub(super) fn borrowed<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    settings.iter().map(|(name, value)| (*name, value.as_str())).collect()
}
