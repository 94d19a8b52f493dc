//! Measures creates per second, their latencies and their CPU time, alternately for the service and the
//! baseline.

use rollcall_tests::Stack;
use rollcall_tests::client::user;
use serde_json::json;
use std::time::Duration;

use crate::calls::{Call, Target, WARM_UP, measure_between};
use crate::cpu::{Cost, Processes};
use crate::report::{Results, Run};

/// How much is measured.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Numbers of concurrent callers.
    pub(crate) callers: Vec<usize>,
    /// How often each measurement is repeated, after one unmeasured round.
    pub(crate) rounds: usize,
    /// The time of one measurement.
    pub(crate) time: Duration,
}

/// A running pipeline that creates users.
#[derive(Debug, Clone)]
pub(crate) struct Pipeline {
    /// The address and headers of its api.
    pub(crate) target: Target,
    /// Its processes.
    pub(crate) processes: Processes,
}

/// Measures the baseline and the service, and prints the tables.
pub(crate) async fn run(stack: &Stack, bare: &Pipeline, plan: &Plan) {
    let (_, token) = stack.organization().issue(&[]);
    let rollcall = service(stack, &token);
    let mut results = Results::new(["bare", "rollcall"], &plan.callers);
    for round in 0..=plan.rounds {
        announce(round, plan);
        for (row, &callers) in plan.callers.iter().enumerate() {
            for (side, pipeline) in [bare, &rollcall].into_iter().enumerate() {
                let run = creates(pipeline, callers, plan.time).await;
                if round > 0 {
                    results.add(row, side, run);
                }
            }
        }
    }
    print(plan, &results);
}

/// The running services of a stack, with a token of one organization.
pub(crate) fn service(stack: &Stack, token: &str) -> Pipeline {
    let headers = vec![("authorization", format!("Bearer {token}")), ("x-request-origin", "hr.example.com".to_owned())];
    let target = Target { address: stack.url.trim_start_matches("http://").to_owned(), headers };
    Pipeline { target, processes: Processes::of_services(&stack.instance) }
}

/// Says on standard error which round begins.
pub(crate) fn announce(round: usize, plan: &Plan) {
    match round {
        0 => eprintln!("creates: unmeasured round"),
        round => eprintln!("creates: round {round} of {}", plan.rounds),
    }
}

/// Prints how the results were measured, and the tables.
pub(crate) fn print(plan: &Plan, results: &Results) {
    println!(
        "creates: medians of {} rounds in turns, {} s each after {} s of warm-up, after one unmeasured round;\n\
        load generator and servers on the same machine",
        plan.rounds,
        plan.time.as_secs(),
        WARM_UP.as_secs()
    );
    println!("{}", results.tables());
}

/// Measures creates once.
pub(crate) async fn creates(pipeline: &Pipeline, callers: usize, time: Duration) -> Run {
    let run = uuid::Uuid::now_v7();
    let create = move |n| {
        let name = format!("{run}-{n}@example.com");
        let mut body = user(&name);
        body["emails"] = json!([{"value": name, "type": "work", "primary": true}]);
        body["name"] = json!({"givenName": "Ada", "familyName": "King"});
        Call { method: "POST", path: "/scim/v2/Users".to_owned(), body: body.to_string(), status: 201 }
    };
    let times = || pipeline.processes.times();
    let (measured, [before, after]) = measure_between(&pipeline.target, callers, time, create, times).await;
    Run {
        per_second: measured.per_second,
        p50: measured.p50.as_secs_f64() * 1000.0,
        p99: measured.p99.as_secs_f64() * 1000.0,
        cost: Cost::between(&before, &after, measured.calls),
    }
}
