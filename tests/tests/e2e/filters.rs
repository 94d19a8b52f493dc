//! A filter gives the same result in memory and in the database. Random users, groups and filters, on a real
//! Postgres.

use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use reqwest::Method;
use rollcall_scim::filter::{AttributePath, Comparison, Filter, Scope, check, matches};
use rollcall_scim::schema::{ENTERPRISE_SCHEMA, GROUP as GROUPS, ResourceType, USER as USERS};
use rollcall_tests::Stack;
use rollcall_tests::client::{Client, ROLLCALL, user_with};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Only a few texts, so that filters match something. Some of them differ under other case folding or length
/// rules.
const TEXTS: [&str; 10] = ["a", "A", "ab", "Straße", "STRASSE", "İ", "ΣΊΣ", "e\u{301}", "\u{e9}", "x y"];

fn texts() -> impl Strategy<Value = String> {
    proptest::sample::select(TEXTS.to_vec()).prop_map(str::to_owned)
}

fn optional(
    name: &'static str,
    values: impl Strategy<Value = Value> + 'static,
) -> impl Strategy<Value = Option<(String, Value)>> {
    proptest::option::weighted(0.6, values.prop_map(move |value| (name.to_owned(), value)))
}

fn user_attributes() -> impl Strategy<Value = Value> {
    let text = || texts().prop_map(Value::from);
    let kind = || proptest::sample::select(vec!["work", "Home"]).prop_map(Value::from);
    let email =
        (optional("value", text()), optional("type", kind()), optional("primary", any::<bool>().prop_map(Value::from)))
            .prop_map(|(value, kind, primary)| [value, kind, primary].into_iter().flatten().collect::<Value>());
    let emails = proptest::collection::vec(email, 0..3).prop_map(|mut emails| {
        // At most one address may be primary.
        for email in emails.iter_mut().skip(1) {
            email.as_object_mut().unwrap().remove("primary");
        }
        // The api refuses an empty value.
        emails.retain(|email| email != &json!({}));
        Value::from(emails)
    });
    let enterprise = (text(), text())
        .prop_map(|(department, manager)| json!({"department": department, "manager": {"value": manager}}));
    let company =
        proptest::collection::vec(text(), 0..3).prop_map(|permissions| json!({"companyPermissions": permissions}));
    let name = (optional("givenName", text()), optional("familyName", text()))
        .prop_map(|(one, two)| [one, two].into_iter().flatten().collect::<Value>());
    let name = name.prop_filter("a name is not empty", |name| name != &json!({}));
    let parts = (
        optional("title", text()),
        optional("externalId", text()),
        optional("active", any::<bool>().prop_map(Value::from)),
        optional("name", name),
        optional("emails", emails),
        optional(ENTERPRISE_SCHEMA, enterprise),
        optional(ROLLCALL, company),
    );
    parts.prop_map(|(a, b, c, d, e, f, g)| [a, b, c, d, e, f, g].into_iter().flatten().collect())
}

fn path(urn: Option<&str>, name: &str, sub: Option<&str>) -> AttributePath {
    AttributePath { urn: urn.map(str::to_owned), name: name.to_owned(), sub: sub.map(str::to_owned) }
}

fn user_paths() -> impl Strategy<Value = AttributePath> {
    proptest::sample::select(vec![
        path(None, "userName", None),
        path(None, "TITLE", None),
        path(None, "externalId", None),
        path(None, "active", None),
        path(None, "id", None),
        path(None, "name", Some("givenName")),
        path(None, "emails", None),
        path(None, "emails", Some("value")),
        path(None, "emails", Some("type")),
        path(None, "emails", Some("primary")),
        path(None, "meta", Some("created")),
        path(None, "meta", Some("resourceType")),
        path(None, "meta", Some("version")),
        path(None, "groups", Some("value")),
        path(None, "groups", Some("display")),
        path(Some(ENTERPRISE_SCHEMA), "department", None),
        path(Some(ENTERPRISE_SCHEMA), "manager", None),
        path(Some(ROLLCALL), "companyPermissions", None),
        path(Some(ROLLCALL), "workspaces", None),
    ])
}

