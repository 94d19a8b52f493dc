//! Runs the real binaries as processes.

use serde_json::Value;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use crate::instance::Instance;
use crate::wait::eventually;

/// A running service. It is killed when it is dropped.
#[derive(Debug)]
pub struct Service {
    child: Child,
}

/// Finds a binary that cargo has built: in the folder of the running program, or, for a test, in the folder
/// above it.
fn binary(name: &str) -> PathBuf {
    let running = std::env::current_exe().unwrap();
    let found = running.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{name} is not built: run ./dev test"))
}

fn worker_command(instance: &Instance) -> Command {
    let other_build = instance.programs().map(|folder| folder.join("rollcall-worker"));
    let mut command = Command::new(other_build.unwrap_or_else(|| binary("rollcall-worker")));
    command
        .env("ROLLCALL_WORKER__DATABASE_URL", instance.database_url("rollcall_worker"))
        .env("ROLLCALL_WORKER__AMQP_URL", instance.amqp_url())
        .env("ROLLCALL_WORKER__EVENT_KEY_FILE", event_keys(instance))
        .env("ROLLCALL_WORKER__PUSH_TO_PRIVATE_ADDRESSES", "true");
    command
}

/// The file with the keys that sign event tokens. Creates it if it does not exist.
fn event_keys(instance: &Instance) -> PathBuf {
    let path = instance.dir().join("events.keys");
    if !path.exists() {
        let output =
            Command::new(binary("rollcall-worker")).args(["key", "generate", "rollcall.localhost"]).output().unwrap();
        let pair: Value = serde_json::from_slice(&output.stdout).unwrap();
        std::fs::write(&path, pair["private_key"].as_str().unwrap()).unwrap();
    }
    path
}

/// Runs `rollcall-verify`. Returns its exit code and its output.
pub fn verify(arguments: &[&str]) -> (i32, String) {
    let output = Command::new(binary("rollcall-verify")).args(arguments).output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(printed).unwrap())
}

impl Service {
    fn spawn(mut command: Command, instance: &Instance, name: &str) -> Self {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(instance.dir().join("log").join(format!("{name}.log")))
            .unwrap();
        Self { child: command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap() }
    }

    /// Starts a worker that serves all partitions.
    pub fn worker(instance: &Instance) -> Self {
        Self::worker_with(instance, &[])
    }

    /// Starts a worker with extra settings.
    pub fn worker_with(instance: &Instance, settings: &[(&str, &str)]) -> Self {
        let mut command = worker_command(instance);
        command.arg("run").envs(settings.iter().copied());
        Self::spawn(command, instance, "worker")
    }

    /// Starts a long command of `rollcall-worker` that needs the owner of the database.
    pub fn owner_command(instance: &Instance, arguments: &[&str]) -> Self {
        let mut command = worker_command(instance);
        command.args(arguments).envs(instance.migration_settings());
        Self::spawn(command, instance, "command")
    }

    /// Starts an api with extra settings and waits until it is ready. Returns its URL too.
    pub async fn api(instance: &Instance, settings: &[(&str, &str)]) -> (Self, String) {
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let mut command = Command::new(binary("rollcall-api"));
        command
            .env("ROLLCALL_API__DATABASE_URL", instance.database_url("rollcall_api"))
            .env("ROLLCALL_API__AMQP_URL", instance.amqp_url());
        command.env("ROLLCALL_API__LISTEN", format!("127.0.0.1:{port}")).env("ROLLCALL_API__PUBLIC_URL", &url);
        command.env("ROLLCALL_API__EVENT_KEY_FILE", event_keys(instance));
        command.envs(settings.iter().copied());
        let api = Self::spawn(command, instance, "api");
        ready(&url).await;
        (api, url)
    }

    /// Kills the process at once, as the kernel does when memory runs out.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let status = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(status.success());
    }

    /// Waits until the process has ended. Returns whether its exit code was 0.
    pub async fn ended(&mut self) -> bool {
        eventually("the end of the service", async || self.child.try_wait().unwrap()).await.success()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until an api is ready and every partition has a worker.
pub async fn ready(url: &str) {
    eventually("readiness", async || {
        let answer = reqwest::get(format!("{url}/readyz")).await.ok().filter(|answer| answer.status() == 200)?;
        let body: Value = serde_json::from_str(&answer.text().await.ok()?).ok()?;
        body["partitions_without_worker"].as_array()?.is_empty().then_some(())
    })
    .await;
}

/// A free port, below the range that the system uses for outgoing connections.
pub fn free_port() -> u16 {
    let chance = u16::from_be_bytes([uuid::Uuid::new_v4().as_bytes()[0], uuid::Uuid::new_v4().as_bytes()[1]]);
    let is_free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (10_000 + chance % 20_000..32_000).find(is_free).expect("a free port")
}

/// Runs a command of `rollcall-worker`.
pub fn command(instance: &Instance, arguments: &[&str]) -> Output {
    worker_command(instance).args(arguments).output().unwrap()
}

/// Runs a command of `rollcall-worker` with extra settings. Returns its output, one JSON value per line.
///
/// # Errors
/// The command's standard error, if it fails.
pub fn attempt_with(instance: &Instance, settings: &[(&str, &str)], arguments: &[&str]) -> Result<Vec<Value>, String> {
    printed(&worker_command(instance).args(arguments).envs(settings.iter().copied()).output().unwrap())
}

/// Runs a command that must succeed. Returns its output, one JSON value per line.
pub fn answers(instance: &Instance, arguments: &[&str]) -> Vec<Value> {
    attempt(instance, arguments).unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
}

/// Runs a command. Returns its output, one JSON value per line.
///
/// # Errors
/// The command's standard error, if it fails.
pub fn attempt(instance: &Instance, arguments: &[&str]) -> Result<Vec<Value>, String> {
    printed(&command(instance, arguments))
}

fn printed(output: &Output) -> Result<Vec<Value>, String> {
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let printed = std::str::from_utf8(&output.stdout).unwrap();
    Ok(printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Runs a command of `rollcall-worker` that needs the owner of the database.
pub fn owner_command(instance: &Instance, arguments: &[&str]) -> Output {
    worker_command(instance).args(arguments).envs(instance.migration_settings()).output().unwrap()
}

/// Runs `rollcall-worker replay` or `verify`. Only one can run at a time, so this waits for any other.
pub async fn replay_command(instance: &Instance, arguments: &[&str]) -> Output {
    eventually("no other replay", async || {
        let output = owner_command(instance, arguments);
        (!String::from_utf8_lossy(&output.stderr).contains("another replay")).then_some(output)
    })
    .await
}

/// Runs `rollcall-worker verify`. Returns whether the organization's log verifies and its projections match,
/// and the output.
pub async fn verified(instance: &Instance, organization: &str) -> (bool, String) {
    verify_with(instance, &["verify", "--organization", organization]).await
}

/// As [`verified`], for all logs and the service log.
pub async fn all_verified(instance: &Instance) -> (bool, String) {
    verify_with(instance, &["verify"]).await
}

async fn verify_with(instance: &Instance, arguments: &[&str]) -> (bool, String) {
    let output = replay_command(instance, arguments).await;
    let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.success(), printed)
}

/// Migrates the database to the newest schema.
pub fn migrate(instance: &Instance) {
    let output = worker_command(instance).arg("migrate").envs(instance.migration_settings()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
