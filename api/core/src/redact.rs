//! Removes secrets from messages before they are stored or shown.

use serde_json::Value;

/// The names of members with secrets, compared without regard to case.
const SECRET: [&str; 4] = ["digest", "password", "secret", "token"];
/// The replacement of a secret.
const HIDDEN: &str = "•••";

/// Hides every secret at any depth: members with such a name, the value of a PATCH operation on such an
/// attribute, and filters on passwords.
pub fn redact(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let is_about_secret = members
                .iter()
                .any(|(name, path)| name.eq_ignore_ascii_case("path") && path.as_str().is_some_and(is_secret));
            for (name, value) in members {
                let is_hidden = is_secret(name) && !value.is_object()
                    || is_about_secret && name.eq_ignore_ascii_case("value")
                    || name.eq_ignore_ascii_case("filter") && value.as_str().is_some_and(compares_password);
                if is_hidden {
                    *value = HIDDEN.into();
                } else {
                    redact(value);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(redact),
        _ => {}
    }
}

/// The query string, or the replacement if its filter may contain a password.
pub(crate) fn redact_query(query: String) -> String {
    if compares_password(&query) { HIDDEN.to_owned() } else { query }
}

/// Whether a path names an attribute with a secret. The path may begin with a schema or a parent attribute.
fn is_secret(path: &str) -> bool {
    let name = path.rsplit([':', '.']).next().unwrap_or_default();
    SECRET.iter().any(|secret| name.eq_ignore_ascii_case(secret))
}

fn compares_password(filter: &str) -> bool {
    filter.to_ascii_lowercase().contains("password")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use test_case::test_case;

    #[test_case(
        json!({"issueToken": {"digest": "s"}, "token": {"digest": "s", "label": "HR"}})
        => json!({"issueToken": {"digest": HIDDEN}, "token": {"digest": HIDDEN, "label": "HR"}}); "members"
    )]
    #[test_case(
        json!([{"Password": "s"}, {"urn:ietf:params:scim:schemas:core:2.0:User:password": ["s"]}])
        => json!([{"Password": HIDDEN}, {"urn:ietf:params:scim:schemas:core:2.0:User:password": HIDDEN}]);
        "in any case, with a schema"
    )]
    #[test_case(
        json!({"Operations": [{"op": "replace", "Path": "password", "Value": "s"}, {"path": "title", "value": "x"}]})
        => json!({
            "Operations": [{"op": "replace", "Path": "password", "Value": HIDDEN}, {"path": "title", "value": "x"}]
        });
        "a patch"
    )]
    #[test_case(
        json!({"op": "add", "value": {"password": "s", "title": "x"}})
        => json!({"op": "add", "value": {"password": HIDDEN, "title": "x"}}); "a patch without a path"
    )]
    #[test_case(json!({"filter": "passWord eq \"s\""}) => json!({"filter": HIDDEN}); "a search")]
    #[test_case(
        json!({"filter": "title eq \"token\"", "passwords": 1})
        => json!({"filter": "title eq \"token\"", "passwords": 1}); "nothing else"
    )]
    fn redacted(mut value: Value) -> Value {
        redact(&mut value);
        value
    }

    #[test]
    fn a_query_with_a_password_is_hidden() {
        assert_eq!(redact_query("filter=password eq \"s\"".to_owned()), HIDDEN);
        assert_eq!(redact_query("filter=title eq \"s\"".to_owned()), "filter=title eq \"s\"");
    }
}
