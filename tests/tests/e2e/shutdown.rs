//! A worker stops when it is asked to, in whatever state the servers are.

use rollcall_events::outcome::Outcome;
use rollcall_tests::Stack;
use rollcall_tests::amqp::Sender;
use rollcall_tests::client::user;
use rollcall_tests::requests::create;
use rollcall_tests::service::{Service, command};
use serde_json::json;

/// A server that hangs keeps its connections open and does not answer.
#[tokio::test]
async fn a_worker_stops_while_a_server_hangs_and_loses_nothing() {
    let mut stack = Stack::private("hung-servers", &[]).await;
    let organizations = [stack.organization(), stack.organization()];
    for organization in &organizations {
        organization.stream(&["--push", "http://127.0.0.1:9/events"]);
        organization.client().create(user("ada")).await.expect(201);
    }
    for hung in ["postgres", "rabbitmq"] {
        stack.instance.signal(hung, "STOP");
        let waiting: Vec<_> =
            organizations.iter().map(|organization| create(organization, &json!({"userName": hung}))).collect();
        if hung == "postgres" {
            // The worker consumes these and then waits for Postgres.
            let sender = Sender::connect(&stack.instance).await;
            for (organization, request) in organizations.iter().zip(&waiting) {
                let properties = rollcall_queue::envelope::properties(request, "test", None);
                let body = rollcall_queue::envelope::encode(request).unwrap();
                sender.publish(organization.id.parse().unwrap(), properties, &body).await;
            }
        }
        let worker = stack.worker.as_mut().unwrap();
        worker.terminate();
        assert!(worker.ended().await, "{hung} hangs");
        stack.instance.signal(hung, "CONT");
        stack.worker = Some(Service::worker(&stack.instance));
        let sender = Sender::connect(&stack.instance).await;
        for outcome in sender.submit(&waiting).await {
            assert!(matches!(outcome, Outcome::Applied { .. }), "the user exists once: {outcome:?}");
        }
    }
    for organization in &organizations {
        assert_eq!(stack.auditor().await.compare_with_tables(&organization.id).await, 3);
    }
}

#[tokio::test]
async fn a_command_stops_while_a_server_hangs() {
    let stack = Stack::private("hung-command", &[]).await;
    let organization = stack.organization();
    for (hung, arguments) in [
        ("postgres", vec!["token", "list", "--organization", &organization.id]),
        ("rabbitmq", vec!["workspace", "create", "--organization", &organization.id, "Late"]),
    ] {
        stack.instance.signal(hung, "STOP");
        let output = command(&stack.instance, &arguments);
        stack.instance.signal(hung, "CONT");
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && message.contains("did not arrive within"), "{hung}: {message}");
    }
}
