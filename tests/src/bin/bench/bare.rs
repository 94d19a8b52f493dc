//! The processes of the baseline.

use rollcall_tests::{Stack, eventually};
use std::process::{Child, Command, Stdio};
use tokio::net::TcpStream;

use crate::calls::Target;

/// The processes of the baseline. They are killed at the end.
pub(crate) struct Processes(Vec<Child>);

impl Drop for Processes {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub(crate) async fn start(stack: &Stack) -> (Processes, Target) {
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let (amqp, database) = (stack.instance.amqp_url(), stack.instance.database_url("postgres"));
    let spawn = |arguments: &[&str]| {
        let program = std::env::current_exe().unwrap().with_file_name("bare");
        Command::new(program).args(arguments).stdin(Stdio::null()).spawn().unwrap()
    };
    let children = vec![spawn(&["worker", &amqp, &database]), spawn(&["api", &amqp, &database, &address])];
    eventually("the bare pipeline", async || TcpStream::connect(&address).await.ok()).await;
    (Processes(children), Target { address, headers: Vec::new() })
}
