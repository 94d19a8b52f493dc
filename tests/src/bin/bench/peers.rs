//! Compares Rollcall with other SCIM servers, in turns, on the same machine. `./dev bench --peers` starts them.

use rollcall_tests::Stack;
use rollcall_tests::client::{PATCH, user};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use uuid::Uuid;

use crate::calls::{Call, Connection, Measurement, Target, connect, exchange, measure_counting_errors};

/// Every server has this many users while reads and changes are measured.
const USERS: usize = 1000;
const PAGE: usize = 100;

/// A SCIM server.
struct Server {
    name: String,
    durability: String,
    target: Target,
    calls: Arc<Calls>,
}

/// Makes the calls to one server.
struct Calls {
    /// The path of the SCIM endpoint.
    path: String,
    /// The ids and userNames of its users. There are none if the server could not be filled.
    users: Vec<(String, String)>,
    /// PATCH calls so far. Each pass over the users inverts `active`, so that every call changes something.
    patches: AtomicU64,
}

#[derive(Debug, Clone, Copy)]
enum Operation {
    Get,
    Filter,
    List,
    Patch,
    /// Creates come last, because the number of users influences reads.
    Create,
}

const OPERATIONS: [Operation; 5] =
    [Operation::Get, Operation::Filter, Operation::List, Operation::Patch, Operation::Create];

impl Operation {
    fn title(self) -> String {
        match self {
            Self::Get => "get by id".to_owned(),
            Self::Filter => "filter: userName eq".to_owned(),
            Self::List => format!("list: count={PAGE}"),
            Self::Patch => "PATCH: replace active".to_owned(),
            Self::Create => "create".to_owned(),
        }
    }
}

pub(crate) async fn run(stack: &Stack, files: &[impl AsRef<Path>], callers: &[usize], rounds: usize, time: Duration) {
    let mut servers = vec![rollcall(stack)];
    servers.extend(files.iter().map(|file| peer(file.as_ref())));
    println!(
        "\nSCIM servers, {USERS} users each, {rounds} rounds of {} s each in turns, median; load generator and servers \
         on the same machine",
        time.as_secs()
    );
    for server in &mut servers {
        println!("{:<22} | {}", server.name, server.durability);
        fill(server).await;
    }
    for operation in OPERATIONS {
        compare(&servers, operation, callers, rounds, time).await;
    }
}

fn rollcall(stack: &Stack) -> Server {
    let (_, token) = stack.organization().issue(&[]);
    let durability = "quorum queue and Postgres, one commit per batch of calls";
    let mut server = Server::new("Rollcall", &format!("{}/scim/v2", stack.url), &token, durability);
    server.target.headers.push(("x-request-origin", "hr.example.com".to_owned()));
    server
}

/// Reads the description of a peer.
fn peer(file: &Path) -> Server {
    let description: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let text = |name: &str| description[name].as_str().unwrap();
    Server::new(text("name"), text("url"), text("token"), text("durability"))
}

impl Server {
    /// The URL is that of the SCIM endpoint.
    fn new(name: &str, url: &str, token: &str, durability: &str) -> Self {
        let (address, path) = url.trim_start_matches("http://").split_once('/').expect("a URL with a path");
        let calls = Calls { path: format!("/{path}"), users: Vec::new(), patches: AtomicU64::new(0) };
        let headers = vec![("authorization", format!("Bearer {token}"))];
        Self {
            name: name.to_owned(),
            durability: durability.to_owned(),
            target: Target { address: address.to_owned(), headers },
            calls: Arc::new(calls),
        }
    }

    async fn connect(&self) -> Result<Connection, String> {
        connect(&self.target.address).await.map_err(|error| error.to_string())
    }

    /// Sends a call. Returns the status and the body, which is null if it is not JSON.
    async fn send(&self, connection: &mut Connection, call: Call) -> Result<(u16, Value), String> {
        let (status, body) = exchange(connection, &self.target, call).await.map_err(|error| error.to_string())?;
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }
}

impl Calls {
    fn call(&self, method: &'static str, path: &str, body: String, status: u16) -> Call {
        Call { method, path: format!("{}{path}", self.path), body, status }
    }

    fn create(&self, name: &str, status: u16) -> Call {
        let mut body = user(name);
        body["emails"] = json!([{"value": name, "type": "work", "primary": true}]);
        body["name"] = json!({"givenName": "Ada", "familyName": "King"});
        body["active"] = json!(true);
        self.call("POST", "/Users", body.to_string(), status)
    }

    /// The call number `n` of an operation, and the status that it is expected to return.
    fn of(&self, operation: Operation, n: u64, status: u16) -> Call {
        let user = |n: u64| &self.users[usize::try_from(n).unwrap() % self.users.len()];
        let get = |path: &str| self.call("GET", path, String::new(), status);
        match operation {
            Operation::Get => get(&format!("/Users/{}", user(n).0)),
            Operation::Filter => get(&format!("/Users?filter=userName%20eq%20%22{}%22", user(n).1)),
            Operation::List => get(&format!("/Users?count={PAGE}&startIndex=1")),
            Operation::Patch => {
                let n = self.patches.fetch_add(1, Ordering::Relaxed);
                let active = (n / USERS as u64) % 2 == 1;
                let change = json!({"op": "replace", "path": "active", "value": active});
                let body = json!({"schemas": [PATCH], "Operations": [change]});
                self.call("PATCH", &format!("/Users/{}", user(n).0), body.to_string(), status)
            }
            Operation::Create => self.create(&format!("{}@example.com", Uuid::now_v7()), status),
        }
    }
}

