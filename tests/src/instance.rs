//! A private Postgres and RabbitMQ, as `./dev` starts them, and how to connect to them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The servers whose data is in one folder.
#[derive(Debug, Clone)]
pub struct Instance {
    dir: PathBuf,
    values: HashMap<String, String>,
    programs: Option<PathBuf>,
}

/// The folder of the cargo workspace.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

impl Instance {
    /// The servers that `./dev test` has started.
    pub fn shared() -> Self {
        let dir = std::env::var("ROLLCALL_TEST_DIR").expect("the end-to-end tests need servers: run ./dev test");
        Self::at(dir.into())
    }

    /// Starts new servers for one test, without any data.
    pub fn fresh(name: &str) -> Self {
        let dir =
            Path::new(&std::env::var("ROLLCALL_TEST_DIR").expect("the end-to-end tests need servers: run ./dev test"))
                .join(name);
        if dir.exists() {
            let _ = run("servers", &dir, &["stop"]);
            std::fs::remove_dir_all(&dir).unwrap();
        }
        dev("servers", &dir, &["start"]);
        Self::at(dir)
    }

    /// The running servers of a folder.
    pub fn at(dir: PathBuf) -> Self {
        let text = std::fs::read_to_string(dir.join("instance")).unwrap();
        let values = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { dir, values: values.collect(), programs: None }
    }

    /// The same servers, used by the build whose programs are in this folder.
    #[must_use]
    pub fn with_programs(self, folder: PathBuf) -> Self {
        Self { programs: Some(folder), ..self }
    }

    /// The folder of the programs that use the servers. Without one, these are the programs of this build.
    pub fn programs(&self) -> Option<&Path> {
        self.programs.as_deref()
    }

    fn value(&self, name: &str) -> &str {
        &self.values[name]
    }

    /// The folder of the servers.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The port of the api that `./dev` starts with the servers.
    pub fn api_port(&self) -> u16 {
        self.value("API_PORT").parse().unwrap()
    }

    /// The URL of the database for one of the roles `postgres`, `rollcall_api`, `rollcall_worker`,
    /// `rollcall_auditor`, `rollcall_app`.
    pub fn database_url(&self, role: &str) -> String {
        let password = match role {
            "postgres" => "OWNER_PASSWORD".to_owned(),
            role => format!("{}_PASSWORD", role.trim_start_matches("rollcall_").to_ascii_uppercase()),
        };
        format!("postgres://{role}:{}@127.0.0.1:{}/rollcall", self.value(&password), self.value("POSTGRES_PORT"))
    }

    /// The URL of the broker.
    pub fn amqp_url(&self) -> String {
        format!("amqp://rollcall:{}@127.0.0.1:{}/%2f", self.value("AMQP_PASSWORD"), self.value("AMQP_PORT"))
    }

    /// The settings that `rollcall-worker migrate` needs, as environment variables.
    pub fn migration_settings(&self) -> Vec<(String, String)> {
        let password = |role: &str| {
            (format!("ROLLCALL_WORKER__MIGRATE__{role}_PASSWORD"), self.value(&format!("{role}_PASSWORD")).to_owned())
        };
        let mut settings: Vec<_> = ["API", "WORKER", "AUDITOR", "APP"].into_iter().map(password).collect();
        settings.push(("ROLLCALL_WORKER__MIGRATE__DATABASE_URL".to_owned(), self.database_url("postgres")));
        settings
    }

    /// Runs `./dev servers` with an action: `kill-postgres`, `start-postgres`, `kill-rabbitmq`,
    /// `start-rabbitmq`.
    pub fn servers(&self, what: &str) {
        dev("servers", &self.dir, &[what]);
    }

    /// Runs `./dev services` with an action, `start` or `stop`, for the programs of [`Self::with_programs`].
    pub fn services(&self, what: &str) {
        let programs = self.programs().expect("the folder of the programs");
        dev("services", &self.dir, &[what, programs.to_str().unwrap()]);
    }

    /// Sends a signal to all processes of `postgres` or `rabbitmq`.
    pub fn signal(&self, server: &str, signal: &str) {
        let file = if server == "postgres" { "postgres/postmaster.pid" } else { "rabbitmq/pid" };
        let content = std::fs::read_to_string(self.dir.join(file)).unwrap();
        let parent = content.lines().next().unwrap().trim().to_owned();
        let children = Command::new("pgrep").args(["-P", &parent]).output().unwrap().stdout;
        let children = String::from_utf8(children).unwrap();
        // The children may have ended in the meantime.
        let _ = Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(&parent)
            .args(children.split_whitespace())
            .status()
            .unwrap();
    }

    /// Writes a backup of the database to a file.
    pub fn back_up(&self, file: &Path) {
        let file = format!("--file={}", file.display());
        self.postgres_tool("pg_dump", "rollcall", &["--format=custom", "--create", &file]);
    }

    /// Replaces the database by a backup. Connections to it are closed.
    pub fn restore(&self, file: &Path) {
        self.postgres_tool("psql", "postgres", &["--command=DROP DATABASE rollcall WITH (FORCE)"]);
        self.postgres_tool("pg_restore", "postgres", &["--create", "--exit-on-error", file.to_str().unwrap()]);
    }

    /// Runs a tool of Postgres as the owner of the database.
    fn postgres_tool(&self, tool: &str, database: &str, arguments: &[&str]) {
        let url = self.database_url("postgres");
        let url = format!("--dbname={}/{database}", url.trim_end_matches("/rollcall"));
        let output = Command::new(tool).arg(url).args(arguments).output().unwrap();
        assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Everything that the worker has logged.
    pub fn worker_log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log/worker.log")).unwrap()
    }

    /// Stops the servers. This works in whatever state a test has left them.
    pub fn stop(&self) {
        let _ = run("servers", &self.dir, &["stop"]);
    }
}

fn run(command: &str, dir: &Path, arguments: &[&str]) -> std::io::Result<Output> {
    Command::new(root().join("dev")).arg(command).arg(dir).args(arguments).output()
}

fn dev(command: &str, dir: &Path, arguments: &[&str]) {
    let output = run(command, dir, arguments).unwrap();
    assert!(
        output.status.success(),
        "./dev {command} {} {}: {}",
        dir.display(),
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
}
