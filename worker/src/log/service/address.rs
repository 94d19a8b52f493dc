//! Addresses of witnesses.

use hyper::Uri;

/// The address of `add-checkpoint` below a submission prefix; `None` if the prefix is not an http or https address.
pub(super) fn submission_address(prefix: &str) -> Option<Uri> {
    let address: Uri = format!("{}/add-checkpoint", prefix.trim_end_matches('/')).parse().ok()?;
    let is_http = matches!(address.scheme_str(), Some("http" | "https"));
    (is_http && address.host().is_some() && address.query().is_none()).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case("https://w.example.com" => Some("https://w.example.com/add-checkpoint".to_owned()); "a host")]
    #[test_case("https://w.example.com/one/" => Some("https://w.example.com/one/add-checkpoint".to_owned()); "a path")]
    #[test_case("ftp://w.example.com" => None; "another scheme")]
    #[test_case("w.example.com/one" => None; "no scheme")]
    #[test_case("https://w.example.com/?a" => None; "a query")]
    fn address(prefix: &str) -> Option<String> {
        submission_address(prefix).map(|address| address.to_string())
    }
}
