use super::*;
use crate::background::sinks::examples::{ACTOR, SUBJECT, entry};
use rollcall_events::actor::ActorKind;
use rollcall_events::log::{ErrorCode, SubjectType};
use test_case::test_case;

fn ada() -> Value {
    json!({
        "operation": "create", "changed": ["userName"],
        "resource": {
            "userName": "ada@example.com", "displayName": "Ada",
            "emails": [{"value": "old@example.com"}, {"value": "ada@example.com", "primary": true}],
        }
    })
}

/// What docs/sinks.md shows.
#[test]
fn a_created_user_is_a_user_management_event() {
    let event = event(&entry(EventType::UserCreated, SubjectType::User, &ada()), Version::V1_9).unwrap();
    let expected = json!({
        "category_uid": 3, "category_name": "Identity & Access Management",
        "class_uid": 3007, "class_name": "User Management",
        "activity_id": 1, "activity_name": "Create",
        "type_uid": 300_701, "type_name": "User Management: Create",
        "time": 1_767_323_045_250_i64, "message": "UserCreated",
        "severity_id": 1, "severity": "Informational", "status_id": 1, "status": "Success",
        "metadata": {
            "version": "1.9.0",
            "product": {"name": "Rollcall", "vendor_name": "Rollcall", "version": env!("CARGO_PKG_VERSION")},
            "uid": "00000000-0000-0000-0000-000000000001:7:0000000000000000",
            "original_event_uid": "00000000-0000-0000-0000-000000000002",
            "event_code": "UserCreated", "sequence": 7,
            "tenant_uid": "00000000-0000-0000-0000-000000000001", "log_name": "audit",
            "logged_time": 1_767_323_045_250_i64, "original_time": "2026-01-02T03:04:05.000000Z",
        },
        "actor": {"user": {"uid": ACTOR, "name": "Okta", "type_id": 99, "type": "Token"}},
        "src_endpoint": {"ip": "203.0.113.7", "hostname": "hr.example.com"},
        "http_request": {"user_agent": "curl/8"},
        "user": {
            "uid": SUBJECT, "name": "ada@example.com", "full_name": "Ada", "email_addr": "ada@example.com",
            "type_id": 1, "type": "User",
        },
        "unmapped": {
            "leaf": "0000000000000000000000000000000000000000000000000000000000000000",
            "operation": "create", "changed": ["userName"],
        },
    });
    assert_eq!(event, expected);
}

#[test_case(EventType::UserCreated, SubjectType::User => (300_701, 300_101))]
#[test_case(EventType::UserUpdated, SubjectType::User => (300_702, 300_199))]
#[test_case(EventType::UserDeleted, SubjectType::User => (300_703, 300_106))]
#[test_case(EventType::UserReactivated, SubjectType::User => (300_704, 300_102))]
#[test_case(EventType::UserDeactivated, SubjectType::User => (300_705, 300_105))]
#[test_case(EventType::UserErased, SubjectType::User => (300_799, 300_199))]
#[test_case(EventType::GroupCreated, SubjectType::Group => (300_606, 300_606))]
#[test_case(EventType::GroupUpdated, SubjectType::Group => (300_609, 300_699))]
#[test_case(EventType::GroupDeleted, SubjectType::Group => (300_605, 300_605))]
#[test_case(EventType::SignedIn, SubjectType::Session => (300_201, 300_201))]
#[test_case(EventType::SignedOut, SubjectType::Session => (300_202, 300_202))]
#[test_case(EventType::AccessDenied, SubjectType::Token => (300_201, 300_201))]
#[test_case(EventType::TokenIssued, SubjectType::Token => (300_401, 300_401))]
#[test_case(EventType::TokenChanged, SubjectType::Token => (300_403, 300_403))]
#[test_case(EventType::TokenRevoked, SubjectType::Token => (300_409, 300_409))]
#[test_case(EventType::TokenExpiring, SubjectType::Token => (300_499, 300_499))]
#[test_case(EventType::StreamPaused, SubjectType::Stream => (300_412, 300_412))]
fn a_type_has_a_class_and_an_activity_in_both_versions(event_type: EventType, subject: SubjectType) -> (u64, u64) {
    let entry = entry(event_type, subject, &json!({}));
    let of = |version| event(&entry, version).unwrap()["type_uid"].as_u64().unwrap();
    (of(Version::V1_9), of(Version::V1_8))
}

