//! Proof files: one file proves an entry, or the state of a user at a time, to somebody without any access.

use rollcall_events::log::evidence::Evidence;
use rollcall_events::log::tlog_proof::TlogProof;
use rollcall_events::log::{Entry, EventType};
use rollcall_tests::client::{user, user_with};
use rollcall_tests::service::verify;
use rollcall_tests::{Answer, Client, Organization, Stack, eventually};
use serde_json::{Value, json};

/// An organization with a history, its auditor, and the entries of its log.
struct Case {
    organization: Organization,
    auditor: Client,
    ada: String,
    grace: String,
    log: Vec<Entry>,
}

impl Case {
    /// Two users. Ada is deactivated, refused a change, and reactivated; between these, Grace is changed.
    async fn new(stack: &Stack) -> Self {
        let organization = stack.organization();
        let client = organization.client();
        let ada = client.create(user_with("ada", &json!({"title": "Countess"}))).await.id();
        let grace = client.create(user("grace")).await.id();
        let set = async |id: &str, path: &str, value: Value| {
            client.patch(id, json!([{"op": "replace", "path": path, "value": value}])).await
        };
        set(&ada, "active", json!(false)).await.expect(204);
        set(&grace, "title", json!("Admiral")).await.expect(204);
        set(&ada, "userName", json!("grace")).await.expect_error(409, Some("uniqueness"));
        set(&ada, "active", json!(true)).await.expect(204);
        set(&grace, "title", json!("Rear admiral")).await.expect(204);
        let auditor = organization.auditor();
        let mut case = Self { organization, auditor, ada, grace, log: Vec::new() };
        case.signed().await;
        case
    }

    /// Waits for a checkpoint of the whole log, and reads the log.
    async fn signed(&mut self) {
        let export = self.auditor.get("/export").await.expect(200);
        self.log = export.as_str().unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let path = format!("/checkpoint?size={}", self.log.len());
        eventually("a checkpoint", async || (self.auditor.get(&path).await.status == 200).then_some(())).await;
    }

    fn entry(&self, event_type: EventType, subject: &str) -> &Entry {
        let is_wanted = |entry: &&Entry| {
            entry.header.event_type == event_type
                && entry.header.subject_id.map(|id| id.to_string()).as_deref() == Some(subject)
        };
        self.log.iter().rev().find(is_wanted).unwrap()
    }

    /// Saves a proof file and verifies it.
    fn check(&self, text: &str) -> (i32, String) {
        let path = self.organization.folder().join("a.tlog-proof");
        std::fs::write(&path, text).unwrap();
        verify(&["proof", path.to_str().unwrap(), "--key", &self.organization.checkpoint_key()])
    }

    async fn file(&self, path: &str) -> String {
        text(self.auditor.get(path).await)
    }
}

fn text(answer: Answer) -> String {
    assert_eq!(
        (answer.header("content-type"), answer.header("cache-control")),
        ("text/plain; charset=utf-8", "no-store")
    );
    assert!(answer.header("content-disposition").ends_with(".tlog-proof\""), "{:?}", answer.headers);
    answer.expect(200).as_str().unwrap().to_owned()
}

/// The content of the line `extra`.
fn extra(text: &str) -> String {
    String::from_utf8(text.parse::<TlogProof>().unwrap().extra.unwrap()).unwrap()
}

/// The same file with another evidence.
fn with(text: &str, change: impl FnOnce(&mut Evidence)) -> String {
    let mut file: TlogProof = text.parse().unwrap();
    let mut evidence = serde_json::from_slice(&file.extra.unwrap()).unwrap();
    change(&mut evidence);
    file.extra = Some(serde_json::to_vec(&evidence).unwrap());
    file.to_string()
}

