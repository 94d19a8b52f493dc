//! Measures the cost of the log, and of auditors' queries on a long log.

use rollcall_events::log::checkpoint::{Checkpoint, SigningKeys, generate_key};
use rollcall_events::log::tile::NewTiles;
use rollcall_events::log::{CompactRange, Entry, Part, canonical};
use rollcall_tests::client::user;
use rollcall_tests::service::{owner_command, verify};
use rollcall_tests::{Client, Organization, Stack, eventually};
use serde_json::{Value, json};
use std::io::Write;
use std::time::{Duration, Instant};
use uuid::Uuid;

use crate::calls::{Call, Target, measure, open, send};
use crate::statistics::median;

const TIME: Duration = Duration::from_secs(3);
/// How many users one bulk request creates to fill a log.
const BULK: u64 = 1000;
/// How many entries are used to compare hashing and verification.
const SAMPLE: usize = 100_000;

pub(crate) async fn run(stack: &Stack, events: u64) {
    let organization = stack.organization();
    let target = |token: &str| Target {
        address: stack.url.trim_start_matches("http://").to_owned(),
        headers: vec![("authorization", format!("Bearer {token}")), ("x-request-origin", "hr.example.com".to_owned())],
    };
    let (provisioning, token) = organization.issue(&[]);
    let (writer, reader) = (target(&token), target(&organization.issue_for_auditor(&[]).1));
    println!("\nfilling a log with {events} entries");
    fill(&writer, events).await;
    stack.database("postgres").await.batch_execute("VACUUM ANALYZE rollcall.events").await.unwrap();
    let row = |name: &str, figure: f64, unit: &str| println!("{name:<60} | {figure:>12.2} {unit}");
    let creates = measure(&writer, 64, TIME, |_| create()).await.per_second;
    let (file, per_second) = export(&stack.url, &organization, "ndjson").await;
    let entries: Vec<Entry> = sample(&file);
    let hashing = hashing(&entries);
    row("hashing an entry and its tree", hashing * 1e6, "us");
    let cores = f64::from(u32::try_from(std::thread::available_parallelism().unwrap().get()).unwrap());
    let storing = storing(stack, &organization).await;
    row("storing the tree in Postgres, an entry", storing * 1e6, "us");
    row("both, of the processors' time for a create, 64 callers", 100.0 * (hashing + storing) * creates / cores, "%");
    row("storing the tree, bytes an entry", tree_bytes(stack, &organization).await, "");
    for (name, query) in questions(&organization, &provisioning, &entries) {
        let path = format!("/audit/v1/events?count=100{query}");
        row(&format!("page of 100 by {name}"), latency(&reader, &path).await, "ms");
    }
    for (name, path) in proofs(&organization, &entries).await {
        row(name, latency(&reader, &path).await, "ms");
    }
    row("from a create's answer to the tail", tail(stack, &organization, &writer).await, "ms");
    row("export as NDJSON", per_second, "entries/s");
    row("export as CSV", export(&stack.url, &organization, "csv").await.1, "entries/s");
    let (verifying, ratio) = verified(&organization, &entries, hashing);
    row("rollcall-verify", verifying, "entries/s");
    row("of the speed of BLAKE3 and canonical JSON alone", 100.0 * ratio, "%");
    row("replay and comparison", replayed(stack, &organization, events), "entries/s");
}

fn create() -> Call {
    Call {
        method: "POST",
        path: "/scim/v2/Users".to_owned(),
        body: user(&format!("{}@example.com", Uuid::now_v7())).to_string(),
        status: 201,
    }
}

async fn fill(writer: &Target, events: u64) {
    let rounds = events.div_ceil(BULK);
    let bulk = |round: u64| {
        let create = |n: u64| {
            json!({
                "method": "POST", "path": "/Users", "bulkId": n.to_string(),
                "data": user(&format!("log{round}-{n}@example.com"))
            })
        };
        let operations: Vec<_> = (0..BULK).map(create).collect();
        let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations});
        Call { method: "POST", path: "/scim/v2/Bulk".to_owned(), body: body.to_string(), status: 200 }
    };
    let mut connection = open(&writer.address).await;
    for round in 0..rounds {
        send(&mut connection, writer, bulk(round)).await;
    }
}

