//! Determines the meaning of a call, in the terms of an administrator of an identity provider.

use actix_web::http::Method;
use rollcall_events::EventId;
use rollcall_events::call_log::Meaning;
use rollcall_events::members::MemberChange;
use rollcall_events::request::{GroupOperation, Request, RequestBody, UserOperation};
use rollcall_scim::patch::Operation;
use rollcall_scim::resource::{Attributes, text};
use serde_json::Value;
use uuid::Uuid;

/// The meaning of a call, as far as it is known.
#[derive(Debug, Clone, PartialEq)]
pub struct CallMeaning {
    pub(super) meaning: Meaning,
    pub(super) subject: Option<String>,
    pub(super) subject_id: Option<Uuid>,
    pub(super) txn: Option<EventId>,
}

impl CallMeaning {
    /// The meaning of a change.
    pub fn by(request: &Request) -> Self {
        let (meaning, name, subject_id) = match &request.body {
            RequestBody::UserRequested(asked) => {
                (of_user(&asked.operation), created(&asked.operation), Some(asked.user_id.0))
            }
            RequestBody::GroupRequested(asked) => {
                let name = match &asked.operation {
                    GroupOperation::Create(group, _) | GroupOperation::Replace(group, _) => text(group, "displayName"),
                    GroupOperation::Patch(..) | GroupOperation::Delete => None,
                };
                (of_group(&asked.operation), name, Some(asked.group_id.0))
            }
            _ => (Meaning::Other, None, None),
        };
        Self { meaning, subject: name.map(str::to_owned), subject_id, txn: Some(request.id) }
    }

    /// The probable meaning of a call by its method and path. `path` is below the base path.
    pub(super) fn guess(method: &Method, path: &str, is_filtered: bool) -> Self {
        let mut parts = path.trim_matches('/').split('/');
        let (endpoint, id) = (parts.next().unwrap_or_default(), parts.next());
        let is_read = [Method::GET, Method::HEAD].contains(method);
        let meaning = match endpoint {
            "Bulk" => Meaning::Bulk,
            "Events" => Meaning::Outcome,
            "ServiceProviderConfig" | "ResourceTypes" | "Schemas" => Meaning::Discover,
            "Roles" | "Entitlements" | "Workspaces" if is_read || *method == Method::POST => Meaning::Discover,
            "Users" | "Groups" if id.is_some_and(|id| id != ".search") => match *method {
                _ if is_read => Meaning::Read,
                Method::PUT => Meaning::Replace,
                Method::PATCH => Meaning::Modify,
                Method::DELETE => Meaning::Delete,
                _ => Meaning::Other,
            },
            "Users" | "Groups" if *method == Method::POST && id.is_none() => Meaning::Create,
            "" | "Users" | "Groups" | ".search" if is_read && is_filtered => Meaning::LookUp,
            "" | "Users" | "Groups" | ".search" if is_read || *method == Method::POST => Meaning::List,
            _ => Meaning::Other,
        };
        Self { meaning, subject: None, subject_id: id.and_then(|id| id.parse().ok()), txn: None }
    }
}

fn created(operation: &UserOperation) -> Option<&str> {
    match operation {
        UserOperation::Create(user) | UserOperation::Replace(user) => text(user, "userName"),
        UserOperation::Patch(_) | UserOperation::Delete => None,
    }
}

fn of_user(operation: &UserOperation) -> Meaning {
    match operation {
        UserOperation::Create(_) => Meaning::Create,
        UserOperation::Replace(user) => active(user).unwrap_or(Meaning::Replace),
        UserOperation::Patch(operations) => switched(operations).unwrap_or(Meaning::Modify),
        UserOperation::Delete => Meaning::Delete,
    }
}

/// Whether a replacement deactivates a user. Some providers deactivate in no other way.
fn active(user: &Attributes) -> Option<Meaning> {
    (user.get("active") == Some(&Value::Bool(false))).then_some(Meaning::Deactivate)
}

