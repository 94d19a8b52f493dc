//! Checks the addresses that events are pushed to. A customer chooses the endpoint, and it must not lead into
//! the operator's own network.

use futures_util::future::BoxFuture;
use hyper_util::client::legacy::connect::dns::Name;
use ipnet::IpNet;
use rollcall_events::stream::Endpoint;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;
use std::task::{Context, Poll};
use tower_service::Service;

/// Networks that are not public (the special-purpose registries of RFC 6890), and networks whose addresses
/// contain another address.
static SPECIAL: LazyLock<Vec<IpNet>> =
    LazyLock::new(|| SPECIAL_NETWORKS.iter().filter_map(|network| network.parse().ok()).collect());

const SPECIAL_NETWORKS: [&str; 27] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
    "::/96",
    "::ffff:0:0/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
];

/// Why nothing is pushed to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EndpointError {
    #[error("the endpoint is not https; the setting push_to_private_addresses allows http")]
    Plain,
    #[error("the endpoint is not a public address; the setting push_to_private_addresses allows others")]
    Private,
}

/// Checks an endpoint without resolving its name.
///
/// # Errors
/// If nothing may be pushed to it.
pub(crate) fn check_endpoint(endpoint: &Endpoint, private_allowed: bool) -> Result<(), EndpointError> {
    if private_allowed {
        return Ok(());
    }
    if endpoint.is_plain() {
        return Err(EndpointError::Plain);
    }
    let host = endpoint.url().host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        Ok(address) if !is_public(address) => Err(EndpointError::Private),
        _ => Ok(()),
    }
}

fn is_public(address: IpAddr) -> bool {
    !SPECIAL.iter().any(|network| network.contains(&address))
}

/// Resolves names and returns only addresses that may be connected to. The checked address is the one that is
/// used, so DNS cannot change between check and use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resolver {
    pub(super) private_allowed: bool,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let private_allowed = self.private_allowed;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<_> = found.filter(|address| private_allowed || is_public(address.ip())).collect();
            if allowed.is_empty() { Err(io::Error::other(EndpointError::Private)) } else { Ok(allowed.into_iter()) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test]
    fn every_network_parses() {
        assert_eq!(SPECIAL.len(), SPECIAL_NETWORKS.len());
    }

    #[test_case(
        "https://receiver.example.com/events", false => Ok(()); "a name, which is looked up when it is connected to"
    )]
    #[test_case("https://93.184.216.34/", false => Ok(()); "a public address")]
    #[test_case("https://[2606:4700::1111]/", false => Ok(()); "a public address of version 6")]
    #[test_case("http://receiver.example.com/", false => Err(EndpointError::Plain); "without tls")]
    #[test_case("https://10.1.2.3/", false => Err(EndpointError::Private); "private")]
    #[test_case("https://169.254.169.254/latest/meta-data", false => Err(EndpointError::Private); "link-local")]
    #[test_case("https://0x7f.1/", false => Err(EndpointError::Private); "loopback, written otherwise")]
    #[test_case("https://2130706433/", false => Err(EndpointError::Private); "loopback, as a number")]
    #[test_case("https://[::1]/", false => Err(EndpointError::Private); "loopback of version 6")]
    #[test_case("https://[::ffff:192.168.0.1]/", false => Err(EndpointError::Private); "mapped")]
    #[test_case("https://[fd00::1]/", false => Err(EndpointError::Private); "unique local")]
    #[test_case("http://127.0.0.1:8080/", true => Ok(()); "where it is allowed")]
    fn an_endpoint(text: &str, private_allowed: bool) -> Result<(), EndpointError> {
        check_endpoint(&text.parse().unwrap(), private_allowed)
    }

    #[tokio::test]
    async fn a_name_with_a_private_address_is_not_connected_to() {
        let look_up = async |private_allowed| Resolver { private_allowed }.call("localhost".parse().unwrap()).await;
        assert_eq!(look_up(false).await.unwrap_err().to_string(), EndpointError::Private.to_string());
        assert!(look_up(true).await.unwrap().next().unwrap().ip().is_loopback());
    }
}
