use proptest::prelude::*;
use rollcall_events::actor::Actor;
use rollcall_events::log::EventType;
use rollcall_events::name::UniqueName;
use rollcall_events::request::{
    ChangeRecording, CreateWorkspace, IfMatch, Request, RequestBody, UserOperation, UserRequested,
};
use rollcall_events::{EventId, OrganizationId, Timestamp, TokenId, UserId, WorkspaceId};
use rollcall_scim::patch::{PATCH_SCHEMA, parse};
use rollcall_scim::resource::SizeLimit;
use rollcall_scim::schema::{ROLLCALL_SCHEMA, USER};
use serde_json::{Value, json};
use test_case::test_case;
use uuid::Uuid;

use super::{Change, Decision, NotLoaded, State, decide};
use crate::fact::Fact;
use crate::pipeline::state::{Keys, Workspace};

const ACME: OrganizationId = OrganizationId(Uuid::from_u128(1));
const MARKETING: WorkspaceId = WorkspaceId(Uuid::from_u128(2));
const SALES: WorkspaceId = WorkspaceId(Uuid::from_u128(3));
const TOKEN: TokenId = TokenId(Uuid::from_u128(4));
const DIGEST: &str = "60e2c24aa17e003bd00403add3ee191773caa9f47dfc7eb363f77b6800efc7fd";

/// An organization with two workspaces, and its history.
struct Scenario {
    state: State,
    clock: u64,
}

impl Scenario {
    fn new() -> Self {
        let mut state = State::default();
        let created_at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        state.load_organization(ACME, "Acme".to_owned());
        for (id, name) in [(MARKETING, "Marketing"), (SALES, "Sales")] {
            state.load_workspace(ACME, Workspace { id, name: name.to_owned(), created_at });
        }
        Self { state, clock: 0 }
    }

    fn request(&mut self, body: RequestBody) -> Request {
        self.clock += 1;
        Request {
            id: EventId(Uuid::from_u128(self.clock.into())),
            organization_id: ACME,
            requested_at: format!("2026-01-01T00:00:{:02}Z", self.clock).parse().unwrap(),
            actor: Actor::service("test"),
            fingerprint: None,
            body,
        }
    }

    fn happens(&mut self, body: RequestBody) -> Decision {
        let request = self.request(body);
        let decision = self.decided(&request);
        assert_eq!(decision, self.decided(&request), "the same input gives the same facts");
        let fact = Fact::new(decision.event_type, decision.subject.map(|(_, id)| id), decision.payload.clone());
        if let Some(change) = Change::of(&fact).unwrap() {
            change.apply(ACME, &mut self.state).unwrap();
        }
        decision
    }

    /// Decides a request. Keys that the story never set are absent.
    fn decided(&mut self, request: &Request) -> Decision {
        loop {
            match decide(&self.state, request, request.requested_at) {
                Ok(decision) => return decision,
                Err(NotLoaded(missing)) => {
                    let mut keys = Keys::default();
                    keys.extend(missing);
                    self.state.load_absences(keys);
                }
            }
        }
    }

    fn user(&mut self, id: u128, if_match: Option<IfMatch>, operation: UserOperation) -> Decision {
        let call = UserRequested {
            user_id: UserId(Uuid::from_u128(id)),
            default_workspace: MARKETING,
            if_match,
            size_limit: SizeLimit::default(),
            operation,
        };
        self.happens(RequestBody::UserRequested(call))
    }

    fn create(&mut self, id: u128, attributes: Value) -> Decision {
        self.user(id, None, UserOperation::Create(attributes.as_object().cloned().unwrap()))
    }

    fn replace(&mut self, id: u128, attributes: Value) -> Decision {
        self.user(id, None, UserOperation::Replace(attributes.as_object().cloned().unwrap()))
    }

    fn patch(&mut self, id: u128, operations: Value) -> Decision {
        let operations = parse(&USER, json!({"schemas": [PATCH_SCHEMA], "Operations": operations})).unwrap();
        self.user(id, None, UserOperation::Patch(operations))
    }
}

fn status(decision: &Decision) -> u16 {
    decision.error.as_ref().map_or(200, |error| error.status)
}

fn shown(decision: &Decision) -> &serde_json::Map<String, Value> {
    decision.payload["resource"].as_object().unwrap()
}

#[test]
fn a_new_user_joins_the_default_workspace_and_is_active() {
    let created = Scenario::new().create(7, json!({"userName": "ada"}));
    assert_eq!(created.event_type, EventType::UserCreated);
    let user = shown(&created);
    assert_eq!(user["active"], true);
    assert_eq!(user["meta"]["version"], "W/\"1\"");
    assert_eq!(user[ROLLCALL_SCHEMA]["workspaces"], json!([{"value": MARKETING}]), "names are not recorded");
}

