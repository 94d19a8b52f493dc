//! A stack with a service log, two organizations and the policy of two witnesses.

use rollcall_events::log::checkpoint::generate_key;
use rollcall_events::log::log_key::in_the_name_of;
use rollcall_events::log::tlog_proof::TlogProof;
use rollcall_events::log::witness::{Policy, WitnessedCheckpoint};
use rollcall_tests::client::user;
use rollcall_tests::service::{Service, attempt_with, free_port};
use rollcall_tests::witness::{Witness, identity};
use rollcall_tests::{Client, Organization, Stack, eventually};
use secrecy::SecretString;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The signer of the tests.
pub(super) const SIGNER: &str = "log.example.com";

/// A stack whose service log two witnesses follow. Both must cosign.
pub(super) struct World {
    pub(super) stack: Stack,
    pub(super) organizations: [Organization; 2],
    pub(super) clients: [Client; 2],
    pub(super) auditors: [Client; 2],
    pub(super) private: SecretString,
    pub(super) public: String,
    pub(super) log_key: String,
    pub(super) folder: PathBuf,
    pub(super) policy: String,
    pub(super) worker_settings: Vec<(String, String)>,
    pub(super) metrics: String,
}

impl World {
    pub(super) async fn new(name: &str, ports: [u16; 2]) -> Self {
        Self::with_key(name, ports, generate_key(SIGNER).unwrap()).await
    }

