//! Group members. They are stored in a table of their own, apart from the group's resource, so that adding a
//! member costs the same for a group of any size.

use rollcall_scim::ScimError;
use rollcall_scim::filter::{Comparison, Filter};
use rollcall_scim::patch::{Op, Operation};
use rollcall_scim::path::Target;
use rollcall_scim::resource::Attributes;
use rollcall_scim::schema::GROUP;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

use crate::UserId;

/// The name of the attribute that holds the members.
pub const MEMBERS: &str = "members";

/// One change of a group's members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MemberChange {
    /// Adds these users. Users who are members already stay.
    Add(BTreeSet<UserId>),
    /// Removes these users. Users who are not members are ignored.
    Remove(BTreeSet<UserId>),
    /// Replaces the members by exactly these users.
    Set(BTreeSet<UserId>),
}

impl MemberChange {
    /// The users that the change names.
    pub fn users(&self) -> &BTreeSet<UserId> {
        match self {
            Self::Add(users) | Self::Remove(users) | Self::Set(users) => users,
        }
    }
}

/// The combined effect of several changes.
///
/// A change before the last [`MemberChange::Set`] has no effect, except that the users it adds must exist.
/// The current members are therefore read only once, however often they are replaced.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CombinedChange {
    /// Whether current members leave unless `after` keeps them.
    pub replaces_all: bool,
    /// For each named user: whether the user is a member in the end.
    pub after: BTreeMap<UserId, bool>,
    /// All users that any of the changes adds. Each of them must exist.
    pub joining: BTreeSet<UserId>,
}

/// Combines changes in their order.
pub fn combined(changes: Vec<MemberChange>) -> CombinedChange {
    let mut combined = CombinedChange::default();
    for change in changes {
        let (users, joins) = match change {
            MemberChange::Add(users) => (users, true),
            MemberChange::Remove(users) => (users, false),
            MemberChange::Set(users) => {
                combined.replaces_all = true;
                combined.after.clear();
                (users, true)
            }
        };
        if joins {
            combined.joining.extend(&users);
        }
        combined.after.extend(users.into_iter().map(|user| (user, joins)));
    }
    combined
}

/// Removes the members from a group's attributes and returns them.
///
/// # Errors
/// 400 `invalidValue` if a member is not a user id, or is marked as a group.
pub fn take_members(group: &mut Attributes) -> Result<BTreeSet<UserId>, ScimError> {
    group.remove(MEMBERS).as_ref().map_or(Ok(BTreeSet::new()), members)
}

/// Splits the operations of a PATCH into those on other attributes and those on members.
///
/// # Errors
/// 400 `invalidValue` if a member is not a user id; 400 `invalidFilter` if a filter selects members by
/// anything but `value`; 400 `mutability` if an operation changes a member in place.
pub fn take_member_changes(operations: Vec<Operation>) -> Result<(Vec<Operation>, Vec<MemberChange>), ScimError> {
    let (mut others, mut changes) = (Vec::new(), Vec::new());
    for operation in operations {
        match change(&operation)? {
            Some(change) => changes.push(change),
            None => others.push(operation),
        }
    }
    Ok((others, changes))
}

/// The member change that an operation asks for; `None` if it is about another attribute.
fn change(operation: &Operation) -> Result<Option<MemberChange>, ScimError> {
    let Target::Attribute(target) = operation.path.target(&GROUP)? else { return Ok(None) };
    if target.attribute.name != MEMBERS {
        return Ok(None);
    }
    if target.sub.is_some() {
        return Err(ScimError::mutability(
            "what is inside a member cannot be changed: remove the member and add another",
        ));
    }
    let listed = || operation.value.as_ref().map(members).transpose();
    Ok(Some(match (operation.op, target.filter) {
        (Op::Remove, Some(filter)) => MemberChange::Remove(chosen(filter)?),
        // Entra ID lists the users to remove in the value. Remove only them, never all members.
        (Op::Remove, None) => listed()?.map_or_else(|| MemberChange::Set(BTreeSet::new()), MemberChange::Remove),
        (Op::Add, None) => MemberChange::Add(listed()?.unwrap_or_default()),
        (Op::Replace, None) => MemberChange::Set(listed()?.unwrap_or_default()),
        (Op::Add | Op::Replace, Some(_)) => {
            return Err(ScimError::mutability("a member cannot be changed: remove it and add another"));
        }
    }))
}

