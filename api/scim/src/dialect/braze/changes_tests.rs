//! A PATCH in the dialect says the same as one in SCIM's own words, or is refused.

use proptest::prelude::*;
use rollcall_api_core::read::UserSummary;
use rollcall_events::WorkspaceId;
use rollcall_scim::ScimError;
use rollcall_scim::patch::{Operation, PATCH_SCHEMA, parse};
use rollcall_scim::schema::{ENTERPRISE_SCHEMA, ROLLCALL_SCHEMA, USER, USER_SCHEMA};
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, HashMap};
use test_case::test_case;

use super::changes::{operations, sets_user_name, without_user_name};
use super::needs::{may_set_user_name, workspace_names};
use super::parts::Vocabulary;
use super::vocabulary::BrazeVocabulary;

const SALES: &str = "01890000-0000-7000-8000-000000000001";
const LEGAL: &str = "01890000-0000-7000-8000-000000000002";

fn ids() -> HashMap<String, WorkspaceId> {
    [("sales", SALES), ("legal", LEGAL)].into_iter().map(|(name, id)| (name.to_owned(), id.parse().unwrap())).collect()
}

fn read(given: Value) -> Result<Vec<Operation>, ScimError> {
    operations(Vocabulary { known: &BrazeVocabulary::read("").unwrap(), ids: &ids() }, json!({"Operations": given}))
}

fn standard(given: Value) -> Vec<Operation> {
    parse(&USER, json!({"schemas": [PATCH_SCHEMA], "Operations": given})).unwrap()
}

fn of_rollcall(name: &str) -> String {
    format!("{ROLLCALL_SCHEMA}:{name}")
}

fn of_sales(part: &str) -> String {
    of_rollcall(&format!("workspaces[value eq \"{SALES}\"]{part}"))
}

fn set(path: impl Into<Value>, value: Value) -> Value {
    json!({"op": "replace", "path": path.into(), "value": value})
}

#[test_case("department", json!("bi"), format!("{ENTERPRISE_SCHEMA}:department"), json!("bi"); "department")]
#[test_case("DEPARTMENT", json!(null), format!("{ENTERPRISE_SCHEMA}:department"), json!(null); "no department")]
#[test_case(
    &format!("{USER_SCHEMA}:department"), json!("pm"), format!("{ENTERPRISE_SCHEMA}:department"), json!("pm");
    "with the core schema before it"
)]
#[test_case(
    "permissions.companyPermissions", json!(["admin"]), of_rollcall("companyPermissions"), json!(["admin"]);
    "company permissions"
)]
#[test_case(
    "Permissions.CompanyPermissions", json!("admin"), of_rollcall("companyPermissions"), json!(["admin"]);
    "a lone permission"
)]
#[test_case(
    "permissions.companyPermissions", json!([]), of_rollcall("companyPermissions"), json!([]); "no permissions"
)]
#[test_case(
    "permissions.roles", json!([{"roleName": "Lead"}, {"ROLEID": "r", "roleName": null}]), "roles".to_owned(),
    json!([{"value": "Lead", "display": "Lead"}, {"value": "r"}]); "roles"
)]
#[test_case(
    "permissions.roles[roleName eq \"Lead\"]", json!({"roleName": "Head"}), "roles[display eq \"Lead\"]".to_owned(),
    json!({"display": "Head"}); "one role"
)]
#[test_case(
    "permissions.roles[roleId eq \"r\"].roleName", json!("Head"), "roles[value eq \"r\"].display".to_owned(),
    json!("Head"); "the name of a role"
)]
#[test_case(
    "permissions.appGroup", json!([{"appGroupName": "Sales", "team": null}]), of_rollcall("workspaces"),
    json!([{"value": SALES}]); "workspaces"
)]
#[test_case(
    "permissions.appgroup", json!({"appGroupId": LEGAL, "appGroupPermissions": ["admin"]}), of_rollcall("workspaces"),
    json!([{"value": LEGAL, "permissions": ["admin"]}]); "a lone workspace"
)]
#[test_case("permissions.appGroup", json!(null), of_rollcall("workspaces"), json!(null); "no workspaces")]
#[test_case(
    "permissions.appGroup[appGroupName eq \"SALES\"]", json!({"appGroupPermissions": ["admin"]}), of_sales(""),
    json!({"value": SALES, "permissions": ["admin"]}); "one workspace"
)]
#[test_case(
    "permissions.appGroup[APPGROUPNAME eq \"Sales\"].appGroupPermissions", json!(["admin"]), of_sales(".permissions"),
    json!(["admin"]); "permissions in one"
)]
#[test_case(
    &format!("permissions.appGroup[appGroupId eq \"{SALES}\"].team"),
    json!([{"teamId": "t", "teamPermissions": ["admin"]}]), of_sales(".teams"),
    json!([{"value": "t", "permissions": ["admin"]}]); "teams in one"
)]
#[test_case(
    "permissions.appGroup[appGroupName eq sales].appGroupPermissionSets",
    json!([{"appGroupPermissionSetName": "Editors"}]), of_sales(".permissionSets"),
    json!([{"value": "Editors", "display": "Editors"}]); "permission sets in one"
)]
#[test_case(
    "permissions.appGroup[not (appGroupName ne \"Sales\" or team.teamName eq \"A\")].appGroupPermissions", json!(null),
    of_rollcall(&format!("workspaces[not (value ne \"{SALES}\" or teams.display eq \"A\")].permissions")), json!(null);
    "a longer choice"
)]
#[test_case("name.givenName", json!("Ada"), "name.givenName".to_owned(), json!("Ada"); "a part of SCIM's own")]
#[test_case(
    "emails[type eq \"work\"].value", json!("a@x"), "emails[type eq \"work\"].value".to_owned(), json!("a@x");
    "a value of SCIM's own"
)]
fn each_path_of_the_dialect_has_a_path_of_the_model(path: &str, value: Value, expected: String, sets: Value) {
    assert_eq!(read(json!([set(path, value)])).unwrap(), standard(json!([set(expected, sets)])));
}

