//! The service origin: the host that a caller says its requests come from.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A service origin: a host, optionally with a port, lower-cased. `https://HR.Example.com/` and
/// `hr.example.com` are the same origin.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ServiceOrigin(String);

/// The text is not a service origin. Holds its first 64 characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a service origin: a host name such as hr.example.com, of letters, digits, dots and hyphens, is needed"
)]
pub struct InvalidOrigin(String);

impl FromStr for ServiceOrigin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let lower = text.trim().to_ascii_lowercase();
        let host = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://")).unwrap_or(&lower);
        let host = host.strip_suffix('/').unwrap_or(host);
        let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
        let is_label = |label: &str| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
        let fits = host.len() <= 253 && name.split('.').all(is_label) && port.is_none_or(is_port);
        // An origin says who calls. An address says where the call comes from; the header records it
        // separately.
        if fits && name.parse::<std::net::Ipv4Addr>().is_err() {
            Ok(Self(host.to_owned()))
        } else {
            Err(InvalidOrigin(text.chars().take(64).collect()))
        }
    }
}

impl fmt::Display for ServiceOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ServiceOrigin> for String {
    fn from(origin: ServiceOrigin) -> Self {
        origin.0
    }
}

impl TryFrom<String> for ServiceOrigin {
    type Error = InvalidOrigin;

    fn try_from(text: String) -> Result<Self, InvalidOrigin> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case("hr.example.com" => Some("hr.example.com".to_owned()); "plain")]
    #[test_case(" https://HR.Example.com/ " => Some("hr.example.com".to_owned()); "scheme, case and slash")]
    #[test_case("localhost:8080" => Some("localhost:8080".to_owned()); "port")]
    #[test_case("" => None; "empty")]
    #[test_case("hr..example" => None; "empty label")]
    #[test_case("hr.example.com/path" => None; "path")]
    #[test_case("hr.example.com:99999" => None; "port out of range")]
    #[test_case("203.0.113.7" => None; "an address is not an origin")]
    #[test_case("hr example" => None; "space")]
    fn origin(text: &str) -> Option<String> {
        text.parse::<ServiceOrigin>().ok().map(String::from)
    }
}
