use super::*;
use rollcall_scim::schema::ROLLCALL_SCHEMA;

const ISSUER: &str = "https://id.example.com/scim/v2";

fn id(n: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(n)
}

fn feed(events: &[Event], workspaces: &[u128]) -> Feed {
    Feed {
        stream_id: StreamId(id(9)),
        audience: "https://receiver.example.com".to_owned(),
        events: events.iter().copied().collect(),
        workspaces: workspaces.iter().map(|n| WorkspaceId(id(*n))).collect(),
    }
}

fn happened(event_type: EventType, payload: Value) -> LoggedChange {
    LoggedChange {
        seq: 7,
        leaf: Hash::of_entry(b"7"),
        event_id: EventId(id(2)),
        event_type,
        subject_id: id(3),
        recorded_at: "2026-01-02T03:04:05Z".parse().unwrap(),
        payload: Some(payload),
        before: None,
    }
}

fn user(name: &str, workspaces: &[u128]) -> Value {
    let workspaces: Vec<_> = workspaces.iter().map(|n| json!({"value": id(*n)})).collect();
    json!({
        "userName": name, "externalId": "hr-1", "meta": {"version": "W/\"2\""},
        ROLLCALL_SCHEMA: {"workspaces": workspaces}
    })
}

fn events(feed: &Feed, happened: &LoggedChange) -> Vec<String> {
    let claims = feed.claims(ISSUER, happened);
    let events = claims.iter().flat_map(|claims| claims["events"].as_object().unwrap().keys());
    let mut names: Vec<_> = events.map(|uri| uri.rsplit_once("event:").unwrap().1.to_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_new_user_is_delivered_as_a_whole() {
    let created = happened(
        EventType::UserCreated,
        json!({"operation": "create", "resource": user("ada", &[]), "changed": ["userName"]}),
    );
    let claims = feed(&[Event::FeedAdd, Event::CreateFull, Event::CreateNotice], &[]).claims(ISSUER, &created).unwrap();
    assert_eq!(claims["jti"], format!("{}:7:{}", id(9), Hash::of_entry(b"7").short()));
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(ISSUER), &json!("https://receiver.example.com")));
    assert_eq!((&claims["iat"], &claims["txn"]), (&json!(1_767_323_045), &json!(id(2))));
    assert_eq!(claims["sub_id"], json!({"format": "scim", "uri": format!("/Users/{}", id(3)), "externalId": "hr-1"}));
    let events = &claims["events"];
    assert_eq!(events[Event::FeedAdd.uri()], json!({}));
    assert_eq!(events[Event::CreateNotice.uri()], json!({"attributes": ["userName"], "version": "W/\"2\""}));
    assert_eq!(events[Event::CreateFull.uri()]["data"]["userName"], "ada");
    assert_eq!(events[Event::CreateFull.uri()]["data"]["meta"]["location"], format!("{ISSUER}/Users/{}", id(3)));
}

#[test]
fn a_modification_is_delivered_as_a_patch() {
    let extension = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let mut resource = user("ada", &[]);
    resource[extension] = json!({"department": "Engines"});
    let changed = json!(["active", "title", format!("{extension}:department")]);
    resource["active"] = json!(false);
    let patched =
        happened(EventType::UserDeactivated, json!({"operation": "patch", "resource": resource, "changed": changed}));
    let claims = feed(Event::ALL, &[]).claims(ISSUER, &patched).unwrap();
    assert_eq!(events(&feed(Event::ALL, &[]), &patched), ["prov:deactivate", "prov:patch:full", "prov:patch:notice"]);
    let operations = json!([
        {"op": "replace", "path": "active", "value": false},
        {"op": "remove", "path": "title"},
        {"op": "replace", "path": format!("{extension}:department"), "value": "Engines"},
    ]);
    assert_eq!(
        claims["events"][Event::PatchFull.uri()]["data"],
        json!({"schemas": [PATCH_SCHEMA], "Operations": operations})
    );
    assert_eq!(claims["events"][Event::PatchNotice.uri()]["attributes"], changed);
}