fn group_paths() -> impl Strategy<Value = AttributePath> {
    proptest::sample::select(vec![
        path(None, "displayName", None),
        path(None, "externalId", None),
        path(None, "members", None),
        path(None, "members", Some("value")),
        path(None, "members", Some("display")),
        path(None, "members", Some("type")),
        path(None, "meta", Some("lastModified")),
    ])
}

/// Filters with terms that the resource type allows. `known` are values that the resources have.
fn filters(
    paths: BoxedStrategy<AttributePath>,
    of: &'static ResourceType,
    known: Vec<String>,
) -> impl Strategy<Value = Filter> {
    use Comparison::{Co, Eq, Ew, Ge, Gt, Le, Lt, Ne, Sw};
    let values = prop_oneof![
        4 => texts().prop_map(Value::from),
        2 => proptest::sample::select(known).prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => Just(Value::from("")),
    ];
    let operators = proptest::sample::select(vec![Eq, Ne, Co, Sw, Ew, Gt, Ge, Lt, Le]);
    let compare = |(path, operator, value)| Filter::Compare(path, operator, value);
    let term = prop_oneof![
        1 => paths.clone().prop_map(Filter::Present), 6 => (paths, operators.clone(), values.clone()).prop_map(compare)
    ];
    let many = if of.name == "User" { "emails" } else { "members" };
    let parts = proptest::sample::select(vec![
        path(None, "value", None),
        path(None, "type", None),
        path(None, "display", None),
    ]);
    let inner =
        prop_oneof![1 => parts.clone().prop_map(Filter::Present), 4 => (parts, operators, values).prop_map(compare)];
    let inner = inner.prop_recursive(2, 4, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| Filter::And(Box::new(left), Box::new(right))),
            inner.prop_map(|inside| Filter::Not(Box::new(inside))),
        ]
    });
    let term = prop_oneof![
        4 => term, 1 => inner.prop_map(move |inside| Filter::ValuePath(path(None, many, None), Box::new(inside)))
    ];
    let term = term.prop_filter("the type allows it", |term| check(term, Scope::Resource(of)).is_ok());
    term.prop_recursive(3, 10, 2, |inner| {
        let pair = (inner.clone().prop_map(Box::new), inner.clone().prop_map(Box::new));
        prop_oneof![
            pair.clone().prop_map(|(left, right)| Filter::And(left, right)),
            pair.prop_map(|(left, right)| Filter::Or(left, right)),
            inner.prop_map(|inside| Filter::Not(Box::new(inside))),
        ]
    })
}

/// Reads every resource of an endpoint, with all attributes.
async fn all(client: &Client, endpoint: &str) -> Vec<Value> {
    let mut listed = client.query(endpoint, &[("count", "200")]).await.expect(200);
    if endpoint == "/Groups" {
        // The names of members are returned on request only.
        let named = client
            .query(endpoint, &[("count", "200"), ("attributes", "members.value,members.display,members.type")])
            .await
            .expect(200);
        for (group, named) in
            listed["Resources"].as_array_mut().unwrap().iter_mut().zip(named["Resources"].as_array().unwrap())
        {
            if let Some(members) = named.get("members") {
                members.clone_into(&mut group["members"]);
            }
        }
    }
    let resources = listed["Resources"].as_array().unwrap().clone();
    assert_eq!(listed["totalResults"], resources.len());
    resources
}

fn ids<'a>(resources: impl Iterator<Item = &'a Value>) -> BTreeSet<&'a str> {
    resources.map(|resource| resource["id"].as_str().unwrap()).collect()
}

