//! `./dev bench`: measures the service and a baseline in one run, and how the results grow with the number of
//! users.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark panics at the first fault")]

mod bare;
mod calls;
mod creates;
mod growth;
mod log;
mod peers;

use clap::{Parser, ValueEnum};
use rollcall_tests::Stack;
use std::path::PathBuf;
use std::time::Duration;

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
    /// How often each measurement is repeated. The median counts.
    #[arg(long, default_value = "3")]
    rounds: usize,
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
    let stack = Stack::shared().await;
    let (_processes, bare) = bare::start(&stack).await;
    if options.what.contains(&Benchmark::Creates) {
        creates::run(&stack, &bare, &options.callers, options.rounds, Duration::from_secs(options.seconds)).await;
    }
    if options.what.contains(&Benchmark::Growth) {
        growth::run(&stack, &bare, &options.users).await;
    }
    if options.what.contains(&Benchmark::Log) {
        log::run(&stack, options.events).await;
    }
    if options.what.contains(&Benchmark::Peers) {
        let time = Duration::from_secs(options.seconds);
        peers::run(&stack, &options.peer, &options.callers, options.rounds, time).await;
    }
}
