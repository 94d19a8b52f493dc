//! Groups: create, replace, patch, delete. The members are decided and recorded as what joins and what leaves.

use rollcall_events::UserId;
use rollcall_events::log::{EventType, SubjectType};
use rollcall_events::members::{CombinedChange, MEMBERS, combined, unknown_member};
use rollcall_events::request::{GroupOperation, GroupRequested, Request};
use rollcall_scim::fold::fold as fold_case;
use rollcall_scim::resource::{Attributes, MAX_RESOURCE_BYTES, changed_paths, check_growth, check_size, text, without_stamp};
use rollcall_scim::schema::GROUP;
use rollcall_scim::work::Budget;
use rollcall_scim::{ScimError, patch, validate};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

use super::entity::Group;
use super::fact::RESOURCE;
use super::resource::{check_version, first_state, next_state};
use super::state::State;
use super::{Decision, rejected};

/// Why a request is refused, and about which group: a name that is taken is another one's.
struct Refusal {
    error: ScimError,
    about: Option<Uuid>,
}

impl From<ScimError> for Refusal {
    fn from(error: ScimError) -> Self {
        Self { error, about: None }
    }
}

/// Decides a SCIM call about a group.
pub(super) fn decide(state: &State, request: &Request, call: &GroupRequested) -> Decision {
    attempt(state, request, call).unwrap_or_else(|refusal| {
        let subject = (SubjectType::Group, refusal.about.unwrap_or(call.group_id.0));
        rejected(refusal.error, Some(subject), json!({"operation": call.operation.name()}))
    })
}

fn attempt(state: &State, request: &Request, call: &GroupRequested) -> Result<Decision, Refusal> {
    let before = state.group(request.organization_id, call.group_id);
    if let GroupOperation::Create(attributes, _) = &call.operation {
        if before.is_some() {
            return Err(ScimError::new(409, "there is a group with this id already").into());
        }
        check_size(attributes, MAX_RESOURCE_BYTES)?;
        check_name(state, request, call, attributes)?;
        let resource = first_state(&GROUP, attributes.clone(), &call.group_id.to_string(), request.requested_at);
        let moves = moves(state, request, call)?;
        return Ok(applied(call, EventType::GroupCreated, &Attributes::new(), resource, &moves));
    }
    let before = before.ok_or_else(|| ScimError::new(404, "there is no such group"))?;
    check_version(before.etag(), call.if_match.as_ref(), "the group")?;
    let attributes = match &call.operation {
        GroupOperation::Replace(attributes, _) => attributes.clone(),
        GroupOperation::Patch(operations, _) => patched(before, operations)?,
        GroupOperation::Delete | GroupOperation::Create(..) => return Ok(delete(call)),
    };
    check_growth(&without_stamp((*before.resource).clone()), &attributes)?;
    check_name(state, request, call, &attributes)?;
    let moves = moves(state, request, call)?;
    let resource = if moves.is_empty() && attributes == without_stamp((*before.resource).clone()) {
        (*before.resource).clone()
    } else {
        next_state(&GROUP, attributes, before, request.requested_at)
    };
    Ok(applied(call, EventType::GroupUpdated, &before.resource, resource, &moves))
}

fn patched(before: &Group, operations: &[patch::Operation]) -> Result<Attributes, ScimError> {
    let mut attributes = without_stamp((*before.resource).clone());
    patch::apply(&GROUP, &mut attributes, operations, &mut Budget::default())?;
    validate::check_required(&GROUP.core.attributes, &attributes, "")?;
    Ok(attributes)
}

fn check_name(state: &State, request: &Request, call: &GroupRequested, attributes: &Attributes) -> Result<(), Refusal> {
    let name = text(attributes, "displayName").unwrap_or_default();
    match state.group_named(request.organization_id, fold_case(name)) {
        Some(holder) if holder != call.group_id => {
            Err(Refusal { error: ScimError::uniqueness("displayName is taken by another group"), about: Some(holder.0) })
        }
        _ => Ok(()),
    }
}

/// Who joins and who leaves in the end, after all changes in their order: only those for whom that is a change.
fn moves(state: &State, request: &Request, call: &GroupRequested) -> Result<BTreeMap<UserId, bool>, ScimError> {
    let organization = request.organization_id;
    let CombinedChange { replaces_all, mut after, joining } = combined(call.operation.member_changes());
    if let Some(stranger) = joining.into_iter().find(|user| !state.knows_user(organization, *user)) {
        return Err(unknown_member(&stranger.to_string()));
    }
    if replaces_all {
        for user in state.members(organization, call.group_id) {
            after.entry(user).or_insert(false);
        }
    }
    after.retain(|user, stays| state.is_member(organization, call.group_id, *user) != *stays);
    Ok(after)
}

fn applied(
    call: &GroupRequested,
    event_type: EventType,
    before: &Attributes,
    resource: Attributes,
    moves: &BTreeMap<UserId, bool>,
) -> Decision {
    let mut changed: Vec<_> = changed_paths(before, &resource).into_iter().filter(|path| path != "meta" && path != "schemas").collect();
    if !moves.is_empty() {
        changed.push(MEMBERS.to_owned());
    }
    let side = |joins: bool| moves.iter().filter(|(_, to)| **to == joins).map(|(user, _)| json!(user)).collect::<Value>();
    let payload = Map::from_iter([
        ("operation".to_owned(), Value::from(call.operation.name())),
        (RESOURCE.to_owned(), Value::Object(resource)),
        ("changed".to_owned(), Value::from(changed)),
        (MEMBERS.to_owned(), json!({"added": side(true), "removed": side(false)})),
    ]);
    Decision { event_type, subject: Some((SubjectType::Group, call.group_id.0)), error: None, payload: Value::Object(payload) }
}

fn delete(call: &GroupRequested) -> Decision {
    let subject = Some((SubjectType::Group, call.group_id.0));
    Decision { event_type: EventType::GroupDeleted, subject, error: None, payload: json!({"operation": "delete"}) }
}
