//! The origin header: `hr.example.com`, `hr.example.com; 203.0.113.7`, or `203.0.113.7`.

use actix_web::http::header::HeaderMap;
use rollcall_events::address::canonical;
use rollcall_events::origin::ServiceOrigin;
use std::net::IpAddr;

/// The two names of the header. They mean the same.
pub(super) const HEADERS: [&str; 2] = ["x-request-origin", "x-origin-request"];

/// The values of all origin headers of a call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct OriginHeaders {
    /// The origins; `None` for a malformed one, which belongs to no token.
    pub(super) origins: Vec<Option<ServiceOrigin>>,
    /// The addresses.
    pub(super) addresses: Vec<IpAddr>,
}

impl OriginHeaders {
    /// Reads every origin header of a call.
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let mut stated = Self::default();
        for value in HEADERS.iter().flat_map(|name| headers.get_all(*name)) {
            match value.to_str() {
                Ok(text) => text
                    .split([';', ','])
                    .map(str::trim)
                    .filter(|part| !part.is_empty())
                    .for_each(|part| stated.take(part)),
                Err(_) => stated.origins.push(None),
            }
        }
        stated
    }

    fn take(&mut self, part: &str) {
        match part.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            Ok(address) => self.addresses.push(canonical(address)),
            Err(_) => self.origins.push(part.parse().ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};
    use test_case::test_case;

    fn read(values: &[(&'static str, &str)]) -> (Vec<String>, Vec<String>) {
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let stated = OriginHeaders::read(&headers);
        let origins = stated.origins.into_iter().map(|origin| origin.map_or("?".to_owned(), String::from)).collect();
        (origins, stated.addresses.iter().map(ToString::to_string).collect())
    }

    #[test_case(&[], &[], &[]; "none")]
    #[test_case(&[("x-request-origin", "HR.example.com")], &["hr.example.com"], &[]; "origin")]
    #[test_case(&[("x-origin-request", "hr.example.com")], &["hr.example.com"], &[]; "the other spelling")]
    #[test_case(
        &[("x-request-origin", "https://hr.example.com/; 203.0.113.7")], &["hr.example.com"], &["203.0.113.7"];
        "origin and address"
    )]
    #[test_case(&[("x-request-origin", "203.0.113.7")], &[], &["203.0.113.7"]; "address alone")]
    #[test_case(
        &[("x-request-origin", "hr.example.com; [2001:db8::7]")], &["hr.example.com"], &["2001:db8::7"];
        "ipv6 in brackets"
    )]
    #[test_case(&[("x-request-origin", "::ffff:203.0.113.7")], &[], &["203.0.113.7"]; "ipv4-mapped")]
    #[test_case(
        &[("x-request-origin", "a.example"), ("x-origin-request", "b.example")], &["a.example", "b.example"], &[];
        "both headers"
    )]
    #[test_case(&[("x-request-origin", "not a host")], &["?"], &[]; "malformed")]
    #[test_case(&[("x-request-origin", " ; ")], &[], &[]; "blank")]
    fn stated(values: &[(&'static str, &str)], origins: &[&str], addresses: &[&str]) {
        let (read_origins, read_addresses) = read(values);
        assert_eq!(
            (read_origins, read_addresses),
            (origins.iter().map(ToString::to_string).collect(), addresses.iter().map(ToString::to_string).collect())
        );
    }
}
