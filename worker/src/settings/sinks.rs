//! The settings of sinks, as they are written. The sinks check them.

use serde::Deserialize;

/// The settings of one sink, as they are written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SinkSettings {
    pub(crate) kind: Option<String>,
    pub(crate) organizations: Option<OneOrMore>,
    pub(crate) from: Option<String>,
    pub(crate) format: Option<String>,
    pub(crate) batch_entries: Option<u64>,
    pub(crate) batch_bytes: Option<u64>,
    pub(crate) batch_seconds: Option<u64>,
    pub(crate) address: Option<String>,
    pub(crate) envelope: Option<String>,
    pub(crate) header_file: Option<String>,
    pub(crate) ca_file: Option<String>,
    pub(crate) timeout_seconds: Option<u64>,
    pub(crate) path: Option<String>,
    pub(crate) rotate_bytes: Option<u64>,
    pub(crate) rotate_count: Option<u64>,
}

/// A list, or one text with the items separated by commas or white space, as the environment has it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMore {
    One(String),
    More(Vec<String>),
}
