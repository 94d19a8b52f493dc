//! The requests of the steps.

use rollcall_events::actor::Actor;
use rollcall_events::members::take_member_changes;
use rollcall_events::request::{
    ChangeEntitlement, ChangeToken, CreateWorkspace, Dialect, ENTITLEMENT_TYPE, EntitlementChange, EntitlementSettings,
    EraseUser, GroupOperation, GroupRequested, IssueToken, MapGroup, Request, RequestBody, RevokeToken, TokenSettings,
    UserOperation, UserRequested,
};
use rollcall_events::token::Token;
use rollcall_events::{EventId, Timestamp, WorkspaceId};
use rollcall_scim::patch::{Operation, PATCH_SCHEMA, parse};
use rollcall_scim::resource::{Attributes, SizeLimit};
use rollcall_scim::schema::{GROUP, ROLLCALL_SCHEMA, ResourceType, USER};
use serde_json::{Value, json};
use uuid::Uuid;

use super::acts::Act;
use super::{ORGANIZATIONS, entitlement, group, token, user, workspace};

fn body(act: Act, default_workspace: WorkspaceId) -> RequestBody {
    match act {
        Act::Create(n, name, place) => of_user(n, default_workspace, UserOperation::Create(named(name, place))),
        Act::Replace(n, name, place) => of_user(n, default_workspace, UserOperation::Replace(named(name, place))),
        Act::Patch(n, patch) => of_user(n, default_workspace, UserOperation::Patch(operations(&USER, patch))),
        Act::Delete(n) => of_user(n, default_workspace, UserOperation::Delete),
        Act::CreateGroup(n, name, members) => {
            let attributes = json!({"displayName": format!("group{name}")}).as_object().cloned().unwrap();
            of_group(n, GroupOperation::Create(attributes, members.into_iter().map(user).collect()))
        }
        Act::PatchGroup(n, patch) => {
            let (others, changes) = take_member_changes(operations(&GROUP, patch)).unwrap();
            of_group(n, GroupOperation::Patch(others, changes))
        }
        Act::DeleteGroup(n) => of_group(n, GroupOperation::Delete),
        act => settings(act),
    }
}

fn of_user(n: u8, default_workspace: WorkspaceId, operation: UserOperation) -> RequestBody {
    RequestBody::UserRequested(UserRequested {
        user_id: user(n),
        default_workspace,
        if_match: None,
        size_limit: SizeLimit::default(),
        operation,
    })
}

fn of_group(n: u8, operation: GroupOperation) -> RequestBody {
    RequestBody::GroupRequested(GroupRequested {
        group_id: group(n),
        if_match: None,
        size_limit: SizeLimit::default(),
        operation,
    })
}

/// The attributes of a user with this name, in this workspace.
fn named(name: u8, place: Option<u8>) -> Attributes {
    let mut attributes = json!({"userName": format!("name{name}")});
    if let Some(place) = place {
        attributes[ROLLCALL_SCHEMA] = json!({"workspaces": [{"value": workspace(place)}]});
    }
    attributes.as_object().cloned().unwrap()
}

fn operations(resource_type: &ResourceType, operations: Value) -> Vec<Operation> {
    parse(resource_type, json!({"schemas": [PATCH_SCHEMA], "Operations": operations})).unwrap()
}

/// The request of an act that changes a setting.
fn settings(act: Act) -> RequestBody {
    match act {
        Act::Erase(n) => RequestBody::settings(EraseUser { user_id: user(n) }),
        Act::MapGroup(n, places) => {
            let workspaces =
                places.into_iter().map(|place| (workspace(place), ["read".parse().unwrap()].into())).collect();
            RequestBody::settings(MapGroup { group_id: group(n), workspaces })
        }
        Act::CreateWorkspace(n) => {
            let create =
                CreateWorkspace { workspace_id: workspace(n), name: format!("Workspace {}", n % 4).parse().unwrap() };
            RequestBody::settings(create)
        }
        Act::Define(n, name, kind) => {
            let name = format!("thing {name}").parse().unwrap();
            let settings =
                EntitlementSettings { kind, name, type_name: ENTITLEMENT_TYPE.parse().unwrap(), description: None };
            let change = EntitlementChange::Define(settings);
            RequestBody::settings(ChangeEntitlement { entitlement_id: entitlement(n), change })
        }
        Act::Undefine(n, kind) => {
            let change = EntitlementChange::Remove(kind);
            RequestBody::settings(ChangeEntitlement { entitlement_id: entitlement(n), change })
        }
        Act::IssueToken(n, place, dialect) => {
            let digest = Token::generate().unwrap().digest();
            let settings = token_settings(place, dialect);
            RequestBody::settings(IssueToken { token_id: token(n), digest, prefix: None, settings })
        }
        Act::ChangeToken(n, place) => {
            let settings = token_settings(place, Dialect::Standard);
            RequestBody::settings(ChangeToken { token_id: token(n), settings })
        }
        Act::RevokeToken(n) => RequestBody::settings(RevokeToken { token_id: token(n) }),
        act => panic!("{act:?} changes no setting"),
    }
}

fn token_settings(place: u8, dialect: Dialect) -> TokenSettings {
    TokenSettings {
        label: "test".parse().unwrap(),
        default_workspace: workspace(place),
        service_origin: "hr.example.com".parse().unwrap(),
        origin_required: true,
        allow_list: None,
        dialect,
        expires_at: None,
        calls_per_second: None,
    }
}

pub(super) fn requests(acts: Vec<(Act, usize, u8)>) -> Vec<Request> {
    let begun: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let request = |(index, (act, organization, default)): (usize, (Act, usize, u8))| Request {
        id: EventId(Uuid::from_u128(0x1000 + index as u128)),
        organization_id: ORGANIZATIONS[organization],
        requested_at: begun.after_seconds(u32::try_from(index).unwrap()),
        actor: Actor::service("test"),
        fingerprint: None,
        body: body(act, workspace(default)),
    };
    acts.into_iter().enumerate().map(request).collect()
}
