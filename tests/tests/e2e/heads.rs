//! Optimistic concurrency: to write, a batch advances the head of the organization's log. A batch that was
//! decided on an older head is decided again.

use rollcall_events::members::MemberChange;
use rollcall_events::outcome::Outcome;
use rollcall_events::request::{
    CreateWorkspace, EraseUser, GroupOperation, GroupRequested, MapGroup, RequestBody, UserOperation, UserRequested,
};
use rollcall_events::{GroupId, OrganizationId, UserId, WorkspaceId};
use rollcall_queue::envelope::{encode, properties};
use rollcall_queue::framing::Message;
use rollcall_queue::topology::partition;
use rollcall_scim::resource::SizeLimit;
use rollcall_tests::amqp::{PARTITIONS, Sender};
use rollcall_tests::client::{ROLLCALL, user};
use rollcall_tests::requests::{create, request, together};
use rollcall_tests::service::verified;
use rollcall_tests::{Stack, eventually};
use serde_json::json;
use tokio_postgres::{Client, Transaction};
use uuid::Uuid;

/// Waits until a session of each name is blocked by the transaction, directly or indirectly. Returns their
/// process ids.
async fn blocked(observer: &Client, by: &Transaction<'_>, names: &[&str]) -> Vec<i32> {
    let blocker: i32 = by.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let sql = "
        SELECT pid FROM pg_stat_activity, unnest(pg_blocking_pids(pid)) AS b (pid_of_blocker)
        WHERE application_name LIKE ANY ($1) AND ($2 = pid_of_blocker OR $2 = ANY (pg_blocking_pids(pid_of_blocker)))
        GROUP BY pid ORDER BY pid";
    eventually("sessions that wait for the head", async || {
        let rows = observer.query(sql, &[&names, &blocker]).await.unwrap();
        (rows.len() == names.len()).then(|| rows.iter().map(|row| row.get(0)).collect())
    })
    .await
}

/// Puts requests of one organization into two partitions, so that two connections process them. This is the
/// case of two workers that each believe the other is gone. The head of the log lets only one of them write
/// at a time, and the other one decides again.
#[tokio::test]
async fn two_workers_of_one_organization_write_one_log() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let id: OrganizationId = organization.id.parse().unwrap();
    let (own, sender) = (partition(id, PARTITIONS), Sender::connect(&stack.instance).await);
    let ends = [own, (own + 1) % PARTITIONS];
    let mut sent = Vec::new();
    for n in 0..150 {
        for (end, partition) in ends.into_iter().enumerate() {
            // Half of the names are used in both partitions, with another case.
            let name = if n % 2 == 0 { format!("user{n}") } else { format!("User{n}-{end}") };
            let request =
                create(&organization, &json!({"userName": if end == 0 { name } else { name.to_uppercase() }}));
            sender.publish_to(partition, properties(&request, "test", None), &encode(&request).unwrap()).await;
            sent.push(request.id);
        }
    }
    let auditor = stack.auditor().await;
    let log = eventually("all sent events", async || {
        let log = auditor.log(&organization.id).await;
        let recorded: Vec<_> = log.iter().map(|entry| entry.header.event_id).collect();
        sent.iter().all(|id| recorded.contains(id)).then_some(())
    });
    log.await;
    let log = auditor.verify(&organization.id).await;
    let refused = log.iter().filter(|entry| entry.header.event_type.as_str() == "RequestRejected").count();
    assert_eq!((refused, auditor.compare_with_tables(&organization.id).await), (75, 225), "each name once");
    assert!(
        log.windows(2).all(|pair| pair[0].header.recorded_at <= pair[1].header.recorded_at),
        "time never goes back"
    );
    let (is_valid, output) = verified(&stack.instance, &organization.id).await;
    assert!(is_valid, "{output}");
}

