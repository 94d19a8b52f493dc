//! What holds after any PATCH.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{ada, patched};
use crate::schema::USER;

fn edits() -> impl Strategy<Value = Value> {
    let paths = vec![
        "title",
        "active",
        "name",
        "name.givenName",
        "emails",
        "emails[type eq \"work\"]",
        "emails[type eq \"other\"].value",
        "emails.primary",
    ];
    let values = vec![
        json!("x"),
        json!(true),
        json!({"givenName": "G"}),
        json!([{"value": "v", "primary": true}]),
        json!({"value": "w", "type": "work", "primary": true}),
        json!(null),
    ];
    let ops = proptest::sample::select(vec!["add", "remove", "replace"]);
    (ops, proptest::sample::select(paths), proptest::sample::select(values))
        .prop_map(|(op, path, value)| json!({"op": op, "path": path, "value": value}))
}

proptest! {
    /// After any PATCH, validation would accept the resource as it is: types are kept, at most one value is
    /// primary, no value is empty.
    #[test]
    fn a_patched_resource_is_a_valid_resource(edits in proptest::collection::vec(edits(), 1..6)) {
        if let Ok(mut user) = patched(json!(edits)) {
            user["schemas"] = json!([crate::schema::USER_SCHEMA]);
            let again = crate::validate::resource(&USER, user.clone());
            user.as_object_mut().unwrap().remove("schemas");
            prop_assert_eq!(again.map(Value::Object), Ok(user));
        }
    }

    #[test]
    fn replacing_twice_is_replacing_once(edit in edits()) {
        // After its replacement, the filter may no longer choose the value.
        prop_assume!(edit["path"] != "emails[type eq \"work\"]");
        let edit = json!({"op": "replace", "path": edit["path"], "value": edit["value"]});
        prop_assert_eq!(patched(json!([edit])).ok(), patched(json!([edit, edit])).ok());
    }

    #[test]
    fn adding_and_removing_a_value_restores_the_resource(
        (path, chosen, value) in proptest::sample::select(vec![
            ("nickName", "nickName", json!("Countess of Lovelace")),
            ("name.middleName", "name.middleName", json!("Noel")),
            ("name", "name.honorificPrefix", json!({"honorificPrefix": "Lady"})),
            ("emails", "emails[value eq \"new@x\"]", json!([{"value": "new@x", "type": "other"}])),
            ("phoneNumbers", "phoneNumbers", json!([{"value": "tel:+44"}, {"value": "tel:+45", "primary": true}])),
            ("ims[type eq \"skype\"].value", "ims[type eq \"skype\"]", json!("ada")),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:division",
             "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:division", json!("Difference")),
        ]),
        edits in proptest::collection::vec(edits(), 0..4),
    ) {
        let (there, gone) = (
            json!({"op": "add", "path": path, "value": value}), json!({"op": "remove", "path": chosen})
        );
        let edited = |more: &[Value]| patched(Value::Array(edits.iter().chain(more).cloned().collect()));
        let before = if edits.is_empty() { Ok(ada()) } else { edited(&[]) };
        prop_assume!(before.is_ok());
        prop_assert_ne!(&edited(std::slice::from_ref(&there)), &before);
        prop_assert_eq!(edited(&[there, gone]), before);
    }
}