    /// As [`World::new`], with the signer's private and public key.
    pub(super) async fn with_key(name: &str, ports: [u16; 2], (private, public): (SecretString, String)) -> Self {
        let log_key = in_the_name_of(&private, &format!("{SIGNER}/log")).unwrap().public;
        let folder = std::env::temp_dir().join(format!("rollcall-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        let witness = |seed: u8| {
            let port = ports[usize::from(seed) - 1];
            format!("witness w{seed} {} http://127.0.0.1:{port}/w\n", identity(seed).1)
        };
        let policy = format!("log {log_key}\n{}{}group both all w1 w2\nquorum both\n", witness(1), witness(2));
        let path = folder.join("policy");
        std::fs::write(&path, &policy).unwrap();
        let key = secrecy::ExposeSecret::expose_secret(&private).to_owned();
        let signer = folder.join("signer.state");
        let worker_settings: Vec<(String, String)> = [
            ("CHECKPOINT_KEYS", key.as_str()),
            ("CHECKPOINT_SECONDS", "1"),
            ("SIGNER_FILE", signer.to_str().unwrap()),
            ("WITNESS_POLICY_FILE", path.to_str().unwrap()),
            ("WITNESS_TIMEOUT_SECONDS", "1"),
            ("WITNESS_RETRY_SECONDS", "1"),
        ]
        .map(|(name, value)| (format!("ROLLCALL_WORKER__{name}"), value.to_owned()))
        .into();
        let metrics = format!("127.0.0.1:{}", free_port());
        let borrowed: Vec<_> = worker_settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let stack = Stack::private_with(name, &[("ROLLCALL_API__METRICS_LISTEN", &metrics)], &borrowed).await;
        let organizations = [stack.organization(), stack.organization()];
        let clients = organizations.each_ref().map(Organization::client);
        let auditors = organizations.each_ref().map(Organization::auditor);
        Self {
            stack,
            organizations,
            clients,
            auditors,
            private,
            public,
            log_key,
            folder,
            policy,
            worker_settings,
            metrics,
        }
    }

    pub(super) fn worker(&self) -> Service {
        let settings: Vec<_> =
            self.worker_settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Service::worker_with(&self.stack.instance, &settings)
    }

    /// The file in which the signer remembers what it signed.
    pub(super) fn signer_file(&self) -> PathBuf {
        self.folder.join("signer.state")
    }

    /// Stops the worker, restores a backup of the database and, if it is given, an older signer file, and starts
    /// the worker again.
    pub(super) async fn replace(&mut self, backup: &Path, signer_file: Option<&[u8]>) {
        self.stop_worker().await;
        self.stack.instance.restore(backup);
        if let Some(content) = signer_file {
            std::fs::write(self.signer_file(), content).unwrap();
        }
        self.stack.worker = Some(self.worker());
    }

    /// Starts the worker again with one more setting.
    pub(super) async fn restart_with(&mut self, (name, value): (&str, &str)) {
        self.stop_worker().await;
        self.worker_settings.push((name.to_owned(), value.to_owned()));
        self.stack.worker = Some(self.worker());
    }

    pub(super) async fn stop_worker(&mut self) {
        let mut worker = self.stack.worker.take().unwrap();
        worker.terminate();
        assert!(worker.ended().await);
    }

    /// Runs a command of the operator with the worker's settings.
    pub(super) fn command(&self, arguments: &[&str]) {
        let settings: Vec<_> =
            self.worker_settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        attempt_with(&self.stack.instance, &settings, arguments).unwrap();
    }

    pub(super) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.folder.join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    /// Creates a user in each organization. A witness never delays this.
    pub(super) async fn grow(&self) {
        for client in &self.clients {
            client.create(user(&uuid::Uuid::new_v4().to_string())).await.expect(201);
        }
    }

    /// Reads a file of the service log without any token.
    pub(super) async fn read(&self, path: &str) -> (u16, Vec<u8>) {
        let answer = reqwest::get(format!("{}/log/{path}", self.stack.url)).await.unwrap();
        (answer.status().as_u16(), answer.bytes().await.unwrap().to_vec())
    }

    /// The checkpoint of the service log, if a policy accepts it.
    pub(super) async fn accepted(&self, policy: &str) -> Option<(WitnessedCheckpoint, String)> {
        let (_, note) = self.read("checkpoint").await;
        let opened = Policy::parse(policy.as_bytes()).unwrap().open(&note).ok()?;
        Some((opened, String::from_utf8(note).unwrap()))
    }

    /// Grows both logs, and waits until the service log has their newest checkpoints and both witnesses have
    /// cosigned it. Returns the size of the service log.
    pub(super) async fn witnessed(&self, what: &str) -> u64 {
        self.grow().await;
        let sizes = [self.size(0).await, self.size(1).await];
        eventually(&format!("a witnessed checkpoint: {what}"), async || {
            let covered = [self.covered(0).await?, self.covered(1).await?];
            let opened = self.accepted(&self.policy).await?.0;
            (covered[0] >= sizes[0] && covered[1] >= sizes[1]).then_some(opened.checkpoint.size)
        })
        .await
    }

    /// The size of the newest checkpoint of the service log.
    pub(super) async fn entries(&self) -> u64 {
        let (_, note) = self.read("checkpoint").await;
        String::from_utf8(note).unwrap().lines().nth(1).unwrap().parse().unwrap()
    }

    /// The size of an organization's log.
    pub(super) async fn size(&self, organization: usize) -> u64 {
        let newest = self.auditors[organization].get("/events?count=1").await.expect(200);
        newest["entries"][0]["header"]["seq"].as_u64().unwrap()
    }

    /// The size of the largest witnessed checkpoint of an organization's log.
    pub(super) async fn covered(&self, organization: usize) -> Option<u64> {
        let answer = self.auditors[organization].get("/checkpoints/newest/witnessed").await;
        let file = answer.body.as_str().filter(|_| answer.status == 200)?.to_owned();
        let proof: TlogProof = file.parse().unwrap();
        let opening: Value = serde_json::from_slice(&proof.extra.unwrap()).unwrap();
        opening["size"].as_u64()
    }

    /// A metric without labels, or of one witness.
    pub(super) async fn metric(&self, name: &str) -> u64 {
        let text = reqwest::get(format!("http://{}/metrics", self.metrics)).await.unwrap().text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name} in {text}"));
        line.trim().parse().unwrap()
    }

    /// Why the service log is refused, as `/readyz` says; `None` if it is not.
    pub(super) async fn refused(&self) -> Option<String> {
        let answer = reqwest::get(format!("{}/readyz", self.stack.url)).await.unwrap();
        answer.json::<Value>().await.unwrap()["service_log_refused"].as_str().map(str::to_owned)
    }

    /// Why a witness fails, as operators see it.
    pub(super) async fn failure(&self, witness: &str) -> Option<String> {
        let sql = "SELECT failure FROM rollcall.service_witnesses WHERE witness = $1";
        self.stack.database("rollcall_api").await.query_opt(sql, &[&witness]).await.unwrap()?.get(0)
    }

    /// Makes a witness misbehave, grows the logs, and waits for the reason to be reported. The other witness still
    /// cosigns.
    pub(super) async fn fails(&self, misbehave: impl FnOnce(), other: &Witness, witness: &str, reason: &str) {
        misbehave();
        let before = other.cosigned().map_or(0, |checkpoint| checkpoint.size);
        self.grow().await;
        eventually(reason, async || self.failure(witness).await.filter(|failure| failure.contains(reason)).map(drop))
            .await;
        eventually("the other witness", async || {
            (other.cosigned().map_or(0, |checkpoint| checkpoint.size) > before).then_some(())
        })
        .await;
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
