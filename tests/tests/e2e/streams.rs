//! The promises to the receiver of an event stream: every change, in order, at least once, signed, and
//! nothing outside its scope.

use reqwest::Method;
use rollcall_tests::client::{ROLLCALL, user, user_with};
use rollcall_tests::receiver::Receiver;
use rollcall_tests::service::{Service, answers, command, verified};
use rollcall_tests::set::claims;
use rollcall_tests::{Answer, Client, Organization, Stack, eventually, within};
use serde_json::{Value, json};

/// A stream with poll delivery.
pub(crate) struct Polled {
    url: String,
    receiver: Client,
    path: String,
}

impl Polled {
    pub(crate) fn create(stack: &Stack, organization: &Organization, flags: &[&str]) -> Self {
        let created = organization.stream(flags);
        let path = format!("/{}/poll", created["id"].as_str().unwrap());
        assert_eq!(created["poll"].as_str().unwrap().rsplit_once("/streams/v1").unwrap().1, path);
        Self {
            url: stack.url.clone(),
            receiver: Client::receiver(&stack.url, created["token"].as_str().unwrap()),
            path,
        }
    }

    async fn ask(&self, body: Value) -> Answer {
        self.receiver.send(Method::POST, &self.path, body).await
    }

    /// Polls once without waiting. Returns the checked claims of each event in the order of the log, and
    /// whether there are more.
    pub(crate) async fn poll(&self, mut body: Value) -> (Vec<Value>, bool) {
        body["returnImmediately"] = json!(true);
        let answer = self.ask(body).await.expect(200);
        (self.read(&answer).await, answer["moreAvailable"].as_bool().unwrap())
    }

    async fn read(&self, answer: &Value) -> Vec<Value> {
        let mut sets = Vec::new();
        for (jti, token) in answer["sets"].as_object().unwrap() {
            let claims = claims(&self.url, token.as_str().unwrap()).await;
            assert_eq!((&claims["jti"], &claims["aud"]), (&json!(jti), &json!("receiver")));
            sets.push(claims);
        }
        sets.sort_by_key(seq);
        sets
    }
}

fn seq(claims: &Value) -> u64 {
    claims["jti"].as_str().unwrap().split(':').nth(1).unwrap().parse().unwrap()
}

/// The names of the events in a token.
fn events(claims: &Value) -> Vec<&str> {
    let events = claims["events"].as_object().unwrap();
    let mut names: Vec<_> = events.keys().map(|uri| uri.strip_prefix("urn:ietf:params:scim:event:").unwrap()).collect();
    names.sort_unstable();
    names
}

fn all_events(sets: &[Value]) -> Vec<Vec<&str>> {
    sets.iter().map(events).collect()
}

