//! `./dev bench`: measures the service and a baseline in one run, and how the results grow with the number of
//! users.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark panics at the first fault")]

mod against;
mod bare;
mod calls;
mod cpu;
mod creates;
mod growth;
mod log;
mod peers;
mod report;
mod statistics;

use clap::{Parser, ValueEnum};
use rollcall_tests::Stack;
use std::path::PathBuf;
use std::time::Duration;

use crate::creates::Plan;

#[derive(Debug, Parser)]
struct Options {
    /// The parts to measure; all by default.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "creates,growth,log")]
    what: Vec<Benchmark>,
    /// Numbers of concurrent callers, measured one after the other.
    #[arg(long, value_delimiter = ',', default_value = "1,16,64,256")]
    callers: Vec<usize>,
    /// Seconds per measurement.
    #[arg(long, default_value = "4")]
    seconds: u64,
    /// How often creates are measured, after one unmeasured round. The median counts.
    #[arg(long, default_value = "5", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Compares the creates of this build with those of another commit, instead of the bare pipeline.
    ///
    /// `./dev bench` builds the commit in a worktree of its own. Each build gets new, empty servers and migrates
    /// its own database. The other build must understand the commands and settings of this one that the bench
    /// uses: `organization create`, `workspace create` and `token issue`.
    #[arg(long, value_name = "COMMIT", conflicts_with = "what")]
    against: Option<String>,
    /// Numbers of users in the smaller and the larger organization.
    #[arg(long, value_delimiter = ',', default_value = "1000,1000000")]
    users: Vec<u32>,
    /// Number of entries in the log that auditors query.
    #[arg(long, default_value = "1000000")]
    events: u64,
    /// A file that describes another SCIM server, which runs. `./dev bench --peers` writes these files.
    #[arg(long)]
    peer: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Benchmark {
    /// Creates, compared with the baseline.
    Creates,
    /// Reads and changes in organizations of different sizes.
    Growth,
    /// The log: hashing, auditors' queries, export, verification, replay.
    Log,
    /// Creates, reads and changes, compared with other SCIM servers.
    Peers,
}

#[tokio::main]
async fn main() {
    let options = Options::parse();
    let plan =
        Plan { callers: options.callers, rounds: options.rounds.into(), time: Duration::from_secs(options.seconds) };
    if let Some(commit) = options.against {
        against::run(&commit, &plan).await;
        return;
    }
    let stack = Stack::shared().await;
    let (_baseline, bare) = bare::start(&stack).await;
    if options.what.contains(&Benchmark::Creates) {
        creates::run(&stack, &bare, &plan).await;
    }
    if options.what.contains(&Benchmark::Growth) {
        growth::run(&stack, &bare.target, &options.users).await;
    }
    if options.what.contains(&Benchmark::Log) {
        log::run(&stack, options.events).await;
    }
    if options.what.contains(&Benchmark::Peers) {
        peers::run(&stack, &options.peer, &plan.callers, plan.rounds, plan.time).await;
    }
}
