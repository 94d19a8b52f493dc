//! What both services start with: layered settings, log lines, the signal to stop, back-off; why something went wrong; and how both read entries of the log and event streams from rows.

pub mod backoff;
pub mod cause;
pub mod entries;
pub mod feed;
pub mod logging;
pub mod settings;
pub mod shutdown;
