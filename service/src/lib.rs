//! The parts that api and worker share: layered settings, logging, shutdown signals, backoff, root causes of
//! errors, and reading log entries, event streams and the service log from rows.

pub mod backoff;
pub mod cause;
pub mod entries;
pub mod feed;
pub mod logging;
pub mod service_log;
pub mod settings;
pub mod shutdown;
