//! Tampering: `rollcall-verify` notices every change of the log, even one by the owner of the database.

use rollcall_events::log::{Entry, Part, canonical};
use rollcall_tests::audit::id;
use rollcall_tests::client::user;
use rollcall_tests::service::{Service, verified, verify};
use rollcall_tests::{Client, Organization, Stack, eventually};
use serde_json::{Value, json};
use std::path::PathBuf;

/// An auditor with a folder for exported files.
struct Case {
    stack: Stack,
    organization: Organization,
    auditor: Client,
    folder: PathBuf,
    key: String,
}

impl Case {
    /// Creates users, and waits for a checkpoint in the middle and at the end of the log.
    async fn new(users: usize) -> Self {
        let stack = Stack::shared().await;
        let organization = stack.organization();
        let folder = organization.folder();
        let (auditor, key) = (organization.auditor(), organization.checkpoint_key());
        let case = Self { stack, organization, auditor, folder, key };
        let client = case.organization.client();
        for half in ["earlier", "later"] {
            for n in 0..users / 2 {
                client.create(user(&format!("{half}{n}"))).await.expect(201);
            }
            case.checkpoint(half).await;
        }
        case
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, content: &str) -> String {
        std::fs::write(self.folder.join(name), content).unwrap();
        self.path(name)
    }

    async fn export(&self) -> Vec<String> {
        let text = self.auditor.get("/export").await.expect(200);
        match text {
            Value::String(text) => text.lines().map(str::to_owned).collect(),
            one => vec![one.to_string()],
        }
    }

    async fn json(&self, path: &str) -> Value {
        self.auditor.get(path).await.expect(200)
    }

    async fn text(&self, path: &str) -> String {
        self.auditor.get(path).await.expect(200).as_str().unwrap().to_owned()
    }

    /// Waits for a checkpoint of the whole log and saves it. Returns its size.
    async fn checkpoint(&self, name: &str) -> u64 {
        let size =
            self.auditor.get("/events?count=1").await.expect(200)["entries"][0]["header"]["seq"].as_u64().unwrap();
        let path = format!("/checkpoint?size={size}");
        let note = eventually("a checkpoint of the whole log", async || {
            let answer = self.auditor.get(&path).await;
            (answer.status == 200).then(|| answer.body.as_str().unwrap().to_owned())
        })
        .await;
        self.write(&format!("{name}.checkpoint"), &note);
        size
    }

    fn verify_log(&self, lines: &[impl AsRef<str>]) -> (i32, String) {
        let text = lines.iter().fold(String::new(), |text, line| text + line.as_ref() + "\n");
        let export = self.write("export.ndjson", &text);
        let (earlier, later) = (self.path("earlier.checkpoint"), self.path("later.checkpoint"));
        verify(&["log", &export, "--checkpoint", &earlier, "--checkpoint", &later, "--key", &self.key])
    }

    /// Changes the log as the owner of the database, for whom no trigger applies, and exports it. Returns
    /// what `rollcall-verify` says about the export. Undoes the change.
    async fn tampered(&self, statements: &[&str]) -> (i32, String) {
        let owner = self.stack.database("postgres").await;
        let organization = &self.organization.id;
        let keep = format!(
            "SET session_replication_role = replica; SET search_path = rollcall;
            CREATE TEMP TABLE kept AS SELECT * FROM events WHERE organization_id = '{organization}'"
        );
        owner.batch_execute(&keep).await.unwrap();
        for statement in statements {
            owner.batch_execute(&statement.replace("$org", &format!("'{organization}'"))).await.unwrap();
        }
        let found = self.verify_log(&self.export().await);
        let undo = format!(
            "DELETE FROM events WHERE organization_id = '{organization}'; INSERT INTO events SELECT * FROM kept"
        );
        owner.batch_execute(&undo).await.unwrap();
        found
    }
}

