//! The promises of sinks: every entry of the configured organizations and of no other, in order, at least once,
//! whatever happens to the receiver or to the worker.

use rollcall_tests::client::user;
use rollcall_tests::collector::{Batch, Behavior, Collector};
use rollcall_tests::service::{Service, answers, free_port};
use rollcall_tests::syslog::Rsyslog;
use rollcall_tests::{Organization, Stack, eventually};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Settings of a sink, as environment variables.
fn sink(name: &str, settings: &[(&str, &str)]) -> Vec<(String, String)> {
    let variable = |key: &str| format!("ROLLCALL_WORKER__SINKS__{name}__{key}");
    let quick = ("BATCH_SECONDS", "0");
    settings.iter().chain([&quick]).map(|(key, value)| (variable(key), (*value).to_owned())).collect()
}

/// Starts a worker with these sinks.
fn worker(stack: &Stack, sinks: &[Vec<(String, String)>]) -> Service {
    let settings: Vec<_> = sinks.iter().flatten().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    Service::worker_with(&stack.instance, &settings)
}

/// Creates users, all at once.
async fn create(organization: &Organization, names: std::ops::Range<usize>) {
    let client = organization.client();
    let answers = futures_util::future::join_all(names.map(|n| client.create(user(&format!("user-{n}"))))).await;
    assert!(answers.iter().all(|answer| matches!(answer.status, 201 | 202)), "{answers:?}");
}