#[test]
fn a_name_is_unique_in_any_case_until_its_user_is_deleted() {
    let mut story = Scenario::new();
    story.create(7, json!({"userName": "Straße"}));
    let refused = story.create(8, json!({"userName": "STRASSE"}));
    assert_eq!((status(&refused), refused.event_type), (409, EventType::RequestRejected));
    assert_eq!(
        refused.subject.unwrap().1,
        Uuid::from_u128(7),
        "the rejection is about the holder, so that erasing them reaches it"
    );
    assert!(!refused.error.unwrap().detail.to_lowercase().contains("strasse"), "no personal data in the header");
    story.user(7, None, UserOperation::Delete);
    assert_eq!(status(&story.create(8, json!({"userName": "STRASSE"}))), 200);
}

#[test]
fn a_refused_rename_says_who_was_to_be_renamed() {
    let mut story = Scenario::new();
    for (id, name) in [(7, "ada"), (8, "grace")] {
        story.create(id, json!({"userName": name}));
    }
    let renamed = [
        story.replace(8, json!({"userName": "ADA"})),
        story.patch(8, json!([{"op": "replace", "path": "userName", "value": "Ada"}])),
    ];
    for refused in renamed {
        assert_eq!((status(&refused), refused.subject.unwrap().1), (409, Uuid::from_u128(7)));
        assert_eq!(refused.payload["target"], json!(Uuid::from_u128(8)));
    }
    assert_eq!(story.create(9, json!({"userName": "ada"})).payload.get("target"), None, "nobody has this id");
    let missing = story.replace(10, json!({"userName": "ada"}));
    assert_eq!((status(&missing), missing.payload.get("target")), (404, None));
}

/// No request reactivates a user unless it says `true`, and a user always has `active`.
#[test]
fn unassigning_active_does_not_change_it() {
    let patches = [
        json!([{"op": "remove", "path": "active"}]),
        json!([{"op": "remove", "path": "active", "value": false}]),
        json!([{"op": "replace", "path": "active", "value": null}]),
        json!([{"op": "replace", "path": "urn:ietf:params:scim:schemas:core:2.0:User:active", "value": null}]),
        json!([{"op": "Replace", "path": "active"}]),
        json!([{"op": "replace", "value": {"active": null}}]),
        json!([{"op": "add", "value": {"active": null}}]),
        json!([{"op": "remove", "path": "active"}, {"op": "replace", "path": "title", "value": "x"}]),
    ];
    for active in [false, true] {
        let mut story = Scenario::new();
        story.create(7, json!({"userName": "ada", "active": active}));
        for operations in &patches {
            let decision = story.patch(7, operations.clone());
            assert_eq!(
                (decision.event_type, &shown(&decision)["active"]),
                (EventType::UserUpdated, &json!(active)),
                "{operations}"
            );
        }
        let decision = story.replace(7, json!({"userName": "ada", "title": "y"}));
        assert_eq!((decision.event_type, &shown(&decision)["active"]), (EventType::UserUpdated, &json!(active)));
    }
}

#[test]
fn a_user_leaves_its_workspaces_only_by_a_request_that_names_them() {
    let mut story = Scenario::new();
    let workspaces = |decision: &Decision| shown(decision).get(ROLLCALL_SCHEMA).cloned().unwrap_or_default();
    story.create(7, json!({"userName": "ada", ROLLCALL_SCHEMA: {"workspaces": [{"value": SALES}]}}));
    let put = story.replace(7, json!({"userName": "ada", ROLLCALL_SCHEMA: {"companyPermissions": ["admin"]}}));
    assert_eq!(workspaces(&put), json!({"workspaces": [{"value": SALES}], "companyPermissions": ["admin"]}));
    let put = story.replace(7, json!({"userName": "ada", ROLLCALL_SCHEMA: {"companyPermissions": []}}));
    assert_eq!(workspaces(&put), json!({"workspaces": [{"value": SALES}]}));
    let patched =
        story.patch(7, json!([{"op": "replace", "path": ROLLCALL_SCHEMA, "value": {"companyPermissions": ["x"]}}]));
    assert_eq!(workspaces(&patched), json!({"workspaces": [{"value": SALES}], "companyPermissions": ["x"]}));
    let removed = story.patch(7, json!([{"op": "remove", "path": ROLLCALL_SCHEMA}]));
    assert_eq!(workspaces(&removed), Value::Null, "nobody is put into the default workspace again");
}

