//! What `rollcall-verify` says, and with which exit code, about small logs that are made here.

mod logs;
mod proofs;

use clap::Parser as _;
use rollcall_log::actor::ActorKind;
use rollcall_log::checkpoint::{Checkpoint, SigningKeys, generate_key};
use rollcall_log::evidence::Evidence;
use rollcall_log::proof::Question;
use rollcall_log::tile::node_in;
use rollcall_log::tlog_proof::TlogProof;
use rollcall_log::{
    CompactRange, Entry, EventId, EventType, Hash, Header, OrganizationId, OutcomeKind, Part, Salt, SubjectType,
    Timestamp, canonical,
};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use uuid::Uuid;

use crate::{Cli, execute};

/// The organization whose log is checked.
const ACME: OrganizationId = OrganizationId(Uuid::from_u128(100));
/// Another organization.
const EMCA: OrganizationId = OrganizationId(Uuid::from_u128(200));
const ADA: Uuid = Uuid::from_u128(1);
const GRACE: Uuid = Uuid::from_u128(2);
/// Sessions of administrators.
const ALAN: Uuid = Uuid::from_u128(3);
const MARY: Uuid = Uuid::from_u128(4);

/// A folder with files, and a signer of checkpoints.
struct Case {
    folder: PathBuf,
    signer: SigningKeys,
    key: String,
}

impl Case {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("rollcall-verify-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (private, key) = generate_key("log.example.com").unwrap();
        Self { folder, signer: SigningKeys::read(&[private]).unwrap(), key }
    }

    /// Writes a file. Returns its path.
    fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Signs a checkpoint of the log with these entries. Returns the path of its file.
    fn checkpoint(&self, name: &str, organization: OrganizationId, entries: &[Entry]) -> String {
        let mut tree = CompactRange::default();
        for entry in entries {
            tree.append(entry.leaf);
        }
        let checkpoint = Checkpoint::new("log.example.com", organization, tree.size(), tree.root());
        self.file(name, &self.signer.sign(&checkpoint).unwrap())
    }

    /// Runs a command with the signer's key.
    fn verify(&self, arguments: &[&str]) -> (u8, String) {
        verify(&[arguments, &["--key", &self.key]].concat())
    }

    /// Checks lines against checkpoints of the log as it was signed: at half its size, and at its size.
    fn verify_lines(&self, signed: &[Entry], lines: &str) -> (u8, String) {
        let half = self.checkpoint("half.checkpoint", ACME, &signed[..signed.len() / 2]);
        let whole = self.checkpoint("whole.checkpoint", ACME, signed);
        let export = self.file("export.ndjson", lines);
        self.verify(&["log", &export, "--checkpoint", &half, "--checkpoint", &whole])
    }

    fn verify_log(&self, signed: &[Entry], found: &[Entry]) -> (u8, String) {
        self.verify_lines(signed, &lines(found))
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Runs `rollcall-verify`. Returns the exit code and everything that was printed.
fn verify(arguments: &[&str]) -> (u8, String) {
    let cli = match Cli::try_parse_from([&["rollcall-verify"], arguments].concat()) {
        Ok(cli) => cli,
        Err(error) => return (u8::try_from(error.exit_code()).unwrap(), error.to_string()),
    };
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let code = execute(cli.command, &mut out, &mut errors);
    (code, String::from_utf8([out, errors].concat()).unwrap())
}

/// An export of these entries.
fn lines(entries: &[Entry]) -> String {
    entries.iter().map(|entry| serde_json::to_string(entry).unwrap() + "\n").collect()
}

/// An entry of ACME's log about a subject, caused by the session of an administrator.
fn entry(seq: u64, event_type: EventType, subject: (SubjectType, Uuid), actor: Uuid) -> Entry {
    let hash = Hash::from_bytes(&[0; 32]).unwrap();
    let salt = |n: u8| Salt::from_bytes(&[n; 16]);
    let header = Header {
        actor_commitment: hash,
        actor_id: Some(actor),
        actor_kind: ActorKind::Administrator,
        error: None,
        event_id: EventId(Uuid::from_u128(seq.into())),
        organization_id: ACME,
        outcome: OutcomeKind::Applied,
        payload_commitment: hash,
        recorded_at: Timestamp::from_microsecond(i64::try_from(seq).unwrap()).unwrap(),
        requested_at: Timestamp::EPOCH,
        schema_version: 2,
        seq,
        subject_id: Some(subject.1),
        subject_type: Some(subject.0),
        event_type,
    };
    let (actor, payload) = (json!({"label": format!("session {actor}")}), json!({"changed": [], "name": seq}));
    let (actor, payload) = (Some(actor), Some(payload));
    rehashed(Entry { actor, actor_salt: salt(1), header, leaf: hash, payload, payload_salt: salt(2) })
}

/// The entry with all hashes computed anew, as somebody can who changes the database.
fn rehashed(mut entry: Entry) -> Entry {
    let commitment = |part: Part, value: &Option<Value>, salt: Option<Salt>, old: Hash| {
        value.as_ref().zip(salt).map_or(old, |(value, salt)| part.commitment(salt, &canonical(value).unwrap()))
    };
    let header = &mut entry.header;
    header.payload_commitment =
        commitment(Part::Payload, &entry.payload, entry.payload_salt, header.payload_commitment);
    header.actor_commitment = commitment(Part::Actor, &entry.actor, entry.actor_salt, header.actor_commitment);
    entry.leaf = header.leaf().unwrap();
    entry
}

/// A log of ten entries: two users and two administrators, and the erasures of the user Ada and of the
/// administrator Alan, with nothing erased yet.
fn log() -> Vec<Entry> {
    use EventType::{AdministratorErased, SignedIn, UserCreated, UserDeleted, UserErased, UserUpdated};
    let (user, session) = (SubjectType::User, SubjectType::Session);
    vec![
        entry(1, SignedIn, (session, ALAN), ALAN),
        entry(2, SignedIn, (session, MARY), MARY),
        entry(3, UserCreated, (user, ADA), ALAN),
        entry(4, UserCreated, (user, GRACE), MARY),
        entry(5, UserUpdated, (user, ADA), MARY),
        entry(6, UserDeleted, (user, ADA), ALAN),
        entry(7, UserErased, (user, ADA), MARY),
        entry(8, AdministratorErased, (session, ALAN), MARY),
        entry(9, UserUpdated, (user, GRACE), MARY),
        entry(10, UserUpdated, (user, GRACE), MARY),
    ]
}

/// Removes a part with its salt.
fn erase(entry: &mut Entry, part: Part) {
    match part {
        Part::Payload => (entry.payload, entry.payload_salt) = (None, None),
        Part::Actor => (entry.actor, entry.actor_salt) = (None, None),
    }
}

/// The hashes that answer a question about a log.
fn proof(question: Question, entries: &[Entry]) -> Vec<Hash> {
    let leaves: Vec<u8> = entries.iter().flat_map(|entry| entry.leaf.as_bytes().to_vec()).collect();
    let nodes = question.nodes().unwrap().into_iter().map(|node| (node, node_in(&leaves, node).unwrap())).collect();
    question.answer(&nodes).unwrap()
}