/// The log as an auditor exports it.
async fn exported(organization: &Organization) -> Vec<Value> {
    lines(organization.auditor().get("/export").await.expect(200).as_str().unwrap())
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// The entries by organization, without repetitions. Panics if an entry comes before the one before it.
fn in_order(entries: &[Value]) -> BTreeMap<String, Vec<Value>> {
    let mut logs = BTreeMap::<String, Vec<Value>>::new();
    for entry in entries {
        let log = logs.entry(entry["header"]["organization_id"].as_str().unwrap().to_owned()).or_default();
        let seq = usize::try_from(entry["header"]["seq"].as_u64().unwrap()).unwrap();
        assert!(seq <= log.len() + 1, "entry {seq} came after entry {}", log.len());
        if seq > log.len() {
            log.push(entry.clone());
        }
    }
    logs
}

fn of_batches(batches: &[Batch]) -> Vec<Value> {
    batches.iter().flat_map(|batch| lines(&batch.body)).collect()
}

/// What the command `sink list` says of a sink and an organization.
fn listed(stack: &Stack, sink: &str, organization: &Organization) -> Option<Value> {
    let is_it = |line: &Value| line["sink"] == sink && line["organization"] == organization.id;
    answers(&stack.instance, &["sink", "list"]).into_iter().find(is_it)
}

#[tokio::test]
async fn an_http_receiver_gets_every_entry_in_order_whatever_it_does() {
    let metrics = format!("127.0.0.1:{}", free_port());
    let mut stack = Stack::private("sinks-http", &[("ROLLCALL_API__METRICS_LISTEN", &metrics)]).await;
    let [ada, bob, other] = [(); 3].map(|()| stack.organization());
    let (siem, events) = (Collector::start(), Collector::start());
    let secrets = stack.instance.dir().join("headers");
    std::fs::write(&secrets, "# of the SIEM\nAuthorization: Bearer s3cret\n").unwrap();
    let both = format!("{} {}", ada.id, bob.id);
    let http = [("KIND", "http"), ("BATCH_ENTRIES", "7"), ("TIMEOUT_SECONDS", "1")];
    let of_siem =
        [("ADDRESS", siem.url.as_str()), ("ORGANIZATIONS", &both), ("HEADER_FILE", secrets.to_str().unwrap())];
    let of_events =
        [("ADDRESS", events.url.as_str()), ("ORGANIZATIONS", "all"), ("FORMAT", "ocsf"), ("ENVELOPE", "array")];
    let sinks = [sink("SIEM", &[&http[..], &of_siem].concat()), sink("EVENTS", &[&http[..], &of_events].concat())];
    siem.behave(Behavior::Busy);
    drop(stack.worker.take());
    stack.worker = Some(worker(&stack, &sinks));
    let deleted = ada.client().create(user("deleted")).await.id();
    for organization in [&ada, &bob, &other] {
        create(organization, 0..20).await;
    }

    // The receiver is overloaded. The person is erased before anything is delivered.
    ada.client().delete(&deleted).await.expect(204);
    ada.command(&["user", "erase", &deleted]).unwrap();
    eventually("attempts", async || (siem.attempts() >= 2).then_some(())).await;
    let failing = eventually("the failure", async || {
        let found = [&ada, &bob].map(|organization| listed(&stack, "siem", organization));
        found.into_iter().flatten().find(|sink| !sink["failing_since"].is_null())
    })
    .await;
    assert_eq!(failing["failure"], "the receiver answered 503 Service Unavailable");
    let scraped = async || reqwest::get(format!("http://{metrics}/metrics")).await.unwrap().text().await.unwrap();
    let text = scraped().await;
    assert!(text.contains("rollcall_sink_failing{sink=\"siem\"} 1"), "{text}");
    assert!(!text.contains("rollcall_sink_entries{sink=\"siem\"} 0"), "{text}");
    let ready = reqwest::get(format!("{}/readyz", stack.url)).await.unwrap();
    assert_eq!(ready.status(), 200, "a receiver does not make the service unready");

    // It stores batches, but the answers are lost or never come. So the batches come again.
    for behavior in [Behavior::Cut, Behavior::Silent] {
        siem.behave(behavior);
        eventually("attempts", async || (siem.attempts() >= 2).then_some(())).await;
    }
    siem.behave(Behavior::Accept);
    let expected = [exported(&ada).await, exported(&bob).await];
    eventually("all entries", async || {
        let logs = in_order(&of_batches(&siem.stored()));
        [&ada, &bob].iter().zip(&expected).all(|(of, log)| logs.get(&of.id) == Some(log)).then_some(())
    })
    .await;
    let stored = siem.stored();
    let logs = in_order(&of_batches(&stored));
    assert_eq!(logs.len(), 2, "no entry of another organization");
    let entries: usize = logs.values().map(Vec::len).sum();
    assert!(of_batches(&stored).len() > entries, "batches without an answer came again");
    assert!(stored.iter().all(|batch| batch.headers["authorization"] == "Bearer s3cret"));
    assert!(stored.iter().all(|batch| batch.headers["content-type"] == "application/x-ndjson"));
    assert!(stored.iter().all(|batch| batch.body.lines().count() <= 7));
    let erased = logs[&ada.id].iter().find(|entry| entry["header"]["subject_id"] == deleted).unwrap();
    assert_eq!((&erased["payload"], &erased["payload_salt"]), (&Value::Null, &Value::Null));

    // A batch that is refused delays only its organization.
    siem.behave(Behavior::Refuse(ada.id.clone()));
    let before = siem.stored().len();
    create(&ada, 20..21).await;
    eventually("a refusal", async || (siem.attempts() >= 1).then_some(())).await;
    create(&bob, 20..21).await;
    eventually("the other organization", async || (siem.stored().len() > before).then_some(())).await;
    assert_eq!(listed(&stack, "siem", &ada).unwrap()["failure"], "the receiver answered 400 Bad Request");
    siem.behave(Behavior::Accept);
    eventually("the end of the lag", async || {
        let text = scraped().await;
        let is_done = |line: &str| text.lines().any(|one| one == line);
        (is_done("rollcall_sink_entries{sink=\"siem\"} 0") && is_done("rollcall_sink_failing{sink=\"siem\"} 0"))
            .then_some(())
    })
    .await;

    // The other sink gets everything as OCSF, later organizations and the system log included.
    let late = stack.organization();
    create(&late, 0..1).await;
    let all = eventually("a later organization", async || {
        let all: Vec<Value> =
            events.stored().iter().flat_map(|batch| serde_json::from_str::<Vec<Value>>(&batch.body).unwrap()).collect();
        let is_late = |event: &Value| event["metadata"]["tenant_uid"] == late.id && event["message"] == "UserCreated";
        all.iter().any(is_late).then_some(all)
    })
    .await;
    let tenants = all.iter().map(|event| event["metadata"]["tenant_uid"].as_str().unwrap());
    let tenants: std::collections::BTreeSet<_> = tenants.collect();
    assert_eq!(tenants.len(), 5, "{tenants:?}");
    let created: Vec<_> = all.iter().filter(|event| event["type_uid"] == 300_701).collect();
    assert!(created.iter().all(|event| event["metadata"]["version"] == "1.9.0" && event["status"] == "Success"));
    assert!(created.iter().any(|event| event["user"]["name"] == "user-7"));
    let log = stack.instance.worker_log();
    assert!(log.contains("503 Service Unavailable") && !log.contains("s3cret"), "a header is never logged");
}

/// The lines of a rotated file, from the oldest to the newest.
fn rotated(path: &Path) -> Vec<Value> {
    let numbered = |number: usize| path.with_added_extension(number.to_string());
    let older = (1..=100).rev().map(numbered).filter(|path| path.exists());
    older
        .chain([path.to_owned()])
        .flat_map(|path| lines(&whole(&std::fs::read_to_string(path).unwrap_or_default())))
        .collect()
}

/// The lines that are complete. The last one may be written at this moment.
fn whole(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| line.ends_with('\n')).collect()
}