#[test]
fn a_value_without_a_path_sets_what_it_gives() {
    let permissions = json!({"appGroup": [{"appGroupName": "Legal"}], "companyPermissions": null});
    let given = json!({
        "Department": "bi", "PERMISSIONS": permissions, "active": "False", "createdAt": "x", "lastSignInAt": 7,
        "name.givenName": "Ada"
    });
    let expected = json!([
        {"op": "replace", "value": {"active": false, "name.givenName": "Ada"}},
        set(format!("{ENTERPRISE_SCHEMA}:department"), json!("bi")),
        set(of_rollcall("workspaces"), json!([{"value": LEGAL}])),
        set(of_rollcall("companyPermissions"), json!(null)),
    ]);
    assert_eq!(read(json!([{"op": "replace", "value": given}])).unwrap(), standard(expected));
    let flat =
        json!({"permissions.appGroup[appGroupName eq \"Sales\"].team": null, "permissions.roles": [{"roleId": "r"}]});
    let expected = json!([set(of_sales(".teams"), json!(null)), set("roles", json!([{"value": "r"}]))]);
    assert_eq!(read(json!({"op": "Replace", "value": flat})).unwrap(), standard(expected));
    assert_eq!(read(json!([{"op": "add", "value": {"createdAt": "x"}}])).unwrap(), []);
}

#[test]
fn an_added_workspace_has_only_the_given_sub_attributes() {
    let groups = json!([
        {"appGroupName": "Sales", "team": [{"teamId": "t"}]},
        {"appGroupId": LEGAL.to_uppercase(), "appGroupPermissions": ["admin"]},
        {"appGroupId": "Sales", "team": null},
    ]);
    let workspaces = json!([
        {"value": SALES, "teams": [{"value": "t"}]}, {"value": LEGAL.to_uppercase(), "permissions": ["admin"]},
        {"value": "Sales"},
    ]);
    let expected = standard(json!([{"op": "add", "path": of_rollcall("workspaces"), "value": workspaces}]));
    assert_eq!(read(json!([{"op": "add", "path": "permissions.appGroup", "value": groups}])).unwrap(), expected);
    assert_eq!(read(json!([{"op": "add", "value": {"permissions": {"appGroup": groups}}}])).unwrap(), expected);
}

#[test]
fn other_enterprise_attributes_are_those_of_scim() {
    let given = json!([
        {"op": "add", "value": {ENTERPRISE_SCHEMA: {"costCenter": "7"}, "department": "bi"}},
        set(format!("{ENTERPRISE_SCHEMA}:division"), json!("d"))
    ]);
    let expected = json!([
        {"op": "add", "path": format!("{ENTERPRISE_SCHEMA}:costCenter"), "value": "7"},
        {"op": "add", "path": format!("{ENTERPRISE_SCHEMA}:department"), "value": "bi"},
        set(format!("{ENTERPRISE_SCHEMA}:division"), json!("d")),
    ]);
    assert_eq!(read(given).unwrap(), standard(expected));
}

