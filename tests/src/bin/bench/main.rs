//! `./dev bench`: what the service costs, measured in one run against a bare pipeline and a bare handler, and how that grows with the number of users.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that breaks is to be seen at once")]

mod bare;
mod calls;
mod creates;
mod growth;
mod log;

use clap::{Parser, ValueEnum};
use rollcall_tests::Stack;
use std::time::Duration;

#[derive(Debug, Parser)]
struct Options {
    /// What is measured; everything unless something is named.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "creates,growth,log")]
    what: Vec<What>,
    /// How many callers at once, one after the other.
    #[arg(long, value_delimiter = ',', default_value = "1,16,64,256")]
    callers: Vec<usize>,
    /// How long each measurement takes.
    #[arg(long, default_value = "4")]
    seconds: u64,
    /// How often each is measured; the median counts.
    #[arg(long, default_value = "3")]
    rounds: usize,
    /// How many users the smaller and the larger organization have.
    #[arg(long, value_delimiter = ',', default_value = "1000,1000000")]
    users: Vec<u32>,
    /// How many entries the log has that auditors ask about.
    #[arg(long, default_value = "1000000")]
    events: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Creates against the bare pipeline.
    Creates,
    /// Reads and changes in organizations of different sizes.
    Growth,
    /// The log: hashing, auditors' questions, export, verification, replay.
    Log,
}

#[tokio::main]
async fn main() {
    let options = Options::parse();
    let stack = Stack::shared().await;
    let (_processes, bare) = bare::start(&stack).await;
    if options.what.contains(&What::Creates) {
        creates::run(&stack, &bare, &options.callers, options.rounds, Duration::from_secs(options.seconds)).await;
    }
    if options.what.contains(&What::Growth) {
        growth::run(&stack, &bare, &options.users).await;
    }
    if options.what.contains(&What::Log) {
        log::run(&stack, options.events).await;
    }
}