#[tokio::test]
async fn every_entry_has_a_file_that_proves_it() {
    let stack = Stack::shared().await;
    let (case, other) = (Case::new(&stack).await, Case::new(&stack).await);
    for (seq, entry) in (1..).zip(&case.log) {
        let file = case.file(&format!("/events/{seq}/proof")).await;
        let (code, output) = case.check(&file);
        assert!(code == 0 && output.contains(&format!("entry {seq} is {}", entry.header.event_type)), "{output}");
        // The entry of another log at the same position is another one.
        let theirs = with(&file, |evidence| evidence.entry = other.log[seq - 1].clone());
        assert_eq!(case.check(&theirs).0, 1);
    }
    let seq = case.log.len();
    let beyond = case.auditor.get(&format!("/events/{}/proof", seq + 1)).await;
    assert_eq!(beyond.expect_error(404, None), "the log has no such entry");
    for path in ["/events/0/proof", "/events/x/proof", "/events/1/proof?size=999999"] {
        case.auditor.get(path).await.expect_error(404, None);
    }
    let early = case.auditor.get(&format!("/events/{seq}/proof?size=1")).await;
    assert!([400, 404].contains(&early.status), "no checkpoint at size 1, or one without the entry: {}", early.body);
    let file = case.file(&format!("/events/1/proof?size={seq}")).await;
    assert_eq!(case.check(&file).0, 0);
    case.auditor.get("/proof/inclusion?seq=1").await.expect_error(404, None);
}

#[tokio::test]
async fn a_file_discloses_what_the_auditor_chooses() {
    let stack = Stack::shared().await;
    let case = Case::new(&stack).await;
    let seq = case.entry(EventType::UserCreated, &case.ada).header.seq;
    for (disclose, payload, actor) in [
        ("", false, false),
        ("?disclose=payload", true, false),
        ("?disclose=actor", false, true),
        ("?disclose=payload,actor", true, true),
    ] {
        let file = case.file(&format!("/events/{seq}/proof{disclose}")).await;
        let content = extra(&file);
        assert_eq!((content.contains("Countess"), content.contains("hr.example.com")), (payload, actor), "{content}");
        let (code, output) = case.check(&file);
        assert_eq!(
            (code, output.contains("Countess"), output.contains("hr.example.com")),
            (0, payload, actor),
            "{output}"
        );
        assert_eq!(output.contains("not proved: the payload"), !payload, "{output}");
    }
    case.auditor.get(&format!("/events/{seq}/proof?disclose=all")).await.expect_error(400, Some("invalidValue"));
}

#[tokio::test]
async fn a_changed_file_is_broken_and_a_mixed_one_cannot_be_checked() {
    let stack = Stack::shared().await;
    let (case, other) = (Case::new(&stack).await, Case::new(&stack).await);
    let seq = case.entry(EventType::UserCreated, &case.ada).header.seq;
    let path = format!("/events/{seq}/proof?disclose=payload");
    let file = case.file(&path).await;
    let changed = with(&file, |evidence| evidence.entry.payload.as_mut().unwrap()["resource"]["title"] = json!("Lady"));
    let (code, output) = case.check(&changed);
    assert!(code == 1 && output.contains(&format!("BROKEN: entry {seq}: the payload")), "{output}");
    let changed = with(&file, |evidence| {
        evidence.entry.header.subject_id = case.grace.parse().ok();
        evidence.entry.leaf = evidence.entry.header.leaf().unwrap();
    });
    let (code, output) = case.check(&changed);
    assert!(code == 1 && output.contains("the proof does not lead to the root"), "{output}");

    let note = |text: &str| text.split_once("\n\n").unwrap().1.to_owned();
    let earlier = case.file("/events/1/proof").await;
    let mut case = case;
    case.organization.client().create(user("third")).await.expect(201);
    case.signed().await;
    let later = case.file("/events/1/proof").await;
    let (code, output) = case.check(&later.replace(&note(&later), &note(&earlier)));
    assert!(code != 0, "{output}");
    let (code, output) = case.check(&file.replace("\nindex ", "\nindex 9"));
    assert!(code == 2 && output.contains("not for the checkpoint of the file"), "{output}");
    // A checkpoint of another organization, signed with the same key.
    let theirs = other.file(&path).await;
    let (code, output) = case.check(&file.replace(&note(&file), &note(&theirs)));
    assert!(code == 1 && output.contains("the checkpoint is of another log"), "{output}");
    let stranger = "rollcall.localhost+00000000+AAAA";
    let saved = case.organization.folder().join("a.tlog-proof");
    assert_eq!(verify(&["proof", saved.to_str().unwrap(), "--key", stranger]).0, 2);
    assert_eq!(case.check("nothing").0, 2);
}

