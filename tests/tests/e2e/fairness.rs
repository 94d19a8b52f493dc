//! Fairness: one caller cannot block the others, and a server that hangs cannot block a call forever.

use futures_util::future::join_all;
use reqwest::Method;
use rollcall_tests::client::{Client, user, user_with};
use rollcall_tests::service::{Service, free_port};
use rollcall_tests::{Organization, Stack, eventually, within};
use serde_json::{Value, json};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

/// Copies each user of an organization `copies` times. The copies are not in the log.
async fn copy_users(stack: &Stack, organization: &Organization, copies: i32) {
    let sql = "
        INSERT INTO rollcall.users
        SELECT (jsonb_populate_record(u, jsonb_build_object('id', gen_random_uuid(), 'user_name_key', 'copy' || n))).*
        FROM rollcall.users u, generate_series(1, $2::int) n WHERE organization_id = $1::text::uuid";
    stack.database("postgres").await.execute(sql, &[&organization.id, &copies]).await.unwrap();
}

/// A filter that reads every address of every user and matches nobody.
fn costly() -> String {
    let terms: Vec<_> = (0..24).map(|n| format!("emails.value co \"zz{n}\"")).collect();
    terms.join(" or ")
}

/// Usual calls, with a token that is new to the api. Each call must succeed.
async fn daily_work(organization: &Organization, round: usize) {
    let client = organization.client();
    let name = format!("user{round}");
    let id = client.create(user(&name)).await.expect(201)["id"].as_str().unwrap().to_owned();
    client.get(&format!("/Users/{id}")).await.expect(200);
    client.find(&format!("userName eq \"{name}\"")).await.expect(200);
    client.find("title pr and active eq false").await.expect(200);
    client.patch(&id, json!([{"op": "add", "path": "title", "value": "x"}])).await.expect(204);
    client.replace(&id, user(&name)).await.expect(200);
    organization.auditor().get("/events?count=5").await.expect(200);
}

#[tokio::test]
async fn costly_filters_of_one_token_do_not_slow_other_callers() {
    let stack = Stack::private("costly", &[]).await;
    let (busy, other) = (stack.organization(), stack.organization());
    let client = busy.client();
    let emails: Vec<_> =
        (0..20).map(|n| json!({"value": format!("a.long.address.{n}@example.com"), "type": format!("t{n}")})).collect();
    client.create(user_with("ada", &json!({"emails": emails}))).await.expect(201);
    copy_users(&stack, &busy, 40_000).await;
    let (filter, round) = (costly(), std::cell::Cell::new(0));
    for at_once in [8, 40] {
        let is_done = AtomicBool::new(false);
        let costly = async {
            let answers = join_all((0..at_once).map(|_| client.find(&filter))).await;
            is_done.store(true, Ordering::Relaxed);
            answers
        };
        let others = async {
            while !is_done.load(Ordering::Relaxed) {
                daily_work(&other, round.replace(round.get() + 1)).await;
            }
        };
        let (answers, ()) = tokio::join!(costly, others);
        for answer in answers {
            match answer.status {
                200 => {}
                // The query ran too long, or waited for other queries of its own organization.
                400 => drop(answer.expect_error(400, Some("tooMany")).to_owned()),
                _ => {
                    answer.expect_error(429, None);
                    assert!(!answer.header("retry-after").is_empty());
                }
            }
        }
    }
    let after = eventually("the end of the refused call", async || {
        Some(client.get("/Users?count=1").await).filter(|a| a.status == 200)
    })
    .await;
    assert_eq!(after.body["itemsPerPage"], 1, "after the costly queries, the token is served again");
    // If a caller disconnects, the api cancels its queries, so these do not block anybody either.
    for _ in 0..40 {
        let call =
            client.call(Method::GET, &format!("/Users?filter={}", filter.replace(' ', "%20").replace('"', "%22")));
        let gone = tokio::spawn(call.try_send());
        tokio::task::yield_now().await;
        gone.abort();
    }
    daily_work(&other, round.get()).await;
}

