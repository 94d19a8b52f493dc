//! Decisions about users: create, replace, patch, delete.

use rollcall_events::Timestamp;
use rollcall_events::log::{EventType, SubjectType};
use rollcall_events::membership::{
    WORKSPACES, join_default, memberships, merge_repeated, merge_within, unknown_workspace,
};
use rollcall_events::request::{Request, UserOperation, UserRequested};
use rollcall_scim::casefold::casefold;
use rollcall_scim::resource::{Attributes, changed_paths, text, without_stamp};
use rollcall_scim::schema::USER;
use rollcall_scim::work::Budget;
use rollcall_scim::{ScimError, defaults, patch, validate};
use serde_json::{Map, Value, json};
use std::collections::HashSet;

use super::assign::{self, Before};
use super::by_name::Names;
use super::resource::{check_version, first_state, next_state};
use crate::fact::RESOURCE;
use crate::pipeline::decision::{Decision, Interrupt, Rejection};
use crate::pipeline::state::{NotLoaded, State, User, assigned_keys, both, is_active, look_up_all};

/// Decides a SCIM call about a user.
pub(super) fn decide(
    state: &State,
    request: &Request,
    call: &UserRequested,
    at: Timestamp,
) -> Result<Decision, NotLoaded> {
    match attempt(state, request, call, at) {
        Ok(decision) => Ok(decision),
        Err(Interrupt::NotLoaded(missing)) => Err(missing),
        Err(Interrupt::Rejected(rejection)) => {
            let is_new = matches!(call.operation, UserOperation::Create(_));
            Ok(rejection.decision(SubjectType::User, call.user_id.0, is_new, call.operation.name()))
        }
    }
}

fn attempt(state: &State, request: &Request, call: &UserRequested, at: Timestamp) -> Result<Decision, Interrupt> {
    if let UserOperation::Create(attributes) = &call.operation {
        return match state.user_to_create(request.organization_id, call.user_id)? {
            Some(_) => Err(ScimError::new(409, "a user with this id already exists").into()),
            None => create(state, request, call, attributes.clone(), at),
        };
    }
    let before = state
        .user(request.organization_id, call.user_id)?
        .ok_or_else(|| ScimError::new(404, "there is no such user"))?;
    check_version(before.etag(), call.if_match.as_ref(), "the user")?;
    let resolve = |before: &Before<'_>, attributes: &mut Attributes| {
        assign::resolve(state, request.organization_id, Some(before), attributes)
    };
    let mut attributes = match &call.operation {
        UserOperation::Replace(attributes) => {
            let asked = assigned_keys(request.organization_id, attributes).filter(assign::is_name).collect();
            let mut attributes = replaced(before, attributes.clone());
            resolve(&Before { resource: &before.resource, asked }, &mut attributes)?;
            attributes
        }
        UserOperation::Patch(operations) => {
            let names = Names::look_up(state, request.organization_id, &before.resource, operations)?;
            let mut attributes = patched(before, &names.translate(operations)?)?;
            resolve(names.before(), &mut attributes)?;
            merge_repeated(&mut attributes);
            attributes
        }
        UserOperation::Delete | UserOperation::Create(_) => return Ok(delete(before)),
    };
    merge_within(&mut attributes);
    change(state, request, call, before, attributes, at)
}

/// Creates a user. By default the user is active and joins the default workspace.
fn create(
    state: &State,
    request: &Request,
    call: &UserRequested,
    mut attributes: Attributes,
    at: Timestamp,
) -> Result<Decision, Interrupt> {
    defaults::fill(&USER, &mut attributes);
    assign::resolve(state, request.organization_id, None, &mut attributes)?;
    merge_within(&mut attributes);
    call.size_limit.check(&attributes)?;
    join_default(&mut attributes, call.default_workspace);
    defaults::drop_unassigned(&USER, &mut attributes);
    check(state, request, call, &attributes, None)?;
    let resource = first_state(&USER, attributes, &call.user_id.to_string(), at);
    Ok(applied(call, EventType::UserCreated, &Attributes::new(), resource))
}

