//! An HTTP server that collects the batches of a sink, and misbehaves when a test tells it to.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

/// What the collector does with a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behavior {
    /// Stores it and answers 200.
    Accept,
    /// Answers 503.
    Busy,
    /// Stores it, and closes the connection without an answer.
    Cut,
    /// Stores it, and answers nothing until the sender closes the connection at its time limit.
    Silent,
    /// Answers 400 if the batch mentions this text, and stores it otherwise.
    Refuse(String),
}

/// A batch.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The headers, with names in lower case.
    pub headers: HashMap<String, String>,
    /// The body.
    pub body: String,
}

/// A running collector.
#[derive(Debug)]
pub struct Collector {
    /// The URL that takes batches.
    pub url: String,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    behavior: Mutex<Behavior>,
    stored: Mutex<Vec<Batch>>,
    attempts: Mutex<usize>,
}

impl Collector {
    /// Starts a collector on a free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}/in", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            behavior: Mutex::new(Behavior::Accept),
            stored: Mutex::default(),
            attempts: Mutex::default(),
        });
        let serving = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = serving.clone();
                // A client may go away at any time.
                std::thread::spawn(move || serve(stream.ok()?, &shared));
            }
        });
        Self { url, shared }
    }

    /// Changes what the collector does.
    pub fn behave(&self, behavior: Behavior) {
        *lock(&self.shared.behavior) = behavior;
        *lock(&self.shared.attempts) = 0;
    }

    /// How many batches have come since the behavior was changed.
    pub fn attempts(&self) -> usize {
        *lock(&self.shared.attempts)
    }

    /// The stored batches, in the order in which they came.
    pub fn stored(&self) -> Vec<Batch> {
        lock(&self.shared.stored).clone()
    }
}

/// Serves one connection; `None` when it ends.
fn serve(stream: TcpStream, shared: &Shared) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let batch = read(&mut reader)?;
        *lock(&shared.attempts) += 1;
        let behavior = lock(&shared.behavior).clone();
        let status = match behavior {
            Behavior::Busy => "503 Service Unavailable",
            Behavior::Refuse(text) if batch.body.contains(&text) => "400 Bad Request",
            Behavior::Cut => {
                lock(&shared.stored).push(batch);
                return None;
            }
            Behavior::Silent => {
                lock(&shared.stored).push(batch);
                let _ = reader.read_to_end(&mut Vec::new());
                return None;
            }
            Behavior::Accept | Behavior::Refuse(_) => {
                lock(&shared.stored).push(batch);
                "200 OK"
            }
        };
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n{{}}");
        reader.get_mut().write_all(answer.as_bytes()).ok()?;
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Batch> {
    let mut headers = HashMap::new();
    let mut lines = reader.by_ref().lines();
    assert!(lines.next()?.ok()?.starts_with("POST /in "));
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap();
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    reader.read_exact(&mut body).ok()?;
    Some(Batch { headers, body: String::from_utf8(body).unwrap() })
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap()
}
