//! `./dev bench`: creates per second and their latencies, of the service and of the bare pipeline, in turns in one run.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that breaks is to be seen at once")]

use clap::Parser;
use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rollcall_tests::client::user;
use rollcall_tests::{Stack, eventually};
use serde_json::json;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

#[derive(Debug, Parser)]
struct Options {
    /// How many callers at once, one after the other.
    #[arg(long, value_delimiter = ',', default_value = "1,16,64,256")]
    callers: Vec<usize>,
    /// How long each measurement takes.
    #[arg(long, default_value = "4")]
    seconds: u64,
    /// How often each is measured; the median counts.
    #[arg(long, default_value = "3")]
    rounds: usize,
}

/// One side of the comparison.
struct Target {
    address: String,
    headers: Vec<(&'static str, String)>,
}

/// What was measured.
#[derive(Clone)]
struct Figures {
    per_second: f64,
    p50: Duration,
    p99: Duration,
}

/// The processes of the bare pipeline, killed at the end.
struct Bare(Vec<Child>);

impl Drop for Bare {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[tokio::main]
async fn main() {
    let options = Options::parse();
    let stack = Stack::shared().await;
    let (_bare, bare) = start_bare(&stack).await;
    let (_, token) = stack.organization().issue(&[]);
    let headers = vec![("authorization", format!("Bearer {token}")), ("x-request-origin", "hr.example.com".to_owned())];
    let rollcall = Target { address: stack.url.trim_start_matches("http://").to_owned(), headers };
    println!(
        "creates, {} rounds of {} s each in turns, median; load generator and servers on the same machine",
        options.rounds, options.seconds
    );
    println!(
        "{:>7} | {:>9} {:>9} {:>9} | {:>9} {:>9} {:>9} | {:>5}",
        "callers", "bare/s", "p50", "p99", "rollcall/s", "p50", "p99", "ratio"
    );
    for &callers in &options.callers {
        let (mut floor, mut ceiling) = (Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            ceiling.push(measure(&bare, callers, Duration::from_secs(options.seconds)).await);
            floor.push(measure(&rollcall, callers, Duration::from_secs(options.seconds)).await);
        }
        let (bare, rollcall) = (median(ceiling), median(floor));
        println!(
            "{callers:>7} | {:>9.0} {:>9.2?} {:>9.2?} | {:>9.0} {:>9.2?} {:>9.2?} | {:>4.0}%",
            bare.per_second,
            bare.p50,
            bare.p99,
            rollcall.per_second,
            rollcall.p50,
            rollcall.p99,
            100.0 * rollcall.per_second / bare.per_second
        );
    }
}

async fn start_bare(stack: &Stack) -> (Bare, Target) {
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let (amqp, database) = (stack.instance.amqp_url(), stack.instance.database_url("postgres"));
    let spawn = |arguments: [&str; 3]| {
        let program = std::env::current_exe().unwrap().with_file_name("bare");
        Command::new(program).args(arguments).stdin(Stdio::null()).spawn().unwrap()
    };
    let children = vec![spawn(["worker", &amqp, &database]), spawn(["api", &amqp, &address])];
    eventually("the bare pipeline", async || TcpStream::connect(&address).await.ok()).await;
    (Bare(children), Target { address, headers: Vec::new() })
}

fn median(mut figures: Vec<Figures>) -> Figures {
    figures.sort_by(|left, right| left.per_second.total_cmp(&right.per_second));
    figures[figures.len() / 2].clone()
}

/// Calls from so many connections for so long, after a second to warm up.
async fn measure(target: &Target, callers: usize, time: Duration) -> Figures {
    let start = Instant::now() + Duration::from_secs(1);
    let names = Arc::new(AtomicU64::new(0));
    let run = uuid::Uuid::now_v7();
    let calling: Vec<_> = (0..callers)
        .map(|_| {
            let (address, headers, names) = (target.address.clone(), target.headers.clone(), names.clone());
            tokio::spawn(async move { call(&address, &headers, run, &names, start, time).await })
        })
        .collect();
    let mut all = Histogram::<u64>::new(3).unwrap();
    for caller in calling {
        all.add(caller.await.unwrap()).unwrap();
    }
    let at = |quantile| Duration::from_micros(all.value_at_quantile(quantile));
    #[expect(clippy::cast_precision_loss, reason = "a count of calls is far below 2^52")]
    let per_second = all.len() as f64 / time.as_secs_f64();
    Figures { per_second, p50: at(0.5), p99: at(0.99) }
}

/// One caller: creates one user after the other, and notes in microseconds how long each took.
async fn call(
    address: &str,
    headers: &[(&'static str, String)],
    run: uuid::Uuid,
    names: &AtomicU64,
    start: Instant,
    time: Duration,
) -> Histogram<u64> {
    let mut sender = open(address).await;
    let mut taken = Histogram::<u64>::new(3).unwrap();
    while start.elapsed() < time {
        let name = format!("{run}-{}@example.com", names.fetch_add(1, Ordering::Relaxed));
        let mut body = user(&name);
        body["emails"] = json!([{"value": name, "type": "work", "primary": true}]);
        body["name"] = json!({"givenName": "Ada", "familyName": "King"});
        let mut request = Request::post("/scim/v2/Users").header("host", address).header("content-type", "application/scim+json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let began = Instant::now();
        sender.ready().await.unwrap();
        let response = sender.send_request(request.body(Full::new(Bytes::from(body.to_string()))).unwrap()).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(status, 201, "{}", String::from_utf8_lossy(&body));
        if began >= start {
            taken.record(u64::try_from(began.elapsed().as_micros()).unwrap()).unwrap();
        }
    }
    taken
}

async fn open(address: &str) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}
