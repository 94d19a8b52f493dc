//! The queue's faults: redelivery, malformed messages, and poison messages. And the queue's promise: the
//! order.

use lapin::BasicProperties;
use reqwest::Method;
use rollcall_events::outcome::Outcome;
use rollcall_events::request::{Request, RequestBody};
use rollcall_events::{EventId, OrganizationId};
use rollcall_queue::envelope::{encode, properties};
use rollcall_queue::framing::Message;
use rollcall_tests::amqp::Sender;
use rollcall_tests::client::{user, user_with};
use rollcall_tests::requests::{create, together};
use rollcall_tests::{Organization, Stack, eventually, within};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_postgres::{Client, NoTls};

fn is_applied(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Applied { resource: Some(_) })
}

#[tokio::test]
async fn an_event_that_is_delivered_twice_has_one_effect_and_one_outcome() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let sender = Sender::connect(&stack.instance).await;
    let (ada, grace) =
        (create(&organization, &json!({"userName": "ada"})), create(&organization, &json!({"userName": "grace"})));
    let refused = create(&organization, &json!({"userName": "ADA"}));
    let together =
        sender.submit(&[ada.clone(), ada.clone(), refused.clone(), grace.clone(), refused.clone(), ada.clone()]).await;
    let later = sender.submit(&[ada, grace, refused]).await;
    assert!(is_applied(&together[0]), "{together:?}");
    assert!(matches!(&together[2], Outcome::Rejected(error) if error.status == 409), "{together:?}");
    assert_eq!((&together[1], &together[5], &later[0]), (&together[0], &together[0], &together[0]));
    assert_eq!((&together[4], &later[2]), (&together[2], &together[2]));
    assert_eq!(later[1], together[3]);
    let auditor = stack.auditor().await;
    assert_eq!(auditor.compare_with_tables(&organization.id).await, 2);
    let log = auditor.verify(&organization.id).await;
    assert_eq!(log.iter().filter(|entry| entry.header.event_type.as_str() == "UserCreated").count(), 2);
}

#[tokio::test]
async fn a_create_repeated_much_later_gets_the_current_resource() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let submit = async |requests: &[Request]| Sender::connect(&stack.instance).await.submit(requests).await;
    let [ada, grace] = ["ada", "grace"].map(|name| create(&organization, &json!({"userName": name})));
    assert!(submit(&[ada.clone(), grace.clone()]).await.iter().all(is_applied));
    let id = |request: &Request| match &request.body {
        RequestBody::UserRequested(call) => call.user_id.to_string(),
        _ => unreachable!("it is a creation"),
    };
    client.replace(&id(&ada), user("augusta")).await.expect(200);
    assert_eq!(client.delete(&id(&grace)).await.status, 204);
    // Neither message is marked as redelivered.
    let new = create(&organization, &json!({"userName": "mary"}));
    let again = submit(&[new, ada.clone(), grace]).await;
    assert!(again.iter().all(is_applied), "{again:?}");
    let stolen = Request { id: EventId::generate(), ..ada.clone() };
    let refused = submit(&[stolen]).await;
    assert!(
        matches!(&refused[0], Outcome::Rejected(error) if error.status == 409),
        "another request for the same user: {refused:?}"
    );
    assert_eq!(client.get(&format!("/Users/{}", id(&ada))).await.expect(200)["userName"], "augusta");
    let auditor = stack.auditor().await;
    auditor.verify(&organization.id).await;
    assert_eq!(auditor.compare_with_tables(&organization.id).await, 2);
}

#[tokio::test]
async fn events_are_decided_in_the_order_of_the_queue() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let id = client.create(user("ada")).await.id();
    let mut sent = Vec::new();
    for n in 0..100 {
        let path = format!("/Users/{id}");
        let body = user_with("ada", &json!({"title": format!("t{n}")}));
        let accepted = client.call(Method::PUT, &path).header("prefer", "respond-async").json(&body).send().await;
        assert_eq!(accepted.status, 202);
        sent.push(accepted.header("set-txn").to_owned());
    }
    client.replace(&id, user_with("ada", &json!({"title": "last"}))).await.expect(200);
    let log = stack.auditor().await.verify(&organization.id).await;
    let updates: Vec<_> = log
        .iter()
        .filter(|entry| entry.header.event_type.as_str() == "UserUpdated")
        .map(|entry| entry.header.event_id.to_string())
        .collect();
    assert_eq!(updates[..100], sent);
    assert_eq!(client.get(&format!("/Users/{id}")).await.expect(200)["meta"]["version"], "W/\"102\"");
}

