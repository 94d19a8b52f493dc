//! The service log: public, unlinkable, append-only, and cosigned by a quorum of witnesses.

mod histories;
mod world;

use rollcall_events::log::Hash;
use rollcall_events::log::checkpoint::{Checkpoint, SigningKeys};
use rollcall_events::log::service_log::{LogSecret, ServiceEntry};
use rollcall_events::log::tlog_proof::TlogProof;
use rollcall_tests::client::user;
use rollcall_tests::service::{all_verified, free_port, verify};
use rollcall_tests::witness::{Mood, Witness, identity};
use rollcall_tests::{Stack, eventually};
use std::collections::BTreeSet;
use tokio_postgres::error::SqlState;

use world::{SIGNER, World};

#[tokio::test]
async fn a_quorum_cosigns_and_no_witness_delays_the_log() {
    let ports = [free_port(), free_port()];
    let first = Witness::start(1, ports[0], "none+00000000+AA==");
    let world = World::new("witnesses", ports).await;
    first.behave(Mood::Honest);
    // The first witness does not know the log yet, and the second one is down.
    world.grow().await;
    eventually("404", async || world.failure(&first.name).await.filter(|why| why.contains("404")).map(drop)).await;
    let (second_name, _) = identity(2);
    eventually("the second witness", async || {
        world.failure(&second_name).await.filter(|why| why.contains("cannot be reached")).map(drop)
    })
    .await;
    eventually("the metric", async || (world.metric("rollcall_log_unwitnessed_seconds").await > 0).then_some(())).await;
    assert!(world.accepted(&world.policy).await.is_none(), "nobody has cosigned");
    let unwitnessed = world.policy.replace("quorum both", "quorum none");
    assert!(world.accepted(&unwitnessed).await.is_some(), "the checkpoint is served without cosignatures");

    drop(first);
    let first = eventually("the port", async || {
        std::net::TcpListener::bind(("127.0.0.1", ports[0])).ok().map(drop)?;
        Some(Witness::start(1, ports[0], &world.log_key))
    })
    .await;
    eventually("one cosignature", async || first.cosigned().map(drop)).await;
    assert!(world.accepted(&world.policy).await.is_none(), "one cosignature is not enough");
    let second = Witness::start(2, ports[1], &world.log_key);
    let size = world.witnessed("grace").await;
    assert_eq!(world.metric("rollcall_witness_failing_seconds{witness=\"witness.example.com/w2\"}").await, 0);
    eventually("the metric", async || (world.metric("rollcall_log_unwitnessed_seconds").await == 0).then_some(()))
        .await;

    // Each way to misbehave is named, and neither the log nor the other witness waits.
    let silent = || second.behave(Mood::Silent);
    world.fails(silent, &first, &second.name, "did not answer in time").await;
    world.fails(|| second.behave(Mood::Refusing(422)), &first, &second.name, "(422)").await;
    world.fails(|| second.behave(Mood::Refusing(403)), &first, &second.name, "(403)").await;
    world.fails(|| second.behave(Mood::Refusing(409)), &first, &second.name, "409 without a size").await;
    world.fails(|| second.behave(Mood::Refusing(500)), &first, &second.name, "answered 500").await;
    let reader = world.stack.database("rollcall_api").await;
    let stored = "SELECT max(size) FROM rollcall.service_cosignatures WHERE witness = $1";
    let stored = async || reader.query_one(stored, &[&second.name]).await.unwrap().get::<_, Option<i64>>(0);
    let before = stored().await;
    world
        .fails(|| second.behave(Mood::SigningWrongly), &first, &second.name, "cosignature of the witness is wrong")
        .await;
    assert_eq!(stored().await, before, "a wrong cosignature is not stored");
    assert!(world.metric("rollcall_log_unwitnessed_seconds").await > 0);

    // A witness that believes in another history, or in a larger log.
    second.behave(Mood::Honest);
    let origin = format!("{SIGNER}/log");
    let forked = Checkpoint { origin: origin.clone(), size: 1, root: Hash::from_bytes(&[9; 32]).unwrap() };
    let conflicts = || second.answered().into_iter().filter(|status| *status == 409).count();
    let before = conflicts();
    world.fails(|| second.believe(Some(forked)), &first, &second.name, "(422)").await;
    assert!(conflicts() > before, "the witness named its size, and the proof began there");
    let ahead = Checkpoint { origin, size: 1_000_000, root: Hash::from_bytes(&[9; 32]).unwrap() };
    world.fails(|| second.believe(Some(ahead)), &first, &second.name, "the log has gone back").await;

    // A witness that has lost its state begins again.
    second.believe(None);
    let later = world.witnessed("after a loss").await;
    assert!(later > size);
    assert_eq!(world.failure(&second.name).await, None);

    // Another worker takes over.
    let mut stack_worker = world.worker();
    let before = first.requests();
    let (mut world, mut killed) = (world, None);
    killed.insert(world.stack.worker.take().unwrap()).kill();
    let last = world.witnessed("after a takeover").await;
    assert!(last > later && first.requests() > before);
    stack_worker.kill();
    world.stack.worker = Some(world.worker());
    world.witnessed("after a restart").await;
}

