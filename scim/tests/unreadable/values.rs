//! Values that fit an attribute, and values that are present and say nothing.

use rollcall_scim::resource::Attributes;
use rollcall_scim::schema::{Attribute, Kind, ResourceType};
use serde_json::{Value, json};

use super::place::is_writable;

/// One value that fits, without brackets.
pub(super) fn good(attribute: &Attribute) -> Value {
    match attribute.kind {
        Kind::Boolean => json!(true),
        Kind::Decimal | Kind::Integer => json!(7),
        Kind::DateTime => json!("2026-01-31T09:30:00Z"),
        Kind::Binary => json!("QUJD"),
        Kind::String | Kind::Reference => json!("x"),
        Kind::Complex => attribute
            .sub_attributes
            .iter()
            .filter(|sub| is_writable(sub))
            .map(|sub| (sub.name.clone(), whole(sub)))
            .collect(),
    }
}

/// A whole value that fits.
fn whole(attribute: &Attribute) -> Value {
    if attribute.multi_valued { json!([good(attribute)]) } else { good(attribute) }
}

/// A resource that has every attribute.
pub(super) fn full(resource_type: &ResourceType) -> Attributes {
    let of = |attributes: &[Attribute]| -> Attributes {
        attributes
            .iter()
            .filter(|attribute| is_writable(attribute))
            .map(|attribute| (attribute.name.clone(), whole(attribute)))
            .collect()
    };
    let mut full = of(&resource_type.core.attributes);
    full.extend(
        resource_type.extensions.iter().map(|schema| (schema.id.clone(), Value::Object(of(&schema.attributes)))),
    );
    full
}

/// Objects that say nothing that the attribute can hold.
pub(super) fn empty_objects(attribute: &Attribute) -> Vec<Value> {
    let mut objects = vec![json!({}), json!({"unheardOf": "x"}), json!({"unheardOf": {"value": "x"}, "value2": 7})];
    let server_made = attribute.sub_attributes.iter().filter(|sub| !is_writable(sub));
    objects.extend(server_made.map(|sub| json!({&sub.name: "x"})));
    objects
}

/// Values that are present and say nothing.
pub(super) fn unreadable(attribute: &Attribute) -> Vec<Value> {
    let objects = empty_objects(attribute);
    if !attribute.multi_valued {
        let lists = [
            json!([]),
            json!([null]),
            json!([{}]),
            json!([good(attribute), good(attribute)]),
            json!([[good(attribute)]]),
            json!(-7.5),
        ];
        return objects
            .into_iter()
            .chain(lists.into_iter().filter(|value| attribute.kind != Kind::Decimal || value.is_array()))
            .collect();
    }
    let null_members =
        attribute.sub_attributes.iter().filter(|sub| is_writable(sub)).map(|sub| json!({&sub.name: null}));
    let is_text =
        |sub: &&Attribute| is_writable(sub) && !sub.multi_valued && matches!(sub.kind, Kind::String | Kind::Reference);
    let empty_members = attribute.sub_attributes.iter().filter(is_text).map(|sub| json!({&sub.name: ""}));
    let empty = [json!(null), json!(""), json!([]), json!([[]])];
    let elements: Vec<_> = objects.into_iter().chain(null_members).chain(empty_members).chain(empty).collect();
    let lists = elements.iter().flat_map(|element| [json!([element]), json!([good(attribute), element])]);
    let lone = elements.iter().filter(|element| element.is_object() || element.is_string()).cloned();
    lists.chain(lone).collect()
}
