//! A value that cannot be understood is refused by name and changes nothing: every attribute of every schema,
//! in every form that can carry it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test, what goes wrong is to be seen at once")]

use proptest::prelude::*;
use rollcall_scim::patch::{Operation, PATCH_SCHEMA, apply, parse};
use rollcall_scim::resource::Attributes;
use rollcall_scim::schema::{Attribute, Kind, Mutability, ResourceType, Schema};
use rollcall_scim::work::Budget;
use rollcall_scim::{ScimError, ScimType, validate};
use serde_json::{Map, Value, json};

/// An attribute that callers can write, and where it is.
#[derive(Debug, Clone, Copy)]
struct Place {
    resource_type: &'static ResourceType,
    extension: Option<&'static Schema>,
    attribute: &'static Attribute,
}

impl Place {
    fn all() -> Vec<Self> {
        let core = |resource_type: &'static ResourceType| (resource_type, None, resource_type.core);
        let beside = |resource_type: &'static ResourceType| {
            resource_type.extensions.iter().map(move |&schema| (resource_type, Some(schema), schema))
        };
        let schemas =
            ResourceType::writable().into_iter().flat_map(|kind| std::iter::once(core(kind)).chain(beside(kind)));
        let places = schemas.flat_map(|(resource_type, extension, schema)| {
            schema.attributes.iter().map(move |attribute| Self { resource_type, extension, attribute })
        });
        places.filter(|place| is_writable(place.attribute)).collect()
    }

    fn path(&self) -> String {
        self.extension.map_or(self.attribute.name.clone(), |schema| format!("{}:{}", schema.id, self.attribute.name))
    }

    /// A whole resource whose attribute has this value.
    fn body(&self, value: Value) -> Value {
        let mut body = Value::Object(full(self.resource_type));
        body["schemas"] = json!([self.resource_type.core.id]);
        match self.extension {
            None => body[&self.attribute.name] = value,
            Some(schema) => body[&schema.id] = json!({&self.attribute.name: value}),
        }
        body
    }

    /// Every way in which a PATCH can carry a value for the attribute.
    fn patches(&self, value: &Value) -> Vec<Value> {
        let mut patches = Vec::new();
        for op in ["add", "replace", "remove"] {
            patches.push(json!({"op": op, "path": self.path(), "value": value}));
            if let Some(schema) = self.extension {
                patches.push(json!({"op": op, "path": schema.id, "value": {&self.attribute.name: value}}));
            }
            if self.attribute.multi_valued {
                patches.push(json!({"op": op, "path": self.path(), "value": {&self.attribute.name: value}}));
            }
        }
        for op in ["add", "replace"] {
            patches.push(json!({"op": op, "value": {self.path(): value}}));
            if let Some(schema) = self.extension {
                patches.push(json!({"op": op, "value": {&schema.id: {&self.attribute.name: value}}}));
            }
        }
        patches
    }

    fn held(&self, resource: &Attributes) -> Value {
        let holder = self.extension.map_or(Some(resource), |schema| resource.get(&schema.id)?.as_object());
        holder.and_then(|holder| holder.get(&self.attribute.name)).cloned().unwrap_or_default()
    }

    /// Whether an empty text means "none" here: for the manager alone.
    fn is_manager(&self) -> bool {
        self.attribute.name == "manager"
    }
}

fn is_writable(attribute: &Attribute) -> bool {
    matches!(attribute.mutability, Mutability::ReadWrite | Mutability::Immutable)
}

