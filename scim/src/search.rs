//! The search keys of a resource: its texts as casefolds if case does not count. They are stored beside the
//! resource, so that the database need not casefold.

use serde_json::{Map, Value};

use crate::casefold::casefold;
use crate::resource::Attributes;
use crate::schema::{Attribute, Kind, ResourceType, find};

/// Whether an attribute is searched by its keys. All other attributes are compared as the resource has them.
pub fn is_keyed(attribute: &Attribute) -> bool {
    attribute.kind == Kind::Complex || is_casefolded(attribute)
}

/// Whether an attribute's values are compared without regard to case.
pub fn is_casefolded(attribute: &Attribute) -> bool {
    matches!(attribute.kind, Kind::String | Kind::Reference) && !attribute.case_exact
}

/// The keys of a resource: every attribute that [`is_keyed`], in the shape of the resource, with casefolded
/// texts. `meta` has no keys.
pub fn keys(resource_type: &ResourceType, resource: &Attributes) -> Attributes {
    let mut keys = members(&resource_type.core.attributes, resource);
    for schema in &resource_type.extensions {
        if let Some(Value::Object(extension)) = resource.get(&schema.id) {
            let inside = members(&schema.attributes, extension);
            if !inside.is_empty() {
                keys.insert(schema.id.clone(), Value::Object(inside));
            }
        }
    }
    keys
}

fn members(attributes: &[Attribute], object: &Attributes) -> Attributes {
    let keyed = object
        .iter()
        .filter_map(|(name, value)| Some((name, value, find(attributes, name).filter(|found| is_keyed(found))?)));
    keyed.map(|(name, value, attribute)| (name.clone(), key(attribute, value))).collect()
}

/// A value as it is compared: texts are casefolded if case does not count.
pub(crate) fn key(attribute: &Attribute, value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(|value| key(attribute, value)).collect(),
        Value::Object(object) => {
            let part = |(name, value): (&String, &Value)| {
                (name.clone(), attribute.sub(name).map_or_else(|| value.clone(), |sub| key(sub, value)))
            };
            Value::Object(object.iter().map(part).collect::<Map<_, _>>())
        }
        Value::String(text) if is_casefolded(attribute) => Value::String(casefold(text)),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{ENTERPRISE_SCHEMA, USER};
    use serde_json::json;

    #[test]
    fn only_searched_attributes_are_kept_and_case_insensitive_texts_are_casefolded() {
        let user = json!({
            "schemas": ["x"], "id": "7", "meta": {"version": "1"}, "externalId": "E1", "active": true,
            "userName": "Ada", "title": "STRASSE",
            "emails": [{"value": "A@X", "type": "Work", "primary": true}], "x509Certificates": [{"value": "QUJD"}],
            ENTERPRISE_SCHEMA: {"department": "Engines", "manager": {"value": "M1"}},
        });
        let expected = json!({
            "userName": "ada", "title": "strasse",
            "emails": [{"value": "a@x", "type": "work", "primary": true}], "x509Certificates": [{"value": "QUJD"}],
            ENTERPRISE_SCHEMA: {"department": "engines", "manager": {"value": "M1"}},
        });
        assert_eq!(Value::Object(keys(&USER, user.as_object().unwrap())), expected);
    }
}
