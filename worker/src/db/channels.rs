//! The NOTIFY channels.

/// Applications listen on this channel for changes.
pub(crate) const APPLICATION_CHANNEL: &str = "rollcall_v1";
/// Carries the size of each log. The payload is the organization id, a space, and the size.
pub(crate) const LOG_CHANNEL: &str = "rollcall_log";
/// Carries changes of settings. The api and the worker that pushes events listen on it.
pub(crate) const SETTINGS_CHANNEL: &str = "rollcall_settings";