/// One value that fits, without brackets.
fn good(attribute: &Attribute) -> Value {
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
fn full(resource_type: &ResourceType) -> Attributes {
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
fn empty_objects(attribute: &Attribute) -> Vec<Value> {
    let mut objects = vec![json!({}), json!({"unheardOf": "x"}), json!({"unheardOf": {"value": "x"}, "value2": 7})];
    let server_made = attribute.sub_attributes.iter().filter(|sub| !is_writable(sub));
    objects.extend(server_made.map(|sub| json!({&sub.name: "x"})));
    objects
}

/// Values that are present and say nothing.
fn unreadable(attribute: &Attribute) -> Vec<Value> {
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

fn operations(place: &Place, operation: &Value) -> Result<Vec<Operation>, ScimError> {
    parse(place.resource_type, json!({"schemas": [PATCH_SCHEMA], "Operations": [operation]}))
}

fn patched(place: &Place, operation: &Value) -> Result<Attributes, ScimError> {
    let mut resource = full(place.resource_type);
    apply(place.resource_type, &mut resource, &operations(place, operation)?, &mut Budget::default())?;
    Ok(resource)
}

#[track_caller]
fn assert_refused(result: Result<impl std::fmt::Debug, ScimError>, name: &str, form: &Value) {
    let error = result.expect_err(&form.to_string());
    assert_eq!(error.scim_type, Some(ScimType::InvalidValue), "{form}: {}", error.detail);
    assert!(error.detail.contains(name), "{form}: {}", error.detail);
}

#[test]
fn an_unreadable_value_is_refused_in_every_form() {
    for place in Place::all() {
        for value in unreadable(place.attribute) {
            let body = place.body(value.clone());
            assert_refused(validate::resource(place.resource_type, body.clone()), &place.attribute.name, &body);
            for operation in place.patches(&value) {
                // A remove of an empty list is a matter of its own: see below.
                if operation["op"] == "remove" && value == json!([]) {
                    continue;
                }
                assert_refused(patched(&place, &operation), &place.attribute.name, &operation);
            }
        }
    }
}

#[test]
fn a_readable_value_is_accepted_in_every_form_with_unknown_members() {
    for place in Place::all() {
        let mut value = good(place.attribute);
        if let Value::Object(value) = &mut value {
            value.insert("unheardOf".to_owned(), json!({}));
        }
        let value = if place.attribute.multi_valued { json!([value]) } else { value };
        validate::resource(place.resource_type, place.body(value.clone())).unwrap();
        for operation in place.patches(&value).iter().filter(|operation| operation["op"] != "remove") {
            assert_eq!(patched(&place, operation).unwrap(), full(place.resource_type), "{operation}");
        }
    }
}

#[test]
fn an_empty_sub_attribute_is_refused_in_every_form() {
    for place in Place::all() {
        for part in place.attribute.sub_attributes.iter().filter(|part| is_writable(part)) {
            for value in unreadable(part) {
                let mut holder = good(place.attribute);
                holder[&part.name] = value.clone();
                let body = place.body(if place.attribute.multi_valued { json!([holder]) } else { holder.clone() });
                assert_refused(validate::resource(place.resource_type, body.clone()), &part.name, &body);
                let paths =
                    [format!("{}.{}", place.path(), part.name), format!("{}[value pr].{}", place.path(), part.name)];
                for path in paths
                    .iter()
                    .take(if place.attribute.multi_valued && place.attribute.sub("value").is_some() { 2 } else { 1 })
                {
                    for operation in
                        ["add", "replace", "remove"].map(|op| json!({"op": op, "path": path, "value": value}))
                    {
                        if operation["op"] != "remove" || value != json!([]) {
                            assert_refused(patched(&place, &operation), &part.name, &operation);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_value_selected_by_a_filter_cannot_be_emptied() {
    let lists = |place: &Place| place.attribute.multi_valued && place.attribute.sub("value").is_some();
    for place in Place::all().into_iter().filter(lists) {
        let path = format!("{}[value pr]", place.path());
        for value in
            empty_objects(place.attribute).into_iter().chain([json!(""), json!([{}]), json!([null]), json!([[]])])
        {
            for operation in ["add", "replace", "remove"].map(|op| json!({"op": op, "path": path, "value": value})) {
                assert_refused(patched(&place, &operation), &place.attribute.name, &operation);
            }
        }
    }
}

#[test]
fn an_extension_without_any_of_its_attributes_is_refused() {
    for resource_type in ResourceType::writable() {
        for schema in &resource_type.extensions {
            for value in [json!({}), json!({"unheardOf": "x"}), json!([]), json!("x"), json!([{}])] {
                let place = Place { resource_type, extension: None, attribute: &schema.attributes[0] };
                let mut body = place.body(json!("x"));
                body[&schema.id] = value.clone();
                assert_refused(validate::resource(resource_type, body.clone()), &schema.id, &body);
                for op in ["add", "replace", "remove"] {
                    let operation = json!({"op": op, "path": schema.id, "value": value});
                    if op == "remove" && value == json!([]) {
                        assert_eq!(patched(&place, &operation).unwrap(), full(resource_type));
                    } else {
                        assert_refused(patched(&place, &operation), &schema.id, &operation);
                    }
                }
            }
            let mut null = full(resource_type);
            null.insert("schemas".to_owned(), json!([resource_type.core.id]));
            null.insert(schema.id.clone(), Value::Null);
            let read = validate::resource(resource_type, Value::Object(null)).unwrap();
            let held = read.get(&schema.id).and_then(Value::as_object);
            assert!(held.is_none_or(|held| held.values().all(|value| *value == json!([]))), "{held:?}");
        }
    }
}

#[test]
fn a_remove_that_lists_nothing_removes_nothing() {
    for place in Place::all() {
        for operation in place.patches(&json!([])).iter().filter(|operation| operation["op"] == "remove") {
            assert_eq!(patched(&place, operation).unwrap(), full(place.resource_type), "{operation}");
        }
        for operation in place.patches(&json!("")).iter().filter(|operation| operation["op"] == "remove") {
            if place.is_manager() {
                assert_eq!(place.held(&patched(&place, operation).unwrap()), Value::Null, "{operation}");
            } else {
                assert_refused(patched(&place, operation), &place.attribute.name, operation);
            }
        }
        let nested = place.attribute.sub_attributes.iter().filter(|part| is_writable(part));
        for operation in
            nested.map(|part| json!({"op": "remove", "path": format!("{}.{}", place.path(), part.name), "value": []}))
        {
            assert_eq!(patched(&place, &operation).unwrap(), full(place.resource_type), "{operation}");
        }
    }
}

#[test]
fn a_remove_removes_only_the_listed_values_wrapped_or_not() {
    for place in Place::all().into_iter().filter(|place| place.attribute.multi_valued) {
        let mut other = good(place.attribute);
        match place.attribute.sub("value").map(|part| part.kind) {
            Some(Kind::Binary) => other["value"] = json!("REVG"),
            Some(_) => other["value"] = json!("y"),
            None if other.is_object() => other["type"] = json!("y"),
            None => other = json!("y"),
        }
        // A second primary value would change the first.
        if let Value::Object(other) = &mut other {
            other.remove("primary");
        }
        let listed = json!([good(place.attribute)]);
        for value in [listed.clone(), json!({&place.attribute.name: listed})] {
            let mut resource = full(place.resource_type);
            let add = json!({"op": "add", "path": place.path(), "value": [other]});
            let remove = json!({"op": "remove", "path": place.path(), "value": value});
            for operation in [add, remove] {
                apply(
                    place.resource_type,
                    &mut resource,
                    &operations(&place, &operation).unwrap(),
                    &mut Budget::default(),
                )
                .unwrap();
            }
            let left = place.held(&resource);
            assert_eq!(left.as_array().map(Vec::len), Some(1), "{left}");
            assert!(left[0] == other || left[0]["value"] == other["value"], "{left}");
        }
    }
}

#[test]
fn null_sub_attributes_are_removed_and_the_others_kept() {
    let user = ResourceType::writable()[0];
    let place = Place { resource_type: user, extension: None, attribute: user.attribute("name").unwrap() };
    let replace =
        |value: Value| place.held(&patched(&place, &json!({"op": "replace", "path": "name", "value": value})).unwrap());
    let mut expected = good(place.attribute);
    expected.as_object_mut().unwrap().remove("givenName");
    assert_eq!(replace(json!({"givenName": null})), expected);
    expected["familyName"] = json!("King");
    assert_eq!(replace(json!({"givenName": null, "familyName": "King"})), expected);
    assert_eq!(replace(json!(null)), Value::Null);
}

fn json_values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        Just(json!(7)),
        proptest::sample::select(vec!["", "x", "true"]).prop_map(Value::from),
    ];
    let names = proptest::sample::select(vec![
        "value",
        "type",
        "display",
        "givenName",
        "$ref",
        "primary",
        "permissions",
        "teams",
        "id",
    ]);
    leaf.prop_recursive(3, 12, 3, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::vec((names.clone(), inner), 0..3).prop_map(|members| Value::Object(
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>()
            )),
        ]
    })
}

/// The values that mean "unassigned": `null`, `[]` for a list, `""` for the manager, and an object whose
/// known members are all `null` (or, for the manager, `""`).
fn unassigns(place: &Place, value: &Value) -> bool {
    let known = |object: &Map<String, Value>| -> Vec<Value> {
        object
            .iter()
            .filter(|(name, _)| place.attribute.sub(name).is_some_and(is_writable))
            .map(|(_, value)| value.clone())
            .collect()
    };
    match value {
        Value::Null => true,
        Value::Array(values) => values.is_empty() && place.attribute.multi_valued,
        Value::String(text) => text.is_empty() && place.is_manager(),
        Value::Object(object) => {
            !place.attribute.multi_valued
                && !known(object).is_empty()
                && known(object).iter().all(|part| part.is_null() || (place.is_manager() && *part == ""))
        }
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn only_a_value_that_means_unassigned_empties_an_attribute(
        place in proptest::sample::select(Place::all()), value in json_values(), form in any::<prop::sample::Index>()
    ) {
        let body = place.body(value.clone());
        match validate::resource(place.resource_type, body) {
            Ok(read) => prop_assert_eq!(
                matches!(place.held(&read), Value::Null) || place.held(&read) == json!([]), unassigns(&place, &value)
            ),
            Err(error) => prop_assert!(error.detail.contains(&place.attribute.name), "{}", error.detail),
        }
        let patches = place.patches(&value);
        let operation = form.get(&patches);
        match patched(&place, operation) {
            Ok(left) if operation["op"] == "add" => prop_assert_ne!(place.held(&left), Value::Null),
            Ok(left) if operation["op"] == "replace" => prop_assert!(
                place.held(&left) != Value::Null || unassigns(&place, &value)
            ),
            // One value only, so the path says what goes; of several, only the listed ones do.
            Ok(left) if place.attribute.multi_valued && place.held(&left) == Value::Null => {
                prop_assert!(
                    value.is_null() || value.to_string().contains('x') || value.to_string().contains("true"), "{}",
                    operation
                );
            }
            Ok(_) => {}
            Err(error) => prop_assert!(error.detail.contains(&place.attribute.name), "{}", error.detail),
        }
    }
}
