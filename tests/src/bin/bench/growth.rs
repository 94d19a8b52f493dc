//! Measures calls in organizations of different sizes, and compares reads with the baseline's one prepared
//! SELECT.

use rollcall_tests::Stack;
use rollcall_tests::client::{GROUP, PATCH, user};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use uuid::Uuid;

use crate::calls::{Call, Target, measure, open, send};
use crate::statistics::median;

const TIME: Duration = Duration::from_secs(2);

/// Inserts many users directly into the tables, as the worker would leave them.
const FILL: &str = "
    WITH made AS (
        SELECT gen_random_uuid() AS id, 'user' || n || '@example.com' AS name FROM generate_series(1, $2::int) AS n
    ), counted AS (UPDATE rollcall.organizations SET users = $2::int WHERE id = $1::uuid)
    INSERT INTO rollcall.users (organization_id, id, user_name_key, external_id, active, keys, resource, created_at,
        last_modified_at)
    SELECT $1, id, name, NULL, true, jsonb_build_object('userName', name), jsonb_build_object(
        'schemas', jsonb_build_array('urn:ietf:params:scim:schemas:core:2.0:User'), 'id', id, 'userName', name,
        'active', true,
        'meta', '{\"resourceType\": \"User\", \"version\": \"W/\\\"1\\\"\",
            \"created\": \"2026-01-01T00:00:00.000000Z\",
            \"lastModified\": \"2026-01-01T00:00:00.000000Z\"}'::jsonb
    ), '2026-01-01Z', '2026-01-01Z' FROM made";

const FILL_GROUP: &str = "
    INSERT INTO rollcall.group_members (organization_id, group_id, user_id)
    SELECT $1, $2, id FROM rollcall.users WHERE organization_id = $1 ORDER BY id LIMIT $3";

/// An organization with many users.
struct FilledOrganization {
    id: Uuid,
    target: Target,
    users: Vec<String>,
}