#[test]
fn a_remove_removes_only_the_named_values() {
    let remove = |path: &str, value: Value| read(json!([{"op": "Remove", "path": path, "value": value}])).unwrap();
    let removed = |path: &str| json!({"op": "remove", "path": path});
    let all =
        json!([removed(&of_rollcall("companyPermissions")), removed("roles"), removed(&of_rollcall("workspaces"))]);
    assert_eq!(remove("permissions", json!(null)), standard(all.clone()));
    assert_eq!(read(json!([set("permissions", json!(null))])).unwrap(), standard(all));
    assert_eq!(remove("permissions", json!({"roles": null})), standard(json!([removed("roles")])));
    let roles = json!([{"roleId": "r", "roleName": "R"}, {"roleName": "Lead"}]);
    assert_eq!(
        remove("permissions.roles", roles),
        standard(json!([removed("roles[value eq \"r\"]"), removed("roles[display eq \"Lead\"]")]))
    );
    let listed = json!([{"op": "remove", "path": of_rollcall("workspaces"), "value": [{"value": SALES}]}]);
    assert_eq!(remove("permissions.appGroup", json!([{"appGroupName": "Sales"}])), standard(listed));
    assert_eq!(
        remove("permissions.appGroup[appGroupName eq \"Sales\"]", json!(null)),
        standard(json!([removed(&of_sales(""))]))
    );
    for nobody in ["permissions.companyPermissions", "permissions.roles", "permissions.appGroup"] {
        assert_eq!(remove(nobody, json!([])), [], "an empty list removes nothing");
    }
}

#[test_case(set("department", json!("magic")), "department contains a value other than"; "department")]
#[test_case(
    set("permissions.companyPermissions", json!(["fly"])), "permissions.companyPermissions contains"; "company permission"
)]
#[test_case(
    set("permissions.appGroup[appGroupName eq \"Sales\"].appGroupPermissions", json!(["fly"])),
    "appGroupPermissions contains"; "workspace permission"
)]
#[test_case(
    set(
        "permissions.appGroup[appGroupName eq \"Sales\"].team",
        json!([{"teamId": "t", "teamPermissions": ["delete_catalogs"]}])
    ),
    "teamPermissions contains"; "team permission"
)]
#[test_case(set("permissions.roleList", json!([])), "roleList is not known"; "part")]
#[test_case(set("permissions", json!({"roleList": []})), "roleList is not known"; "part in a value")]
#[test_case(
    json!({"op": "add", "value": {"permissions": {"appGroup": [{"appGroupName": "Sales", "permission": []}]}}}),
    "permission is not known"; "member of a workspace"
)]
#[test_case(set("permissions.appGroup[size eq 1]", json!({})), "size is not known"; "member in a filter")]
#[test_case(set("permissions.appGroup.size", json!(1)), "size is not known"; "member in a path")]
#[test_case(
    set("permissions.appGroup[appGroupName eq \"Nowhere\"].team", json!([])), "no workspace of that name";
    "workspace in a filter"
)]
#[test_case(set("permissions.appGroup[appGroupName sw \"Sal\"].team", json!([])), "by eq or ne"; "beginning of a name")]
#[test_case(
    set("permissions.appGroup", json!([{"appGroupName": "Nowhere"}])), "no workspace of that name";
    "workspace in a value"
)]
#[test_case(
    set("permissions.appGroup", json!([{}])), "neither appGroupId nor appGroupName"; "workspace without a name"
)]
#[test_case(
    set("permissions.appGroup[team pr]", json!({"team": []})), "neither appGroupId nor appGroupName";
    "workspace that a filter does not name"
)]
#[test_case(set("permissions.roles", json!(["r"])), "not a list of objects"; "wrong type")]
#[test_case(set("permissions", json!({})), "permissions has none of"; "empty permissions")]
#[test_case(set("permissions", json!("admin")), "permissions is not an object"; "permissions as a text")]
#[test_case(set("permissions.", json!([])), "path is wrong"; "half a path")]
#[test_case(set("permissionsX", json!([])), "permissionsX is not an attribute"; "another name")]
#[test_case(set("createdAt", json!("x")), "createdAt is read-only"; "what the server sets")]
#[test_case(
    json!({"op": "replace", "value": {"permissions": {"roles": []}, "permissions.Roles": []}}),
    "permissions.Roles is given twice"; "twice"
)]
#[test_case(
    json!({"op": "replace", "value": {"Department": "pm", "department": "bi"}}), "department is given twice";
    "twice in two spellings"
)]
#[test_case(
    json!({"op": "replace", "value": {"permissions": {"roles": []}, "Roles": []}}), "is given twice"; "roles twice"
)]
#[test_case(
    json!({"op": "replace", "value": {"permissions": null, "permissions.roles": []}}),
    "permissions.roles is given twice"; "a part of nothing"
)]
#[test_case(
    json!({"op": "replace", "value": {"permissions.roles": [], "roles[value eq \"r\"].display": "R"}}),
    "is given twice"; "one of the roles"
)]
#[test_case(
    json!({
        "op": "replace", "value": {"permissions.appGroup": [], "permissions.appGroup[appGroupId eq \"a\"].team": []}
    }),
    "is given twice"; "one of the workspaces"
)]
#[test_case(
    set("permissions[roles pr]", json!({})), "permissions has no values to choose from"; "a choice of permissions"
)]
#[test_case(json!({"op": "remove", "value": {"department": "bi"}}), "remove needs a path"; "removal without a path")]
#[test_case(json!({"op": "destroy", "path": "department", "value": "bi"}), "op is not add"; "operation")]
fn refused(operation: Value, why: &str) {
    let error = read(json!([
        {"op": "add", "path": "permissions.appGroup", "value": [{"appGroupId": "a"}, {"appGroupId": "b"}]},
        operation
    ]))
    .unwrap_err();
    assert!(
        error.status == 400 && error.detail.starts_with("Operations[1]: ") && error.detail.contains(why),
        "{}",
        error.detail
    );
}