fn members(value: &Value) -> Result<BTreeSet<UserId>, ScimError> {
    let members = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    members.iter().map(member).collect()
}

fn member(member: &Value) -> Result<UserId, ScimError> {
    let is_group = |text: &str| text.eq_ignore_ascii_case("group") || text.contains("/Groups/");
    if ["type", "$ref"].iter().any(|name| member[*name].as_str().is_some_and(is_group)) {
        return Err(ScimError::invalid_value("members: a group cannot be a member of a group"));
    }
    user_id(member["value"].as_str().unwrap_or_default())
}

fn user_id(value: &str) -> Result<UserId, ScimError> {
    value.parse().map_err(|_| unknown_member(value))
}

/// The error for a member that does not exist in the organization.
pub fn unknown_member(value: &str) -> ScimError {
    let shown: String = value.chars().take(64).collect();
    ScimError::invalid_value(format!("members: there is no user {shown}"))
}

/// The members that a filter selects: `value eq "…"`, or several of these joined by `or`. A malformed id is
/// treated as not found.
fn chosen(filter: &Filter) -> Result<BTreeSet<UserId>, ScimError> {
    match filter {
        Filter::Or(left, right) => {
            let mut both = chosen(left)?;
            both.append(&mut chosen(right)?);
            Ok(both)
        }
        Filter::Compare(path, Comparison::Eq, Value::String(value)) if path.name.eq_ignore_ascii_case("value") => {
            Ok(value.parse().ok().into_iter().collect())
        }
        _ => Err(ScimError::invalid_filter("members can be chosen by value eq only, several joined by or")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_scim::patch::{PATCH_SCHEMA, parse};
    use serde_json::json;
    use test_case::test_case;
    use uuid::Uuid;

    fn ids<const N: usize>(ids: [u128; N]) -> BTreeSet<UserId> {
        ids.into_iter().map(|id| UserId(Uuid::from_u128(id))).collect()
    }

    fn changes(operation: Value) -> Result<Vec<MemberChange>, ScimError> {
        let operations = parse(&GROUP, json!({"schemas": [PATCH_SCHEMA], "Operations": [operation]}))?;
        Ok(take_member_changes(operations)?.1)
    }

    const ONE: &str = "00000000-0000-0000-0000-000000000001";
    const TWO: &str = "00000000-0000-0000-0000-000000000002";

    #[test_case(
        &json!({"op": "add", "path": "members", "value": [{"value": ONE}, {"value": TWO}]}),
        &MemberChange::Add(ids([1, 2])); "add"
    )]
    #[test_case(
        &json!({"op": "Add", "value": {"members": [{"value": ONE}]}}), &MemberChange::Add(ids([1]));
        "add without a path"
    )]
    #[test_case(
        &json!({"op": "add", "path": "members", "value": {"value": ONE, "type": "User"}}), &MemberChange::Add(ids([1]));
        "one without brackets"
    )]
    #[test_case(
        &json!({"op": "replace", "path": "members", "value": [{"value": ONE}]}), &MemberChange::Set(ids([1])); "replace"
    )]
    #[test_case(
        &json!({"op": "replace", "path": "members", "value": []}), &MemberChange::Set(ids([])); "replace by nothing"
    )]
    #[test_case(&json!({"op": "remove", "path": "members"}), &MemberChange::Set(ids([])); "remove all")]
    #[test_case(
        &json!({"op": "Remove", "path": "members", "value": [{"value": ONE}]}), &MemberChange::Remove(ids([1]));
        "remove the listed"
    )]
    #[test_case(
        &json!({"op": "remove", "path": "members", "value": {"members": [{"value": ONE}]}}),
        &MemberChange::Remove(ids([1])); "remove as Salesforce does"
    )]
    #[test_case(
        &json!({"op": "replace", "path": "members", "value": {"members": [{"value": ONE}]}}),
        &MemberChange::Set(ids([1])); "replace as Salesforce does"
    )]
    #[test_case(
        &json!({"op": "add", "path": "members", "value": {"members": [{"value": ONE}]}}), &MemberChange::Add(ids([1]));
        "add as Salesforce does"
    )]
    #[test_case(
        &json!({"op": "replace", "path": "members", "value": {"members": []}}), &MemberChange::Set(ids([]));
        "replace by nothing, wrapped"
    )]
    #[test_case(
        &json!({"op": "remove", "path": format!("members[value eq \"{ONE}\"]"), "value": []}),
        &MemberChange::Remove(ids([1])); "the filter decides whom to remove, and the list does not"
    )]
    #[test_case(
        &json!({"op": "remove", "path": format!("members[value eq \"{ONE}\"]")}), &MemberChange::Remove(ids([1]));
        "remove the chosen"
    )]
    #[test_case(
        &json!({"op": "remove", "path": format!("members[value eq \"{ONE}\" or value eq \"{TWO}\"]")}),
        &MemberChange::Remove(ids([1, 2])); "remove several"
    )]
    #[test_case(
        &json!({"op": "remove", "path": format!("members[value eq \"{ONE}\"].value")}), &MemberChange::Remove(ids([1]));
        "remove the id of the chosen"
    )]
    #[test_case(
        &json!({"op": "remove", "path": "members[value eq \"x\"]"}), &MemberChange::Remove(ids([])); "remove nobody"
    )]
    fn read(operation: &Value, expected: &MemberChange) {
        assert_eq!(changes(operation.clone()).unwrap(), std::slice::from_ref(expected));
    }

    #[test]
    fn only_changes_after_the_last_replacement_count_but_every_new_member_must_exist() {
        let changes = vec![
            MemberChange::Add(ids([1])),
            MemberChange::Set(ids([2, 3])),
            MemberChange::Remove(ids([3])),
            MemberChange::Add(ids([4])),
        ];
        let after = [(2, true), (3, false), (4, true)].map(|(id, joins)| (UserId(Uuid::from_u128(id)), joins));
        let expected = CombinedChange { replaces_all: true, after: BTreeMap::from(after), joining: ids([1, 2, 3, 4]) };
        assert_eq!(combined(changes), expected);
        assert_eq!(combined(Vec::new()), CombinedChange::default());
    }

    /// None of these values identifies a user, so nobody may join or leave.
    #[test]
    fn an_unreadable_member_is_refused_and_never_means_all_members() {
        let unreadable = [
            json!([{"display": "kim"}]),
            json!([{"userId": ONE}]),
            json!({"userId": ONE}),
            json!({}),
            json!([{}]),
            json!([null]),
            json!([{"$ref": null}]),
            json!([{"value": null}]),
            json!([{"type": "User"}]),
            json!(""),
            json!([""]),
            json!([[]]),
            json!([{"value": ONE}, {}]),
            json!({"members": null}),
            json!({"members": [{}]}),
            json!({"members": {}}),
            json!({"member": [{"value": ONE}]}),
        ];
        for value in unreadable {
            for op in ["add", "replace", "remove"] {
                let error = changes(json!({"op": op, "path": "members", "value": value})).unwrap_err();
                assert!(error.detail.contains("members"), "{op} {value}: {}", error.detail);
            }
            let pathless = json!({"op": "replace", "value": {"members": value}});
            assert!(value.get("members").is_some() || changes(pathless).is_err(), "{value}");
        }
    }

    #[test]
    fn a_list_of_nobody_removes_nobody() {
        for value in [json!([]), json!({"members": []})] {
            assert_eq!(changes(json!({"op": "remove", "path": "members", "value": value})), Ok(Vec::new()));
        }
    }

    #[test_case(json!({"op": "add", "path": "members", "value": [{"value": "x"}]}), "no user x"; "not an id")]
    #[test_case(
        json!({"op": "add", "path": "members", "value": [{"value": ONE, "type": "Group"}]}), "a group cannot"; "nested"
    )]
    #[test_case(
        json!({"op": "remove", "path": "members[type eq \"User\"]"}), "by value eq only"; "chosen by something else"
    )]
    #[test_case(
        json!({"op": "replace", "path": format!("members[value eq \"{ONE}\"].value"), "value": TWO}),
        "cannot be changed"; "inside a member"
    )]
    fn refused(operation: Value, why: &str) {
        let error = changes(operation).unwrap_err();
        assert!(error.detail.contains(why), "{}", error.detail);
    }
}