#[tokio::test]
async fn requests_in_one_message_are_decided_one_by_one_in_order() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let to: OrganizationId = organization.id.parse().unwrap();
    let sender = Sender::connect(&stack.instance).await;
    let [ada, refused, strange, grace] =
        ["ada", "ADA", "mary", "grace"].map(|name| create(&organization, &json!({"userName": name})));
    let Message { properties, body } = together(&[&ada, &refused, &strange, &ada, &grace]);
    let mut body: Value = serde_json::from_slice(&body).unwrap();
    body["messages"][2]["body"]["type"] = json!("TeaRequested");
    sender.publish(to, properties, body.to_string().as_bytes()).await;

    let (_, reason, kept) =
        eventually("the dead letter", async || stack.dead_letter(&strange.id.to_string()).await).await;
    assert!(reason.contains("TeaRequested"), "{reason}");
    assert_eq!(
        serde_json::from_slice::<Value>(&kept).unwrap(),
        body["messages"][2]["body"],
        "the dead letter has only its own message"
    );
    assert!(
        is_applied(&sender.submit(std::slice::from_ref(&grace)).await[0]),
        "the message was recorded, and later messages are applied"
    );
    let log = stack.auditor().await.verify(&organization.id).await;
    let recorded: Vec<_> = log.iter().map(|entry| (entry.header.event_id, entry.header.error.is_none())).collect();
    assert!(recorded.ends_with(&[(ada.id, true), (refused.id, false), (grace.id, true)]), "{recorded:?}");
}

#[tokio::test]
async fn requests_in_one_dead_lettered_message_become_one_dead_letter_each() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let [ada, grace] = ["ada", "grace"].map(|name| create(&organization, &json!({"userName": name})));
    let Message { properties, body } = together(&[&ada, &grace]);
    Sender::connect(&stack.instance).await.dead_letter_by_broker(properties, &body).await;
    for request in [ada, grace] {
        let (_, reason, kept) =
            eventually("the dead letter", async || stack.dead_letter(&request.id.to_string()).await).await;
        assert!(reason.contains("delivered it too often"), "{reason}");
        assert_eq!(kept, encode(&request).unwrap());
    }
}

#[tokio::test]
async fn a_malformed_message_becomes_a_dead_letter_with_its_reason_and_blocks_nothing() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let to: OrganizationId = organization.id.parse().unwrap();
    let sender = Sender::connect(&stack.instance).await;
    let good = create(&organization, &json!({"userName": "ada"}));
    let with = |edit: &dyn Fn(&mut Value)| {
        let request = create(&organization, &json!({"userName": "ada"}));
        let mut body: Value = serde_json::from_slice(&encode(&request).unwrap()).unwrap();
        edit(&mut body);
        (request.id.to_string(), properties(&request, "test", None), body.to_string().into_bytes())
    };
    let nonsense = EventId::generate().to_string();
    let bad = [
        (with(&|body| body["version"] = json!(99)), "version 99"),
        (with(&|body| body["type"] = json!("TeaRequested")), "TeaRequested"),
        (with(&|body| body["data"] = json!({})), "not a request"),
        (with(&|body| body["id"] = json!(EventId::generate())), "message_id"),
        (
            (nonsense.clone(), BasicProperties::default().with_message_id(nonsense.into()), b"{".to_vec()),
            "not a request",
        ),
    ];
    for ((_, properties, body), _) in &bad {
        sender.publish(to, properties.clone(), body).await;
    }
    assert!(is_applied(&sender.submit(&[good]).await[0]), "later messages are applied");
    for ((id, _, body), word) in &bad {
        let (_, reason, kept) = eventually("the dead letter", async || stack.dead_letter(id).await).await;
        assert!(reason.contains(word), "{reason}");
        assert_eq!(kept, *body);
    }
    assert_eq!(stack.auditor().await.compare_with_tables(&organization.id).await, 1);
}

