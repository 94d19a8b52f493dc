//! Log lines: to standard error, so that a command's answer stands alone on standard output.

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

/// What is logged unless `ROLLCALL_LOG` says otherwise. The AMQP client prints whole messages when one is returned to it,
/// and messages hold personal data: it may only tell of errors.
const DEFAULT: &str = "info,lapin=error,refinery_core=warn,actix_server=warn,actix_http::h1::dispatcher=off";

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For collectors: one JSON object a line.
    Json,
}

/// Starts logging; once in a process.
pub fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_env("ROLLCALL_LOG").unwrap_or_else(|_| DEFAULT.into());
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().init(),
    }
}
