//! A log from which signed entries are missing or changed is refused, even if the owner of the database has
//! recomputed every hash.
//! An operator can go on after a restore, and every verifier shows it.
//!
//! Each test has a stack of its own, whose worker signs every second.

use reqwest::Method;
use rollcall_events::log::checkpoint::generate_key;
use rollcall_events::log::{CompactRange, Hash};
use rollcall_queue::topology::partition;
use rollcall_tests::amqp::PARTITIONS;
use rollcall_tests::audit::id;
use rollcall_tests::client::user;
use rollcall_tests::service::{Service, attempt_with, ready, verified, verify};
use rollcall_tests::{Client, Organization, Stack, eventually};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::path::PathBuf;
use tokio_postgres::Client as Database;

/// A stack whose worker signs, and two organizations in two partitions.
struct Case {
    stack: Stack,
    settings: Vec<(&'static str, String)>,
    file: PathBuf,
    organizations: [Organization; 2],
    clients: [Client; 2],
    auditors: [Client; 2],
}

impl Case {
    async fn new(name: &str) -> Self {
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

    fn start_worker(&mut self) {
        self.stack.worker = Some(Service::worker_with(&self.stack.instance, &borrowed(&self.settings)));
    }

    async fn stop_worker(&mut self) {
        let mut worker = self.stack.worker.take().unwrap();
        worker.terminate();
        assert!(worker.ended().await);
    }

    /// Runs a command of the signer.
    fn command(&self, arguments: &[&str]) -> Result<Vec<Value>, String> {
        attempt_with(&self.stack.instance, &borrowed(&self.settings), arguments)
    }

    /// The size of a log.
    async fn size(&self, n: usize) -> u64 {
        let newest = self.auditors[n].get("/events?count=1").await.expect(200);
        newest["entries"][0]["header"]["seq"].as_u64().unwrap()
    }

    /// Waits until the whole log has a checkpoint. Returns its size and the checkpoint.
    async fn signed(&self, n: usize) -> (u64, String) {
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
    fn remembered(&self, n: usize) -> Value {
        let text = std::fs::read_to_string(&self.file).unwrap();
        let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let origin = format!("log.example.com/{}", self.organizations[n].id);
        lines.find(|line| line["origin"] == *origin).unwrap()
    }

    /// The answer of `/readyz`: whether the api is ready, and the body.
    async fn readiness(&self) -> (bool, String) {
        let answer = reqwest::get(format!("{}/readyz", self.stack.url)).await.unwrap();
        (answer.status() == 200, answer.text().await.unwrap())
    }

    /// Waits until `/readyz` says that something is refused. Returns the body.
    async fn refused(&self, reason: &str) -> String {
        eventually(reason, async || {
            let (is_ready, body) = self.readiness().await;
            (!is_ready && body.contains(reason)).then_some(body)
        })
        .await
    }

    /// Sends a create that nobody waits for.
    async fn send(&self, n: usize, name: &str) {
        let call = self.clients[n].call(Method::POST, "/Users").header("prefer", "respond-async").json(&user(name));
        call.send().await.expect(202);
    }

    /// Waits for a user.
    async fn applied(&self, n: usize, name: &str) {
        let filter = format!("userName eq \"{name}\"");
        eventually("the user", async || {
            let found = self.clients[n].find(&filter).await;
            (found.status == 200 && found.body["totalResults"] == 1).then_some(())
        })
        .await;
    }

    /// The lines of the worker's log that contain all these texts.
    fn logged(&self, texts: &[&str]) -> usize {
        let log = self.stack.instance.worker_log();
        log.lines().filter(|line| texts.iter().all(|text| line.contains(text))).count()
    }

    /// Exports a log and checks it against a checkpoint with `rollcall-verify`.
    async fn verify(&self, n: usize, checkpoint: &str) -> (i32, String) {
        let folder = self.organizations[n].folder();
        let (export, note) = (folder.join("export.ndjson"), folder.join("log.checkpoint"));
        let text = self.auditors[n].get("/export").await.expect(200).as_str().unwrap().to_owned();
        std::fs::write(&export, text).unwrap();
        std::fs::write(&note, checkpoint).unwrap();
        let (export, note) = (export.to_str().unwrap(), note.to_str().unwrap());
        verify(&["log", export, "--checkpoint", note, "--key", &self.organizations[n].checkpoint_key()])
    }

    /// The owner of the database, for whom no trigger applies.
    async fn owner(&self) -> Database {
        let owner = self.stack.database("postgres").await;
        owner.batch_execute("SET session_replication_role = replica; SET search_path = rollcall").await.unwrap();
        owner
    }

    /// Makes the head and the checkpoints fit the entries of a log, as the owner of the database can.
    async fn rehash(&self, owner: &Database, n: usize) {
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
    async fn rewrite(&self, owner: &Database, n: usize, seq: u64) {
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

fn borrowed<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    settings.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[tokio::test]
async fn a_restored_database_is_refused_until_an_operator_accepts_it() {
    let mut case = Case::new("restored").await;
    let backup = case.stack.instance.dir().join("backup");
    let idle = case.signed(1).await;
    let (restored, _) = case.signed(0).await;
    case.stack.instance.back_up(&backup);
    for name in ["grace", "alan"] {
        case.clients[0].create(user(name)).await.expect(201);
    }
    let (size, lost) = case.signed(0).await;
    assert_eq!((size, case.remembered(0)["head"]["size"].as_u64()), (restored + 2, Some(size)));
    case.stop_worker().await;
    case.stack.instance.restore(&backup);
    case.start_worker();

    // Readiness and the worker's log name the organization and both sizes.
    let figures = format!("{size} entries were signed, and the database has {restored}: 2 are missing");
    let body = case.refused(&figures).await;
    let (first, second) = (case.organizations[0].id.clone(), case.organizations[1].id.clone());
    assert!(body.contains(&first) && !body.contains(&second), "{body}");
    assert!(case.logged(&["a log is refused", &first, &figures]) > 0);

    // Nothing is appended and nothing is lost, and the organization in the other partition goes on.
    case.send(0, "edsger").await;
    eventually("a stopped partition", async || {
        let body: Value = serde_json::from_str(&case.readiness().await.1).unwrap();
        body["partitions_stopped"][0]["reason"].as_str().filter(|reason| reason.contains(&figures)).map(|_| ())
    })
    .await;
    case.clients[1].create(user("grace")).await.expect(201);
    assert!(case.signed(1).await.0 > idle.0);
    let own = &case.auditors[0];
    assert_eq!((case.size(0).await, own.get(&format!("/checkpoint?size={size}")).await.status), (restored, 404));

    // An operator goes on. This works once, and only for a refused log.
    let accept = ["log", "accept-restore", "--reason", "the disk failed", "--organization"];
    let not_refused = case.command(&[&accept[..], &[second.as_str()]].concat()).unwrap_err();
    assert!(not_refused.contains("not refused"), "{not_refused}");
    let accepted = case.command(&[&accept[..], &[first.as_str()]].concat()).unwrap();
    let expected = json!({"organization": first, "signed_size": size, "restored_size": restored, "size": restored + 1});
    assert_eq!(accepted, [expected]);
    case.applied(0, "edsger").await;
    ready(&case.stack.url).await;
    let entry = own.get(&format!("/events/{}", restored + 1)).await.expect(200);
    assert_eq!(entry["header"]["type"], "LogRestored");
    let root = lost.lines().nth(2).unwrap();
    assert_eq!(entry["payload"]["signed"]["size"], size);
    assert_eq!(entry["payload"]["restored"]["size"], restored);
    assert_eq!(entry["payload"]["reason"], "the disk failed");
    assert_eq!(entry["actor"]["label"], "rollcall-worker");
    let (now, checkpoint) = case.signed(0).await;
    let remembered = case.remembered(0);
    assert_eq!((&remembered["head"]["size"], &remembered["restored_from"]["size"]), (&json!(now), &json!(size)));
    assert_eq!(remembered["restored_from"]["root"], entry["payload"]["signed"]["root"]);
    let again = case.command(&[&accept[..], &[first.as_str()]].concat());
    assert!(again.unwrap_err().contains("not refused"));

    // Both verifiers show the entry. The checkpoint that an auditor has kept does not fit, and the verifier says why.
    let stated = format!("entry {} records a restore of the database: {size} entries were signed", restored + 1);
    let (code, output) = case.verify(0, &checkpoint).await;
    assert!(code == 0 && output.contains(&format!("holds: {stated}")), "{output}");
    let (code, output) = case.verify(0, &lost).await;
    assert!(code == 1 && output.contains(&format!(". Entry {} records a restore", restored + 1)), "{output} {root}");
    let (is_valid, output) = verified(&case.stack.instance, &first).await;
    assert!(is_valid && output.contains(&stated) && output.contains("the disk failed"), "{output}");
    for organization in [first, second] {
        let auditor = case.stack.auditor().await;
        auditor.verify(&organization).await;
        assert_eq!(auditor.compare_with_tables(&organization).await, 2);
    }
}

#[tokio::test]
async fn a_truncated_or_rewritten_log_is_refused_whatever_the_owner_of_the_database_does() {
    let mut case = Case::new("rewritten").await;
    for n in 0..2 {
        case.clients[n].create(user("grace")).await.expect(201);
    }
    let (size, _) = case.signed(0).await;
    let (other, _) = case.signed(1).await;
    let owner = case.owner().await;

    // The last entry is cut off while the worker runs.
    owner
        .execute(
            "DELETE FROM events WHERE organization_id = $1 AND seq = $2",
            &[&id(&case.organizations[0].id), &i64::try_from(size).unwrap()],
        )
        .await
        .unwrap();
    case.rehash(&owner, 0).await;
    case.send(0, "alan").await;
    case.refused(&format!("{size} entries were signed, and the database has {}: 1 are missing", size - 1)).await;
    // What the head says is only for information.
    owner.batch_execute("UPDATE log_heads SET refused = NULL, version = version + 1").await.unwrap();
    case.send(0, "edsger").await;
    case.refused("1 are missing").await;
    assert_eq!(case.size(0).await, size - 1);

    // The last entry of the other log is changed, at the same size.
    case.rewrite(&owner, 1, other).await;
    case.send(1, "alan").await;
    case.refused(&format!("the first {other} of the {other} in the database are not those")).await;
    assert_eq!(case.size(1).await, other);

    // A worker without the signer's settings does not know, but the heads say so. Once they do not, it appends.
    case.stop_worker().await;
    case.stack.worker = Some(Service::worker(&case.stack.instance));
    case.refused("are not those").await;
    owner.batch_execute("UPDATE log_heads SET refused = NULL, version = version + 1").await.unwrap();
    case.applied(1, "alan").await;
    case.stop_worker().await;
    // The log has grown since, and the changed entry is found below the new ones.
    case.start_worker();
    case.refused(&format!("the first {other} of the {} in the database are not those", other + 1)).await;
    assert_eq!(case.remembered(1)["head"]["size"], other);

    // One command accepts all refused logs.
    let all = ["log", "accept-restore", "--all", "--reason", "restored from a copy"];
    let accepted = case.command(&all).unwrap();
    assert_eq!(accepted.len(), 2, "{accepted:?}");
    assert_eq!(case.command(&all).unwrap(), [] as [Value; 0]);
    ready(&case.stack.url).await;
    case.applied(0, "edsger").await;
    for n in 0..2 {
        let (_, checkpoint) = case.signed(n).await;
        let (code, output) = case.verify(n, &checkpoint).await;
        assert!(code == 0 && output.contains("records a restore of the database"), "{output}");
    }
}

#[tokio::test]
async fn without_its_file_the_signer_does_nothing_until_an_operator_adopts_the_checkpoints() {
    let mut case = Case::new("lost").await;
    let (size, _) = case.signed(0).await;
    let kept = std::fs::read(&case.file).unwrap();
    let exists = case.command(&["log", "adopt"]).unwrap_err();
    assert!(exists.contains("is there already"), "{exists}");

    // While the worker runs, and when it starts: a file that is gone, and a file that cannot be read.
    std::fs::remove_file(&case.file).unwrap();
    case.refused("is missing, and the database has checkpoints").await;
    case.send(0, "grace").await;
    assert_eq!(case.size(0).await, size);
    case.stop_worker().await;
    case.start_worker();
    case.refused("is missing, and the database has checkpoints").await;
    std::fs::write(&case.file, &kept[..kept.len() / 2]).unwrap();
    case.refused("was cut off or damaged").await;
    let damaged = case.command(&["log", "adopt"]).unwrap_err();
    assert!(damaged.contains("was cut off or damaged"), "{damaged}");
    case.stop_worker().await;
    case.start_worker();
    case.refused("was cut off or damaged").await;
    assert_eq!(case.size(0).await, size, "nothing is appended");

    // The file comes back, and everything goes on.
    std::fs::write(&case.file, &kept).unwrap();
    case.applied(0, "grace").await;
    ready(&case.stack.url).await;
    case.signed(0).await;

    // The file is lost. The newest checkpoints take its place.
    case.stop_worker().await;
    std::fs::remove_file(&case.file).unwrap();
    let adopted = case.command(&["log", "adopt"]).unwrap();
    assert!(adopted[0]["logs"].as_u64().unwrap() >= 3, "two organizations and the system: {adopted:?}");
    let (sizes, _) = (case.size(0).await, case.size(1).await);
    assert_eq!(case.remembered(0)["head"]["size"], sizes);
    case.start_worker();
    for client in &case.clients {
        client.create(user("alan")).await.expect(201);
    }
    for n in 0..2 {
        case.signed(n).await;
    }
    ready(&case.stack.url).await;
}

/// The file is written before the checkpoint, so after a crash it can be ahead of the checkpoints, but never of
/// the log.
#[tokio::test]
async fn a_signer_that_was_killed_goes_on() {
    let mut case = Case::new("killed").await;
    for round in 0..6 {
        for n in 0..2 {
            case.clients[n].create(user(&format!("user{round}"))).await.expect(201);
        }
        if round % 2 == 0 {
            let size = case.size(0).await;
            eventually("a new record", async || (case.remembered(0)["head"]["size"] == size).then_some(())).await;
        }
        case.stack.worker.as_mut().unwrap().kill();
        assert!(case.remembered(0)["head"]["size"].as_u64().unwrap() <= case.size(0).await);
        if round == 3 {
            // As if the worker had been killed between the file and the checkpoint.
            let newest = "DELETE FROM checkpoints c WHERE size =
                (SELECT max(size) FROM checkpoints n WHERE n.organization_id = c.organization_id)";
            case.owner().await.batch_execute(newest).await.unwrap();
        }
        case.start_worker();
        for n in 0..2 {
            case.signed(n).await;
        }
        let (is_ready, body) = case.readiness().await;
        assert!(is_ready, "{body}");
    }
    for organization in &case.organizations {
        let (is_valid, output) = verified(&case.stack.instance, &organization.id).await;
        assert!(is_valid, "{output}");
    }
    assert_eq!(case.logged(&["a log is refused"]), 0);
}

/// A worker that would sign without a memory does not start, unless the operator has decided it.
#[tokio::test]
async fn a_signer_without_a_file_is_a_decision() {
    let stack = Stack::shared().await;
    let (private, _) = generate_key("log.example.com").unwrap();
    let keys = ("ROLLCALL_WORKER__CHECKPOINT_KEYS", private.expose_secret());
    let refused = attempt_with(&stack.instance, &[keys], &["run"]).unwrap_err();
    assert!(refused.contains("signer_file") && refused.contains("none"), "{refused}");
    for (settings, missing) in
        [(vec![], "checkpoint_keys"), (vec![keys, ("ROLLCALL_WORKER__SIGNER_FILE", "none")], "signer_file")]
    {
        let refused = attempt_with(&stack.instance, &settings, &["log", "adopt"]).unwrap_err();
        assert!(refused.contains(missing), "{refused}");
    }
}