/// Two batches are decided on the same head. The second is decided again at once: a lost race is not an
/// outage, and no reason to stop or to reconnect.
#[tokio::test]
async fn two_batches_decided_on_the_same_head_are_written_one_after_the_other() {
    let stack = Stack::shared().await;
    let (mut owner, observer) = (stack.database("postgres").await, stack.database("postgres").await);
    let (sender, auditor) = (Sender::connect(&stack.instance).await, stack.auditor().await);
    for organization in [stack.organization(), stack.organization()] {
        let id: OrganizationId = organization.id.parse().unwrap();
        let own = partition(id, PARTITIONS);
        let ends = [own, (own + 1) % PARTITIONS];
        let names = ends.map(|end| format!("rollcall-worker/{end}"));
        let names = names.each_ref().map(String::as_str);
        let meanwhile = owner.transaction().await.unwrap();
        meanwhile
            .execute("SELECT FROM rollcall.log_heads WHERE organization_id = $1 FOR UPDATE", &[&id])
            .await
            .unwrap();
        let requests = ends.map(|end| create(&organization, &json!({"userName": format!("user{end}")})));
        for (end, request) in ends.into_iter().zip(&requests) {
            sender.publish_to(end, properties(request, "test", None), &encode(request).unwrap()).await;
        }
        let waiting = blocked(&observer, &meanwhile, &names).await;
        meanwhile.commit().await.unwrap();
        eventually("both entries", async || {
            let log = auditor.log(&organization.id).await;
            requests.iter().all(|request| log.iter().any(|entry| entry.header.event_id == request.id)).then_some(())
        })
        .await;
        let sessions = "SELECT pid FROM pg_stat_activity WHERE application_name = ANY ($1) ORDER BY pid";
        let sessions: Vec<i32> =
            observer.query(sessions, &[&names.as_slice()]).await.unwrap().iter().map(|row| row.get(0)).collect();
        assert_eq!(sessions, waiting, "no session has reconnected");
        auditor.verify(&organization.id).await;
        assert_eq!(auditor.compare_with_tables(&organization.id).await, 2);
    }
}

/// One batch with everything: each statement of its transaction sees what the earlier statements wrote.
#[tokio::test]
async fn each_statement_of_a_batch_sees_the_writes_of_earlier_statements() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let to: OrganizationId = organization.id.parse().unwrap();
    let client = organization.client();
    let (old, swapped) = (client.create(user("old")).await.id(), client.create(user("swapped")).await.id());
    let (workspace, group, ada) = (WorkspaceId::generate(), GroupId::generate(), UserId::generate());
    let home = json!({"userName": "ada", ROLLCALL: {"workspaces": [{"value": workspace}]}});
    let of_user = |id: &str, operation| {
        let call = UserRequested {
            user_id: id.parse().unwrap(),
            default_workspace: workspace,
            if_match: None,
            size_limit: SizeLimit::default(),
            operation,
        };
        RequestBody::UserRequested(call)
    };
    let named = |name: &str| json!({"userName": name}).as_object().cloned().unwrap();
    let of_group = |operation| {
        RequestBody::GroupRequested(GroupRequested {
            group_id: group,
            if_match: None,
            size_limit: SizeLimit::default(),
            operation,
        })
    };
    let bodies = [
        RequestBody::settings(CreateWorkspace { workspace_id: workspace, name: "Engines".parse().unwrap() }),
        of_user(&ada.to_string(), UserOperation::Create(home.as_object().cloned().unwrap())),
        // The users exchange their names.
        of_user(&old, UserOperation::Replace(named("between"))),
        of_user(&swapped, UserOperation::Replace(named("old"))),
        of_user(&old, UserOperation::Replace(named("swapped"))),
        of_group(GroupOperation::Create(
            json!({"displayName": "Engines"}).as_object().cloned().unwrap(),
            [ada, old.parse().unwrap()].into(),
        )),
        RequestBody::settings(MapGroup {
            group_id: group,
            workspaces: [(workspace, ["read".parse().unwrap()].into())].into(),
        }),
        of_group(GroupOperation::Patch(
            Vec::new(),
            vec![MemberChange::Remove([ada].into()), MemberChange::Add([swapped.parse().unwrap()].into())],
        )),
        of_user(&old, UserOperation::Delete),
        RequestBody::settings(EraseUser { user_id: old.parse().unwrap() }),
        of_user(&UserId::generate().to_string(), UserOperation::Create(named("swapped"))),
    ];
    let requests: Vec<_> = bodies.into_iter().map(|body| request(&organization, body)).collect();
    let Message { properties, body } = together(&requests.iter().collect::<Vec<_>>());
    let sender = Sender::connect(&stack.instance).await;
    sender.publish(to, properties, &body).await;
    let last = create(&organization, &json!({"userName": "last"}));
    assert!(matches!(sender.submit(std::slice::from_ref(&last)).await[0], Outcome::Applied { .. }));
    let auditor = stack.auditor().await;
    let refusals = "SELECT error::text FROM rollcall.events WHERE organization_id = $1 AND error IS NOT NULL";
    let refused = stack.database("postgres").await.query(refusals, &[&to]).await.unwrap();
    assert_eq!(refused.iter().map(|row| row.get(0)).collect::<Vec<String>>(), [""; 0]);
    assert_eq!(auditor.workspaces_of(&ada.to_string()).await, ["Engines"]);
    assert_eq!(auditor.groups(&organization.id).await[&group.to_string()].1, [swapped].into());
    let (is_valid, output) = verified(&stack.instance, &organization.id).await;
    assert!(is_valid, "{output}");
}

