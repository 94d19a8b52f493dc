//! The actor of a request: who made it.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

use crate::TokenId;

/// Maximum stored length of a `User-Agent` header, in characters.
const MAX_USER_AGENT_CHARS: usize = 256;

/// The caller of a request. A field is `None` if it is unknown. The fields are in alphabetical order, because
/// [`Header`](crate::Header) needs that for its canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// The caller's address, after trusted proxies were taken into account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The token's label, or the name of the operator's tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The token's service origin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_origin: Option<String>,
    /// The token that the caller used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<TokenId>,
    /// The `User-Agent` header, cut to 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

impl Actor {
    /// The actor of an operator's command; `tool` becomes the label.
    pub fn operator(tool: &str) -> Self {
        Self { label: Some(tool.to_owned()), ..Self::default() }
    }

    /// Prepares a `User-Agent` header for storage: removes control characters and keeps the first 256
    /// characters.
    pub fn user_agent(text: &str) -> String {
        text.chars().filter(|c| !c.is_control()).take(MAX_USER_AGENT_CHARS).collect()
    }
}
