//! What a creation leaves. It follows from the request alone, so that whoever asked for it need not be sent it.

use rollcall_scim::defaults;
use rollcall_scim::resource::{Attributes, Meta, stamp, text};
use rollcall_scim::schema::USER;

use super::{Request, RequestBody, UserOperation, UserRequested};
use crate::membership::join_default;
use crate::{Timestamp, UserId, WorkspaceId};

/// The user that a creation leaves, where it is not refused: it follows from the request alone.
pub fn created(user_id: UserId, default_workspace: WorkspaceId, requested_at: Timestamp, mut attributes: Attributes) -> Attributes {
    defaults::fill(&USER, &mut attributes);
    join_default(&mut attributes, default_workspace);
    defaults::drop_unassigned(&USER, &mut attributes);
    let at = requested_at.to_string();
    stamp(&USER, attributes, &user_id.to_string(), Meta { created: &at, last_modified: &at, version: 1 })
}

impl Request {
    /// The user that the request leaves where it is a creation and not refused.
    pub fn created(self) -> Option<Attributes> {
        match self.body {
            RequestBody::UserRequested(UserRequested {
                user_id, default_workspace, operation: UserOperation::Create(attributes), ..
            }) => Some(created(user_id, default_workspace, self.requested_at, attributes)),
            _ => None,
        }
    }

    /// Whether `resource` is what [`created`](Self::created) makes of the request: a request that comes again with an `Idempotency-Key` has the id of another.
    pub fn has_created(&self, resource: &Attributes) -> bool {
        match &self.body {
            RequestBody::UserRequested(UserRequested { user_id, operation: UserOperation::Create(_), .. }) => {
                text(resource, "id").and_then(|id| id.parse().ok()) == Some(*user_id)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::Actor;
    use crate::{EventId, OrganizationId};
    use serde_json::{Value, json};

    fn create() -> Request {
        Request {
            id: EventId::generate(),
            organization_id: OrganizationId::generate(),
            requested_at: "2026-06-01T00:00:00Z".parse().unwrap(),
            actor: Actor::operator("test"),
            fingerprint: None,
            body: RequestBody::UserRequested(UserRequested {
                user_id: UserId::generate(),
                default_workspace: WorkspaceId::generate(),
                if_match: None,
                operation: UserOperation::Create(json!({"userName": "ada"}).as_object().cloned().unwrap()),
            }),
        }
    }

    #[test]
    fn a_user_is_active_somewhere_and_new() {
        let request = create();
        let RequestBody::UserRequested(call) = &request.body else { unreachable!() };
        let (id, workspace) = (call.user_id, call.default_workspace);
        let user = Value::Object(request.created().unwrap());
        assert_eq!((&user["userName"], &user["active"], &user["id"]), (&json!("ada"), &json!(true), &json!(id)));
        assert_eq!(user["urn:ietf:params:scim:schemas:extension:rollcall:2.0:User"]["workspaces"], json!([{"value": workspace}]));
        assert_eq!(
            user["meta"],
            json!({
                "resourceType": "User",
                "created": "2026-06-01T00:00:00.000000Z",
                "lastModified": "2026-06-01T00:00:00.000000Z",
                "version": "W/\"1\"",
            })
        );
    }

    #[test]
    fn only_a_creation_leaves_what_follows_from_it() {
        let (request, other) = (create(), create());
        let user = request.clone().created().unwrap();
        assert!(request.has_created(&user));
        // Such as that of a request that came before with the same Idempotency-Key.
        assert!(!other.has_created(&user));
        let RequestBody::UserRequested(call) = request.body.clone() else { unreachable!() };
        let replace = UserRequested { operation: UserOperation::Replace(user.clone()), ..call };
        let request = Request { body: RequestBody::UserRequested(replace), ..request };
        assert!(!request.has_created(&user));
        assert_eq!(request.created(), None);
    }
}
