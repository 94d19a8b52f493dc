//! Reads JSON of callers into a value that every reader understands alike (I-JSON, RFC 7493).
//!
//! This module refuses duplicate member names, U+0000 (Postgres cannot store it), integers beyond 2^53 - 1
//! (some readers lose digits), and nesting deeper than [`MAX_DEPTH`]. The code behind it does not check
//! again.

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

use crate::ScimError;

/// The deepest nesting of arrays and objects. A SCIM resource needs fewer than ten levels.
pub const MAX_DEPTH: usize = 32;

/// The largest magnitude that an integer may have (RFC 7493 section 2.2).
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// Parses a whole body.
///
/// # Errors
/// 400 `invalidSyntax` with the fault and its place, never with content of the body.
pub fn parse(body: &[u8]) -> Result<Value, ScimError> {
    let text = std::str::from_utf8(body).map_err(|error| {
        ScimError::invalid_syntax(format!("the body is not UTF-8: byte {} is invalid", error.valid_up_to()))
    })?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Strict { depth: 0 }.deserialize(&mut deserializer).map_err(|error| refusal(&error))?;
    deserializer.end().map_err(|error| refusal(&error))?;
    Ok(value)
}

fn refusal(error: &serde_json::Error) -> ScimError {
    ScimError::invalid_syntax(format!("the body is not valid JSON: {error}"))
}

/// Checks a text that did not come through [`parse`], such as a value in a query string.
pub fn is_storable(text: &str) -> bool {
    !text.contains('\0')
}

/// Deserializes one value at a known depth.
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(format_args!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

fn text<E: serde::de::Error>(value: String) -> Result<String, E> {
    if is_storable(&value) { Ok(value) } else { Err(E::custom("a string holds the character U+0000")) }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        if value.unsigned_abs() > MAX_INTEGER {
            return Err(E::custom("an integer is beyond 2^53 - 1"));
        }
        Ok(Value::from(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        if value > MAX_INTEGER {
            return Err(E::custom("an integer is beyond 2^53 - 1"));
        }
        Ok(Value::from(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "the bound is a power of two less one, exact in an f64")]
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        if value.abs() > MAX_INTEGER as f64 {
            return Err(E::custom("a number is beyond 2^53 - 1"));
        }
        // Minus zero means zero. Some stores do not keep the sign.
        let value = if value == 0.0 { 0.0 } else { value };
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number is not finite"))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        text(value.to_owned()).map(Value::String)
    }

    fn visit_string<E: serde::de::Error>(self, value: String) -> Result<Value, E> {
        text(value).map(Value::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let name = text(name)?;
            let value = members.next_value_seed(inner)?;
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a member name occurs twice in one object"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use test_case::test_case;

    #[test_case(b"", "EOF"; "empty")]
    #[test_case(br#"{"a":1"#, "EOF"; "truncated")]
    #[test_case(br#"{"a":1} x"#, "trailing characters"; "trailing")]
    #[test_case(br#"{"a":1,"a":2}"#, "occurs twice"; "duplicate member")]
    #[test_case(br#"{"a":"x\u0000y"}"#, "U+0000"; "nul in a string")]
    #[test_case(br#"{"a\u0000":1}"#, "U+0000"; "nul in a name")]
    #[test_case(br"[9007199254740992]", "beyond 2^53"; "large integer")]
    #[test_case(br"[-9007199254740992]", "beyond 2^53"; "large negative integer")]
    #[test_case(br"[1e300]", "beyond 2^53"; "large float")]
    #[test_case(br#"["\ud800"]"#, "hex escape"; "lone surrogate")]
    #[test_case(b"[\"\xff\"]", "not UTF-8"; "invalid utf-8")]
    fn refused(body: &[u8], why: &str) {
        let error = parse(body).unwrap_err();
        assert_eq!(error.scim_type, Some(crate::ScimType::InvalidSyntax));
        assert!(error.detail.contains(why), "{}", error.detail);
    }

    #[test]
    fn nesting_above_the_limit_is_refused() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(10_000).as_bytes()).unwrap_err().detail.contains("nested"));
        assert!(parse(nested(MAX_DEPTH + 1).as_bytes()).unwrap_err().detail.contains("nested"));
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
    }

    #[test]
    fn minus_zero_is_zero() {
        assert_eq!(parse(b"[-0.0]").unwrap().to_string(), json!([0.0]).to_string());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn a_parsed_value_equals_the_written_one(
            text in "[^\0]{0,32}", number in -9_007_199_254_740_991_i64..9_007_199_254_740_991
        ) {
            let value = json!({"text": text, "list": [number, null, true]});
            prop_assert_eq!(parse(value.to_string().as_bytes()).unwrap(), value);
        }
    }
}
