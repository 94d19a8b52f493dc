//! A private rsyslog, which writes what it receives into a file.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::service::free_port;
use crate::wait::eventually;

const PROGRAM: &str = "/usr/sbin/rsyslogd";

/// A running rsyslog. It is killed when it is dropped.
#[derive(Debug)]
pub struct Rsyslog {
    /// Its port for plain TCP.
    pub tcp: u16,
    /// Its port for TLS. The certificate is for `localhost`.
    pub tls: u16,
    folder: PathBuf,
    process: Option<Child>,
}

/// A message as rsyslog parsed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// `tcp` or `tls`.
    pub port: String,
    /// The host, the program and the type in the message.
    pub head: (String, String, String),
    /// The facility and the severity.
    pub priority: (String, String),
    /// The content.
    pub content: Value,
}

impl Rsyslog {
    /// Prepares a configuration and certificates in a folder, without starting the program.
    pub fn prepare(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        certificates(folder);
        let rsyslog = Self { tcp: free_port(), tls: free_port(), folder: folder.to_owned(), process: None };
        std::fs::write(folder.join("rsyslog.conf"), rsyslog.configuration()).unwrap();
        rsyslog
    }

    /// The file with the authority that signed the server's certificate.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    fn configuration(&self) -> String {
        let (folder, Self { tcp, tls, .. }) = (self.folder.display(), self);
        let format = "%inputname% %hostname% %app-name% %msgid% %syslogfacility% %syslogseverity% %msg%\\n";
        format!(
            r#"
            global(
                workDirectory="{folder}" maxMessageSize="1m" defaultNetstreamDriverCAFile="{folder}/ca.pem"
                defaultNetstreamDriverCertFile="{folder}/server.pem" defaultNetstreamDriverKeyFile="{folder}/server.key"
            )
            module(load="imtcp")
            input(type="imtcp" name="tcp" address="127.0.0.1" port="{tcp}")
            input(
                type="imtcp" name="tls" address="127.0.0.1" port="{tls}"
                streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="anon"
            )
            template(name="line" type="string" string="{format}")
            action(type="omfile" file="{folder}/received" template="line" flushOnTXEnd="on")
            "#
        )
    }

    /// Starts the program, and waits until it listens.
    pub async fn start(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.folder.join("rsyslog.log")).unwrap();
        let child = Command::new(PROGRAM)
            .args(["-n", "-C", "-iNONE", "-f"])
            .arg(self.folder.join("rsyslog.conf"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("rsyslog is not installed: run ./dev test");
        self.process = Some(child);
        for port in [self.tcp, self.tls] {
            eventually("rsyslog", async || std::net::TcpStream::connect(("127.0.0.1", port)).ok()).await;
        }
    }

    /// Kills the program at once.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.process.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// The messages that were received as a whole.
    pub fn received(&self) -> Vec<Received> {
        let text = std::fs::read_to_string(self.folder.join("received")).unwrap_or_default();
        // The last line may not be complete.
        text.split_inclusive('\n').filter(|line| line.ends_with('\n')).filter_map(parsed).collect()
    }
}

/// Reads a line. `None` if it is a part of a message: rsyslog writes what it understands of a connection that breaks.
fn parsed(line: &str) -> Option<Received> {
    let parts: Vec<_> = line.trim_end().splitn(7, ' ').map(str::to_owned).collect();
    let [port, host, program, kind, facility, severity, content] = parts.try_into().ok()?;
    let content = serde_json::from_str(&content).ok()?;
    Some(Received { port, head: (host, program, kind), priority: (facility, severity), content })
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Creates an authority, and a certificate for `localhost` that it signs.
fn certificates(folder: &Path) {
    let openssl = |arguments: &str| {
        let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost").unwrap();
    openssl(&format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=authority"));
    openssl(&format!("req {key} -keyout server.key -out server.csr -subj /CN=localhost"));
    openssl("x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile names");
}