#[test]
fn an_unknown_workspace_is_refused_and_nothing_is_created() {
    let mut story = Scenario::new();
    let refused = story.create(
        7,
        json!({"userName": "ada", ROLLCALL_SCHEMA: {"workspaces": [{"value": WorkspaceId(Uuid::from_u128(99))}]}}),
    );
    assert_eq!(status(&refused), 400);
    assert_eq!(status(&story.user(7, None, UserOperation::Delete)), 404);
}

#[test]
fn a_replace_clears_absent_attributes_but_keeps_active_and_workspaces() {
    let mut story = Scenario::new();
    let sales = json!({"workspaces": [{"value": SALES}]});
    story.create(7, json!({"userName": "ada", "title": "Countess", "active": false, ROLLCALL_SCHEMA: sales}));
    let replaced = story.replace(7, json!({"userName": "ada"}));
    let user = shown(&replaced);
    assert_eq!(replaced.payload["changed"], json!(["title"]));
    assert_eq!((user.get("title"), &user["active"]), (None, &json!(false)));
    assert_eq!(user[ROLLCALL_SCHEMA]["workspaces"][0]["value"], json!(SALES));
    assert_eq!(user["meta"]["version"], "W/\"2\"");
}

#[test]
fn a_change_that_changes_nothing_keeps_version_and_time() {
    let mut story = Scenario::new();
    let created = story.create(7, json!({"userName": "ada", "title": "Countess"}));
    let patched = story.patch(7, json!([{"op": "replace", "path": "title", "value": "Countess"}]));
    assert_eq!(patched.payload["changed"], json!([]));
    assert_eq!(shown(&patched), shown(&created));
}

#[test]
fn deactivation_and_reactivation_differ_from_other_changes() {
    let mut story = Scenario::new();
    story.create(7, json!({"userName": "ada"}));
    assert_eq!(
        story.patch(7, json!([{"op": "replace", "value": {"active": "False"}}])).event_type,
        EventType::UserDeactivated
    );
    assert_eq!(
        story.patch(7, json!([{"op": "replace", "path": "title", "value": "x"}])).event_type,
        EventType::UserUpdated
    );
    assert_eq!(
        story.patch(7, json!([{"op": "replace", "path": "active", "value": true}])).event_type,
        EventType::UserReactivated
    );
}

#[test]
fn if_match_refuses_another_version() {
    let mut story = Scenario::new();
    story.create(7, json!({"userName": "ada"}));
    let delete = |story: &mut Scenario, tag: &str| {
        status(&story.user(7, Some(IfMatch::Tags(vec![tag.to_owned()])), UserOperation::Delete))
    };
    assert_eq!(delete(&mut story, "W/\"2\""), 412);
    assert_eq!(delete(&mut story, "W/\"1\""), 200);
}

#[test]
fn a_renamed_user_frees_the_old_name_and_holds_the_new_one() {
    let mut story = Scenario::new();
    story.create(7, json!({"userName": "ada"}));
    story.patch(7, json!([{"op": "replace", "path": "userName", "value": "augusta"}]));
    assert_eq!(status(&story.create(8, json!({"userName": "ada"}))), 200);
    assert_eq!(status(&story.replace(8, json!({"userName": "Augusta"}))), 409);
    assert_eq!(status(&story.replace(7, json!({"userName": "Augusta"}))), 200, "one's own name in another case");
}

#[test]
fn repeated_patches_cannot_grow_a_list_without_bound() {
    let mut story = Scenario::new();
    story.create(7, json!({"userName": "ada"}));
    let add = |n: usize| {
        json!([{
            "op": "add", "path": "roles",
            "value": (0..600).map(|i| json!({"value": format!("{n}-{i}")})).collect::<Vec<_>>()
        }])
    };
    assert_eq!(status(&story.patch(7, add(1))), 200);
    assert_eq!(status(&story.patch(7, add(2))), 400);
}

#[test]
fn a_setting_needs_an_existing_organization_and_an_unused_name() {
    let mut story = Scenario::new();
    let workspace = |name: &str| {
        RequestBody::settings(CreateWorkspace {
            workspace_id: WorkspaceId::generate(),
            name: UniqueName::recorded(name.to_owned()),
        })
    };
    assert_eq!(status(&story.happens(workspace("Legal"))), 200);
    assert_eq!(status(&story.happens(workspace("LEGAL"))), 409);
    let (request, mut stranger) = (story.request(workspace("Legal")), Scenario { state: State::default(), clock: 0 });
    assert_eq!(status(&stranger.decided(&request)), 404);
}

/// Settings of a token with values as a message may have them, whatever the rules are.
fn settings(label: &str, calls_per_second: u32) -> Value {
    json!({
        "label": label, "default_workspace": MARKETING, "service_origin": "hr.example.com", "origin_required": true,
        "dialect": "standard", "calls_per_second": calls_per_second,
    })
}

