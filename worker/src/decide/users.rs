//! Users: create, replace, patch, delete.

use rollcall_events::log::{EventType, SubjectType};
use rollcall_events::membership::{keep_last, memberships, unknown_workspace};
use rollcall_events::request::{Request, UserOperation, UserRequested, created};
use rollcall_scim::fold::fold as fold_case;
use rollcall_scim::resource::{Attributes, MAX_RESOURCE_BYTES, changed_paths, check_growth, check_size, text, without_stamp};
use rollcall_scim::schema::USER;
use rollcall_scim::work::Budget;
use rollcall_scim::{ScimError, defaults, patch, validate};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::entity::{User, is_active};
use super::fact::RESOURCE;
use super::resource::{check_version, next_state};
use super::state::State;
use super::{Decision, rejected};

/// Why a request is refused, and about whom: a name that is taken is somebody else's.
struct Refusal {
    error: ScimError,
    about: Option<Uuid>,
    user_name: Option<String>,
}

impl From<ScimError> for Refusal {
    fn from(error: ScimError) -> Self {
        Self { error, about: None, user_name: None }
    }
}

/// Decides a SCIM call about a user.
pub(super) fn decide(state: &State, request: &Request, call: &UserRequested) -> Decision {
    attempt(state, request, call).unwrap_or_else(|refusal| {
        let mut payload = json!({"operation": call.operation.name()});
        if let Some(user_name) = refusal.user_name {
            payload["userName"] = json!(user_name);
        }
        rejected(refusal.error, Some((SubjectType::User, refusal.about.unwrap_or(call.user_id.0))), payload)
    })
}

fn attempt(state: &State, request: &Request, call: &UserRequested) -> Result<Decision, Refusal> {
    let before = state.user(request.organization_id, call.user_id);
    if let UserOperation::Create(attributes) = &call.operation {
        return match before {
            Some(_) => Err(ScimError::new(409, "there is a user with this id already").into()),
            None => create(state, request, call, attributes.clone()),
        };
    }
    let before = before.ok_or_else(|| ScimError::new(404, "there is no such user"))?;
    check_version(before.etag(), call.if_match.as_ref(), "the user")?;
    match &call.operation {
        UserOperation::Replace(attributes) => change(state, request, call, before, replaced(before, attributes.clone())),
        UserOperation::Patch(operations) => change(state, request, call, before, patched(before, operations)?),
        UserOperation::Delete | UserOperation::Create(_) => Ok(delete(before)),
    }
}

fn create(state: &State, request: &Request, call: &UserRequested, attributes: Attributes) -> Result<Decision, Refusal> {
    check_size(&attributes, MAX_RESOURCE_BYTES)?;
    let resource = created(call.user_id, call.default_workspace, request.requested_at, attributes);
    let resource = settled(state, request, call, resource)?;
    Ok(applied(call, EventType::UserCreated, &Attributes::new(), resource))
}

/// PUT clears what it does not carry (RFC 7644 section 3.5.1), except for what [`defaults`] keeps.
fn replaced(before: &User, mut attributes: Attributes) -> Attributes {
    defaults::keep_unnamed(&USER, &before.resource, &mut attributes);
    defaults::drop_unassigned(&USER, &mut attributes);
    attributes
}

fn patched(before: &User, operations: &[patch::Operation]) -> Result<Attributes, ScimError> {
    let mut attributes = without_stamp((*before.resource).clone());
    patch::apply(&USER, &mut attributes, operations, &mut Budget::default())?;
    keep_last(&mut attributes);
    validate::check_required(&USER.core.attributes, &attributes, "")?;
    Ok(attributes)
}

fn change(state: &State, request: &Request, call: &UserRequested, before: &User, mut attributes: Attributes) -> Result<Decision, Refusal> {
    // After any change, so that no kind of request can reactivate anybody without saying so.
    defaults::keep(&USER, &before.resource, &mut attributes);
    let mut unchanged = without_stamp((*before.resource).clone());
    let is_same = attributes == unchanged;
    // An older resource can be without an attribute that has a default. To have it is no growth.
    defaults::fill(&USER, &mut unchanged);
    check_growth(&unchanged, &attributes)?;
    let attributes = settled(state, request, call, attributes)?;
    if is_same {
        return Ok(applied(call, EventType::UserUpdated, &before.resource, (*before.resource).clone()));
    }
    let event_type = match (is_active(&before.resource), is_active(&attributes)) {
        (true, false) => EventType::UserDeactivated,
        (false, true) => EventType::UserReactivated,
        _ => EventType::UserUpdated,
    };
    let resource = next_state(&USER, attributes, before, request.requested_at);
    Ok(applied(call, event_type, &before.resource, resource))
}

/// What every state of a user fulfils: a name that is free, and workspaces that exist.
fn settled(state: &State, request: &Request, call: &UserRequested, attributes: Attributes) -> Result<Attributes, Refusal> {
    let organization = request.organization_id;
    for membership in memberships(&attributes)? {
        if state.workspace(organization, membership.workspace_id).is_none() {
            return Err(unknown_workspace(&membership.workspace_id.to_string()).into());
        }
    }
    let user_name = text(&attributes, "userName").unwrap_or_default();
    match state.user_named(organization, fold_case(user_name)) {
        Some(holder) if holder != call.user_id => Err(Refusal {
            error: ScimError::uniqueness("userName is taken by another user"),
            about: Some(holder.0),
            user_name: Some(user_name.to_owned()),
        }),
        _ => Ok(attributes),
    }
}

fn applied(call: &UserRequested, event_type: EventType, before: &Attributes, resource: Attributes) -> Decision {
    let changed: Vec<_> = changed_paths(before, &resource).into_iter().filter(|path| path != "meta" && path != "schemas").collect();
    let payload = Map::from_iter([
        ("operation".to_owned(), Value::from(call.operation.name())),
        (RESOURCE.to_owned(), Value::Object(resource)),
        ("changed".to_owned(), Value::from(changed)),
    ]);
    Decision { event_type, subject: Some((SubjectType::User, call.user_id.0)), error: None, payload: Value::Object(payload) }
}

fn delete(before: &User) -> Decision {
    let subject = Some((SubjectType::User, before.id.0));
    Decision { event_type: EventType::UserDeleted, subject, error: None, payload: json!({"operation": "delete"}) }
}
