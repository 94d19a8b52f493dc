//! The IP allowlist of a token: addresses, CIDR networks and `first-last` ranges.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Maximum number of entries in an allowlist.
pub const MAX_ENTRIES: usize = 256;

/// Converts an IPv4-mapped IPv6 address (`::ffff:203.0.113.7`) to its IPv4 address (RFC 4291 section
/// 2.5.5.2). Other addresses stay as they are.
pub fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// The addresses that a token may be used from. It has at least one entry: a token without an allowlist may
/// be used from any address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct AllowList(Vec<Entry>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    Network(IpNet),
    Range(IpAddr, IpAddr),
}

/// Why a text is not a valid allowlist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAllowList {
    /// The text has no entries.
    #[error("the list of allowed addresses is empty")]
    Empty,
    /// The text has more than [`MAX_ENTRIES`] entries.
    #[error("the list of allowed addresses has more than {MAX_ENTRIES} entries")]
    TooLong,
    /// An entry is not an address, a network or a range. Holds the entry's first 64 characters.
    #[error("{0:?} is not an address, a network such as 203.0.113.0/24, or a range such as 203.0.113.5-203.0.113.9")]
    Entry(String),
}

impl AllowList {
    /// Whether the list contains the address. An IPv4-mapped IPv6 address counts as its IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = canonical(address);
        self.0.iter().any(|entry| match *entry {
            Entry::Network(network) => network.contains(&address),
            Entry::Range(first, last) => first.is_ipv4() == address.is_ipv4() && (first..=last).contains(&address),
        })
    }
}

impl FromStr for AllowList {
    type Err = InvalidAllowList;

    fn from_str(text: &str) -> Result<Self, InvalidAllowList> {
        let entries: Vec<_> = text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect();
        if entries.is_empty() {
            return Err(InvalidAllowList::Empty);
        }
        if entries.len() > MAX_ENTRIES {
            return Err(InvalidAllowList::TooLong);
        }
        entries.into_iter().map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for Entry {
    type Err = InvalidAllowList;

    fn from_str(text: &str) -> Result<Self, InvalidAllowList> {
        let invalid = || InvalidAllowList::Entry(text.chars().take(64).collect());
        let address = |text: &str| text.trim().parse::<IpAddr>().map(canonical).map_err(|_| invalid());
        if let Some((first, last)) = text.split_once('-') {
            let (first, last) = (address(first)?, address(last)?);
            return if first.is_ipv4() == last.is_ipv4() && first <= last {
                Ok(Self::Range(first, last))
            } else {
                Err(invalid())
            };
        }
        if text.contains('/') {
            return network(text).map(Self::Network).ok_or_else(invalid);
        }
        address(text).map(|address| Self::Network(IpNet::from(address)))
    }
}

fn network(text: &str) -> Option<IpNet> {
    let network: IpNet = text.parse().ok()?;
    match (canonical(network.addr()), network.addr()) {
        (IpAddr::V4(mapped), IpAddr::V6(_)) => IpNet::new(mapped.into(), network.prefix_len().checked_sub(96)?).ok(),
        _ => Some(network),
    }
}

impl fmt::Display for AllowList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, entry) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            match entry {
                Entry::Network(network) if network.prefix_len() == network.max_prefix_len() => {
                    write!(f, "{separator}{}", network.addr())?;
                }
                Entry::Network(network) => write!(f, "{separator}{network}")?,
                Entry::Range(first, last) => write!(f, "{separator}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

impl From<AllowList> for String {
    fn from(list: AllowList) -> Self {
        list.to_string()
    }
}

impl TryFrom<String> for AllowList {
    type Error = InvalidAllowList;

    fn try_from(text: String) -> Result<Self, InvalidAllowList> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    const LIST: &str = "203.0.113.7, 198.51.100.0/24,192.0.2.5-192.0.2.9,2001:db8::/32, \
        2001:db9::1-2001:db9::ff,::ffff:10.0.0.1,::ffff:10.1.0.0/112";

    #[test_case("203.0.113.7" => true; "an address")]
    #[test_case("203.0.113.8" => false; "its neighbor")]
    #[test_case("::ffff:203.0.113.7" => true; "an address mapped into ipv6")]
    #[test_case("198.51.100.0" => true; "a network's first")]
    #[test_case("198.51.100.255" => true; "a network's last")]
    #[test_case("198.51.101.0" => false; "after a network")]
    #[test_case("192.0.2.4" => false; "before a range")]
    #[test_case("192.0.2.5" => true; "a range's first")]
    #[test_case("192.0.2.9" => true; "a range's last")]
    #[test_case("192.0.2.10" => false; "after a range")]
    #[test_case("2001:db8:ffff::1" => true; "an ipv6 network")]
    #[test_case("2001:db9::" => false; "before an ipv6 range")]
    #[test_case("2001:db9::ff" => true; "an ipv6 range's last")]
    #[test_case("2001:db9::100" => false; "after an ipv6 range")]
    #[test_case("10.0.0.1" => true; "an entry mapped into ipv6")]
    #[test_case("10.1.2.3" => true; "a network mapped into ipv6")]
    #[test_case("10.2.0.0" => false; "after a network mapped into ipv6")]
    fn listed(address: &str) -> bool {
        let list: AllowList = LIST.parse().unwrap();
        let again: AllowList = list.to_string().parse().unwrap();
        assert_eq!(again, list);
        list.contains(address.parse().unwrap())
    }

    #[test_case(""; "empty")]
    #[test_case(" , "; "only commas")]
    #[test_case("hr.example.com"; "a name")]
    #[test_case("203.0.113.0/33"; "prefix too long")]
    #[test_case("::ffff:10.0.0.0/95"; "a mapped prefix too short")]
    #[test_case("192.0.2.9-192.0.2.5"; "a range backwards")]
    #[test_case("192.0.2.9-2001:db8::1"; "a range of two families")]
    #[test_case("192.0.2.9-"; "half a range")]
    fn refused(text: &str) {
        assert!(text.parse::<AllowList>().is_err());
    }

    #[test]
    fn the_number_of_entries_is_bounded() {
        assert!("10.0.0.1,".repeat(MAX_ENTRIES).parse::<AllowList>().is_ok());
        assert_eq!("10.0.0.1,".repeat(MAX_ENTRIES + 1).parse::<AllowList>(), Err(InvalidAllowList::TooLong));
    }
}