#[tokio::test]
async fn an_unchanged_log_verifies_and_every_change_is_reported() {
    let case = Case::new(10).await;
    let (code, output) = case.verify_log(&case.export().await);
    assert_eq!(code, 0, "{output}");
    assert!(output.contains("are those that were signed for rollcall.localhost/"), "{output}");
    let places: [(&[&str], &str); 13] = [
        (
            &["UPDATE events SET payload = jsonb_set(payload, '{resource,userName}', '\"earliex1\"')
                WHERE organization_id = $org AND seq = 8"],
            "entry 8: the payload",
        ),
        (
            &["UPDATE events SET requested_at = requested_at + interval '1 microsecond'
                WHERE organization_id = $org AND seq = 9"],
            "entry 9: the header",
        ),
        (
            &["UPDATE events SET outcome = 'rejected', error = '{\"status\": 400}'
                WHERE organization_id = $org AND seq = 10"],
            "entry 10: the header",
        ),
        (
            &[
                "UPDATE events SET seq = 1000 WHERE organization_id = $org AND seq = 8",
                "UPDATE events SET seq = 8 WHERE organization_id = $org AND seq = 9",
                "UPDATE events SET seq = 9 WHERE organization_id = $org AND seq = 1000",
            ],
            "entry 8: the header",
        ),
        (
            &["DELETE FROM events
                WHERE organization_id = $org AND seq = (SELECT max(seq) FROM events WHERE organization_id = $org)"],
            "entries 16 to 16 are missing",
        ),
        (
            &[
                "DELETE FROM events WHERE organization_id = $org AND seq = 11",
                "UPDATE events SET seq = seq + 1000 WHERE organization_id = $org AND seq > 11",
                "UPDATE events SET seq = seq - 1001 WHERE organization_id = $org AND seq > 1000",
            ],
            "entry 11: the header",
        ),
        (&["DELETE FROM events WHERE organization_id = $org AND seq = 11"], "entry 12 is in the position of entry 11"),
        (&["DELETE FROM events WHERE organization_id = $org AND seq = 1"], "entry 2 is in the position of entry 1"),
        (
            &["UPDATE events SET payload = NULL, payload_salt = NULL WHERE organization_id = $org AND seq = 8"],
            "entry 8 has lost its payload, and no later entry of this export records an erasure",
        ),
        (
            &["UPDATE events SET actor = NULL, actor_salt = NULL WHERE organization_id = $org AND seq = 9"],
            "entry 9 has lost its actor, and no later entry of this export records an erasure",
        ),
        (
            &["UPDATE events SET actor = jsonb_set(actor, '{label}', '\"mallory\"')
                WHERE organization_id = $org AND seq = 10"],
            "entry 10: the actor",
        ),
        (
            &["UPDATE events SET actor = actor || '{\"nickname\": \"mallory\"}'
                WHERE organization_id = $org AND seq = 10"],
            "entry 10: the actor",
        ),
        (
            &["UPDATE events SET outcome = 'rejected', error = '{\"status\": 400, \"by\": \"mallory\"}'
                WHERE organization_id = $org AND seq = 11"],
            "line 11: the header",
        ),
    ];
    for (statements, message) in places {
        let (code, output) = case.tampered(statements).await;
        assert!(code == 1 && output.contains(message), "{statements:?}: {output}");
    }
    assert_eq!(case.verify_log(&case.export().await).0, 0, "the changes are rolled back");
}

/// A row that no program of ours could have written stops neither the check of the database, nor an export, nor a
/// query.
#[tokio::test]
async fn a_row_that_is_not_an_entry_is_named_and_the_check_goes_on() {
    let case = Case::new(6).await;
    let owner = case.stack.database("postgres").await;
    let organization = &case.organization.id;
    let tamper = format!(
        "SET session_replication_role = replica; SET search_path = rollcall;
        CREATE TEMP TABLE kept AS SELECT * FROM events WHERE organization_id = '{organization}';
        UPDATE events SET actor = actor || '{{\"nickname\": \"mallory\"}}'
            WHERE organization_id = '{organization}' AND seq = 8;
        UPDATE events SET outcome = 'rejected', error = '{{\"status\": 400, \"by\": \"mallory\"}}'
            WHERE organization_id = '{organization}' AND seq = 9;
        UPDATE events SET requested_at = requested_at + interval '1 second'
            WHERE organization_id = '{organization}' AND seq = 10"
    );
    owner.batch_execute(&tamper).await.unwrap();
    let (is_valid, output) = verified(&case.stack.instance, organization).await;
    let csv = case.text("/export?format=csv").await;
    let listed = case.json("/events?order=oldest&count=100").await;
    let one = case.json("/events/8").await;
    let [user, at] = ["subject_id", "recorded_at"].map(|member| one["header"][member].as_str().unwrap());
    let needing =
        ["/events/8/proof".to_owned(), format!("/users/{user}/history"), format!("/users/{user}/proof?at={at}")];
    let mut refused = Vec::new();
    for path in &needing {
        refused.push(case.auditor.get(path).await);
    }
    let undo =
        format!("DELETE FROM events WHERE organization_id = '{organization}'; INSERT INTO events SELECT * FROM kept");
    owner.batch_execute(&undo).await.unwrap();
    assert!(!is_valid, "{output}");
    for fault in ["unknown field `nickname`", "unknown field `by`", "entry 9: the header", "entry 10: the header"] {
        assert!(output.contains(fault), "{fault}: {output}");
    }
    assert!(listed["entries"].as_array().unwrap().len() > 10, "{listed}");
    for row in [&listed["entries"][7], &one] {
        assert_eq!((&row["header"]["seq"], &row["actor"]["nickname"]), (&json!(8), &json!("mallory")), "{row}");
    }
    for (path, answer) in needing.iter().zip(&refused) {
        let detail = answer.expect_error(500, None);
        assert!(detail.contains("a row of the log is not an entry") && detail.contains("nickname"), "{path}: {detail}");
    }
    assert!(csv.lines().count() > 12 && csv.contains("mallory"), "{csv}");
    let (is_valid, output) = verified(&case.stack.instance, organization).await;
    assert!(is_valid, "{output}");
}

/// The owner of the database can recompute every hash, but cannot forge the signature of a checkpoint that an
/// auditor has.
#[tokio::test]
async fn a_rehashed_or_rolled_back_log_does_not_match_its_checkpoint() {
    let case = Case::new(6).await;
    let mut entries: Vec<Entry> = case.export().await.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let forged = &mut entries[8];
    let payload = forged.payload.as_mut().unwrap();
    payload["resource"]["userName"] = json!("mallory");
    let hidden = Part::Payload.commitment(forged.payload_salt.unwrap(), &canonical(payload).unwrap());
    forged.header.payload_commitment = hidden;
    forged.leaf = forged.header.leaf().unwrap();
    let lines: Vec<_> = entries.iter().map(|entry| serde_json::to_string(entry).unwrap()).collect();
    let (code, output) = case.verify_log(&lines);
    assert!(code == 1 && output.contains("something between entries 1 and 9 was changed"), "{output}");
    let (code, output) = case.verify_log(&case.export().await[..10]);
    assert!(code == 1 && output.contains("entries 11 to 12 are missing: a log of 12 entries was signed"), "{output}");
}

#[tokio::test]
async fn every_earlier_checkpoint_has_a_proof() {
    let case = Case::new(8).await;
    let (earlier, later) = (case.path("earlier.checkpoint"), case.path("later.checkpoint"));
    let from: u64 = case.text("/checkpoint").await.lines().nth(1).unwrap().parse().unwrap();
    let size = std::fs::read_to_string(&earlier).unwrap().lines().nth(1).unwrap().to_owned();
    let proof = case.auditor.get(&format!("/proof/consistency?from={size}&to={from}")).await.expect(200);
    let mut broken = proof.clone();
    let proof = case.write("proof.json", &proof.to_string());
    assert_eq!(
        verify(&["consistency", "--earlier", &earlier, "--later", &later, "--proof", &proof, "--key", &case.key]).0,
        0
    );
    broken["hashes"][0] = json!("00".repeat(32));
    let broken = case.write("broken.json", &broken.to_string());
    assert_eq!(
        verify(&["consistency", "--earlier", &earlier, "--later", &later, "--proof", &broken, "--key", &case.key]).0,
        1
    );
    let stranger = "rollcall.localhost+00000000+AAAA";
    assert_eq!(
        verify(&["consistency", "--earlier", &earlier, "--later", &later, "--proof", &proof, "--key", stranger]).0,
        2
    );
    assert!(
        case.auditor
            .get("/proof/consistency?from=1&to=999")
            .await
            .expect_error(400, Some("invalidValue"))
            .contains("has")
    );
}

/// Waits until the whole log of an organization has a signed checkpoint.
async fn signed(organization: &Organization) {
    let auditor = organization.auditor();
    let size = auditor.get("/events?count=1").await.expect(200)["entries"][0]["header"]["seq"].clone();
    let path = format!("/checkpoint?size={size}");
    eventually("a checkpoint of the whole log", async || (auditor.get(&path).await.status == 200).then_some(())).await;
}

#[tokio::test]
async fn a_log_with_an_unreadable_head_does_not_keep_other_logs_from_being_signed() {
    let stack = Stack::shared().await;
    let (broken, sound) = (stack.organization(), stack.organization());
    broken.client().create(user("ada")).await.expect(201);
    let owner = stack.database("postgres").await;
    let head = owner
        .query_one("SELECT size, peaks FROM rollcall.log_heads WHERE organization_id = $1", &[&id(&broken.id)])
        .await
        .unwrap();
    let set = "UPDATE rollcall.log_heads SET size = $2, peaks = $3 WHERE organization_id = $1";
    let (size, peaks): (i64, Vec<Vec<u8>>) = (head.get(0), head.get(1));
    owner.execute(set, &[&id(&broken.id), &(size + 4), &Vec::<Vec<u8>>::new()]).await.unwrap();
    for name in ["ada", "grace"] {
        sound.client().create(user(name)).await.expect(201);
        signed(&sound).await;
    }
    owner.execute(set, &[&id(&broken.id), &size, &peaks]).await.unwrap();
    signed(&broken).await;
}

/// After a week, only the newest checkpoint of each hour is kept; after three months, only that of each day.
/// Checkpoints that an auditor has saved still verify.
#[tokio::test]
async fn old_checkpoints_are_thinned_out_and_saved_ones_still_verify() {
    let (case, other) = (Case::new(6).await, Case::new(6).await);
    let owner = case.stack.database("postgres").await;
    let sizes = "SELECT size FROM rollcall.checkpoints WHERE organization_id = $1 ORDER BY size";
    let sizes = async |of: &Organization| -> Vec<i64> {
        owner.query(sizes, &[&id(&of.id)]).await.unwrap().iter().map(|row| row.get(0)).collect()
    };
    let size = |name: &str| -> i64 {
        std::fs::read_to_string(case.path(&format!("{name}.checkpoint")))
            .unwrap()
            .lines()
            .nth(1)
            .unwrap()
            .parse()
            .unwrap()
    };
    let (earlier, later) = (size("earlier"), size("later"));
    // Set old times within one hour for the checkpoints of a log, in order. The last time applies to all
    // remaining ones.
    let set = "
        UPDATE rollcall.checkpoints
            SET signed_at = date_trunc('day', now(), 'UTC') - make_interval(days => $3) + make_interval(mins => $4)
        WHERE organization_id = $1 AND size = $2";
    let age = async |of: &Organization, size: i64, days: i32, minutes: i32| {
        owner.execute(set, &[&id(&of.id), &size, &days, &minutes]).await.unwrap();
    };
    let last = *sizes(&case.organization).await.last().unwrap();
    assert_eq!(last, later);
    for size in sizes(&case.organization).await {
        age(&case.organization, size, 9, if size == later { 50 } else { 10 }).await;
    }
    // For the other organization, set the same times in several hours, and an old day.
    let others = sizes(&other.organization).await;
    assert!(others.len() >= 2);
    for (n, size) in (0..).zip(&others) {
        age(&other.organization, *size, 9, 10 + 60 * n).await;
    }
    // A worker prunes when it starts.
    let (pruner, newest) = (Service::worker(&case.stack.instance), [later]);
    eventually("the older checkpoints of the hour to go", async || {
        (sizes(&case.organization).await == newest).then_some(())
    })
    .await;
    assert_eq!(sizes(&other.organization).await, others, "the newest checkpoint of each hour is kept");
    drop(pruner);
    for (n, size) in (0..).zip(&others) {
        age(&other.organization, *size, 100, 10 + 60 * n).await;
    }
    let _pruner = Service::worker(&case.stack.instance);
    let newest = [*others.last().unwrap()];
    eventually("the older checkpoints of the day to go", async || {
        (sizes(&other.organization).await == newest).then_some(())
    })
    .await;

    case.auditor.get(&format!("/checkpoint?size={earlier}")).await.expect_error(404, None);
    let proof = case.auditor.get(&format!("/proof/consistency?from={earlier}&to={later}")).await.expect(200);
    let proof = case.write("proof.json", &proof.to_string());
    let (held, kept) = (case.path("earlier.checkpoint"), case.path("later.checkpoint"));
    let (code, output) =
        verify(&["consistency", "--earlier", &held, "--later", &kept, "--proof", &proof, "--key", &case.key]);
    assert_eq!(code, 0, "{output}");
    let (code, output) = case.verify_log(&case.export().await);
    assert_eq!(code, 0, "{output}");
    for organization in [&case.organization, &other.organization] {
        let whole = verified(&case.stack.instance, &organization.id).await;
        assert!(whole.0, "{}", whole.1);
    }
}

#[tokio::test]
async fn a_stored_checkpoint_with_another_root_is_reported() {
    let case = Case::new(6).await;
    let owner = case.stack.database("postgres").await;
    let forge = "UPDATE rollcall.checkpoints SET note = replace(note, split_part(note, E'\\n', 3), 'AAAA')
        WHERE organization_id = $1 AND size = $2";
    let beyond = "
        INSERT INTO rollcall.checkpoints (organization_id, size, signed_at, note)
        SELECT organization_id, size + 1000, now(), note FROM rollcall.checkpoints
        WHERE organization_id = $1 ORDER BY size DESC LIMIT 1";
    let size: i64 =
        std::fs::read_to_string(case.path("earlier.checkpoint")).unwrap().lines().nth(1).unwrap().parse().unwrap();
    assert_eq!(owner.execute(forge, &[&id(&case.organization.id), &size]).await.unwrap(), 1);
    owner.execute(beyond, &[&id(&case.organization.id)]).await.unwrap();
    let (is_valid, output) = verified(&case.stack.instance, &case.organization.id).await;
    assert!(!is_valid && output.contains(&format!("the checkpoint at {size} has another root")), "{output}");
    assert_eq!(output.matches("has another root").count(), 2, "{output}");
}