/// The processes of a private Postgres. The first is the postmaster.
fn postgres_processes(stack: &Stack) -> Vec<String> {
    let pid = std::fs::read_to_string(stack.instance.dir().join("postgres/postmaster.pid"))
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .to_owned();
    let children = Command::new("pgrep").args(["-P", &pid]).output().unwrap();
    let children = String::from_utf8(children.stdout).unwrap();
    std::iter::once(pid).chain(children.lines().map(str::to_owned)).collect()
}

/// Stopped processes. They continue when this is dropped, even if the test fails.
struct StoppedProcesses(Vec<String>);

impl StoppedProcesses {
    fn stop(processes: Vec<String>) -> Self {
        signal("-STOP", &processes);
        Self(processes)
    }
}

impl Drop for StoppedProcesses {
    fn drop(&mut self) {
        signal("-CONT", &self.0);
    }
}

fn signal(kind: &str, processes: &[String]) {
    // A process may have ended in the meantime. Ignore that.
    let _ = Command::new("kill").arg(kind).args(processes).output();
}

#[tokio::test]
async fn a_hanging_database_blocks_neither_calls_nor_the_shutdown_of_the_api() {
    let mut stack = Stack::private("hanging", &[("ROLLCALL_API__SHUTDOWN_SECONDS", "5")]).await;
    let organization = stack.organization();
    let client = organization.client();
    let id = client.create(user("ada")).await.id();
    let stopped = StoppedProcesses::stop(postgres_processes(&stack));
    let calls = ["/Users?filter=title%20pr".to_owned(), format!("/Users/{id}"), "/Groups".to_owned()];
    for answer in within("answers", join_all(calls.iter().map(|path| client.get(path)))).await {
        let detail = answer.expect_error(503, None);
        assert!(!detail.contains("applied"), "{detail}");
    }
    let ready = within("an answer", reqwest::get(format!("{}/readyz", stack.url))).await.unwrap();
    assert_eq!(ready.status(), 503);
    assert_eq!(reqwest::get(format!("{}/healthz", stack.url)).await.unwrap().status(), 200);
    drop(stopped);
    eventually("the database", async || (client.get(&format!("/Users/{id}")).await.status == 200).then_some(())).await;
    let stopped = StoppedProcesses::stop(postgres_processes(&stack));
    let waiting = client.call(Method::GET, "/Groups").try_send();
    stack.api.as_ref().unwrap().terminate();
    let (_, is_in_order) = tokio::join!(waiting, stack.api.as_mut().unwrap().ended());
    assert!(is_in_order, "the api ends while Postgres hangs");
    // Continue the processes before the stack is dropped, because dropping it asks Postgres to end.
    drop(stopped);
}

