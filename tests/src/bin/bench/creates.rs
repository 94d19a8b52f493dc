//! Measures creates per second and their latencies, alternately for the service and the baseline.

use rollcall_tests::Stack;
use rollcall_tests::client::user;
use serde_json::json;
use std::time::Duration;

use crate::calls::{Call, Measurement, Target, measure, median};

pub(crate) async fn run(stack: &Stack, bare: &Target, callers: &[usize], rounds: usize, time: Duration) {
    let (_, token) = stack.organization().issue(&[]);
    let headers = vec![("authorization", format!("Bearer {token}")), ("x-request-origin", "hr.example.com".to_owned())];
    let rollcall = Target { address: stack.url.trim_start_matches("http://").to_owned(), headers };
    println!(
        "creates, {rounds} rounds of {} s each in turns, median; load generator and servers on the same machine",
        time.as_secs()
    );
    println!(
        "{:>7} | {:>9} {:>9} {:>9} | {:>9} {:>9} {:>9} | {:>5}",
        "callers", "bare/s", "p50", "p99", "rollcall/s", "p50", "p99", "ratio"
    );
    for &callers in callers {
        let (mut floor, mut ceiling) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            ceiling.push(creates(bare, callers, time).await);
            floor.push(creates(&rollcall, callers, time).await);
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

async fn creates(target: &Target, callers: usize, time: Duration) -> Measurement {
    let run = uuid::Uuid::now_v7();
    let create = move |n| {
        let name = format!("{run}-{n}@example.com");
        let mut body = user(&name);
        body["emails"] = json!([{"value": name, "type": "work", "primary": true}]);
        body["name"] = json!({"givenName": "Ada", "familyName": "King"});
        Call { method: "POST", path: "/scim/v2/Users".to_owned(), body: body.to_string(), status: 201 }
    };
    measure(target, callers, time, create).await
}
