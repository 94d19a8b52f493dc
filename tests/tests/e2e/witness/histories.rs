//! A second history of the service log: of a copied database, of a copied key, of a restored backup.

use rollcall_tests::eventually;
use rollcall_tests::service::free_port;
use rollcall_tests::witness::Witness;

use super::world::World;

/// An old database with the signer file of its time looks whole to the signer. Only the witnesses know better.
#[tokio::test]
async fn witnesses_notice_that_the_database_was_replaced_together_with_the_signer_file() {
    let ports = [free_port(), free_port()];
    let mut world = World::new("replaced", ports).await;
    let witnesses = [1, 2].map(|seed: u8| Witness::start(seed, ports[usize::from(seed) - 1], &world.log_key));
    let kept = world.witnessed("before the copy").await;
    let (database, file) = (world.stack.instance.dir().join("copy"), world.signer_file());
    world.stack.instance.back_up(&database);
    let remembered = std::fs::read(&file).unwrap();
    let mut lost = 0;
    for round in 0..4 {
        lost = world.witnessed(&format!("lost: {round}")).await;
    }
    assert!(lost >= kept + 4);
    world.replace(&database, Some(&remembered)).await;

    world.grow().await;
    for witness in &witnesses {
        let gone_back = async || world.failure(&witness.name).await.filter(|why| why.contains("the log has gone back"));
        eventually("a witness that knows more", async || gone_back().await.map(drop)).await;
    }
    assert!(world.stack.instance.worker_log().contains("the log has gone back"), "an operator reads it");
    let known = witnesses.each_ref().map(Witness::cosigned);
    // The other history overtakes the lost one. No witness cosigns it.
    eventually("a fork", async || {
        world.grow().await;
        world.failure(&witnesses[0].name).await.filter(|why| why.contains("(422)")).map(drop)
    })
    .await;
    assert!(world.accepted(&world.policy).await.is_none_or(|(opened, _)| opened.checkpoint.size <= kept));
    assert_eq!(witnesses.each_ref().map(Witness::cosigned), known, "nobody cosigns the fork");
    assert!(world.metric("rollcall_log_unwitnessed_seconds").await > 0);
}

/// Somebody runs a second service with a copy of the key, beside the first one. The witnesses cosign one history.
#[tokio::test]
async fn two_services_with_one_key_are_told_apart_by_the_witnesses() {
    let ports = [free_port(), free_port()];
    let first = World::new("one-key-first", ports).await;
    let witnesses = [1, 2].map(|seed: u8| Witness::start(seed, ports[usize::from(seed) - 1], &first.log_key));
    for round in ["ada", "grace"] {
        first.witnessed(round).await;
    }

    let second = World::with_key("one-key-second", ports, (first.private.clone(), first.public.clone())).await;
    assert_eq!(first.log_key, second.log_key);
    second.grow().await;
    let fails = async |reason: &str| {
        for witness in &witnesses {
            second.grow().await;
            let failure = async || second.failure(&witness.name).await.filter(|failure| failure.contains(reason));
            eventually(reason, failure).await;
        }
    };
    fails("the log has gone back").await;
    // Once the second log is the larger one, its proofs do not begin at what the witnesses have cosigned.
    while second.entries().await <= first.entries().await {
        second.grow().await;
    }
    fails("(422)").await;
    for witness in &witnesses {
        assert!([409, 422].iter().all(|status| witness.answered().contains(status)), "{:?}", witness.answered());
        let failing = format!("rollcall_witness_failing_seconds{{witness=\"{}\"}}", witness.name);
        eventually("the metric", async || (second.metric(&failing).await > 0).then_some(())).await;
    }

    // Nobody accepts a checkpoint of the second service. The first one goes on, and the second one takes writes.
    assert!(second.accepted(&second.policy).await.is_none());
    assert!(second.metric("rollcall_log_unwitnessed_seconds").await > 0);
    let size = first.witnessed("beside the second service").await;
    assert!(witnesses.iter().all(|witness| witness.cosigned().is_some_and(|checkpoint| checkpoint.size >= size)));
    for witness in &witnesses {
        assert_eq!(first.failure(&witness.name).await, None);
    }
}

/// The signer file knows the service log too, so no second history of it is signed after a restore.
#[tokio::test]
async fn a_restored_service_log_is_refused_and_goes_on_under_another_name() {
    let ports = [free_port(), free_port()];
    let mut world = World::new("refused", ports).await;
    let _witnesses = [1, 2].map(|seed: u8| Witness::start(seed, ports[usize::from(seed) - 1], &world.log_key));
    world.witnessed("before the backup").await;
    let backup = world.stack.instance.dir().join("backup");
    world.stack.instance.back_up(&backup);
    world.witnessed("lost").await;
    world.replace(&backup, None).await;

    let reason = eventually("a refused service log", async || world.refused().await).await;
    assert!(
        reason.contains("entries were signed, and the database has") && reason.ends_with("are missing"),
        "{reason}"
    );
    assert!(world.stack.instance.worker_log().contains("the service log is refused"), "an operator reads it");
    assert!(world.metric("rollcall_logs_refused").await >= 1);
    // While the service log is refused, new checkpoints are not entered, so no witness cosigns them.
    eventually("an unwitnessed log", async || {
        (world.metric("rollcall_log_unwitnessed_seconds").await > 0).then_some(())
    })
    .await;

    // The organizations' logs go on once an operator accepts it. The service log does not: that would be a fork.
    let sizes = async || {
        let sql = "SELECT size, (SELECT max(size) FROM rollcall.service_checkpoints) FROM rollcall.service_head";
        let row = world.stack.database("rollcall_api").await.query_one(sql, &[]).await.unwrap();
        (row.get::<_, i64>(0), row.get::<_, i64>(1))
    };
    let before = sizes().await;
    world.command(&["log", "accept-restore", "--all", "--reason", "the disk failed"]);
    world.grow().await;
    for n in 0..2 {
        let newest = format!("/checkpoint?size={}", world.size(n).await);
        eventually("a checkpoint", async || (world.auditors[n].get(&newest).await.status == 200).then_some(())).await;
    }
    assert_eq!(sizes().await, before, "nothing is entered and nothing is signed");

    world.restart_with(("ROLLCALL_WORKER__SERVICE_LOG", "log-2")).await;
    eventually("a checkpoint under the new name", async || {
        let (_, note) = world.read("checkpoint").await;
        String::from_utf8(note).unwrap().starts_with("log.example.com/log-2\n").then_some(())
    })
    .await;
    eventually("nothing refused", async || world.refused().await.is_none().then_some(())).await;
}
