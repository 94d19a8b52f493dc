//! The channels of NOTIFY.

/// The channel that applications listen on.
pub(crate) const APPLICATION_CHANNEL: &str = "rollcall_v1";
/// The channel with the size of each log. The payload is the organization, a space, and the size.
pub(crate) const LOG_CHANNEL: &str = "rollcall_log";
/// The channel for changed settings. The api and the worker that pushes events listen on it.
pub(crate) const SETTINGS_CHANNEL: &str = "rollcall_settings";
