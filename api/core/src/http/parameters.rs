//! The query string of a SCIM call.

use actix_web::dev::Payload;
use actix_web::web::Query;
use actix_web::{FromRequest, HttpRequest};
use rollcall_scim::attributes::Projection;
use rollcall_scim::{ScimError, json, lenience};
use serde_json::Value;
use std::collections::HashMap;
use std::future::{Ready, ready};

use crate::error::ApiError;

/// The schema of a search.
const SEARCH_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// The parameters, by their names in lower case: identity providers differ in the case of names.
pub struct Parameters(HashMap<String, String>);

impl Parameters {
    /// Reads a query string.
    pub fn read(text: &str) -> Result<Self, ScimError> {
        let malformed = |_| ScimError::invalid_value("the query string is malformed");
        let pairs = Query::<Vec<(String, String)>>::from_query(text).map_err(malformed)?.into_inner();
        if let Some((name, _)) =
            pairs.iter().find(|(name, value)| !json::is_storable(name) || !json::is_storable(value))
        {
            return Err(ScimError::invalid_value(format!("{} holds the character U+0000", name.replace('\0', ""))));
        }
        let mut parameters = HashMap::new();
        for (name, value) in pairs.into_iter().filter(|(name, value)| is_given(name, value)) {
            if let Some(_first) = parameters.insert(name.to_ascii_lowercase(), value) {
                return Err(ScimError::invalid_value(format!("{name} is given twice")));
            }
        }
        Ok(Self(parameters))
    }

    /// Reads the body of a search (RFC 7644 section 3.4.3). It has the parameters of a query string.
    pub fn of_search(body: Value) -> Result<Self, ScimError> {
        let Value::Object(body) = body else { return Err(ScimError::invalid_syntax("the body is not a JSON object")) };
        let mut parameters = HashMap::new();
        for (name, value) in body {
            let lower = name.to_ascii_lowercase();
            let text = match (lower.as_str(), value) {
                ("schemas", schemas) => {
                    let is_search =
                        |urn: &Value| urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(SEARCH_SCHEMA));
                    if !lenience::list(schemas).iter().all(is_search) {
                        return Err(ScimError::invalid_syntax(format!(
                            "schemas contains a value other than {SEARCH_SCHEMA}"
                        )));
                    }
                    continue;
                }
                (_, Value::Null) => continue,
                ("attributes" | "excludedattributes", Value::Array(names)) => {
                    let names: Option<Vec<_>> = names.iter().map(Value::as_str).collect();
                    names
                        .ok_or_else(|| {
                            ScimError::invalid_value(format!("{name} holds something that is not a string"))
                        })?
                        .join(",")
                }
                (_, Value::String(text)) if !is_given(&lower, &text) => continue,
                (_, Value::String(text)) => text,
                ("startindex" | "count", Value::Number(number)) => number.to_string(),
                _ => return Err(ScimError::invalid_value(format!("{name} has a value of a wrong type"))),
            };
            if parameters.insert(lower, text).is_some() {
                return Err(ScimError::invalid_syntax(format!("{name} is given twice in different spellings")));
            }
        }
        Ok(Self(parameters))
    }

    /// The value of a parameter, if it was given.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(&name.to_ascii_lowercase()).map(String::as_str)
    }

    /// The given parameters among `names`, as a text that is appended to an address with other parameters.
    pub fn kept(&self, names: &[&str]) -> String {
        let given = names.iter().filter_map(|name| Some((*name, self.get(name)?)));
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish();
        if query.is_empty() { query } else { format!("&{query}") }
    }

    /// The caller's choice of attributes (RFC 7644 section 3.9).
    pub fn projection(&self) -> Result<Projection, ScimError> {
        Projection::parse(self.get("attributes"), self.get("excludedAttributes"))
    }
}

/// Maximum length of a name in an error, in characters.
const MAX_NAME_CHARS: usize = 64;

/// Checks that a query string has no other parameters than the known ones, not even an empty one. As in
/// [`Parameters`], the case of names does not matter.
///
/// # Errors
/// 400 `invalidValue`. The detail begins with the name of the unknown parameter and lists the known ones.
pub fn check_known(query: &str, known: &[String]) -> Result<(), ScimError> {
    let is_known = |name: &str| known.iter().any(|known| known.eq_ignore_ascii_case(name));
    let names = url::form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
    let Some(unknown) = names.into_iter().find(|name| !is_known(name)) else { return Ok(()) };
    let name: String = unknown.chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Err(ScimError::invalid_value(format!("{name}: there is no such parameter here; there are: {known}")))
}

/// Whether a parameter has a value. Forms and some clients send fields that nobody has filled in; these count
/// as absent. An empty `cursor` asks for the first page (RFC 9865 section 2.1).
fn is_given(name: &str, value: &str) -> bool {
    name.eq_ignore_ascii_case("cursor") || !value.trim().is_empty()
}

impl FromRequest for Parameters {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::read(request.query_string()).map_err(ApiError::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case("since=x&TYPE=y" => None; "known ones in any case")]
    #[test_case("" => None; "none")]
    #[test_case("type=x&sinse=2026" => Some("sinse".to_owned()); "misspelt")]
    #[test_case("sinse=" => Some("sinse".to_owned()); "empty")]
    #[test_case("=x" => Some(String::new()); "without a name")]
    #[test_case("a%00%0Ab=x" => Some("ab".to_owned()); "control characters")]
    fn an_unknown_parameter_is_named(query: &str) -> Option<String> {
        let known = ["type".to_owned(), "since".to_owned()];
        let error = check_known(query, &known).err()?;
        let (name, known) = error.detail.split_once(": there is no such parameter here; there are: ").unwrap();
        assert_eq!(known, "type, since");
        Some(name.to_owned())
    }

    #[test]
    fn given_parameters_are_kept_in_a_query_string() {
        let asked = Parameters::read("type=UserCreated&outcome=&userName=a%26b&before=7").unwrap();
        assert_eq!(asked.kept(&["type", "outcome", "userName"]), "&type=UserCreated&userName=a%26b");
        assert_eq!(asked.kept(&["outcome"]), "");
    }

    #[test]
    fn names_are_found_in_any_case_and_values_are_decoded() {
        let parameters = Parameters::read("filter=userName%20eq%20%22a%2Bb%22&STARTINDEX=2").unwrap();
        assert_eq!(
            (parameters.get("filter"), parameters.get("startIndex"), parameters.get("count")),
            (Some(r#"userName eq "a+b""#), Some("2"), None)
        );
    }

    #[test]
    fn empty_parameters_are_absent_except_the_cursor() {
        let parameters = Parameters::read("filter=&count=%20&sortBy=&attributes=&startIndex=&filter=&cursor=").unwrap();
        for name in ["filter", "count", "sortBy", "attributes", "startIndex"] {
            assert_eq!(parameters.get(name), None, "{name}");
        }
        assert_eq!(parameters.get("cursor"), Some(""));
        let search = serde_json::json!({"schemas": SEARCH_SCHEMA, "filter": "", "count": 2});
        let search = Parameters::of_search(search).unwrap();
        assert_eq!((search.get("filter"), search.get("count")), (None, Some("2")));
    }

    #[test_case("count=1&Count=2"; "twice")]
    #[test_case("filter=%00"; "nul")]
    fn refused(text: &str) {
        assert_eq!(Parameters::read(text).err().map(|error| error.status), Some(400));
    }
}