/// Replaces a user. PUT clears the attributes that it omits (RFC 7644 section 3.5.1), except for those that
/// [`defaults`] keeps.
fn replaced(before: &User, mut attributes: Attributes) -> Attributes {
    defaults::keep_unnamed(&USER, &before.resource, &mut attributes);
    defaults::drop_unassigned(&USER, &mut attributes);
    attributes
}

fn patched(before: &User, operations: &[patch::Operation]) -> Result<Attributes, ScimError> {
    let mut attributes = without_stamp((*before.resource).clone());
    patch::apply(&USER, &mut attributes, operations, &mut Budget::default())?;
    validate::check_required(&USER.core.attributes, &attributes, "")?;
    Ok(attributes)
}

fn change(
    state: &State,
    request: &Request,
    call: &UserRequested,
    before: &User,
    mut attributes: Attributes,
    at: Timestamp,
) -> Result<Decision, Interrupt> {
    // Do this after every change, so that no request reactivates a user implicitly.
    defaults::restore_defaults(&USER, &before.resource, &mut attributes);
    let mut unchanged = without_stamp((*before.resource).clone());
    let is_same = attributes == unchanged;
    // An older resource may lack an attribute that has a default. Adding the default does not count as
    // growth.
    defaults::fill(&USER, &mut unchanged);
    call.size_limit.check_growth(&unchanged, &attributes)?;
    check(state, request, call, &attributes, Some(before))?;
    if is_same {
        return Ok(applied(call, EventType::UserUpdated, &before.resource, (*before.resource).clone()));
    }
    let event_type = match (is_active(&before.resource), is_active(&attributes)) {
        (true, false) => EventType::UserDeactivated,
        (false, true) => EventType::UserReactivated,
        _ => EventType::UserUpdated,
    };
    let resource = next_state(&USER, attributes, before, at);
    Ok(applied(call, event_type, &before.resource, resource))
}

/// Checks that the user's workspaces exist and that the name is free. Looks up only values that the request
/// adds, because earlier values were checked when they were added.
fn check(
    state: &State,
    request: &Request,
    call: &UserRequested,
    attributes: &Attributes,
    before: Option<&User>,
) -> Result<(), Interrupt> {
    let organization = request.organization_id;
    let had: HashSet<_> = match before {
        Some(before) => memberships(&before.resource)?.into_iter().map(|membership| membership.workspace_id).collect(),
        None => HashSet::new(),
    };
    let joined =
        memberships(attributes)?.into_iter().map(|membership| membership.workspace_id).filter(|id| !had.contains(id));
    let user_name = text(attributes, "userName").unwrap_or_default();
    let name_key = casefold(user_name);
    let is_name_new = before.is_none_or(|before| before.name_key() != name_key);
    // Do both look-ups first, so that missing keys of both are loaded together.
    let workspaces = look_up_all(joined, |id| state.workspace(organization, *id));
    let holder = if is_name_new { state.user_named(organization, name_key) } else { Ok(None) };
    let (workspaces, holder) = both(workspaces, holder)?;
    if let Some((unknown, _)) = workspaces.iter().find(|(_, workspace)| workspace.is_none()) {
        return Err(unknown_workspace(WORKSPACES, &unknown.to_string()).into());
    }
    match holder {
        Some(holder) if holder != call.user_id => Err(Interrupt::Rejected(Rejection {
            error: ScimError::uniqueness("userName is taken by another user"),
            about: Some(holder.0),
            user_name: Some(user_name.to_owned()),
        })),
        _ => Ok(()),
    }
}

fn applied(call: &UserRequested, event_type: EventType, before: &Attributes, resource: Attributes) -> Decision {
    let changed: Vec<_> =
        changed_paths(before, &resource).into_iter().filter(|path| path != "meta" && path != "schemas").collect();
    let payload = Map::from_iter([
        ("operation".to_owned(), Value::from(call.operation.name())),
        (RESOURCE.to_owned(), Value::Object(resource)),
        ("changed".to_owned(), Value::from(changed)),
    ]);
    Decision {
        event_type,
        subject: Some((SubjectType::User, call.user_id.0)),
        error: None,
        payload: Value::Object(payload),
    }
}

fn delete(before: &User) -> Decision {
    let subject = Some((SubjectType::User, before.id.0));
    Decision { event_type: EventType::UserDeleted, subject, error: None, payload: json!({"operation": "delete"}) }
}