/// The attributes that OCSF requires, and the constraint that each object has an id or a name.
#[test]
fn every_type_has_the_required_attributes_even_if_all_parts_are_erased() {
    for &event_type in EventType::ALL {
        for kind in [ActorKind::Token, ActorKind::Anonymous, ActorKind::Operator] {
            let mut entry = entry(event_type, SubjectType::User, &json!({}));
            entry.header.actor_kind = kind;
            entry.header.actor_id = entry.header.actor_id.filter(|_| kind == ActorKind::Token);
            (entry.payload, entry.payload_salt, entry.actor, entry.actor_salt) = (None, None, None, None);
            for version in [Version::V1_8, Version::V1_9] {
                let event = event(&entry, version).unwrap();
                for required in
                    ["activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"]
                {
                    assert!(!event[required].is_null(), "{required} in {event}");
                }
                let required = match event["class_uid"].as_u64().unwrap() {
                    3004 => vec![&event["entity"]],
                    3006 => vec![&event["group"]],
                    3002 => vec![&event["user"], &event["service"]],
                    _ => vec![&event["user"]],
                };
                for object in required.into_iter().chain([&event["actor"]["user"]]) {
                    assert!(object["uid"].is_string() || object["name"].is_string(), "{event}");
                }
                assert_eq!(event["unmapped"]["erased"], json!(["payload", "actor"]));
            }
        }
    }
}

#[test]
fn a_rejected_request_is_a_failure_of_the_class_that_it_would_have_been_of() {
    let payload = json!({"operation": "create", "userName": "ada", "detail": "userName is taken by another user"});
    let mut entry = entry(EventType::RequestRejected, SubjectType::User, &payload);
    entry.header.outcome = OutcomeKind::Rejected;
    entry.header.error = Some(ErrorCode { scim_type: None, status: 409 });
    let event = event(&entry, Version::V1_9).unwrap();
    assert_eq!((&event["type_uid"], &event["status_id"]), (&json!(300_701), &json!(2)));
    assert_eq!((&event["status_code"], &event["user"]["name"]), (&json!("409"), &json!("ada")));
    assert_eq!((&event["status_detail"], &event["user"]["uid"]), (&payload["detail"], &json!(SUBJECT)));
}

/// The entry is about the holder of the name, and the event about the user who was to get it.
#[test]
fn a_refused_rename_is_about_the_user_who_was_to_be_renamed() {
    let target = "00000000-0000-0000-0000-00000000000f";
    for (subject, member) in [(SubjectType::User, "user"), (SubjectType::Group, "group")] {
        let payload = json!({"operation": "patch", "target": target, "detail": "the name is taken"});
        let mut entry = entry(EventType::RequestRejected, subject, &payload);
        entry.header.outcome = OutcomeKind::Rejected;
        entry.header.error = Some(ErrorCode { scim_type: None, status: 409 });
        assert_eq!(event(&entry, Version::V1_9).unwrap()[member]["uid"], target);
    }
}

#[test]
fn denied_calls_are_counted_failures_of_authentication() {
    let payload = json!({
        "reason": "wrongAddress", "count": 3,
        "first_at": "2026-01-02T03:04:01.000000Z", "last_at": "2026-01-02T03:04:02.500000Z",
    });
    let event = event(&entry(EventType::AccessDenied, SubjectType::Token, &payload), Version::V1_8).unwrap();
    assert_eq!((&event["class_uid"], &event["status_id"], &event["severity_id"]), (&json!(3002), &json!(2), &json!(2)));
    assert_eq!((&event["count"], &event["status_detail"]), (&json!(3), &json!("wrongAddress")));
    assert_eq!(
        (&event["start_time"], &event["end_time"]),
        (&json!(1_767_323_041_000_i64), &json!(1_767_323_042_500_i64))
    );
    assert_eq!(event["user"]["name"], "Okta");
}

#[test]
fn the_members_that_joined_and_left_a_group_are_kept() {
    let payload = json!({
        "operation": "patch", "resource": {"displayName": "Authors"}, "changed": ["members"],
        "members": {"added": [SUBJECT], "removed": []},
    });
    let event = event(&entry(EventType::GroupUpdated, SubjectType::Group, &payload), Version::V1_9).unwrap();
    assert_eq!(event["group"], json!({"uid": SUBJECT, "name": "Authors"}));
    assert_eq!(event["unmapped"]["members"], payload["members"]);
}