/// Creates the users. If the server refuses one, it stays without users, and the run goes on without it.
async fn fill(server: &mut Server) {
    match created(server).await {
        Ok(users) => Arc::get_mut(&mut server.calls).expect("no measurement runs").users = users,
        Err(error) => println!("{} is left out: {error}", server.name),
    }
}

async fn created(server: &Server) -> Result<Vec<(String, String)>, String> {
    let (mut connection, mut users) = (server.connect().await?, Vec::new());
    for n in 0..USERS {
        let name = format!("user{n}@example.com");
        let (status, body) = server.send(&mut connection, server.calls.create(&name, 201)).await?;
        match (status, body["id"].as_str()) {
            (201, Some(id)) => users.push((id.to_owned(), name)),
            _ => return Err(format!("a create was answered with {status}: {body}")),
        }
    }
    Ok(users)
}

/// Measures one operation on all servers that support it, and prints the table.
async fn compare(servers: &[Server], operation: Operation, callers: &[usize], rounds: usize, time: Duration) {
    let mut supported = Vec::new();
    for server in servers {
        supported.push(probe(server, operation).await);
    }
    let head = row(["calls/s", "p50", "p99", "errors", "Rollcall/peer"]);
    println!("\n{:<22} {:>7} | {head}", operation.title(), "callers");
    for &callers in callers {
        let mut figures: Vec<Vec<Measurement>> = servers.iter().map(|_| Vec::new()).collect();
        for _ in 0..rounds {
            for ((server, status), figures) in servers.iter().zip(&supported).zip(&mut figures) {
                if let Ok(status) = *status {
                    figures.push(measured(server, operation, status, callers, time).await);
                }
            }
        }
        rows(servers, callers, figures);
    }
    for (server, unsupported) in servers.iter().zip(&supported) {
        if let Err(reason) = unsupported {
            println!("-: {} {reason}", server.name);
        }
    }
}

async fn measured(server: &Server, operation: Operation, status: u16, callers: usize, time: Duration) -> Measurement {
    let calls = server.calls.clone();
    measure_counting_errors(&server.target, callers, time, move |n| calls.of(operation, n, status)).await
}

/// Prints a row for each server. The first one is Rollcall.
fn rows(servers: &[Server], callers: usize, figures: Vec<Vec<Measurement>>) {
    let mut ours = None;
    for (server, figures) in servers.iter().zip(figures) {
        let errors = figures.iter().map(|figure| figure.errors).sum::<u64>();
        let figure = (!figures.is_empty()).then(|| median(figures));
        let shown = match &figure {
            None => row(["-"; 5]),
            // Every call failed.
            Some(figure) if figure.per_second == 0.0 => row(["0", "-", "-", &errors.to_string(), "-"]),
            Some(Measurement { per_second, p50, p99, .. }) => {
                let ratio = ours.map_or_else(|| "-".to_owned(), |ours: f64| format!("{:.2}", ours / per_second));
                let [p50, p99] = [p50, p99].map(|time| format!("{time:.2?}"));
                row([&format!("{per_second:.0}"), &p50, &p99, &errors.to_string(), &ratio])
            }
        };
        if ours.is_none() {
            ours = Some(figure.map_or(f64::NAN, |figure| figure.per_second));
        }
        println!("{:<22} {callers:>7} | {shown}", server.name);
    }
}

/// The columns of figures in a table.
fn row([rate, p50, p99, errors, ratio]: [&str; 5]) -> String {
    format!("{rate:>9} {p50:>9} {p99:>9} {errors:>7} | {ratio:>13}")
}

/// Tries an operation once, and checks the answer. Returns its status, or an error message.
async fn probe(server: &Server, operation: Operation) -> Result<u16, String> {
    if server.calls.users.is_empty() {
        return Err("has no users".to_owned());
    }
    let mut connection = server.connect().await?;
    let (status, body) = server.send(&mut connection, server.calls.of(operation, 0, 0)).await?;
    let (id, name) = &server.calls.users[0];
    let listed = || body["Resources"].as_array().map_or(0, Vec::len);
    let right = match operation {
        Operation::Get => status == 200 && body["id"] == **id && body["userName"] == **name,
        Operation::Filter => status == 200 && listed() == 1 && body["Resources"][0]["id"] == **id,
        Operation::List => status == 200 && listed() == PAGE,
        Operation::Create => status == 201 && body["id"].is_string(),
        Operation::Patch => {
            let read = server.calls.of(Operation::Get, 0, 200);
            let (_, user) = server.send(&mut connection, read).await?;
            matches!(status, 200 | 204) && user["active"] == false
        }
    };
    if right { Ok(status) } else { Err(format!("answered {status}: {:.200}", body.to_string())) }
}

/// The measurement with the median rate.
fn median(mut rounds: Vec<Measurement>) -> Measurement {
    rounds.sort_by(|left, right| left.per_second.total_cmp(&right.per_second));
    rounds.swap_remove(rounds.len() / 2)
}
