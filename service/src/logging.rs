//! Log lines. They go to standard error, so that standard output holds only the result of a command.

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

/// The log filter if `ROLLCALL_LOG` is not set. The AMQP client logs whole messages when the broker returns
/// them, and messages contain personal data. So it may log errors only.
const DEFAULT: &str = "info,lapin=error,refinery_core=warn,actix_server=warn,actix_http::h1::dispatcher=off";

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Plain text, for people.
    Text,
    /// One JSON object per line, for log collectors.
    Json,
}

/// Starts logging. Call it once per process.
pub fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_env("ROLLCALL_LOG").unwrap_or_else(|_| DEFAULT.into());
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().init(),
    }
}