#[tokio::test]
async fn a_poison_message_does_not_affect_other_requests() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let sender = Sender::connect(&stack.instance).await;
    let mut requests: Vec<_> =
        (0..40).map(|n| create(&organization, &json!({"userName": format!("user{n}")}))).collect();
    // The api refuses this text. Another sender can publish it, and Postgres cannot store it.
    requests[17] = create(&organization, &json!({"userName": "a\u{0}b"}));
    let outcomes = sender.submit(&requests).await;
    for (n, outcome) in outcomes.iter().enumerate() {
        let as_expected = if n == 17 { *outcome == Outcome::Failed } else { is_applied(outcome) };
        assert!(as_expected, "{n}: {outcome:?}");
    }
    let id = requests[17].id.to_string();
    let (_, reason, _) = eventually("the dead letter", async || stack.dead_letter(&id).await).await;
    assert!(reason.starts_with("postgres:") && !reason.contains("a\u{0}b"), "{reason}");
    let auditor = stack.auditor().await;
    auditor.verify(&organization.id).await;
    assert_eq!(auditor.compare_with_tables(&organization.id).await, 39);
}

/// A caller whose message cannot be decoded must not wait for an outcome that never comes.
#[tokio::test]
async fn the_caller_of_a_malformed_message_gets_an_error_at_once() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let to: OrganizationId = organization.id.parse().unwrap();
    let sender = Sender::connect(&stack.instance).await;
    let edits: [fn(&mut Value); 3] = [
        |body| body["version"] = json!(99),
        |body| body["type"] = json!("TeaRequested"),
        |body| body["data"] = json!({}),
    ];
    for edit in edits {
        let request = create(&organization, &json!({"userName": "ada"}));
        let mut body: Value = serde_json::from_slice(&encode(&request).unwrap()).unwrap();
        edit(&mut body);
        assert_eq!(
            sender.ask(to, properties(&request, "test", None), body.to_string().as_bytes()).await,
            Outcome::Failed
        );
    }
    let nonsense = BasicProperties::default().with_message_id(EventId::generate().to_string().into());
    assert_eq!(sender.ask(to, nonsense, b"{").await, Outcome::Failed);
}

/// Listens for notifications to applications.
async fn listen(stack: &Stack) -> (Client, UnboundedReceiver<String>) {
    let (client, mut connection) =
        tokio_postgres::connect(&stack.instance.database_url("rollcall_app"), NoTls).await.unwrap();
    let (sender, notifications) = unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = std::future::poll_fn(|context| connection.poll_message(context)).await {
            if let tokio_postgres::AsyncMessage::Notification(notification) = message {
                let _ = sender.send(notification.payload().to_owned());
            }
        }
    });
    client.batch_execute("LISTEN rollcall_v1").await.unwrap();
    (client, notifications)
}

async fn notified(organization: &Organization, notifications: &mut UnboundedReceiver<String>) {
    while within("a notification", notifications.recv()).await.unwrap() != organization.id {}
}

#[tokio::test]
async fn applications_are_notified_of_every_change() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let (_client, mut notifications) = listen(&stack).await;
    assert_eq!(organization.client().create(user("ada")).await.status, 201);
    notified(&organization, &mut notifications).await;
}

/// A worker may end after its commit and before its notification. Then the redelivery sends the notification.
#[tokio::test]
async fn a_redelivered_event_is_notified_again() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let (sender, ada) = (Sender::connect(&stack.instance).await, create(&organization, &json!({"userName": "ada"})));
    let (_client, mut notifications) = listen(&stack).await;
    let first = sender.submit(std::slice::from_ref(&ada)).await;
    notified(&organization, &mut notifications).await;
    assert_eq!(Sender::connect(&stack.instance).await.submit(&[ada]).await, first);
    notified(&organization, &mut notifications).await;
}