fn jtis(sets: &[Value]) -> Vec<&str> {
    sets.iter().map(|set| set["jti"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_polling_receiver_gets_every_event_until_it_acknowledges_it() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    client.create(user("before")).await.expect(201);
    let stream = Polled::create(&stack, &organization, &[]);
    let ada = client.create(user_with("ada", &json!({"externalId": "hr-1", "title": "Countess"}))).await;
    let id = ada.id();
    client.create(user("ADA")).await.expect_error(409, Some("uniqueness"));
    client.patch(&id, json!([{"op": "remove", "path": "title"}])).await.expect(204);
    client.patch(&id, json!([{"op": "replace", "path": "active", "value": false}])).await.expect(204);
    client.replace(&id, user_with("ada", &json!({"active": true}))).await.expect(200);
    let group = client.create_group("Authors", &[&id]).await.id();
    client
        .patch_group(&group, json!([{"op": "remove", "path": format!("members[value eq \"{id}\"]")}]))
        .await
        .expect(204);
    client.delete(&id).await.expect(204);

    let (sets, more) = stream.poll(json!({})).await;
    assert!(!more);
    let expected: [&[&str]; 7] = [
        &["feed:add", "prov:create:full"],
        &["prov:patch:full"],
        &["prov:deactivate", "prov:patch:full"],
        &["prov:activate", "prov:put:full"],
        &["feed:add", "prov:create:full"],
        &["prov:patch:full"],
        &["prov:delete"],
    ];
    assert_eq!(all_events(&sets), expected);
    assert_eq!(sets[0]["iss"], format!("{}/scim/v2", stack.url));
    assert_eq!(sets[0]["sub_id"], json!({"format": "scim", "uri": format!("/Users/{id}"), "externalId": "hr-1"}));
    let created = &sets[0]["events"]["urn:ietf:params:scim:event:prov:create:full"];
    assert_eq!(
        (&created["data"], &created["version"]),
        (&ada.body, &json!("W/\"1\"")),
        "the caller who created the user got the same"
    );
    let patched = &sets[1]["events"]["urn:ietf:params:scim:event:prov:patch:full"]["data"]["Operations"];
    assert_eq!(*patched, json!([{"op": "remove", "path": "title"}]));
    let left = &sets[5]["events"]["urn:ietf:params:scim:event:prov:patch:full"]["data"]["Operations"];
    assert_eq!(*left, json!([{"op": "remove", "path": format!("members[value eq \"{id}\"]")}]));

    assert_eq!(stream.poll(json!({})).await.0, sets, "no event was acknowledged");
    let (first, more) = stream.poll(json!({"maxEvents": 2})).await;
    assert_eq!((&first[..], more), (&sets[..2], true), "the oldest come first");
    let (rest, more) = stream.poll(json!({"ack": [sets[1]["jti"], sets[3]["jti"]]})).await;
    assert_eq!(
        (jtis(&rest), more),
        ([0, 2, 4, 5, 6].map(|n| jtis(&sets)[n]).to_vec(), false),
        "acknowledged in any order"
    );
    let error = json!({"err": "invalid_request", "description": "not understood"});
    let (rest, more) = stream.poll(json!({"setErrs": {jtis(&sets)[0]: error}, "maxEvents": 0})).await;
    assert_eq!((rest.len(), more), (0, true), "only acknowledges");
    assert_eq!(
        jtis(&stream.poll(json!({})).await.0),
        [2, 4, 5, 6].map(|n| jtis(&sets)[n]),
        "an event reported as an error is not sent again"
    );
    let (rest, _) = stream.poll(json!({"ack": jtis(&sets)})).await;
    assert_eq!(rest, [] as [Value; 0]);
    let listed = answers(&stack.instance, &["stream", "list", "--organization", &organization.id]).remove(0);
    assert_eq!((&listed["delivered_up_to"], &listed["enabled"]), (&listed["log_size"], &json!(true)));
}

#[tokio::test]
async fn a_long_poll_is_answered_when_an_event_occurs() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let (client, stream) =
        (organization.client(), Polled::create(&stack, &organization, &["--event", "prov:create:notice"]));
    let waiting = stream.ask(json!({}));
    let happening = async {
        client.create_group("Authors", &[]).await.expect(201);
    };
    let (answer, ()) = within("an answer", async { tokio::join!(waiting, happening) }).await;
    let sets = stream.read(&answer.expect(200)).await;
    assert_eq!(all_events(&sets), [["prov:create:notice"]]);
    let notice = &sets[0]["events"]["urn:ietf:params:scim:event:prov:create:notice"];
    assert_eq!(
        *notice,
        json!({"attributes": ["displayName", "id"], "version": "W/\"1\""}),
        "a notice names attributes and has no values"
    );
}

#[tokio::test]
async fn a_stream_delivers_only_later_events_about_members_of_its_workspaces() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let (client, sales) = (organization.client(), organization.sales.clone());
    let member = |workspace: &str| json!({ROLLCALL: {"workspaces": [{"value": workspace}]}});
    let ada = client.create(user_with("ada", &member(&sales))).await.id();
    let bob = client.create(user("bob")).await.id();
    let stream = Polled::create(&stack, &organization, &["--workspace", &sales, "--from-start"]);
    let move_to = |workspace: &str| {
        json!([{
            "op": "replace", "path": format!("{ROLLCALL}:workspaces"), "value": [{"value": workspace}]
        }])
    };
    client.patch(&bob, move_to(&sales)).await.expect(204);
    client.patch(&ada, move_to(&organization.marketing)).await.expect(204);
    client.patch(&ada, json!([{"op": "replace", "path": "title", "value": "Countess"}])).await.expect(204);
    client.delete(&ada).await.expect(204);
    client.delete(&bob).await.expect(204);
    let (sets, _) = stream.poll(json!({})).await;
    let of: Vec<_> =
        sets.iter().map(|set| set["sub_id"]["uri"].as_str().unwrap().rsplit_once('/').unwrap().1).collect();
    assert_eq!(of, [&ada, &bob, &ada, &bob]);
    let expected: [&[&str]; 4] =
        [&["feed:add", "prov:create:full"], &["feed:add", "prov:put:full"], &["feed:remove"], &["prov:delete"]];
    assert_eq!(all_events(&sets), expected);
    assert_eq!(
        sets[1]["events"]["urn:ietf:params:scim:event:prov:put:full"]["data"]["userName"], "bob",
        "the event has the whole resource"
    );
}