#[test]
fn an_unchanged_resource_is_not_delivered() {
    let same =
        happened(EventType::UserUpdated, json!({"operation": "replace", "resource": user("ada", &[]), "changed": []}));
    assert_eq!(feed(Event::ALL, &[]).claims(ISSUER, &same), None);
    let erased = LoggedChange { payload: None, ..same };
    assert_eq!(feed(Event::ALL, &[]).claims(ISSUER, &erased), None);
}

#[test]
fn a_stream_delivers_its_own_events() {
    let replaced = happened(
        EventType::UserReactivated,
        json!({"operation": "replace", "resource": user("ada", &[]), "changed": ["active"]}),
    );
    assert_eq!(
        events(&feed(&[Event::PutNotice, Event::Activate], &[]), &replaced),
        ["prov:activate", "prov:put:notice"]
    );
    assert_eq!(feed(&[Event::Delete], &[]).claims(ISSUER, &replaced), None);
}

#[test]
fn member_changes_of_a_group_are_delivered() {
    let (ada, bob) = (id(4).to_string(), id(5).to_string());
    let group = json!({"displayName": "Engineers", "meta": {"version": "W/\"2\""}});
    let members = json!({"added": [ada], "removed": [bob]});
    let payload = json!({"operation": "replace", "resource": group, "changed": ["members"], "members": members});
    let claims = feed(Event::ALL, &[]).claims(ISSUER, &happened(EventType::GroupUpdated, payload.clone())).unwrap();
    assert_eq!(claims["sub_id"]["uri"], format!("/Groups/{}", id(3)));
    let operations = json!([
        {"op": "add", "path": "members", "value": [{"value": ada}]},
        {"op": "remove", "path": format!("members[value eq \"{bob}\"]")},
    ]);
    assert_eq!(claims["events"][Event::PatchFull.uri()]["data"]["Operations"], operations);
    let created = feed(Event::ALL, &[]).claims(ISSUER, &happened(EventType::GroupCreated, payload.clone())).unwrap();
    assert_eq!(created["events"][Event::CreateFull.uri()]["data"]["members"], json!([{"value": ada}]));
    assert_eq!(
        feed(Event::ALL, &[1]).claims(ISSUER, &happened(EventType::GroupUpdated, payload)),
        None,
        "a group is in no workspace"
    );
}

#[test]
fn only_events_about_members_of_the_workspaces_are_delivered() {
    let feed = feed(Event::ALL, &[1]);
    let update = |before: &[u128], after: &[u128]| {
        let payload = json!({"operation": "patch", "resource": user("ada", after), "changed": ["title"]});
        LoggedChange { before: Some(user("ada", before)), ..happened(EventType::UserUpdated, payload) }
    };
    assert_eq!(events(&feed, &update(&[1], &[1, 2])), ["prov:patch:full", "prov:patch:notice"]);
    assert_eq!(events(&feed, &update(&[2], &[2])), [] as [&str; 0]);
    assert_eq!(
        events(&feed, &update(&[2], &[1])),
        ["feed:add", "prov:put:full", "prov:put:notice"],
        "delivered as a whole"
    );
    assert_eq!(events(&feed, &update(&[1], &[2])), ["feed:remove"]);
    let create = |workspaces: &[u128]| {
        happened(
            EventType::UserCreated,
            json!({"operation": "create", "resource": user("ada", workspaces), "changed": ["userName"]}),
        )
    };
    assert_eq!(events(&feed, &create(&[1])), ["feed:add", "prov:create:full", "prov:create:notice"]);
    assert_eq!(events(&feed, &create(&[2])), [] as [&str; 0]);
    let delete = |before: Option<Value>| LoggedChange {
        before,
        ..happened(EventType::UserDeleted, json!({"operation": "delete"}))
    };
    assert_eq!(events(&feed, &delete(Some(user("ada", &[1])))), ["prov:delete"]);
    assert_eq!(events(&feed, &delete(Some(user("ada", &[2])))), [] as [&str; 0]);
    assert_eq!(events(&feed, &delete(None)), ["prov:delete"], "of one who was erased nothing else is left");
}