#[tokio::test]
async fn one_file_proves_the_state_of_a_user_at_a_time() {
    let stack = Stack::shared().await;
    let (case, other) = (Case::new(&stack).await, Case::new(&stack).await);
    let (ada, deactivated) = (&case.ada, case.entry(EventType::UserDeactivated, &case.ada));
    // The subject of this refusal is the user who has the name.
    let refused = case.entry(EventType::RequestRejected, &case.grace).header.recorded_at;
    let seq = deactivated.header.seq;
    let path = |at: &dyn std::fmt::Display, more: &str| format!("/users/{ada}/proof?at={at}{more}");

    // When the refused request was recorded, the user was inactive: two entries follow the deactivation, and
    // neither changed the user.
    let file = case.file(&path(&refused, "&between=true")).await;
    let (code, output) = case.check(&file);
    let state = format!("holds: user {ada} was inactive at {refused}: entry {seq} is the last change before");
    assert!(code == 0 && output.contains(&state), "{output}");
    assert!(output.contains(&format!("the log went on after that time with entry {}", seq + 3)), "{output}");
    assert!(output.contains("Countess") && !output.contains("hr.example.com"), "{output}");
    let content = extra(&file);
    assert!(!content.contains("Admiral") && !content.contains("grace"), "others appear by their ids only");

    // The entries in between are left out unless they are asked for.
    let short = case.file(&path(&refused, "&disclose=none")).await;
    assert!(short.len() < file.len() && !extra(&short).contains("Countess"));
    let (code, output) = case.check(&short);
    let open = format!("was inactive at {refused}: only if none of the entries {} to {}", seq + 1, seq + 2);
    assert!(code == 2 && output.contains("NOT CHECKED: user") && output.contains(&open), "{output}");

    // A microsecond before the deactivation, and at the deactivation.
    let times = [
        (case.log[usize::try_from(seq).unwrap() - 2].header.recorded_at, "active", 0),
        (deactivated.header.recorded_at, "inactive", 0),
        // An entry that no checkpoint has yet may be from before the time.
        (case.log.last().unwrap().header.recorded_at, "active", 2),
    ];
    for (at, state, expected) in times {
        let (code, output) = case.check(&case.file(&path(&at, "&between=true")).await);
        assert!(code == expected && output.contains(&format!("user {ada} was {state} at {at}")), "{output}");
    }

    let hidden = with(&file, |evidence| evidence.state.as_mut().unwrap().between.as_mut().unwrap().headers.truncate(1));
    let (code, output) = case.check(&hidden);
    assert!(code == 1 && output.contains(&format!("BROKEN: the state at {refused}")), "{output}");
    let later =
        with(&file, |evidence| evidence.state.as_mut().unwrap().at = case.log.last().unwrap().header.recorded_at);
    assert_eq!(case.check(&later).0, 1);

    let before = case.log[0].header.recorded_at;
    assert_eq!(case.auditor.get(&path(&before, "")).await.expect_error(404, None), "there was no such user then");
    let foreign = other.auditor.get(&path(&refused, "")).await;
    assert_eq!(foreign.expect_error(404, None), "there was no such user then");
    for wrong in ["", "?at=yesterday", "?at=9000-01-01T00:00:00Z", "?at=2026-01-01T00:00:00Z&between=perhaps"] {
        case.auditor.get(&format!("/users/{ada}/proof{wrong}")).await.expect_error(400, Some("invalidValue"));
    }
}

/// The proof of a state outlives the erasure of the person: it says that the payload is missing.
#[tokio::test]
async fn the_state_of_an_erased_user_is_proved_without_the_payload() {
    let stack = Stack::shared().await;
    let mut case = Case::new(&stack).await;
    let at = case.entry(EventType::UserDeactivated, &case.ada).header.recorded_at;
    case.organization.client().delete(&case.ada).await.expect(204);
    case.organization.command(&["user", "erase", &case.ada]).unwrap();
    case.signed().await;
    let path = format!("/users/{}/proof?between=true&at=", case.ada);
    let (code, output) = case.check(&case.file(&format!("{path}{at}")).await);
    assert!(code == 0 && output.contains(&format!("user {} was inactive at {at}", case.ada)), "{output}");
    assert!(output.contains("it is withheld, or it was erased") && !output.contains("Countess"), "{output}");
    let now = case.log.last().unwrap().header.recorded_at;
    let (code, output) = case.check(&case.file(&format!("{path}{now}")).await);
    assert!(code == 2 && output.contains(&format!("user {} was deleted at {now}", case.ada)), "{output}");
}
