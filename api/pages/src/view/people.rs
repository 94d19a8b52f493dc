//! The pages of users.

use askama::Template;
use rollcall_api_core::read::Membership;
use rollcall_scim::resource::{Attributes, text};
use serde_json::Value;

use super::{Frame, LogRow};
use crate::text::Language;

/// A user in a table.
pub(crate) struct UserRow {
    pub(crate) id: String,
    pub(crate) user_name: String,
    pub(crate) display_name: String,
    pub(crate) email: String,
    pub(crate) is_active: bool,
}

/// The result of a search for users.
#[derive(Template)]
#[template(path = "users.html")]
pub(crate) struct Users {
    pub(crate) t: Language,
    pub(crate) frame: Frame,
    /// The search text.
    pub(crate) asked: String,
    /// Why the search text is wrong, if it is.
    pub(crate) problem: Option<String>,
    pub(crate) total: u64,
    pub(crate) found: Vec<UserRow>,
    /// The address of the previous page.
    pub(crate) newer: Option<String>,
    /// The address of the next page.
    pub(crate) older: Option<String>,
}

/// An attribute of a user, with its values as texts.
pub(crate) struct UserAttribute {
    pub(crate) name: String,
    pub(crate) values: Vec<String>,
}

/// A user.
#[derive(Template)]
#[template(path = "user.html")]
pub(crate) struct User {
    pub(crate) t: Language,
    pub(crate) frame: Frame,
    pub(crate) shown: UserRow,
    pub(crate) attributes: Vec<UserAttribute>,
    pub(crate) groups: Vec<String>,
    pub(crate) memberships: Vec<Membership>,
    /// The newest entries of the log about the user.
    pub(crate) rows: Vec<LogRow>,
}

impl UserRow {
    /// The row of a user.
    pub(crate) fn new(resource: &Attributes) -> Self {
        let of = |name: &str| text(resource, name).unwrap_or_default().to_owned();
        let emails = resource.get("emails").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let email = emails.iter().find(|email| email["primary"] == true).or(emails.first());
        Self {
            id: of("id"),
            user_name: of("userName"),
            display_name: of("displayName"),
            email: email.and_then(|email| email["value"].as_str()).unwrap_or_default().to_owned(),
            is_active: resource.get("active").and_then(Value::as_bool).unwrap_or(true),
        }
    }
}

/// The attributes of a user, without those that the page shows elsewhere.
pub(crate) fn user_attributes(resource: &Attributes) -> Vec<UserAttribute> {
    let mut attributes = Vec::new();
    for (name, value) in resource {
        match value {
            _ if ["schemas", "groups"].contains(&name.as_str()) => {}
            Value::Object(parts) if name == "meta" => {
                let shown = ["created", "lastModified", "version"];
                attributes
                    .extend(shown.iter().filter_map(|part| Some(attribute(format!("meta.{part}"), parts.get(*part)?))));
            }
            Value::Object(parts) => {
                let separator = if name.contains(':') { ":" } else { "." };
                attributes
                    .extend(parts.iter().map(|(part, value)| attribute(format!("{name}{separator}{part}"), value)));
            }
            value => attributes.push(attribute(name.clone(), value)),
        }
    }
    attributes.retain(|attribute| !attribute.name.ends_with(":workspaces"));
    attributes
}

fn attribute(name: String, value: &Value) -> UserAttribute {
    let values = match value {
        Value::Array(values) => values.iter().map(value_text).collect(),
        value => vec![value_text(value)],
    };
    UserAttribute { name, values }
}

/// A value as a text. Of a complex value, the sub-attribute `value` comes first and the others follow in
/// parentheses.
fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(parts) => {
            let others = parts.iter().filter(|(name, _)| name.as_str() != "value").map(|(name, value)| match value {
                Value::String(text) => format!("{name} {text}"),
                value => format!("{name} {value}"),
            });
            let others = others.collect::<Vec<_>>().join(", ");
            let value = parts.get("value").and_then(Value::as_str).unwrap_or_default();
            if others.is_empty() { value.to_owned() } else { format!("{value} ({others})") }
        }
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_user_is_shown_attribute_by_attribute() {
        let resource = json!({
            "schemas": ["x"], "userName": "ada", "name": {"familyName": "Lovelace"},
            "meta": {"version": "W/\"1\"", "location": "x"},
            "emails": [{"value": "ada@example.com", "type": "work"}],
            "urn:x:User": {"department": "Engines", "workspaces": []},
        });
        let attributes = user_attributes(resource.as_object().unwrap());
        let shown: std::collections::BTreeSet<_> =
            attributes.iter().map(|attribute| format!("{} {}", attribute.name, attribute.values.join("|"))).collect();
        let expected = [
            "emails ada@example.com (type work)",
            "meta.version W/\"1\"",
            "name.familyName Lovelace",
            "urn:x:User:department Engines",
            "userName ada",
        ];
        assert_eq!(shown, expected.map(str::to_owned).into());
    }
}
