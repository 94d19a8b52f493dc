//! Compares the creates of this build with those of another commit.
//!
//! Each build has servers of its own, because their schemas can differ. All servers run all the time. The
//! services of a build run only during its turns.

use rollcall_tests::Stack;
use rollcall_tests::instance::Instance;
use std::path::PathBuf;

use crate::creates::{Pipeline, Plan, announce, creates, print, service};
use crate::report::Results;

/// A build with servers of its own, and a token of its organization.
struct Build {
    instance: Instance,
    token: String,
}

/// Measures both builds in turns, and prints the tables. `./dev bench` sets the environment variables.
pub(crate) async fn run(commit: &str, plan: &Plan) {
    let variable = |name| PathBuf::from(std::env::var_os(name).expect("this option needs ./dev bench"));
    let here = std::env::current_exe().unwrap().with_file_name("");
    let base = Build::new(variable("ROLLCALL_AGAINST_DIR"), variable("ROLLCALL_AGAINST_PROGRAMS")).await;
    let current = Build::new(variable("ROLLCALL_TEST_DIR"), here).await;
    let mut results = Results::new([commit, "current"], &plan.callers);
    for round in 0..=plan.rounds {
        announce(round, plan);
        for (side, build) in [&base, &current].into_iter().enumerate() {
            build.turn(plan, side, (round > 0).then_some(&mut results)).await;
        }
    }
    print(plan, &results);
}

impl Build {
    /// Creates an organization and a token. The services have stopped again when this returns.
    async fn new(dir: PathBuf, programs: PathBuf) -> Self {
        let instance = Instance::at(dir).with_programs(programs);
        let mut build = Self { instance, token: String::new() };
        let stack = build.start().await;
        (_, build.token) = stack.organization().issue(&[]);
        build.stop();
        build
    }

    /// Starts the services, measures creates with each number of callers, and stops the services.
    async fn turn(&self, plan: &Plan, side: usize, mut results: Option<&mut Results>) {
        let pipeline = self.warm(plan).await;
        for (row, &callers) in plan.callers.iter().enumerate() {
            let run = creates(&pipeline, callers, plan.time).await;
            if let Some(results) = &mut results {
                results.add(row, side, run);
            }
        }
        self.stop();
    }

    /// Starts the services and fills their caches: one measurement with most callers, whose results are dropped.
    async fn warm(&self, plan: &Plan) -> Pipeline {
        let pipeline = service(&self.start().await, &self.token);
        let most = plan.callers.iter().copied().max().unwrap_or(1);
        creates(&pipeline, most, plan.time).await;
        pipeline
    }

    async fn start(&self) -> Stack {
        self.instance.services("start");
        Stack::at(self.instance.clone()).await
    }

    fn stop(&self) {
        self.instance.services("stop");
    }
}
