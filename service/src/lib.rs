//! What both services start with, and nothing of what they do: layered settings, log lines, the signal to stop, back-off.

pub mod backoff;
pub mod entries;
pub mod feed;
pub mod logging;
pub mod settings;
pub mod shutdown;