pub(crate) async fn run(stack: &Stack, bare: &Target, sizes: &[u32]) {
    let mut columns: Vec<Vec<(&'static str, f64)>> = Vec::new();
    for &size in sizes {
        println!("filling an organization with {size} users");
        let filled = fill(stack, size).await;
        columns.push(rows(stack, &filled, bare, size).await);
    }
    println!(
        "\n{:<44} | {}",
        "one caller: median in ms",
        sizes.iter().map(|size| format!("{size:>10}")).collect::<Vec<_>>().join(" ")
    );
    for (row, (name, _)) in columns[0].iter().enumerate() {
        let figures: Vec<_> = columns.iter().map(|column| column[row].1).collect();
        let growth = figures.last().unwrap() / figures[0];
        let shown: Vec<_> = figures.iter().map(|figure| format!("{figure:>10.2}")).collect();
        println!("{name:<44} | {} | x {growth:.2}", shown.join(" "));
    }
}

async fn fill(stack: &Stack, size: u32) -> FilledOrganization {
    let organization = stack.organization();
    let (_, token) = organization.issue(&[]);
    let id: Uuid = organization.id.parse().unwrap();
    let database = stack.database("postgres").await;
    database.execute(FILL, &[&id, &i32::try_from(size).unwrap()]).await.unwrap();
    database.batch_execute("ANALYZE rollcall.users").await.unwrap();
    let some = "SELECT id::text FROM rollcall.users WHERE organization_id = $1 ORDER BY user_name_key LIMIT 500";
    let users = database.query(some, &[&id]).await.unwrap().iter().map(|row| row.get(0)).collect();
    let headers = vec![("authorization", format!("Bearer {token}")), ("x-request-origin", "hr.example.com".to_owned())];
    FilledOrganization {
        id,
        target: Target { address: stack.url.trim_start_matches("http://").to_owned(), headers },
        users,
    }
}

fn get(path: &str) -> Call {
    Call { method: "GET", path: format!("/scim/v2{path}"), body: String::new(), status: 200 }
}

/// All results for one organization, in milliseconds except the ratios.
async fn rows(stack: &Stack, filled: &FilledOrganization, bare: &Target, size: u32) -> Vec<(&'static str, f64)> {
    let one = async |call: Box<dyn Fn(u64) -> Call + Send + Sync>| {
        measure(&filled.target, 1, TIME, call).await.p50.as_secs_f64() * 1000.0
    };
    let (users, many) = (filled.users.clone(), filled.users.clone());
    let by_id = move |n: u64| get(&format!("/Users/{}", pick(&users, n)));
    let by_name = |n: u64| get(&format!("/Users?filter=userName%20eq%20%22user{}@example.com%22", 1 + n % 900));
    let mut rows =
        vec![("get by id", one(Box::new(by_id.clone())).await), ("userName eq", one(Box::new(by_name)).await)];
    let (organization, bare_users) = (filled.id, filled.users.clone());
    let select = move |n: u64| get(&format!("/bare/{organization}/{}", pick(&bare_users, n)));
    let (ours, theirs) = (measure(&filled.target, 16, TIME, by_id).await, measure(bare, 16, TIME, select).await);
    rows.push(("get by id, 16 callers: % of a bare SELECT", 100.0 * ours.per_second / theirs.per_second));
    rows.push(("first page of 100", one(Box::new(|_| get("/Users?count=100"))).await));
    rows.push(("page of 100 at nine tenths, by index", deep_by_index(filled, size).await));
    rows.push(("page of 100 by cursor", deep_by_cursor(filled).await));
    let patched = many.clone();
    let patch = move |n: u64| {
        let body =
            json!({"schemas": [PATCH], "Operations": [{"op": "replace", "path": "title", "value": format!("t{n}")}]});
        Call {
            method: "PATCH",
            path: format!("/scim/v2/Users/{}", pick(&patched, n)),
            body: body.to_string(),
            status: 204,
        }
    };
    rows.push(("PATCH", one(Box::new(patch)).await));
    let replace = move |n: u64| {
        let mut body = user(&format!("put{}@example.com", n % 500));
        body["title"] = json!(format!("p{n}"));
        Call {
            method: "PUT",
            path: format!("/scim/v2/Users/{}", pick(&many, n % 500)),
            body: body.to_string(),
            status: 200,
        }
    };
    rows.push(("PUT", one(Box::new(replace)).await));
    rows.push(("one member more, group of 10", add_member(stack, filled, 10).await));
    rows.push(("one member more, group of 100,000 (or all)", add_member(stack, filled, 100_000).await));
    rows.push(("bulk of 1,000 creates, for each", bulk(filled).await));
    rows
}

fn pick(users: &[String], n: u64) -> &str {
    &users[usize::try_from(n).unwrap() % users.len()]
}

/// The page at 90 % of the list, after the page before it. Only the first page of a listing has to find its
/// position.
async fn deep_by_index(filled: &FilledOrganization, size: u32) -> f64 {
    let (mut connection, start) = (open(&filled.target.address).await, u64::from(size) / 10 * 9 + 1);
    send(&mut connection, &filled.target, get(&format!("/Users?count=100&startIndex={}", start - 100))).await;
    let mut taken = Vec::new();
    for _ in 0..50 {
        let began = Instant::now();
        send(&mut connection, &filled.target, get(&format!("/Users?count=100&startIndex={start}"))).await;
        taken.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    median(taken)
}

async fn deep_by_cursor(filled: &FilledOrganization) -> f64 {
    let (mut connection, mut cursor, mut taken) = (open(&filled.target.address).await, String::new(), Vec::new());
    for _ in 0..10 {
        let began = Instant::now();
        let body = send(&mut connection, &filled.target, get(&format!("/Users?count=100&cursor={cursor}"))).await;
        taken.push(began.elapsed().as_secs_f64() * 1000.0);
        let page: Value = serde_json::from_slice(&body).unwrap();
        page["nextCursor"].as_str().unwrap_or_default().clone_into(&mut cursor);
    }
    median(taken)
}

/// Adds users to a group one by one, and removes them again.
async fn add_member(stack: &Stack, filled: &FilledOrganization, members: i64) -> f64 {
    let mut connection = open(&filled.target.address).await;
    let body = json!({"schemas": [GROUP], "displayName": format!("group {members}")}).to_string();
    let created = send(
        &mut connection,
        &filled.target,
        Call { method: "POST", path: "/scim/v2/Groups".to_owned(), body, status: 201 },
    )
    .await;
    let created: Value = serde_json::from_slice(&created).unwrap();
    let group = created["id"].as_str().unwrap().to_owned();
    let database = stack.database("postgres").await;
    database.execute(FILL_GROUP, &[&filled.id, &group.parse::<Uuid>().unwrap(), &members]).await.unwrap();
    let users = filled.users.clone();
    let change = move |n: u64| {
        let op = if n.is_multiple_of(2) { "add" } else { "remove" };
        let body = json!({
            "schemas": [PATCH], "Operations": [{"op": op, "path": "members", "value": [{"value": pick(&users, n / 2)}]}]
        });
        Call { method: "PATCH", path: format!("/scim/v2/Groups/{group}"), body: body.to_string(), status: 204 }
    };
    measure(&filled.target, 1, TIME, change).await.p50.as_secs_f64() * 1000.0
}

async fn bulk(filled: &FilledOrganization) -> f64 {
    let run = Uuid::now_v7();
    let call = move |n: u64| {
        let create = |i: u64| {
            json!({
                "method": "POST", "path": "/Users", "bulkId": i.to_string(),
                "data": user(&format!("{run}-{n}-{i}@example.com"))
            })
        };
        let operations: Vec<_> = (0..1000).map(create).collect();
        let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations});
        Call { method: "POST", path: "/scim/v2/Bulk".to_owned(), body: body.to_string(), status: 200 }
    };
    measure(&filled.target, 1, TIME, call).await.p50.as_secs_f64()
}