#[test_case(json!([set("userName", json!("ADA"))]), true; "by its path")]
#[test_case(json!([{"op": "add", "value": {"USERNAME": "ada", "title": "x"}}]), true; "without a path")]
#[test_case(json!([set("userName", json!("other"))]), false; "another name")]
#[test_case(json!([set(format!("{USER_SCHEMA}.userName"), json!("other"))]), false; "another name by a longer path")]
#[test_case(json!([set("userName", json!(["other"]))]), false; "another name in brackets")]
#[test_case(
    json!([set("userName", json!("ada")), {"op": "replace", "value": {"username": {"value": "other"}}}]), false;
    "another name in the last place"
)]
fn the_name_of_a_user_cannot_be_changed(given: Value, is_kept: bool) {
    assert!(may_set_user_name(&given));
    let changes = read(given).unwrap();
    assert!(sets_user_name(&changes));
    match without_user_name(changes, "ada") {
        Ok(kept) => assert!(is_kept && !sets_user_name(&kept)),
        Err(error) => assert!(!is_kept && error.detail == "userName cannot be changed", "{}", error.detail),
    }
}

#[test]
fn names_of_workspaces_are_found_in_every_form() {
    let body = json!([
        {
            "op": "add", "PATH": "permissions.appGroup[appGroupName eq \"A\" or not (APPGROUPNAME ne B)].team",
            "value": []
        },
        {
            "op": "add",
            "value": {
                "permissions": {"appGroup": {"appgroupname": "C"}}, "permissions.appGroup[appGroupName eq 7]": null
            }
        },
    ]);
    let mut names = BTreeSet::new();
    workspace_names(&body, &mut names);
    assert_eq!(names, ["7", "a", "b", "c"].map(str::to_owned).into());
}

/// Any JSON, mostly of words that mean something here.
fn anything() -> impl Strategy<Value = Value> {
    let words = [
        "add",
        "replace",
        "remove",
        "department",
        "permissions",
        "permissions.appGroup",
        "permissions.roles",
        "permissions.",
        "bi",
        "admin",
        "Sales",
        "permissions.appGroup[appGroupName eq \"Sales\"].team",
        "permissions.roles[roleId pr]",
        "permissions.appGroup[",
        "appGroup",
        "appGroupName",
        "appGroupId",
        "appGroupPermissions",
        "team",
        "teamId",
        "roles",
        "roleId",
        "roleName",
        "companyPermissions",
        "userName",
        "op",
        "path",
        "value",
        "Operations",
        "schemas",
        ENTERPRISE_SCHEMA,
        ROLLCALL_SCHEMA,
        "emails",
        "é",
        "",
    ];
    let word = prop::sample::select(words.to_vec()).prop_map(str::to_owned);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
        ".*".prop_map(Value::from)
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(word.clone(), inner, 0..6)
                .prop_map(|members| Value::from(Map::from_iter(members))),
        ]
    })
}

proptest! {
    #[test]
    fn any_input_is_read_or_refused(body in anything(), path in ".*", op in "add|replace|remove", value in anything()) {
        workspace_names(&body, &mut BTreeSet::new());
        let known = BrazeVocabulary::read("").unwrap();
        let ids = ids();
        let vocabulary = Vocabulary { known: &known, ids: &ids };
        let _ = operations(vocabulary, body.clone());
        let ada = UserSummary { user_name: "ada".to_owned(), entitlements: None };
        let _ = super::shape::to_standard(vocabulary, body.clone(), Some(&ada));
        for path in [path.clone(), format!("permissions.{path}"), format!("permissions.appGroup[{path}].team")] {
            let _ = operations(
                vocabulary, json!([{"op": op, "path": path, "value": value}, {"op": op, "value": body}])
            );
        }
        let named = json!([{"op": op, "value": value}, {"op": op, "path": path, "value": value}]);
        for given in [json!([named[0]]), named] {
            let Ok(changes) = operations(vocabulary, given.clone()) else { continue };
            prop_assert!(may_set_user_name(&given) || !sets_user_name(&changes));
            let kept = without_user_name(changes, "ada");
            prop_assert!(kept.map_or(true, |kept| !sets_user_name(&kept)));
        }
    }
}
