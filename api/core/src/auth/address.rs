//! The caller's address: that of the connection, or the one that a trusted proxy reports.

use actix_web::http::header::HeaderMap;
use rollcall_events::address::{AllowList, canonical};
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};

use super::origin::{HEADERS, OriginHeaders};

/// The header in which trusted proxies report the caller's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyHeader {
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// The address in `X-Request-Origin`.
    XRequestOrigin,
}

/// The reverse proxies in front of the api.
#[derive(Debug)]
pub struct Proxies {
    trusted: Option<AllowList>,
    header: ProxyHeader,
}

impl Proxies {
    /// Trusts `header` if it comes from an address in `trusted`. Without `trusted`, no header is trusted.
    pub fn new(trusted: Option<AllowList>, header: ProxyHeader) -> Self {
        Self { trusted, header }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.as_ref().is_some_and(|trusted| trusted.contains(address))
    }

    /// The caller's address. This is the peer's address. If the peer is a trusted proxy, it is the last hop
    /// in the header that is not a trusted proxy itself. `None` if it is unknown, such as when a proxy
    /// reports nothing.
    pub fn counting(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let peer = canonical(peer?);
        if !self.trusts(peer) {
            return Some(peer);
        }
        let mut counting = None;
        for hop in self.hops(headers).into_iter().rev() {
            // If a hop cannot be read, anybody may have invented the hops before it.
            let hop = canonical(hop?);
            counting = Some(hop);
            if !self.trusts(hop) {
                break;
            }
        }
        counting
    }

    /// The hops in the header, the nearest last; `None` for a hop that is not an address.
    fn hops(&self, headers: &HeaderMap) -> Vec<Option<IpAddr>> {
        let values = |name: &'static str| headers.get_all(name).map(|value| value.to_str().unwrap_or("?"));
        match self.header {
            ProxyHeader::XForwardedFor => {
                values("x-forwarded-for").flat_map(|value| value.split(',')).map(hop).collect()
            }
            ProxyHeader::Forwarded => {
                values("forwarded").flat_map(|value| value.split(',')).map(forwarded_for).collect()
            }
            ProxyHeader::XRequestOrigin if HEADERS.iter().any(|name| headers.contains_key(*name)) => {
                OriginHeaders::read(headers).addresses.into_iter().map(Some).collect()
            }
            ProxyHeader::XRequestOrigin => Vec::new(),
        }
    }
}

/// Parses an address, optionally with a port: `203.0.113.7`, `203.0.113.7:80`, `2001:db8::7`,
/// `[2001:db8::7]`, `[2001:db8::7]:80`.
fn hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

/// The `for` parameter of one element of a `Forwarded` header.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let (_, value) = element
        .split(';')
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    hop(value.trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};
    use test_case::test_case;

    const PROXY: &str = "10.0.0.1";
    const CALLER: &str = "203.0.113.7";

    fn counting(header: ProxyHeader, trusted: &str, peer: &str, values: &[(&'static str, &str)]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        Proxies::new(trusted.parse().ok(), header)
            .counting(peer.parse().ok(), &headers)
            .map(|address| address.to_string())
    }

    #[test_case(CALLER, &[] => Some(CALLER.to_owned()); "no proxy")]
    #[test_case("::ffff:203.0.113.7", &[] => Some(CALLER.to_owned()); "a mapped peer")]
    #[test_case(
        CALLER, &[("x-forwarded-for", "198.51.100.1")] => Some(CALLER.to_owned()); "spoofed through an untrusted peer"
    )]
    #[test_case(PROXY, &[("x-forwarded-for", "203.0.113.7")] => Some(CALLER.to_owned()); "through a trusted proxy")]
    #[test_case(
        "::ffff:10.0.0.1", &[("x-forwarded-for", "203.0.113.7")] => Some(CALLER.to_owned());
        "through a mapped trusted proxy"
    )]
    #[test_case(
        PROXY, &[("x-forwarded-for", "198.51.100.1, 203.0.113.7, 10.0.0.2")] => Some(CALLER.to_owned());
        "through two, spoofed at the left"
    )]
    #[test_case(
        PROXY, &[("x-forwarded-for", "198.51.100.1"), ("x-forwarded-for", "203.0.113.7:4711")]
        => Some(CALLER.to_owned()); "in two headers, with a port"
    )]
    #[test_case(
        PROXY, &[("x-forwarded-for", "10.0.0.3, 10.0.0.2")] => Some("10.0.0.3".to_owned()); "nothing but proxies"
    )]
    #[test_case(PROXY, &[("x-forwarded-for", "203.0.113.7, unknown")] => None; "an unreadable hop")]
    #[test_case(PROXY, &[] => None; "a proxy that reports nothing")]
    #[test_case(
        PROXY, &[("forwarded", "for=203.0.113.7"), ("x-request-origin", "203.0.113.7")] => None;
        "another header is ignored"
    )]
    fn by_x_forwarded_for(peer: &str, values: &[(&'static str, &str)]) -> Option<String> {
        counting(ProxyHeader::XForwardedFor, "10.0.0.0/24", peer, values)
    }

    #[test_case("for=203.0.113.7;proto=https" => Some(CALLER.to_owned()); "plain")]
    #[test_case(r#"For="[2001:db8::7]:4711""# => Some("2001:db8::7".to_owned()); "ipv6 with a port")]
    #[test_case("for=198.51.100.1, proto=https; FOR=203.0.113.7" => Some(CALLER.to_owned()); "the last element")]
    #[test_case("for=_hidden" => None; "an obfuscated name")]
    #[test_case("proto=https" => None; "no address")]
    fn by_forwarded(value: &str) -> Option<String> {
        counting(ProxyHeader::Forwarded, PROXY, PROXY, &[("forwarded", value)])
    }

    #[test]
    fn by_x_request_origin() {
        let header = |value| counting(ProxyHeader::XRequestOrigin, PROXY, PROXY, &[("x-request-origin", value)]);
        assert_eq!(header("hr.example.com; 203.0.113.7"), Some(CALLER.to_owned()));
        assert_eq!(header("198.51.100.1; 203.0.113.7"), Some(CALLER.to_owned()));
        assert_eq!(header("hr.example.com"), None);
    }

    #[test]
    fn without_trusted_proxies_headers_are_ignored() {
        assert_eq!(
            counting(ProxyHeader::XForwardedFor, "", PROXY, &[("x-forwarded-for", CALLER)]),
            Some(PROXY.to_owned())
        );
    }
}