#[tokio::test]
async fn files_are_written_by_one_worker_at_a_time_and_no_killed_worker_loses_an_entry() {
    let mut stack = Stack::private("sinks-file", &[]).await;
    let [ada, other] = [(); 2].map(|()| stack.organization());
    let folder = ada.folder();
    let (archive, fresh) = (folder.join("archive.ndjson"), folder.join("fresh.ndjson"));
    create(&ada, 0..5).await;
    let begin = exported(&ada).await.len();
    // One listed organization does not exist.
    let unknown = "01234567-89ab-7def-8123-456789abcdef";
    let listed_ids = format!("{} {unknown}", ada.id);
    let file = [("KIND", "file"), ("ORGANIZATIONS", listed_ids.as_str()), ("BATCH_ENTRIES", "10")];
    let of_archive = [("PATH", archive.to_str().unwrap()), ("ROTATE_BYTES", "20000"), ("ROTATE_COUNT", "100")];
    let of_fresh = [("PATH", fresh.to_str().unwrap()), ("FROM", "now")];
    let sinks = [sink("ARCHIVE", &[&file[..], &of_archive].concat()), sink("FRESH", &[&file[..], &of_fresh].concat())];
    let catch_up = async |path: &Path, skipped: usize| {
        let size = exported(&ada).await.len();
        eventually("the end of the log", async || {
            let last = rotated(path).last()?["header"]["seq"].as_u64()?;
            (last == size as u64).then_some(size - skipped)
        })
        .await
    };

    drop(stack.worker.take());
    let mut workers = vec![worker(&stack, &sinks), worker(&stack, &sinks)];
    eventually("the beginning of the sink that begins now", async || listed(&stack, "fresh", &ada)).await;
    let unknown = eventually("the organization that does not exist", async || {
        let is_it = |line: &Value| line["sink"] == "archive" && line["organization"] == unknown;
        answers(&stack.instance, &["sink", "list"]).into_iter().find(is_it)
    })
    .await;
    assert_eq!(unknown["log_size"], Value::Null);
    assert!(stack.instance.worker_log().contains("there is no such organization"));
    for n in 0..5 {
        create(&ada, 5 + 20 * n..25 + 20 * n).await;
        create(&other, 20 * n..20 * (n + 1)).await;
    }
    let entries = catch_up(&archive, 0).await;
    assert_eq!(rotated(&archive).len(), entries, "two workers deliver nothing twice");
    assert!(archive.with_added_extension("1").exists(), "the file is rotated");

    // Each worker is killed in turn, and both are away for a while.
    for n in 0..6 {
        create(&ada, 105 + 20 * n..125 + 20 * n).await;
        workers[n % 2].kill();
        workers[n % 2] = worker(&stack, &sinks);
    }
    workers.clear();
    workers.push(worker(&stack, &[]));
    create(&ada, 300..310).await;
    workers.push(worker(&stack, &sinks));
    catch_up(&archive, 0).await;
    catch_up(&fresh, begin).await;
    let log = exported(&ada).await;
    let logs = in_order(&rotated(&archive));
    assert_eq!(logs.into_iter().collect::<Vec<_>>(), [(ada.id.clone(), log.clone())], "every entry, and no other");
    let recent = rotated(&fresh);
    assert_eq!(recent[0]["header"]["seq"], begin as u64 + 1, "nothing from before the sink began");
    let seqs: std::collections::BTreeSet<_> = recent.iter().map(|entry| entry["header"]["seq"].as_u64()).collect();
    assert_eq!(seqs.len(), log.len() - begin, "every entry since the sink began");

    // A forgotten sink begins again.
    drop(workers);
    let forgotten = answers(&stack.instance, &["sink", "forget", "archive"]);
    assert_eq!(forgotten, [json!({"sink": "archive", "forgotten": 2})]);
    assert_eq!(listed(&stack, "archive", &ada), None);
    assert!(listed(&stack, "fresh", &ada).is_some(), "no other sink is forgotten");
}

