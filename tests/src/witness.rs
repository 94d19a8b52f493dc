//! A witness (C2SP `tlog-witness`) that checks every rule of `add-checkpoint`, and can be made to misbehave.

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpResponse, HttpServer};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use rollcall_events::log::Hash;
use rollcall_events::log::checkpoint::Checkpoint;
use rollcall_events::log::proof::verify_consistency;
use signed_note::{Note, Signature, StandardVerifier, VerifierList, key_id};
use std::net::SocketAddr;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;
use tokio::sync::watch;

/// How a witness behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// As the specification says.
    Honest,
    /// Answers every request with a status.
    Refusing(u16),
    /// Cosigns another text than the checkpoint.
    SigningWrongly,
    /// Answers nothing until its mood changes.
    Silent,
}

/// A running witness.
#[derive(Debug)]
pub struct Witness {
    /// The name of the witness and of its line in a policy.
    pub name: String,
    /// The public key.
    pub vkey: String,
    address: SocketAddr,
    state: Arc<State>,
    server: ServerHandle,
}

#[derive(Debug)]
struct State {
    name: String,
    key: SigningKey,
    mood: watch::Sender<Mood>,
    log: Mutex<Log>,
}

/// What the witness knows and what it has done.
#[derive(Debug)]
struct Log {
    vkey: String,
    cosigned: Option<Checkpoint>,
    requests: usize,
    /// The statuses that were answered.
    answered: Vec<u16>,
}

/// The name and the vkey of the witness with a seed.
pub fn identity(seed: u8) -> (String, String) {
    let (name, key) = (format!("witness.example.com/w{seed}"), SigningKey::from_bytes(&[seed; 32]));
    let encoded = [&[4], key.verifying_key().as_bytes().as_slice()].concat();
    let vkey = format!("{name}+{:08x}+{}", key_id(&name, &encoded), STANDARD.encode(&encoded));
    (name, vkey)
}