/// A repair changes the rows that a batch is decided on. It adds no log entry and violates no unique index.
#[tokio::test]
async fn a_batch_is_decided_again_if_a_row_it_was_decided_on_has_changed() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let (client, id) = (organization.client(), organization.id.parse::<Uuid>().unwrap());
    let ada = client.create(user("ada")).await.id();
    let (mut owner, observer) = (stack.database("postgres").await, stack.database("postgres").await);
    let meanwhile = owner.transaction().await.unwrap();
    meanwhile
        .execute("UPDATE rollcall.log_heads SET version = version + 1 WHERE organization_id = $1", &[&id])
        .await
        .unwrap();
    let deactivate = "UPDATE rollcall.users SET active = false, resource = jsonb_set(resource, '{active}', 'false')
        WHERE organization_id = $1 AND id = $2";
    assert_eq!(meanwhile.execute(deactivate, &[&id, &ada.parse::<Uuid>().unwrap()]).await.unwrap(), 1);
    let call = tokio::spawn({
        let (client, ada) = (client.clone(), ada.clone());
        async move { client.patch(&ada, json!([{"op": "replace", "path": "title", "value": "Countess"}])).await }
    });
    blocked(&observer, &meanwhile, &["rollcall-worker/%"]).await;
    meanwhile.commit().await.unwrap();
    call.await.unwrap().expect(204);
    let user = client.get(&format!("/Users/{ada}")).await.expect(200);
    assert_eq!((&user["active"], &user["title"]), (&json!(false), &json!("Countess")));
}

/// Nothing is locked while a batch is decided. A change of the rows it was decided on moves the head of the
/// log, and the batch is decided again.
#[tokio::test]
async fn a_batch_is_decided_again_if_another_writer_was_faster() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let (mut owner, observer) = (stack.database("postgres").await, stack.database("postgres").await);
    let (id, grace) = (organization.id.parse::<Uuid>().unwrap(), client.create(user("grace")).await.id());
    let meanwhile = owner.transaction().await.unwrap();
    meanwhile
        .execute("UPDATE rollcall.log_heads SET version = version + 1 WHERE organization_id = $1", &[&id])
        .await
        .unwrap();
    let rename =
        "UPDATE rollcall.users SET user_name_key = $2, resource = jsonb_set(resource, '{userName}', to_jsonb($2::text))
        WHERE organization_id = $1 AND user_name_key = $3";
    assert_eq!(meanwhile.execute(rename, &[&id, &"ada", &"grace"]).await.unwrap(), 1);
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.create(user("ada")).await }
    });
    blocked(&observer, &meanwhile, &["rollcall-worker/%"]).await;
    meanwhile.commit().await.unwrap();
    call.await.unwrap().expect_error(409, Some("uniqueness"));
    assert_eq!(owner.execute(rename, &[&id, &"grace", &"ada"]).await.unwrap(), 1);
    assert_eq!(client.create(user("ada")).await.status, 201);
    assert_eq!(client.get(&format!("/Users/{grace}")).await.status, 200);
    let auditor = stack.auditor().await;
    let log = auditor.verify(&organization.id).await;
    assert_eq!(log.iter().filter(|entry| entry.header.event_type.as_str() == "RequestRejected").count(), 1);
    assert_eq!(auditor.compare_with_tables(&organization.id).await, 2);
}