/// Waits until a syslog server has received an organization's log on both ports. Panics if it received entries
/// of another organization. If a connection breaks, the server may keep the end of a batch without its beginning.
/// Nothing confirms such a batch, and it comes again as a whole. So entries after a gap do not count.
async fn everything_arrives(server: &Rsyslog, organization: &Organization) {
    let log = exported(organization).await;
    for port in ["tcp", "tls"] {
        eventually("all entries", async || {
            let received = server.received().into_iter().filter(|message| message.port == port);
            let mut arrived = Vec::with_capacity(log.len());
            for entry in received.map(|message| message.content) {
                assert_eq!(entry["header"]["organization_id"], organization.id, "an entry of another organization");
                if entry["header"]["seq"] == arrived.len() + 1 {
                    arrived.push(entry);
                }
            }
            (arrived == log).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_syslog_server_gets_every_entry_over_tcp_and_over_tls() {
    let mut stack = Stack::private("sinks-syslog", &[]).await;
    let [ada, other] = [(); 2].map(|()| stack.organization());
    let mut server = Rsyslog::prepare(&ada.folder().join("rsyslog"));
    let stranger = Rsyslog::prepare(&ada.folder().join("stranger"));
    let (authority, wrong) = (server.authority(), stranger.authority());
    let tcp = format!("tcp://localhost:{}", server.tcp);
    let tls = format!("tls://localhost:{}", server.tls);
    let syslog =
        [("KIND", "syslog"), ("ORGANIZATIONS", ada.id.as_str()), ("BATCH_ENTRIES", "10"), ("TIMEOUT_SECONDS", "5")];
    let sinks = [
        sink("PLAIN", &[&syslog[..], &[("ADDRESS", &tcp)]].concat()),
        sink("SECURE", &[&syslog[..], &[("ADDRESS", &tls), ("CA_FILE", authority.to_str().unwrap())]].concat()),
        sink("WARY", &[&syslog[..], &[("ADDRESS", &tls), ("CA_FILE", wrong.to_str().unwrap())]].concat()),
    ];
    drop(stack.worker.take());
    stack.worker = Some(worker(&stack, &sinks));
    create(&other, 0..10).await;
    create(&ada, 0..15).await;
    ada.client().create(user("user-1")).await.expect_error(409, Some("uniqueness"));
    let failure = async |sink: &str, part: &str| {
        eventually("the failure", async || {
            let failure = listed(&stack, sink, &ada)?["failure"].as_str()?.to_owned();
            failure.contains(part).then_some(())
        })
        .await;
    };
    failure("plain", "refused").await;

    server.start().await;
    failure("wary", "certificate").await;
    everything_arrives(&server, &ada).await;
    let messages = server.received();
    let of = |kind: &str| messages.iter().find(|message| message.head.2 == kind).unwrap().clone();
    let created = of("UserCreated");
    assert_eq!((created.head.0.as_str(), created.head.1.as_str()), ("localhost", "rollcall"));
    assert_eq!(created.priority, ("13".to_owned(), "6".to_owned()));
    assert_eq!(of("RequestRejected").priority.1, "5");

    // The server is killed and comes back.
    server.kill();
    create(&ada, 15..40).await;
    server.start().await;
    everything_arrives(&server, &ada).await;
    let wary = listed(&stack, "wary", &ada).unwrap();
    assert_eq!(wary["delivered_up_to"], 0, "nothing is sent to a server whose certificate is not trusted");
}
