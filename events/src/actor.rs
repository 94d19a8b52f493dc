//! Who asked.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

use crate::TokenId;

/// The longest user agent that is kept, in characters.
const MAX_USER_AGENT_CHARS: usize = 256;

/// The caller of a request, as far as it is known. The fields stand in the order of their names: see [`Header`](crate::log::Header).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// The address that counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The token's label, or the name of the tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The token's service origin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_origin: Option<String>,
    /// The token that was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<TokenId>,
    /// The `User-Agent`, cut to a bounded length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

impl Actor {
    /// A command of the operator's.
    pub fn operator(tool: &str) -> Self {
        Self { label: Some(tool.to_owned()), ..Self::default() }
    }

    /// Cuts a `User-Agent` to what is kept of it; what cannot be stored is left out.
    pub fn user_agent(text: &str) -> String {
        text.chars().filter(|c| !c.is_control()).take(MAX_USER_AGENT_CHARS).collect()
    }
}
