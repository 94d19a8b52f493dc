//! Decisions about groups: create, replace, patch, delete. Member changes are recorded as who joins and who
//! leaves.

use rollcall_events::log::{EventType, SubjectType};
use rollcall_events::members::{CombinedChange, MEMBERS, combined, unknown_member};
use rollcall_events::request::{GroupOperation, GroupRequested, Request};
use rollcall_events::{OrganizationId, Timestamp, UserId};
use rollcall_scim::casefold::casefold;
use rollcall_scim::resource::{Attributes, changed_paths, text, without_stamp};
use rollcall_scim::schema::GROUP;
use rollcall_scim::work::Budget;
use rollcall_scim::{ScimError, patch, validate};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

use super::resource::{check_version, first_state, next_state};
use crate::fact::RESOURCE;
use crate::pipeline::decision::{Decision, Interrupt, Rejection};
use crate::pipeline::state::{Group, NotLoaded, State, both, look_up_all};

/// Decides a SCIM call about a group.
pub(super) fn decide(
    state: &State,
    request: &Request,
    call: &GroupRequested,
    at: Timestamp,
) -> Result<Decision, NotLoaded> {
    match attempt(state, request, call, at) {
        Ok(decision) => Ok(decision),
        Err(Interrupt::NotLoaded(missing)) => Err(missing),
        Err(Interrupt::Rejected(rejection)) => {
            let is_new = matches!(call.operation, GroupOperation::Create(..));
            Ok(rejection.decision(SubjectType::Group, call.group_id.0, is_new, call.operation.name()))
        }
    }
}

fn attempt(state: &State, request: &Request, call: &GroupRequested, at: Timestamp) -> Result<Decision, Interrupt> {
    let before = state.group(request.organization_id, call.group_id)?;
    if let GroupOperation::Create(attributes, _) = &call.operation {
        if before.is_some() {
            return Err(ScimError::new(409, "there is a group with this id already").into());
        }
        call.size_limit.check(attributes)?;
        let moves = checked(state, request, call, attributes, None)?;
        let resource = first_state(&GROUP, attributes.clone(), &call.group_id.to_string(), at);
        return Ok(applied(call, EventType::GroupCreated, &Attributes::new(), resource, &moves));
    }
    let before = before.ok_or_else(|| ScimError::new(404, "there is no such group"))?;
    check_version(before.etag(), call.if_match.as_ref(), "the group")?;
    let attributes = match &call.operation {
        GroupOperation::Replace(attributes, _) => attributes.clone(),
        GroupOperation::Patch(operations, _) => patched(before, operations)?,
        GroupOperation::Delete | GroupOperation::Create(..) => return Ok(delete(call)),
    };
    call.size_limit.check_growth(&without_stamp((*before.resource).clone()), &attributes)?;
    let moves = checked(state, request, call, &attributes, Some(before))?;
    let resource = if moves.is_empty() && attributes == without_stamp((*before.resource).clone()) {
        (*before.resource).clone()
    } else {
        next_state(&GROUP, attributes, before, at)
    };
    Ok(applied(call, EventType::GroupUpdated, &before.resource, resource, &moves))
}

fn patched(before: &Group, operations: &[patch::Operation]) -> Result<Attributes, ScimError> {
    let mut attributes = without_stamp((*before.resource).clone());
    patch::apply(&GROUP, &mut attributes, operations, &mut Budget::default())?;
    validate::check_required(&GROUP.core.attributes, &attributes, "")?;
    Ok(attributes)
}

/// Checks that the name is free and that the joining users exist. Returns who joins and who leaves.
fn checked(
    state: &State,
    request: &Request,
    call: &GroupRequested,
    attributes: &Attributes,
    before: Option<&Group>,
) -> Result<BTreeMap<UserId, bool>, Interrupt> {
    let name_key = casefold(text(attributes, "displayName").unwrap_or_default());
    let is_named_anew = before.is_none_or(|before| before.name_key() != name_key);
    let holder = if is_named_anew { state.group_named(request.organization_id, name_key) } else { Ok(None) };
    let moves = moves(state, request, call, before.is_none());
    if let Err(Interrupt::NotLoaded(missing)) = moves {
        return Err(missing.and(holder.err()).into());
    }
    match holder? {
        // A taken name is reported before any fault of the members.
        Some(holder) if holder != call.group_id => Err(Interrupt::Rejected(Rejection {
            error: ScimError::uniqueness("displayName is taken by another group"),
            about: Some(holder.0),
            user_name: None,
        })),
        _ => moves,
    }
}

/// The users who join (`true`) or leave (`false`), after all changes in order. Users whose membership stays
/// the same are not included. A change that sets all members overrides the changes before it, but the users
/// that those add must still exist.
fn moves(
    state: &State,
    request: &Request,
    call: &GroupRequested,
    is_new: bool,
) -> Result<BTreeMap<UserId, bool>, Interrupt> {
    let organization = request.organization_id;
    let CombinedChange { replaces_all, mut after, joining } = combined(call.operation.member_changes());
    let known = look_up_all(joining, |user| Ok(state.has_user(organization, *user)?.then_some(())));
    let members = current_members(state, organization, call, &after, replaces_all, is_new);
    let (known, members) = both(known, members)?;
    if let Some((unknown, _)) = known.iter().find(|(_, known)| known.is_none()) {
        return Err(unknown_member(&unknown.to_string()).into());
    }
    if replaces_all {
        for user in &members {
            after.entry(*user).or_insert(false);
        }
    }
    after.retain(|user, stays| members.contains(user) != *stays);
    Ok(after)
}

/// The current members: all of them if the call sets all members, otherwise those among the users it moves.
fn current_members(
    state: &State,
    organization: OrganizationId,
    call: &GroupRequested,
    moved: &BTreeMap<UserId, bool>,
    is_set: bool,
    is_new: bool,
) -> Result<BTreeSet<UserId>, NotLoaded> {
    if is_new {
        return Ok(BTreeSet::new());
    }
    if is_set {
        return state.members(organization, call.group_id);
    }
    let look_up = |user: &UserId| Ok(state.is_member(organization, call.group_id, *user)?.then_some(()));
    let found = look_up_all(moved.keys().copied(), look_up)?;
    Ok(found.into_iter().filter_map(|(user, is_in)| is_in.map(|()| user)).collect())
}

fn applied(
    call: &GroupRequested,
    event_type: EventType,
    before: &Attributes,
    resource: Attributes,
    moves: &BTreeMap<UserId, bool>,
) -> Decision {
    let mut changed: Vec<_> =
        changed_paths(before, &resource).into_iter().filter(|path| path != "meta" && path != "schemas").collect();
    if !moves.is_empty() {
        changed.push(MEMBERS.to_owned());
    }
    let side =
        |joins: bool| moves.iter().filter(|(_, to)| **to == joins).map(|(user, _)| json!(user)).collect::<Value>();
    let payload = Map::from_iter([
        ("operation".to_owned(), Value::from(call.operation.name())),
        (RESOURCE.to_owned(), Value::Object(resource)),
        ("changed".to_owned(), Value::from(changed)),
        (MEMBERS.to_owned(), json!({"added": side(true), "removed": side(false)})),
    ]);
    Decision {
        event_type,
        subject: Some((SubjectType::Group, call.group_id.0)),
        error: None,
        payload: Value::Object(payload),
    }
}

fn delete(call: &GroupRequested) -> Decision {
    let subject = Some((SubjectType::Group, call.group_id.0));
    Decision { event_type: EventType::GroupDeleted, subject, error: None, payload: json!({"operation": "delete"}) }
}
