//! The headers of requests to a sink. They are secrets, so they come from a file, and no error shows them.

use hyper::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, EXPECT, HOST, HeaderName, HeaderValue, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};

/// Maximum number of headers.
const MAX_HEADERS: usize = 16;

/// Headers that say how a request is sent (RFC 9110 sections 7 and 8, RFC 9112 section 6). A wrong length would cut
/// entries off. `Content-Type` may be replaced, because receivers differ in it.
const OWN: [HeaderName; 9] =
    [CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, EXPECT, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// Reads headers from a file, one on each line: `Authorization: Bearer ...`. Empty lines and lines that begin
/// with `#` are skipped.
///
/// # Errors
/// If the file cannot be read, or a line is not a header, or one of [`OWN`]. The error names the line and does not show it.
pub(super) fn read(path: &str) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    parse(&std::fs::read_to_string(path).map_err(|error| error.to_string())?)
}

fn parse(content: &str) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let lines = content.lines().map(str::trim).enumerate();
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let headers = lines
        .map(|(number, line)| {
            let (name, value) = header(line).ok_or_else(|| format!("line {} must be `Name: value`", number + 1))?;
            if OWN.contains(&name) {
                return Err(format!(
                    "line {}: {name} cannot be set, because it says how a request is sent",
                    number + 1
                ));
            }
            Ok((name, value))
        })
        .collect::<Result<Vec<_>, _>>()?;
    match headers.len() {
        0 => Err("it has no header".to_owned()),
        1..=MAX_HEADERS => Ok(headers),
        _ => Err(format!("it has more than {MAX_HEADERS} headers")),
    }
}

fn header(line: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_once(':')?;
    let mut value = HeaderValue::from_str(value.trim()).ok()?;
    value.set_sensitive(true);
    Some((name.trim().parse().ok()?, value)).filter(|(_, value)| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test]
    fn headers_are_read_and_never_shown() {
        let headers = parse("# Splunk\nAuthorization: Splunk s3cret\n\nX-Tenant:7\n").unwrap();
        assert_eq!(headers[0].1.to_str().unwrap(), "Splunk s3cret");
        assert_eq!(headers[1].0, "x-tenant");
        assert!(!format!("{headers:?}").contains("s3cret"), "{headers:?}");
    }

    #[test_case("" => "it has no header"; "empty")]
    #[test_case("s3cret" => "line 1 must be `Name: value`"; "only a value")]
    #[test_case("\nX Y: s3cret" => "line 2 must be `Name: value`"; "a name with a space")]
    #[test_case("Content-Length: 5" => "line 1: content-length cannot be set, because it says how a request is sent"; "a length")]
    #[test_case("X-A: b\ntransfer-encoding: chunked" => "line 2: transfer-encoding cannot be set, because it says how a request is sent"; "a coding")]
    #[test_case("HOST: siem" => "line 1: host cannot be set, because it says how a request is sent"; "a host")]
    #[test_case("Authorization:" => "line 1 must be `Name: value`"; "no value")]
    fn an_error_names_the_line_and_shows_no_secret(content: &str) -> String {
        parse(content).unwrap_err()
    }
}
