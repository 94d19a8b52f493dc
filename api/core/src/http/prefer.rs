//! The header `Prefer`.

use actix_web::http::header::{HeaderMap, HeaderName};
use std::time::Duration;

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// The caller's preferences (RFC 7240). Unknown preferences are ignored, as the RFC requires.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prefer {
    /// Answer when the broker has confirmed the request. Do not wait for the outcome.
    pub respond_async: bool,
    /// The longest time to wait for the outcome.
    pub wait: Option<Duration>,
    /// Answer a PATCH with the resource.
    pub representation: bool,
}

impl Prefer {
    /// Reads every `Prefer` header of a call.
    pub fn read(headers: &HeaderMap) -> Self {
        let mut prefer = Self::default();
        for preference in
            headers.get_all(PREFER).filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','))
        {
            let preference = preference.split(';').next().unwrap_or_default();
            let (name, value) = preference.split_once('=').map_or((preference, ""), |(name, value)| (name, value));
            match (name.trim().to_ascii_lowercase().as_str(), value.trim().trim_matches('"')) {
                ("respond-async", _) => prefer.respond_async = true,
                ("wait", seconds) => prefer.wait = prefer.wait.or(seconds.parse().ok().map(Duration::from_secs)),
                ("return", "representation") => prefer.representation = true,
                _ => {}
            }
        }
        prefer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;
    use test_case::test_case;

    #[test_case(&[] => Prefer::default(); "nothing")]
    #[test_case(
        &["respond-async, wait=3"]
        => Prefer { respond_async: true, wait: Some(Duration::from_secs(3)), ..Prefer::default() }; "one header"
    )]
    #[test_case(
        &["Respond-Async", "wait=\"0\"; x=y", "return=representation"]
        => Prefer { respond_async: true, wait: Some(Duration::ZERO), representation: true }; "several"
    )]
    #[test_case(&["wait=soon, return=minimal, tea"] => Prefer::default(); "not understood")]
    fn prefer(values: &[&str]) -> Prefer {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(PREFER, HeaderValue::from_str(value).unwrap());
        }
        Prefer::read(&headers)
    }
}
