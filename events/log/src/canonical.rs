//! Canonical JSON (RFC 8785): the form that is hashed.

use serde_json::Value;

/// The value has no canonical form: a number is not finite, or a map has keys that are not strings.
#[derive(Debug, thiserror::Error)]
#[error("a value has no canonical JSON: {0}")]
pub struct NotCanonical(#[from] serde_json::Error);

/// The canonical bytes of a value.
///
/// For most values the plain JSON is canonical already: they have no fractional numbers, and their names are
/// ASCII and sorted. A [`Map`](serde_json::Map) sorts its names unless a crate enables the feature
/// `preserve_order`. All other values go through the library.
///
/// # Errors
/// If the value cannot be written as JSON.
pub fn canonical(value: &Value) -> Result<Vec<u8>, NotCanonical> {
    Ok(if is_plain(value) { serde_json::to_vec(value)? } else { serde_json_canonicalizer::to_vec(value)? })
}

fn is_plain(value: &Value) -> bool {
    match value {
        Value::Number(number) => !number.is_f64(),
        Value::Array(values) => values.iter().all(is_plain),
        Value::Object(members) => {
            members.keys().is_sorted() && members.iter().all(|(name, value)| name.is_ascii() && is_plain(value))
        }
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    /// The examples of RFC 8785, sections 3.2.2 and 3.2.3.
    #[test]
    fn numbers_strings_and_order_are_those_of_the_rfc() {
        let numbers = json!([333_333_333.333_333_3, 1e30, 4.50, 2e-3, 0.000_000_000_000_000_000_000_000_001]);
        assert_eq!(canonical(&numbers).unwrap(), b"[333333333.3333333,1e+30,4.5,0.002,1e-27]");
        let names = json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7});
        let expected = "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}";
        assert_eq!(String::from_utf8(canonical(&names).unwrap()).unwrap(), expected);
        assert_eq!(
            canonical(&json!("\u{20ac}$\u{f}\nA'B\"\\\\\"/")).unwrap(),
            "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"".as_bytes()
        );
    }

    proptest! {
        /// The fast path gives the same bytes as the library.
        #[test]
        fn the_shortcut_agrees_with_the_reference_implementation(
            texts in proptest::collection::vec("\\PC{0,6}|[\u{0}-\u{1f}\u{7f}\"\\\\/é😀]{0,6}", 4),
            names in proptest::collection::vec("[ -~]{0,4}|\\PC{0,3}", 4),
            number in -9_007_199_254_740_991_i64..=9_007_199_254_740_991
        ) {
            let value = json!({&names[0]: texts, &names[1]: {&names[2]: number, &names[3]: [null, true, texts[0]]}});
            prop_assert_eq!(canonical(&value).unwrap(), serde_json_canonicalizer::to_vec(&value).unwrap());
        }
    }
}