#[tokio::test]
async fn an_api_is_not_ready_without_its_servers_or_with_a_stopped_partition() {
    let listen = format!("127.0.0.1:{}", free_port());
    let mut stack = Stack::private("readiness", &[("ROLLCALL_API__METRICS_LISTEN", &listen)]).await;
    let organization = stack.organization();
    let url = format!("{}/readyz", stack.url);
    let probe = async || {
        let answer = reqwest::get(&url).await.unwrap();
        (answer.status().as_u16(), serde_json::from_str::<Value>(&answer.text().await.unwrap()).unwrap())
    };
    let probes = join_all((0..50).map(|_| probe())).await;
    assert!(
        probes.iter().all(|(status, body)| *status == 200 && body["partitions_stopped"] == json!([])),
        "{probes:?}"
    );

    let owner = stack.database("postgres").await;
    // A partition without a worker: nobody updates its row.
    let copy = "
        INSERT INTO rollcall.partitions
        SELECT (jsonb_populate_record(p, '{\"partition\": 99}')).* FROM rollcall.partitions p WHERE partition = 0";
    eventually("the status of a worker", async || (owner.execute(copy, &[]).await.unwrap() == 1).then_some(())).await;
    let stop = "UPDATE rollcall.partitions SET stopped_at = now(), stopped_reason = 'a column is missing'
        WHERE partition = 99";
    owner.batch_execute(stop).await.unwrap();
    let body = eventually("unreadiness", async || Some(probe().await).filter(|(status, _)| *status == 503)).await.1;
    assert_eq!(body["partitions_stopped"], json!([{"partition": 99, "reason": "a column is missing"}]));
    let metrics = reqwest::get(format!("http://{listen}/metrics")).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("rollcall_partition_stopped{partition=\"99\"} 1"), "{metrics}");
    owner
        .batch_execute("UPDATE rollcall.partitions SET stopped_at = NULL, stopped_reason = NULL WHERE partition = 99")
        .await
        .unwrap();
    eventually("readiness", async || (probe().await.0 == 200).then_some(())).await;

    stack.worker.as_mut().unwrap().terminate();
    assert!(stack.worker.as_mut().unwrap().ended().await);
    let unserved = eventually("the worker's end", async || {
        let (status, body) = probe().await;
        assert_eq!(status, 200, "without a worker, the queue buffers requests: {body}");
        Some(body["partitions_without_worker"].clone()).filter(|list| !list.as_array().unwrap().is_empty())
    });
    assert_eq!(unserved.await, json!([0, 1, 2, 3, 4, 5, 6, 7]));
    rollcall_tests::amqp::Sender::connect(&stack.instance).await.delete_queue(organization.id.parse().unwrap()).await;
    eventually("unreadiness", async || (probe().await.0 == 503).then_some(())).await;
    stack.worker = Some(Service::worker(&stack.instance));
    eventually("readiness", async || (probe().await.0 == 200).then_some(())).await;
}

#[tokio::test]
async fn a_poll_searches_a_bounded_part_of_the_log_and_the_next_continues_there() {
    let stack = Stack::private("long-poll", &[]).await;
    let organization = stack.organization();
    let stream = organization.stream(&[]);
    let id = stream["id"].as_str().unwrap().to_owned();
    let receiver = Client::receiver(&stack.url, stream["token"].as_str().unwrap());
    // Many entries without an event in any stream. Their number keeps the number of peaks in the compact
    // range.
    let lengthen = format!(
        "
        INSERT INTO rollcall.events
        SELECT (jsonb_populate_record(e, jsonb_build_object('seq', e.seq + n, 'event_id', gen_random_uuid()))).*
        FROM rollcall.events e, rollcall.log_heads h, generate_series(1, h.size * 32767) n
        WHERE h.organization_id = '{0}' AND e.organization_id = h.organization_id AND e.seq = h.size;
        UPDATE rollcall.log_heads SET size = size * 32768 WHERE organization_id = '{0}';",
        organization.id
    );
    let owner = stack.database("postgres").await;
    owner.batch_execute(&lengthen).await.unwrap();
    let size: i64 = owner
        .query_one("SELECT size FROM rollcall.log_heads WHERE organization_id = $1::text::uuid", &[&organization.id])
        .await
        .unwrap()
        .get(0);
    let position = async || {
        let sql = "SELECT seq FROM rollcall.stream_positions WHERE stream_id = $1::text::uuid";
        owner.query_opt(sql, &[&id]).await.unwrap().map_or(0, |row| row.get::<_, i64>(0))
    };
    let (mut polls, mut last) = (0, position().await);
    loop {
        let answer = receiver
            .send(Method::POST, &format!("/{id}/poll"), json!({"returnImmediately": polls % 2 == 0}))
            .await
            .expect(200);
        polls += 1;
        assert_eq!(answer["sets"], json!({}));
        if answer["moreAvailable"] == false || position().await == size {
            break;
        }
        let now = position().await;
        assert!(now > last, "the search continues from its last position: {last}, {now}");
        last = now;
    }
    assert!(polls > 1, "one request does not search {size} entries");
}
