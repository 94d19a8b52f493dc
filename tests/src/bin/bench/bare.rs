//! The processes of the baseline.

use rollcall_tests::{Stack, eventually};
use std::process::{Child, Command, Stdio};
use tokio::net::TcpStream;

use crate::calls::Target;
use crate::cpu::Processes;
use crate::creates::Pipeline;

/// The running baseline. Its processes are killed at the end.
pub(crate) struct Baseline(Vec<Child>);

impl Drop for Baseline {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Starts the baseline on the servers of a stack.
pub(crate) async fn start(stack: &Stack) -> (Baseline, Pipeline) {
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let (amqp, database) = (stack.instance.amqp_url(), stack.instance.database_url("postgres"));
    let spawn = |arguments: &[&str]| {
        let program = std::env::current_exe().unwrap().with_file_name("bare");
        Command::new(program).args(arguments).stdin(Stdio::null()).spawn().unwrap()
    };
    let (worker, api) = (spawn(&["worker", &amqp, &database]), spawn(&["api", &amqp, &database, &address]));
    eventually("the bare pipeline", async || TcpStream::connect(&address).await.ok()).await;
    let processes = Processes::of_programs(&stack.instance, api.id(), worker.id());
    (Baseline(vec![worker, api]), Pipeline { target: Target { address, headers: Vec::new() }, processes })
}