async fn agree(client: &Client, of: &'static ResourceType, paths: BoxedStrategy<AttributePath>, cases: usize) {
    let mut resources = all(client, of.endpoint).await;
    let mut known: Vec<_> =
        resources.iter().flat_map(|one| [one["id"].clone(), one["meta"]["created"].clone()]).collect();
    known.extend(
        resources.iter().flat_map(|one| [one["members"][0]["value"].clone(), one["groups"][0]["value"].clone()]),
    );
    let known = known.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    // `meta.location` depends on the URL of the api and cannot be searched.
    for resource in &mut resources {
        resource["meta"].as_object_mut().unwrap().remove("location");
    }
    let (filters, mut runner) = (filters(paths, of, known), TestRunner::deterministic());
    let mut found = 0;
    for _ in 0..cases {
        let filter = filters.new_tree(&mut runner).unwrap().current();
        let expected = ids(resources.iter().filter(|resource| matches(&filter, Scope::Resource(of), resource)));
        let text = filter.to_string();
        let listed = client.query(of.endpoint, &[("filter", text.as_str()), ("count", "200")]).await;
        assert_eq!(listed.status, 200, "{text}: {}", listed.body);
        assert_eq!(ids(listed.body["Resources"].as_array().unwrap().iter()), expected, "{text}");
        assert_eq!(listed.body["totalResults"], expected.len(), "{text}");
        found += usize::from(!expected.is_empty() && expected.len() < resources.len());
    }
    assert!(found > cases / 4, "filters that match some but not all resources: {found} of {cases}");
}

#[tokio::test]
async fn a_filter_matches_the_same_resources_in_memory_and_in_the_database() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    let mut runner = TestRunner::deterministic();
    let mut random = || user_attributes().new_tree(&mut runner).unwrap().current();
    let users: Vec<_> = (0..60).map(|n| user_with(&format!("{}{n}", TEXTS[n % TEXTS.len()]), &random())).collect();
    let created = join_all(users.into_iter().map(|user| client.create(user))).await;
    let members: Vec<_> = created.iter().map(rollcall_tests::client::Answer::id).collect();
    for (n, name) in ["a", "Straße", "İ", "ΣΊΣ", "x y", "Ab"].iter().enumerate() {
        let chosen: Vec<_> = members.iter().skip(n * 5).take(n * 3).map(String::as_str).collect();
        let group = client.create_group(name, &chosen).await;
        assert_eq!(group.status, 201, "{}", group.body);
        if n % 2 == 0 {
            client
                .patch_group(&group.id(), json!([{"op": "add", "path": "externalId", "value": TEXTS[n]}]))
                .await
                .expect(204);
        }
    }
    agree(&client, &USERS, user_paths().boxed(), 400).await;
    agree(&client, &GROUPS, group_paths().boxed(), 150).await;
}

#[tokio::test]
async fn a_query_across_types_finds_both_and_post_search_finds_the_same() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    let ada = client.create(user_with("ada", &json!({"displayName": "Twins"}))).await.id();
    let group = client.create_group("twins", &[]).await.id();
    client.create(user_with("other", &json!({"displayName": "Other"}))).await;
    let filter = "displayName eq \"TWINS\"";
    let found = client.query("", &[("filter", filter)]).await.expect(200);
    assert_eq!(ids(found["Resources"].as_array().unwrap().iter()), BTreeSet::from([ada.as_str(), group.as_str()]));
    let search =
        json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": filter, "startIndex": 1});
    assert_eq!(client.send(Method::POST, "/.search", search.clone()).await.expect(200), found);
    let users_only = client.send(Method::POST, "/Users/.search", search).await.expect(200);
    assert_eq!(ids(users_only["Resources"].as_array().unwrap().iter()), BTreeSet::from([ada.as_str()]));
    let users_know = client.query("", &[("filter", "userName pr")]).await.expect(200);
    assert_eq!(users_know["totalResults"], 2, "an attribute that groups lack is absent");
    client.query("", &[("filter", "shoeSize pr")]).await.expect_error(400, Some("invalidFilter"));
}