fn sample(file: &str) -> Vec<Entry> {
    std::fs::read_to_string(file)
        .unwrap()
        .lines()
        .take(SAMPLE)
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Seconds to hash an append: the canonical form and commitment of both parts, the leaf, the tree and its
/// tiles.
fn hashing(entries: &[Entry]) -> f64 {
    let (mut tree, mut tiles) = (CompactRange::default(), NewTiles::default());
    let began = Instant::now();
    for entry in entries {
        let (payload, actor) = (entry.payload.as_ref().unwrap(), entry.actor.as_ref().unwrap());
        let payload = Part::Payload.commitment(entry.payload_salt.unwrap(), &canonical(payload).unwrap());
        let actor = Part::Actor.commitment(entry.actor_salt.unwrap(), &canonical(actor).unwrap());
        assert_eq!((payload, actor), (entry.header.payload_commitment, entry.header.actor_commitment));
        tiles.append(&mut tree, entry.header.leaf().unwrap());
    }
    began.elapsed().as_secs_f64() / f64::from(u32::try_from(entries.len()).unwrap())
}

/// Seconds to store an append's part of the tree: one tile for each 256 entries, made of leaves that exist.
/// The transaction is rolled back.
async fn storing(stack: &Stack, organization: &Organization) -> f64 {
    let (owner, id) = (stack.database("postgres").await, organization.id.parse::<Uuid>().unwrap());
    owner.batch_execute("SET search_path = rollcall; BEGIN").await.unwrap();
    let tiles = owner.execute("DELETE FROM log_tiles WHERE organization_id = $1 AND level = 0", &[&id]).await.unwrap();
    let store = "
        INSERT INTO log_tiles (organization_id, level, tile, hashes)
        SELECT $1, 0, $2, string_agg(leaf, ''::bytea ORDER BY seq) FROM events
        WHERE organization_id = $1 AND seq BETWEEN $3 AND $4";
    let (store, tiles) = (owner.prepare(store).await.unwrap(), i64::try_from(tiles).unwrap().min(200));
    let began = Instant::now();
    for tile in 0..tiles {
        owner.execute(&store, &[&id, &tile, &(tile * 256 + 1), &((tile + 1) * 256)]).await.unwrap();
    }
    let taken = began.elapsed().as_secs_f64();
    owner.batch_execute("ROLLBACK").await.unwrap();
    taken / f64::from(u32::try_from(tiles * 256).unwrap())
}

async fn tree_bytes(stack: &Stack, organization: &Organization) -> f64 {
    let sql = "
        SELECT (SELECT sum(octet_length(hashes)) FROM rollcall.log_tiles WHERE organization_id = $1)::float8
            / (SELECT size FROM rollcall.log_heads WHERE organization_id = $1)::float8";
    stack.database("postgres").await.query_one(sql, &[&organization.id.parse::<Uuid>().unwrap()]).await.unwrap().get(0)
}

/// An auditor's queries, one for each index.
fn questions(organization: &Organization, token: &str, entries: &[Entry]) -> Vec<(&'static str, String)> {
    let middle = &entries[entries.len() / 2];
    let name = middle.payload.as_ref().unwrap()["resource"]["userName"].as_str().unwrap_or("none").to_owned();
    let at = middle.header.recorded_at;
    vec![
        ("nothing: the newest", String::new()),
        ("place: the oldest", "&order=oldest".to_owned()),
        ("subject", format!("&subject={}", middle.header.subject_id.unwrap())),
        ("userName", format!("&userName={name}")),
        ("externalId", "&externalId=nobody".to_owned()),
        ("type that is rare", "&type=WorkspaceCreated".to_owned()),
        ("outcome that is rare", "&outcome=rejected".to_owned()),
        ("token", format!("&token={token}")),
        ("address", "&address=127.0.0.1".to_owned()),
        ("address that is rare", "&address=203.0.113.0/24".to_owned()),
        ("txn", format!("&txn={}", middle.header.event_id)),
        ("time, in the middle", format!("&order=oldest&since={at}&until={at}")),
        ("workspace, which has no index", format!("&workspace={}", organization.sales)),
    ]
}

/// Proof files of the first entry and of a user's state, and the tiles that the first entry is in. A checkpoint
/// must have the entries.
async fn proofs(organization: &Organization, entries: &[Entry]) -> Vec<(&'static str, String)> {
    let auditor = organization.auditor();
    let (middle, last) = (&entries[entries.len() / 2], &entries[entries.len() - 1]);
    let state = format!("/users/{}/proof?at={}", middle.header.subject_id.unwrap(), last.header.recorded_at);
    eventually("a checkpoint", async || (auditor.get(&state).await.status == 200).then_some(())).await;
    let path = |path: &str| format!("/audit/v1{path}");
    vec![
        ("proof file of the first entry", path("/events/1/proof?disclose=payload,actor")),
        ("proof file of a user's state", path(&state)),
        ("full tile of leaves", path("/tile/0/000")),
        ("full bundle of entries", path("/tile/entries/000")),
    ]
}

/// The median time of a call, in milliseconds.
async fn latency(reader: &Target, path: &str) -> f64 {
    let mut connection = open(&reader.address).await;
    let mut taken = Vec::new();
    for _ in 0..15 {
        let call = Call { method: "GET", path: path.to_owned(), body: String::new(), status: 200 };
        let began = Instant::now();
        send(&mut connection, reader, call).await;
        taken.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    median(taken)
}

/// Exports the whole log. Returns the path of the file and the entries per second.
async fn export(url: &str, organization: &Organization, format: &str) -> (String, f64) {
    let auditor = Client::auditor(url, &organization.issue_for_auditor(&[]).1);
    let path = organization.folder().join(format!("log.{format}"));
    let mut file = std::fs::File::create(&path).unwrap();
    let began = Instant::now();
    let mut answer = auditor.call(reqwest::Method::GET, &format!("/export?format={format}")).open().await;
    while let Some(chunk) = answer.chunk().await.unwrap() {
        file.write_all(&chunk).unwrap();
    }
    let taken = began.elapsed().as_secs_f64();
    let last = auditor.get("/events?count=1").await.expect(200)["entries"][0]["header"]["seq"].as_f64().unwrap();
    (path.to_str().unwrap().to_owned(), last / taken)
}

/// Milliseconds from the answer to a create until the tail has its entry.
async fn tail(stack: &Stack, organization: &Organization, writer: &Target) -> f64 {
    let auditor = Client::auditor(&stack.url, &organization.issue_for_auditor(&[]).1);
    let mut tail = auditor.call(reqwest::Method::GET, "/tail").open().await;
    let mut connection = open(&writer.address).await;
    let mut taken = Vec::new();
    for _ in 0..200 {
        send(&mut connection, writer, create()).await;
        let answered = Instant::now();
        tail.chunk().await.unwrap().unwrap();
        taken.push(answered.elapsed().as_secs_f64() * 1000.0);
    }
    median(taken)
}

/// Entries per second of `rollcall-verify`, and the ratio of its time to that of hashing alone.
fn verified(organization: &Organization, entries: &[Entry], hashing: f64) -> (f64, f64) {
    let part = organization.folder().join("part.ndjson");
    let lines: String = entries.iter().map(|entry| serde_json::to_string(entry).unwrap() + "\n").collect();
    std::fs::write(&part, lines).unwrap();
    let note = organization.folder().join("part.checkpoint");
    let (private, public) = generate_key("bench.example").unwrap();
    let mut tree = CompactRange::default();
    for entry in entries {
        tree.append(entry.leaf);
    }
    let checkpoint = Checkpoint::new("bench.example", organization.id.parse().unwrap(), tree.size(), tree.root());
    std::fs::write(&note, SigningKeys::read(&[private]).unwrap().sign(&checkpoint).unwrap()).unwrap();
    let began = Instant::now();
    let (code, printed) =
        verify(&["log", part.to_str().unwrap(), "--checkpoint", note.to_str().unwrap(), "--key", &public]);
    let taken = began.elapsed().as_secs_f64();
    assert_eq!(code, 0, "{printed}");
    let count = f64::from(u32::try_from(entries.len()).unwrap());
    (count / taken, hashing * count / taken)
}

fn replayed(stack: &Stack, organization: &Organization, events: u64) -> f64 {
    let began = Instant::now();
    let output = owner_command(&stack.instance, &["replay", "--check", "--afresh", "--organization", &organization.id]);
    let taken = began.elapsed().as_secs_f64();
    let printed = String::from_utf8(output.stdout).unwrap();
    let answer: Value = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
    assert!(output.status.success() && answer["different_rows"] == 0, "{printed}");
    f64::from(u32::try_from(events).unwrap()) / taken
}
