//! The metrics for a monitoring system.

use rollcall_tests::client::user;
use rollcall_tests::service::{Service, free_port};
use rollcall_tests::{Stack, eventually};

#[tokio::test]
async fn metrics_are_served_at_an_address_of_their_own() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let listen = format!("127.0.0.1:{}", free_port());
    let (_api, url) = Service::api(&stack.instance, &[("ROLLCALL_API__METRICS_LISTEN", &listen)]).await;
    let client = organization.client().at(&url);
    client.create(user("ada")).await.expect(201);
    client.create(user("ada")).await.expect(409);
    let in_days = jiff::Timestamp::now().checked_add(jiff::SignedDuration::from_hours(24 * 3)).unwrap();
    let (token, _) = organization.issue(&["--expires", &in_days.to_string()]);
    let scrape = async || {
        let answer = reqwest::get(format!("http://{listen}/metrics")).await.unwrap();
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
        answer.text().await.unwrap()
    };
    let text = eventually("the token", async || Some(scrape().await).filter(|text| text.contains(&token))).await;
    let lines = [
        "rollcall_calls_total{method=\"POST\",status=\"201\"} 1".to_owned(),
        "rollcall_calls_total{method=\"POST\",status=\"409\"} 1".to_owned(),
        "rollcall_call_duration_seconds_count 2".to_owned(),
        "rollcall_calls_waiting 0".to_owned(),
        "rollcall_logs_refused 0".to_owned(),
        "rollcall_server_up{server=\"postgres\"} 1".to_owned(),
        "rollcall_server_up{server=\"rabbitmq\"} 1".to_owned(),
        format!(
            "rollcall_token_expiry_seconds{{organization=\"{}\",token=\"{token}\"}} {}",
            organization.id,
            in_days.as_second()
        ),
    ];
    for line in lines {
        assert!(text.lines().any(|one| one == line), "{line} in {text}");
    }
    for name in [
        "rollcall_queue_messages{partition=\"7\"} ",
        "rollcall_queue_workers{partition=\"0\"} 1",
        "rollcall_queue_oldest_seconds{partition=\"0\"} ",
        "rollcall_dead_letters ",
        "rollcall_log_unwitnessed_seconds ",
    ] {
        assert!(text.lines().any(|line| line.starts_with(name)), "{name} in {text}");
    }
    assert_eq!(
        reqwest::get(format!("{url}/metrics")).await.unwrap().status(),
        404,
        "callers of the service do not see it"
    );
}