#[tokio::test]
async fn a_chain_leads_from_an_organization_to_the_witnesses_and_a_stranger_sees_nothing() {
    let ports = [free_port(), free_port()];
    let world = World::new("chain", ports).await;
    let _witnesses = [1, 2].map(|seed: u8| Witness::start(seed, ports[usize::from(seed) - 1], &world.log_key));
    for round in ["ada", "grace", "mary"] {
        world.witnessed(round).await;
    }
    let policy = world.path("policy");
    let (opened, note) = world.accepted(&world.policy).await.unwrap();
    let service = world.write("service.checkpoint", &note);
    let (code, output) = verify(&["service", "checkpoint", &service, "--policy", &policy]);
    assert!(code == 0 && output.contains("cosigned by witness.example.com/w1 at 2"), "{output}");
    let alone = note.lines().filter(|line| !line.contains("/w2 ")).fold(String::new(), |all, line| all + line + "\n");
    let alone = world.write("alone.checkpoint", alone);
    let (code, output) = verify(&["service", "checkpoint", &alone, "--policy", &policy]);
    assert!(code == 1 && output.contains("only witness.example.com/w1"), "{output}");

    // The chain of each organization, and what does not belong together.
    let mut files = Vec::new();
    for (n, auditor) in world.auditors.iter().enumerate() {
        let file = auditor.get("/checkpoints/newest/witnessed").await.expect(200).as_str().unwrap().to_owned();
        let size = world.covered(n).await.unwrap();
        let signed = auditor.get(&format!("/checkpoint?size={size}")).await.expect(200);
        let signed = world.write(&format!("{n}.checkpoint"), signed.as_str().unwrap());
        let chain = world.write(&format!("{n}.tlog-proof"), &file);
        let arguments = ["service", "chain", &chain, "--policy", &policy, "--checkpoint", &signed, "--key"];
        let (code, output) = verify(&[&arguments[..], &[&world.public]].concat());
        assert!(code == 0 && output.contains("this is the checkpoint that was signed"), "{output}");
        auditor.get("/checkpoints/999999/witnessed").await.expect_error(404, None);
        files.push((chain, signed, file, size));
    }
    let swapped = ["service", "chain", &files[0].0, "--policy", &policy, "--checkpoint", &files[1].1, "--key"];
    assert_eq!(verify(&[&swapped[..], &[&world.public]].concat()).0, 2);
    let origin = format!("{SIGNER}/{}", world.organizations[0].id);
    let other = Checkpoint { origin: origin.clone(), size: files[0].3, root: Hash::from_bytes(&[9; 32]).unwrap() };
    let other = SigningKeys::read(std::slice::from_ref(&world.private)).unwrap().sign(&other).unwrap();
    let other = world.write("second-history.checkpoint", other);
    let arguments = ["service", "chain", &files[0].0, "--policy", &policy, "--checkpoint", &other, "--key"];
    let (code, output) = verify(&[&arguments[..], &[&world.public]].concat());
    assert!(code == 1 && output.contains("two roots were signed"), "{output}");
    let mut proof: TlogProof = files[0].2.parse().unwrap();
    proof.index ^= 1;
    let broken = world.write("broken.tlog-proof", proof.to_string());
    let (code, output) = verify(&["service", "chain", &broken, "--policy", &policy]);
    assert!(code == 1 && output.contains("does not have this entry"), "{output}");

    // What a stranger sees: entries that share nothing.
    let size = opened.checkpoint.size;
    assert!(size < 256);
    let (status, bundle) = world.read(&format!("tile/entries/000.p/{size}")).await;
    assert_eq!(status, 200);
    let entries = unbundle(&bundle);
    assert_eq!(entries.len() as u64, size);
    let labels: BTreeSet<_> = entries.iter().map(|entry| entry.label.to_string()).collect();
    let commitments: BTreeSet<_> = entries.iter().map(|entry| entry.commitment.to_string()).collect();
    assert!(labels.len() == entries.len() && commitments.len() == entries.len() && labels.is_disjoint(&commitments));
    let text = String::from_utf8_lossy(&bundle).into_owned();
    assert!(world.organizations.iter().all(|organization| !text.contains(&organization.id)));
    let (status, tile) = world.read(&format!("tile/0/000.p/{size}")).await;
    let leaves: Vec<u8> = entries.iter().flat_map(|entry| entry.leaf().unwrap().as_bytes().to_vec()).collect();
    assert!(status == 200 && tile == leaves);
    for missing in ["tile/0/000", "tile/0/000.p/255", "tile/1/000.p/1", "tile/64/000", "tile/0/000.p/0", "nothing"] {
        assert_eq!(world.read(missing).await.0, 404, "{missing}");
    }

    // Auditors find the entries of their own log, and no others.
    let mut found = Vec::new();
    for auditor in &world.auditors {
        let answer = auditor.get("/log-secret").await.expect(200);
        let secret = LogSecret::from_hex(answer["secret"].as_str().unwrap()).unwrap();
        let is_ours =
            |(index, entry): &(u64, &ServiceEntry)| ServiceEntry::label_of(secret.entry_key(*index)) == entry.label;
        let ours: Vec<u64> = (0..).zip(&entries).filter(is_ours).map(|(index, _)| index).collect();
        let listed = auditor.get("/service-entries?count=1000").await.expect(200);
        let listed: Vec<u64> =
            listed["entries"].as_array().unwrap().iter().map(|entry| entry["index"].as_u64().unwrap()).collect();
        assert!(ours.len() >= 3 && listed.starts_with(&ours), "{ours:?} {listed:?}");
        let bare = reqwest::get(format!("{}/audit/v1/log-secret", world.stack.url)).await.unwrap();
        assert_eq!(bare.status(), 401);
        found.push((ours, answer.to_string(), auditor));
    }
    assert!(found[0].0.iter().all(|index| !found[1].0.contains(index)));
    let bundle = world.write("bundle", bundle);
    for (n, (_, secret, auditor)) in found.iter().enumerate() {
        let secret = world.write("secret.json", secret);
        let export = |text: &str| world.write("export.ndjson", text);
        let text = auditor.get("/export").await.expect(200).as_str().unwrap().to_owned();
        let origin = format!("{SIGNER}/{}", world.organizations[n].id);
        let check_with = |secret: &str, export: &str| {
            let arguments = ["service", "entries", &bundle, "--secret", secret, "--export", export];
            let rest = ["--checkpoint", &service, "--origin", &origin, "--policy", &policy];
            verify(&[&arguments[..], &rest].concat())
        };
        let check = |export: &str| check_with(&secret, export);
        // Files of two organizations say nothing about either.
        let other = &found[1 - n];
        let (code, output) = check_with(&world.write("other.json", &other.1), &export(&text));
        assert!(code == 2 && output.contains("other.json: it is of organization"), "{output}");
        let foreign = other.2.get("/export").await.expect(200).as_str().unwrap().to_owned();
        let (code, output) = check(&export(&foreign));
        assert!(code == 2 && output.contains("export.ndjson: it is of organization"), "{output}");
        let (code, output) = check(&export(&text));
        assert!(code == 0 && output.contains("each is a checkpoint of this export"), "{output}");
        let cut = text.lines().take(2).fold(String::new(), |all, line| all + line + "\n");
        let (code, output) = check(&export(&cut));
        assert!(code == 1 && output.contains("second history, or the export ends too early"), "{output}");
    }
}