/// Whether the last operation on `active` activates or deactivates the user.
fn switched(operations: &[Operation]) -> Option<Meaning> {
    let last = operations.iter().rev().find(|operation| operation.path.to_string() == "active")?;
    match last.value {
        Some(Value::Bool(false)) => Some(Meaning::Deactivate),
        Some(Value::Bool(true)) if operations.len() == 1 => Some(Meaning::Activate),
        _ => None,
    }
}

fn of_group(operation: &GroupOperation) -> Meaning {
    match operation {
        GroupOperation::Create(..) => Meaning::Create,
        GroupOperation::Replace(..) => Meaning::Replace,
        GroupOperation::Patch(_, changes) => match changes.as_slice() {
            [] => Meaning::Modify,
            changes if changes.iter().all(|change| matches!(change, MemberChange::Add(_))) => Meaning::AddMembers,
            changes if changes.iter().all(|change| matches!(change, MemberChange::Remove(_))) => Meaning::RemoveMembers,
            _ => Meaning::SetMembers,
        },
        GroupOperation::Delete => Meaning::Delete,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_scim::patch::parse;
    use rollcall_scim::schema::USER;
    use serde_json::json;
    use test_case::test_case;

    const ID: &str = "01890000-0000-7000-8000-000000000001";

    #[test_case("GET", "/Users", true => Meaning::LookUp)]
    #[test_case("GET", "/Users", false => Meaning::List)]
    #[test_case("GET", "", false => Meaning::List)]
    #[test_case("POST", "/Users", false => Meaning::Create; "a create that was not understood")]
    #[test_case("POST", "/Users/.search", false => Meaning::List)]
    #[test_case("POST", "/.search", false => Meaning::List; "everything")]
    #[test_case("GET", "/Users/01890000-0000-7000-8000-000000000001", false => Meaning::Read)]
    #[test_case("PATCH", "/Groups/x", false => Meaning::Modify)]
    #[test_case("DELETE", "/Users/x", false => Meaning::Delete)]
    #[test_case("GET", "/Schemas/x", false => Meaning::Discover)]
    #[test_case("POST", "/Bulk", false => Meaning::Bulk)]
    #[test_case("GET", "/Events/x", false => Meaning::Outcome)]
    #[test_case("TRACE", "/Users", false => Meaning::Other)]
    fn by_method_and_path(method: &str, path: &str, is_filtered: bool) -> Meaning {
        CallMeaning::guess(&method.parse().unwrap(), path, is_filtered).meaning
    }

    #[test]
    fn the_subject_of_a_path_is_recognized() {
        assert_eq!(CallMeaning::guess(&Method::GET, &format!("/Users/{ID}"), false).subject_id, ID.parse().ok());
        assert_eq!(CallMeaning::guess(&Method::GET, "/Users/.search", false).subject_id, None);
    }

    #[test_case(&json!([{"op": "replace", "path": "active", "value": false}]) => Meaning::Deactivate)]
    #[test_case(
        &json!([{"op": "Replace", "value": {"active": "False"}}]) => Meaning::Deactivate; "as Entra ID says it"
    )]
    #[test_case(&json!([{"op": "replace", "value": {"active": true}}]) => Meaning::Activate)]
    #[test_case(
        &json!([{"op": "replace", "path": "title", "value": "x"}, {"op": "replace", "path": "active", "value": true}])
        => Meaning::Modify
    )]
    #[test_case(&json!([{"op": "replace", "path": "title", "value": "x"}]) => Meaning::Modify; "anything else")]
    fn a_patch_of_a_user(operations: &Value) -> Meaning {
        let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations});
        of_user(&UserOperation::Patch(parse(&USER, body).unwrap()))
    }

    #[test]
    fn a_patch_of_a_group_names_joining_and_leaving_members() {
        let change = |changes| of_group(&GroupOperation::Patch(Vec::new(), changes));
        let some = || [ID.parse().unwrap()].into();
        assert_eq!(change(vec![]), Meaning::Modify);
        assert_eq!(change(vec![MemberChange::Add(some()), MemberChange::Add(some())]), Meaning::AddMembers);
        assert_eq!(change(vec![MemberChange::Remove(some())]), Meaning::RemoveMembers);
        assert_eq!(change(vec![MemberChange::Add(some()), MemberChange::Remove(some())]), Meaning::SetMembers);
    }
}
