//! What holds for any value.

use proptest::prelude::*;
use rollcall_scim::validate;
use serde_json::{Map, Value, json};

use super::patched;
use super::place::{Place, is_writable};

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
            // A remove empties an attribute with one value. Of several values, it removes only the listed ones.
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
