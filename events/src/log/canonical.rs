//! JSON in the one form that is hashed (RFC 8785).

use serde::Serialize;

/// A value that has no canonical form: a number that is not finite, or a map whose keys are not texts.
#[derive(Debug, thiserror::Error)]
#[error("a value has no canonical JSON: {0}")]
pub struct NotCanonical(#[from] serde_json::Error);

/// The canonical bytes of a value.
///
/// # Errors
/// Where the value cannot be written as JSON at all.
pub fn canonical(value: &impl Serialize) -> Result<Vec<u8>, NotCanonical> {
    Ok(serde_json_canonicalizer::to_vec(value)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The examples of RFC 8785, sections 3.2.2 and 3.2.3.
    #[test]
    fn numbers_strings_and_order_are_those_of_the_rfc() {
        let numbers = json!([333_333_333.333_333_3, 1e30, 4.50, 2e-3, 0.000_000_000_000_000_000_000_000_001]);
        assert_eq!(canonical(&numbers).unwrap(), b"[333333333.3333333,1e+30,4.5,0.002,1e-27]");
        let names = json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7});
        let expected = "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}";
        assert_eq!(String::from_utf8(canonical(&names).unwrap()).unwrap(), expected);
        assert_eq!(canonical(&json!("\u{20ac}$\u{f}\nA'B\"\\\\\"/")).unwrap(), "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"".as_bytes());
    }
}