#[tokio::test]
async fn only_its_receiver_can_read_a_stream() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let stream = Polled::create(&stack, &organization, &[]);
    let other = Polled::create(&stack, &stack.organization(), &[]);
    let with = |token: &str, path: &str| {
        let client = Client::receiver(&stack.url, token);
        let path = path.to_owned();
        async move { client.send(Method::POST, &path, json!({"returnImmediately": true})).await }
    };
    with(&other.receiver.token, &stream.path).await.expect_error(404, None);
    with(&organization.issue(&[]).1, &stream.path).await.expect_error(401, None);
    with(&organization.issue_for_auditor(&[]).1, &stream.path).await.expect_error(401, None);
    with("?", &stream.path).await.expect_error(401, None);
    Client::new(&stack.url, &stream.receiver.token, Some("hr.example.com")).get("/Users").await.expect_error(401, None);
    Client::auditor(&stack.url, &stream.receiver.token).get("/events").await.expect_error(401, None);
    stream.receiver.get(&stream.path).await.expect_error(405, None);
    let wrong = stream.ask(json!({"maxEvents": "many"})).await;
    assert_eq!(wrong.expect_error(400, Some("invalidValue")), "maxEvents must be a number that is not negative");
    let elsewhere = Polled::create(&stack, &organization, &["--allow", "203.0.113.0/24"]);
    elsewhere.ask(json!({})).await.expect_error(403, None);

    // A waiting poll also ends when the stream is deleted.
    let id = stream.path.trim_start_matches('/').trim_end_matches("/poll").to_owned();
    let waiting = stream.ask(json!({}));
    let ending = async { answers(&stack.instance, &["stream", "delete", "--organization", &organization.id, &id]) };
    let (answer, _) = within("an answer", async { tokio::join!(waiting, ending) }).await;
    answer.expect_error(401, None);
    stream.ask(json!({})).await.expect_error(401, None);
    let log = organization
        .auditor()
        .query("/events", &[("type", "StreamCreated,StreamDeleted"), ("subject", &id)])
        .await
        .expect(200);
    assert_eq!(log["entries"].as_array().unwrap().len(), 2, "the creation and deletion of a stream are logged");
    let again = command(&stack.instance, &["stream", "delete", "--organization", &organization.id, &id]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("there is no such event stream"));
}

#[tokio::test]
async fn events_are_pushed_in_the_order_of_the_log() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let (client, receiver) = (organization.client(), Receiver::start());
    organization.stream(&["--push", &receiver.url]);
    let ids: Vec<_> = futures_util::future::join_all((0..30).map(|n| client.create(user(&format!("user-{n}"))))).await;
    client.delete(&ids[0].id()).await.expect(204);
    let tokens = eventually("31 events", async || Some(receiver.tokens()).filter(|tokens| tokens.len() >= 31)).await;
    let mut sets = Vec::new();
    for token in &tokens {
        sets.push(claims(&stack.url, token).await);
    }
    let places: Vec<_> = sets.iter().map(seq).collect();
    assert!(places.is_sorted(), "{places:?}");
    assert_eq!(events(&sets[30]), ["prov:delete"]);
}