/// `rollcall-worker verify` recomputes the service log from its entries.
#[tokio::test]
async fn a_changed_service_log_is_reported() {
    let ports = [free_port(), free_port()];
    let mut world = World::new("changed", ports).await;
    let _witnesses = [1, 2].map(|seed: u8| Witness::start(seed, ports[usize::from(seed) - 1], &world.log_key));
    for round in ["ada", "grace"] {
        world.witnessed(round).await;
    }
    world.stop_worker().await;
    let (is_valid, output) = all_verified(&world.stack.instance).await;
    assert!(is_valid && output.contains(r#""service_log":"checked""#), "{output}");
    let owner = world.stack.database("postgres").await;
    let keep = "SET session_replication_role = replica; SET search_path = rollcall;
        CREATE TEMP TABLE kept_entries AS TABLE service_entries; CREATE TEMP TABLE kept_tiles AS TABLE service_tiles;
        CREATE TEMP TABLE kept_checkpoints AS TABLE service_checkpoints; CREATE TEMP TABLE kept_head AS TABLE service_head";
    owner.batch_execute(keep).await.unwrap();
    let undo = "DELETE FROM service_entries; INSERT INTO service_entries TABLE kept_entries;
        DELETE FROM service_tiles; INSERT INTO service_tiles TABLE kept_tiles;
        DELETE FROM service_checkpoints; INSERT INTO service_checkpoints TABLE kept_checkpoints;
        DELETE FROM service_head; INSERT INTO service_head TABLE kept_head";
    for (change, fault) in [
        ("UPDATE service_entries SET size = size + 1000 WHERE service_index = 1", "does not hide the checkpoint"),
        ("UPDATE service_entries SET entry = entry || ' ' WHERE service_index = 1", "the leaf is not the hash"),
        ("UPDATE service_entries SET leaf = sha256(leaf) WHERE service_index = 0", "the leaf is not the hash"),
        ("DELETE FROM service_entries WHERE service_index = 1", "in the position of entry 1"),
        (
            "DELETE FROM service_entries WHERE service_index = (SELECT max(service_index) FROM service_entries)",
            "the head of the service log does not match",
        ),
        ("UPDATE service_head SET size = size + 1", "the head of the service log"),
        (
            "UPDATE service_checkpoints SET note = replace(note, split_part(note, E'\\n', 3), 'AAAA')",
            "has another root than its entries",
        ),
        ("UPDATE service_checkpoints SET size = size + 1000", "a checkpoint signs 100"),
    ] {
        owner.batch_execute(change).await.unwrap();
        let (is_valid, output) = all_verified(&world.stack.instance).await;
        owner.batch_execute(undo).await.unwrap();
        assert!(!is_valid && output.contains(fault), "{change}: {output}");
    }
    assert!(all_verified(&world.stack.instance).await.0, "everything is as before");
}

/// Reads a bundle: each entry after its length in two bytes.
fn unbundle(mut bundle: &[u8]) -> Vec<ServiceEntry> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = bundle.split_first_chunk::<2>() {
        let (entry, rest) = rest.split_at(u16::from_be_bytes(*length).into());
        entries.push(serde_json::from_slice(entry).unwrap());
        bundle = rest;
    }
    entries
}

/// Neither the owner of the database nor a service changes an entry or a secret.
#[tokio::test]
async fn the_database_keeps_the_service_log_append_only() {
    let stack = Stack::shared().await;
    let organizations = [stack.organization(), stack.organization()];
    for organization in &organizations {
        organization.client().create(user("ada")).await.expect(201);
        let auditor = organization.auditor();
        eventually("an entry", async || {
            let listed = auditor.get("/service-entries").await.expect(200);
            (!listed["entries"].as_array().unwrap().is_empty()).then_some(())
        })
        .await;
    }
    let owner = stack.database("postgres").await;
    for statement in [
        "UPDATE rollcall.service_entries SET size = size + 1",
        "DELETE FROM rollcall.service_entries",
        "TRUNCATE rollcall.service_entries",
        "UPDATE rollcall.log_secrets SET secret = secret",
        "DELETE FROM rollcall.log_secrets",
        "TRUNCATE rollcall.log_secrets",
    ] {
        let refused = owner.batch_execute(statement).await.unwrap_err();
        assert_eq!(refused.code().map(SqlState::code), Some("RC002"), "{statement}");
    }
    for (role, statement) in [
        ("rollcall_worker", "UPDATE service_entries SET size = size + 1"),
        ("rollcall_worker", "DELETE FROM service_entries"),
        ("rollcall_worker", "DELETE FROM service_cosignatures"),
        ("rollcall_worker", "UPDATE service_checkpoints SET note = note"),
        ("rollcall_api", "INSERT INTO service_head (size, peaks) VALUES (0, '{}')"),
        ("rollcall_api", "UPDATE service_head SET size = 0"),
        ("rollcall_auditor", "SELECT secret FROM rollcall.log_secrets"),
        ("rollcall_app", "SELECT secret FROM rollcall.log_secrets"),
    ] {
        let refused = stack.database(role).await.batch_execute(statement).await.unwrap_err();
        assert_eq!(refused.code().map(SqlState::code), Some("42501"), "{role}: {statement}");
    }
}