impl Witness {
    /// Starts a witness at a port. It follows the log with a key.
    pub fn start(seed: u8, port: u16, log: &str) -> Self {
        let (name, vkey) = identity(seed);
        let known = Log { vkey: log.to_owned(), cosigned: None, requests: 0, answered: Vec::new() };
        let (key, mood) = (SigningKey::from_bytes(&[seed; 32]), watch::Sender::new(Mood::Honest));
        let state = Arc::new(State { name: name.clone(), key, mood, log: Mutex::new(known) });
        let (shared, (sender, started)) = (Data::from(state.clone()), channel());
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let app = move || App::new().app_data(shared.clone()).route("/w/add-checkpoint", web::post().to(add));
                let server = HttpServer::new(app).workers(1).disable_signals().bind(("127.0.0.1", port)).unwrap();
                let address = server.addrs()[0];
                let server = server.run();
                sender.send((address, server.handle())).unwrap();
                server.await.unwrap();
            });
        });
        let (address, server) = started.recv().unwrap();
        Self { name, vkey, address, state, server }
    }

    /// The submission prefix.
    pub fn url(&self) -> String {
        format!("http://{}/w", self.address)
    }

    /// Makes the witness behave in another way.
    pub fn behave(&self, mood: Mood) {
        self.state.mood.send_replace(mood);
    }

    /// Makes the witness believe that it has cosigned another checkpoint, or none.
    pub fn believe(&self, checkpoint: Option<Checkpoint>) {
        self.log(|log| log.cosigned = checkpoint);
    }

    /// The checkpoint that the witness has cosigned last.
    pub fn cosigned(&self) -> Option<Checkpoint> {
        self.log(|log| log.cosigned.clone())
    }

    /// The number of requests.
    pub fn requests(&self) -> usize {
        self.log(|log| log.requests)
    }

    /// The statuses that were answered.
    pub fn answered(&self) -> Vec<u16> {
        self.log(|log| log.answered.clone())
    }

    fn log<T>(&self, change: impl FnOnce(&mut Log) -> T) -> T {
        change(&mut self.state.log.lock().unwrap())
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

async fn add(body: Bytes, state: Data<State>) -> HttpResponse {
    state.log.lock().unwrap().requests += 1;
    let mut moods = state.mood.subscribe();
    let mood = *moods.borrow_and_update();
    let answer = match mood {
        Mood::Refusing(status) => Err((status, None)),
        Mood::Silent => {
            drop(moods.wait_for(|mood| *mood != Mood::Silent).await);
            Err((503, None))
        }
        Mood::Honest | Mood::SigningWrongly => cosign(&state, &body, mood),
    };
    let status = answer.as_ref().map_or_else(|(status, _)| *status, |_| 200);
    state.log.lock().unwrap().answered.push(status);
    match answer {
        Ok(line) => HttpResponse::Ok().body(line),
        Err((409, Some(size))) => HttpResponse::Conflict().content_type("text/x.tlog.size").body(format!("{size}\n")),
        Err((status, _)) => HttpResponse::build(status.try_into().unwrap()).finish(),
    }
}

/// A refusal: the status, and for 409 the size.
type Refused = (u16, Option<u64>);

/// Checks a request in the order of the specification, and cosigns the checkpoint.
fn cosign(state: &State, body: &[u8], mood: Mood) -> Result<String, Refused> {
    let (old, proof, note) = parse(body).ok_or((400, None))?;
    let mut log = state.log.lock().unwrap();
    let checkpoint = Checkpoint::parse(note.text()).map_err(|_| (400, None))?;
    if log.vkey.split('+').next() != Some(&checkpoint.origin) {
        return Err((404, None));
    }
    let verifier = StandardVerifier::new(&log.vkey).map_err(|_| (500, None))?;
    note.verify(&VerifierList::new(vec![Box::new(verifier)])).map_err(|_| (403, None))?;
    if old > checkpoint.size {
        return Err((400, None));
    }
    let known = log.cosigned.as_ref().map_or(0, |known| known.size);
    if old != known {
        return Err((409, Some(known)));
    }
    let is_consistent = match &log.cosigned {
        None => proof.is_empty(),
        Some(known) if known.size == checkpoint.size => known.root == checkpoint.root && proof.is_empty(),
        Some(known) => verify_consistency((known.size, known.root), (checkpoint.size, checkpoint.root), &proof).is_ok(),
    };
    if !is_consistent {
        return Err((422, None));
    }
    log.cosigned = Some(checkpoint);
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let mut message = format!("cosignature/v1\ntime {time}\n").into_bytes();
    message.extend(note.text());
    if mood == Mood::SigningWrongly {
        message.push(b'!');
    }
    let signature = [time.to_be_bytes().as_slice(), &state.key.sign(&message).to_bytes()].concat();
    let public = [&[4], state.key.verifying_key().as_bytes().as_slice()].concat();
    let line = Signature::new(state.name.clone(), key_id(&state.name, &public), signature).unwrap();
    Ok(String::from_utf8(line.to_bytes()).unwrap())
}

/// The old size, the proof and the note of a body; `None` if the body is malformed.
fn parse(body: &[u8]) -> Option<(u64, Vec<Hash>, Note)> {
    let text = std::str::from_utf8(body).ok()?;
    let (head, note) = text.split_once("\n\n")?;
    let mut lines = head.split('\n');
    let old = lines.next()?.strip_prefix("old ")?;
    let size: u64 = old.parse().ok().filter(|size: &u64| size.to_string() == old)?;
    let hash = |line: &str| Hash::from_bytes(&STANDARD.decode(line).ok()?);
    let proof: Vec<Hash> = lines.map(hash).collect::<Option<_>>()?;
    (proof.len() <= 63).then_some(())?;
    Some((size, proof, Note::from_bytes(note.as_bytes()).ok()?))
}