#[test_case(json!({"createWorkspace": {"workspace_id": TOKEN, "name": "New"}}) => None; "a good name")]
#[test_case(
    json!({"createWorkspace": {"workspace_id": TOKEN, "name": MARKETING}})
    => Some("name: a name cannot have the form of an id".to_owned()); "an id as a name"
)]
#[test_case(
    json!({"createWorkspace": {"workspace_id": TOKEN, "name": "zero\u{200b}width"}})
    => Some("name: the name holds U+200B, which cannot be seen".to_owned()); "an invisible character"
)]
#[test_case(
    json!({"issueToken": {"token_id": TOKEN, "digest": DIGEST, "settings": settings("HR", 25)}})
    => None; "a good token"
)]
#[test_case(
    json!({"issueToken": {"token_id": TOKEN, "digest": DIGEST, "settings": settings("", 25)}})
    => Some("label: a label has 1 to 200 characters and no control characters".to_owned()); "no label"
)]
#[test_case(
    json!({"issueToken": {"token_id": TOKEN, "digest": DIGEST, "settings": settings("HR", u32::MAX)}})
    => Some("calls_per_second: a rate is a whole number from 1 to 1000000".to_owned()); "too high a rate"
)]
#[test_case(
    json!({"entitlement": {
        "entitlement_id": TOKEN, "change": {"define": {"kind": "entitlement", "name": "Pro", "type": "workspace"}},
    }})
    => Some("type: Workspace is the type of workspaces, which are entitlements by themselves".to_owned());
    "the type of workspaces"
)]
fn a_message_with_a_value_that_breaks_a_rule_is_rejected(message: Value) -> Option<String> {
    let request = RequestBody::SettingsRequested(serde_json::from_value(message).unwrap());
    let decision = Scenario::new().happens(request);
    decision.error.map(|error| {
        assert_eq!((decision.event_type, error.status), (EventType::RequestRejected, 400));
        error.detail
    })
}

#[test]
fn a_recorded_value_that_breaks_a_later_rule_is_still_read() {
    let old = json!({"settings": settings("", u32::MAX)});
    let fact = Fact::new(EventType::TokenChanged, Some(Uuid::from_u128(7)), old);
    assert!(matches!(Change::of(&fact), Ok(Some(Change::Setting(_)))));
}

proptest! {
    /// One failing operation undoes all operations before it: neither the user nor its version changes.
    #[test]
    fn a_patch_that_fails_changes_nothing(
        done in proptest::collection::vec(proptest::sample::select(vec![
            json!({"op": "replace", "path": "title", "value": "Lady"}),
            json!({"op": "add", "path": "emails", "value": [{"value": "new@x"}]}),
            json!({"op": "replace", "path": "userName", "value": "augusta"}),
            json!({"op": "replace", "path": "active", "value": false}),
        ]), 0..4),
        failing in proptest::sample::select(vec![
            json!({"op": "replace", "path": "emails[type sw \"fax\"].display", "value": "x"}),
            json!({"op": "replace", "path": "userName", "value": "Charles"}),
            json!({
                "op": "add", "path": format!("{ROLLCALL_SCHEMA}:workspaces"),
                "value": [{"value": WorkspaceId(Uuid::from_u128(99))}]
            }),
        ]),
    ) {
        let mut story = Scenario::new();
        story.create(8, json!({"userName": "charles"}));
        let created = story.create(7, json!({"userName": "ada", "title": "Countess"}));
        let failed = story.patch(7, Value::Array(done.into_iter().chain([failing]).collect()));
        prop_assert_eq!(failed.event_type, EventType::RequestRejected);
        let looked_at = story.patch(7, json!([{"op": "replace", "path": "title", "value": "Countess"}]));
        prop_assert_eq!(shown(&looked_at), shown(&created));
    }
}

#[test]
fn bodies_are_recorded_for_a_week_at_the_most() {
    let mut story = Scenario::new();
    let mut switch = |until: Option<&str>| {
        let until = until.map(|until| until.parse().unwrap());
        let decision = story.happens(RequestBody::settings(ChangeRecording { until }));
        (decision.event_type, decision.error.map(|error| error.detail))
    };
    assert_eq!(switch(Some("2026-01-08T00:00:01Z")), (EventType::RecordingChanged, None));
    assert_eq!(switch(None), (EventType::RecordingChanged, None));
    let (event_type, detail) = switch(Some("2026-01-08T00:01:00Z"));
    assert!(event_type == EventType::RequestRejected && detail.is_some_and(|detail| detail.starts_with("until:")));
}
