//! A log from which signed entries are missing or changed is refused, even if the owner of the database has
//! recomputed every hash.
//! An operator can go on after a restore, and every verifier shows it.
//!
//! Each test has a stack of its own, whose worker signs every second.

mod case;
mod receivers;

use rollcall_events::log::checkpoint::generate_key;
use rollcall_tests::audit::id;
use rollcall_tests::client::user;
use rollcall_tests::service::{Service, attempt_with, ready, replay_command, verified};
use rollcall_tests::{Stack, eventually};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use case::Case;

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
    // The log is whole in itself. A replay would take it for the truth.
    let replayed = replay_command(&case.stack.instance, &["replay", "--organization", &first]).await;
    let output = String::from_utf8(replayed.stdout).unwrap();
    assert!(!replayed.status.success() && output.contains("the log is refused"), "{output}");

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