/// The receiver refuses, the worker is killed, the receiver recovers. Then the receiver stays away until the
/// stream is resumed.
#[tokio::test]
async fn a_failing_receiver_and_a_killed_worker_lose_no_event() {
    let mut stack = Stack::private("streams", &[]).await;
    let organization = stack.organization();
    let (client, receiver) = (organization.client(), Receiver::start());
    receiver.refuse(true);
    let id = organization.stream(&["--push", &receiver.url])["id"].as_str().unwrap().to_owned();
    let listed = || answers(&stack.instance, &["stream", "list", "--organization", &organization.id]).remove(0);
    let secrets = stack.instance.dir().join("authorizations");
    std::fs::write(&secrets, format!("# what receivers expect\n{id} Bearer secret\n")).unwrap();
    for n in 0..5 {
        client.create(user(&format!("user-{n}"))).await.expect(201);
    }
    eventually("refusals", async || (receiver.refused() >= 2).then_some(())).await;
    let failing = eventually("the failure to be known", async || {
        Some(listed()).filter(|stream| !stream["failing_since"].is_null())
    })
    .await;
    assert_eq!(failing["failure"], "the receiver answered 400 Bad Request: invalid_key: the key is not known here");
    drop(stack.worker.take());
    let settings = [("ROLLCALL_WORKER__PUSH_AUTHORIZATION_FILE", secrets.to_str().unwrap())];
    stack.worker = Some(Service::worker_with(&stack.instance, &settings));
    receiver.refuse(false);
    let tokens = eventually("5 events", async || Some(receiver.tokens()).filter(|tokens| tokens.len() >= 5)).await;
    let mut names = Vec::new();
    for token in &tokens {
        let set = claims(&stack.url, token).await;
        names.push(
            set["events"]["urn:ietf:params:scim:event:prov:create:full"]["data"]["userName"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    assert_eq!(names, ["user-0", "user-1", "user-2", "user-3", "user-4"]);
    assert_eq!(receiver.authorizations()[0], "Bearer secret");
    eventually("the end of the failure", async || Some(listed()).filter(|stream| stream["failing_since"].is_null()))
        .await;

    receiver.refuse(true);
    drop(stack.worker.take());
    stack.worker = Some(Service::worker_with(&stack.instance, &[("ROLLCALL_WORKER__PUSH_DEAD_SECONDS", "1")]));
    client.create(user("late")).await.expect(201);
    let paused =
        eventually("the stream to be paused", async || Some(listed()).filter(|stream| stream["enabled"] == false))
            .await;
    assert_eq!(paused["reason"], "the receiver answered 400 Bad Request: invalid_key: the key is not known here");
    receiver.refuse(false);
    answers(&stack.instance, &["stream", "resume", "--organization", &organization.id, &id]);
    let tokens = eventually("the late event", async || Some(receiver.tokens()).filter(|tokens| tokens.len() > 5)).await;
    let late = claims(&stack.url, &tokens[5]).await;
    assert_eq!(late["events"]["urn:ietf:params:scim:event:prov:create:full"]["data"]["userName"], "late");
    let log = organization
        .auditor()
        .query("/events", &[("type", "StreamPaused,StreamResumed"), ("order", "oldest")])
        .await
        .expect(200);
    assert_eq!(log["entries"][0]["header"]["type"], "StreamPaused");
    assert_eq!(log["entries"][1]["header"]["type"], "StreamResumed");
    let (is_valid, output) = verified(&stack.instance, &organization.id).await;
    assert!(is_valid, "the streams match the log: {output}");
}

/// The owner of the database can break a row. Only the stream that needs the row must wait.
#[tokio::test]
async fn an_unreadable_stream_or_entry_does_not_stop_other_streams() {
    let mut stack = Stack::private("push-unreadable", &[]).await;
    let owner = stack.database("postgres").await;
    let [nameless, nowhere, unreadable, sound] = [(); 4].map(|()| stack.organization());
    let receivers = [(); 4].map(|()| Receiver::start());
    unreadable.client().create(user("first")).await.expect(201);
    let break_entry = "
        SET session_replication_role = replica;
        UPDATE rollcall.events SET recorded_at = 'infinity' WHERE organization_id = 'ORG' AND type = 'UserCreated';
        SET session_replication_role = DEFAULT";
    owner.batch_execute(&break_entry.replace("ORG", &unreadable.id)).await.unwrap();
    let all = [&nameless, &nowhere, &unreadable, &sound];
    for (organization, receiver) in all.iter().zip(&receivers) {
        organization.stream(&["--from-start", "--push", &receiver.url]);
    }
    drop(stack.worker.take());
    let break_row = async |organization: &Organization, set: &str| {
        let sql = format!("UPDATE rollcall.event_streams SET {set} WHERE organization_id = '{}'", organization.id);
        assert_eq!(owner.execute(&sql, &[]).await.unwrap(), 1);
    };
    break_row(&nameless, "events = '{tea}'").await;
    break_row(&nowhere, "endpoint = 'nowhere'").await;
    stack.worker = Some(Service::worker(&stack.instance));
    for organization in all {
        organization.client().create(user("ada")).await.expect(201);
    }
    eventually("the sound stream's event", async || (receivers[3].tokens().len() == 1).then_some(())).await;
    let listed = |organization: &Organization| {
        answers(&stack.instance, &["stream", "list", "--organization", &organization.id]).remove(0)
    };
    let failure = eventually("the reason why the stream stops", async || {
        listed(&unreadable)["failure"].as_str().map(str::to_owned)
    })
    .await;
    assert!(failure.starts_with("entry ") && failure.contains("of the log cannot be read"), "{failure}");
    assert!(receivers[..3].iter().all(|receiver| receiver.tokens().is_empty()), "no event is skipped");
    // A repaired stream continues.
    break_row(&nowhere, &format!("endpoint = '{}'", receivers[1].url)).await;
    answers(
        &stack.instance,
        &["workspace", "create", "--organization", &sound.id, "a change that has streams looked up"],
    );
    eventually("the repaired stream's event", async || (receivers[1].tokens().len() == 1).then_some(())).await;
}
