//! Authentication: every header and address rule, tested against the real api.

use reqwest::Method;
use rollcall_tests::service::{Service, answers, command};
use rollcall_tests::{Answer, Client, Stack, eventually};
use serde_json::json;
use test_case::test_case;

const TRUSTED: &[(&str, &str)] =
    &[("ROLLCALL_API__PROXIES__TRUSTED", "127.0.0.1"), ("ROLLCALL_API__DENIED_SECONDS", "1")];

async fn call(client: &Client, headers: &[(&str, &str)]) -> Answer {
    let authorization = format!("Bearer {}", client.token);
    let call = client.bare(Method::GET, "/Users?count=0").header("authorization", &authorization);
    headers.iter().fold(call, |call, (name, value)| call.header(name, value)).send().await
}

#[test_case(&[("x-request-origin", "hr.example.com")] => 200; "right")]
#[test_case(&[("x-origin-request", "hr.example.com")] => 200; "the other spelling")]
#[test_case(&[("x-request-origin", "https://HR.Example.COM/")] => 200; "case scheme and slash")]
#[test_case(&[("x-request-origin", "hr.example.com; 203.0.113.7")] => 200; "with an address and no list")]
#[test_case(
    &[("x-request-origin", "hr.example.com"), ("x-origin-request", "hr.example.com")] => 200; "both headers that agree"
)]
#[test_case(
    &[("x-request-origin", "hr.example.com"), ("x-origin-request", "pay.example.com")] => 403;
    "both headers that do not agree"
)]
#[test_case(&[("x-request-origin", "pay.example.com")] => 403; "wrong")]
#[test_case(&[] => 403; "missing")]
#[test_case(&[("x-request-origin", "203.0.113.7")] => 403; "an address is not an origin")]
#[test_case(&[("x-request-origin", "not a host")] => 403; "malformed")]
#[tokio::test]
async fn the_origin_is_required(headers: &[(&str, &str)]) -> u16 {
    let stack = Stack::shared().await;
    call(&stack.organization().client(), headers).await.status
}

#[test_case(&[] => 200; "missing")]
#[test_case(&[("x-request-origin", "hr.example.com")] => 200; "right")]
#[test_case(&[("x-request-origin", "203.0.113.7")] => 200; "an address alone")]
#[test_case(&[("x-request-origin", "pay.example.com")] => 403; "wrong")]
#[tokio::test]
async fn the_origin_is_not_required_of_callers_that_cannot_send_it(headers: &[(&str, &str)]) -> u16 {
    let stack = Stack::shared().await;
    call(&stack.organization().client_with(&["--origin-not-required"]), headers).await.status
}

#[test_case("127.0.0.1", "hr.example.com" => 200; "the address")]
#[test_case("127.0.0.0/8", "hr.example.com" => 200; "a network")]
#[test_case("127.0.0.0-127.0.0.1", "hr.example.com" => 200; "the last of a range")]
#[test_case("127.0.0.1-127.0.0.9", "hr.example.com" => 200; "the first of a range")]
#[test_case("127.0.0.2-127.0.0.9", "hr.example.com" => 403; "before a range")]
#[test_case("::ffff:127.0.0.1", "hr.example.com" => 200; "an ipv4-mapped entry")]
#[test_case("2001:db8::/32, 127.0.0.1", "hr.example.com" => 200; "second in a list")]
#[test_case("2001:db8::/32", "hr.example.com" => 403; "another family")]
#[test_case("127.0.0.1", "hr.example.com; ::ffff:127.0.0.1" => 200; "a mapped address in the header")]
#[test_case("127.0.0.1", "hr.example.com; 203.0.113.7" => 403; "an address in the header narrows")]
#[test_case("203.0.113.7", "hr.example.com; 203.0.113.7" => 403; "and never widens")]
#[tokio::test]
async fn the_allowlist_is_enforced(allow: &str, origin: &str) -> u16 {
    let stack = Stack::shared().await;
    call(&stack.organization().client_with(&["--allow", allow]), &[("x-request-origin", origin)]).await.status
}

/// The shared stack trusts no proxy, so it ignores forwarding headers.
#[test_case(&[("x-forwarded-for", "203.0.113.7")]; "x forwarded for")]
#[test_case(&[("forwarded", "for=203.0.113.7")]; "forwarded")]
#[tokio::test]
async fn an_address_cannot_be_spoofed_through_an_untrusted_peer(spoofed: &[(&str, &str)]) {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let headers = [&[("x-request-origin", "hr.example.com")], spoofed].concat();
    assert_eq!(call(&organization.client_with(&["--allow", "203.0.113.7"]), &headers).await.status, 403);
    assert_eq!(call(&organization.client_with(&["--allow", "127.0.0.1"]), &headers).await.status, 200);
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_last_untrusted_hop_is_the_address() {
    let stack = Stack::shared().await;
    let (_api, url) = Service::api(&stack.instance, TRUSTED).await;
    let client = stack.organization().client_with(&["--allow", "203.0.113.7,2001:db8::7"]).at(&url);
    let through = async |header: &str, hops: &str| {
        call(&client, &[("x-request-origin", "hr.example.com"), (header, hops)]).await.status
    };
    assert_eq!(through("x-forwarded-for", "203.0.113.7").await, 200);
    assert_eq!(
        through("x-forwarded-for", "198.51.100.1, 203.0.113.7").await,
        200,
        "earlier addresses in the header are not trusted"
    );
    assert_eq!(through("x-forwarded-for", "203.0.113.7, 127.0.0.1").await, 200, "a proxy behind a proxy");
    assert_eq!(through("x-forwarded-for", "[2001:db8::7]:4711").await, 200);
    assert_eq!(through("x-forwarded-for", "::ffff:203.0.113.7").await, 200);
    assert_eq!(
        through("x-forwarded-for", "203.0.113.7, 198.51.100.1").await,
        403,
        "the caller wrote the first, the proxy the second"
    );
    assert_eq!(through("x-forwarded-for", "unknown").await, 403);
    assert_eq!(
        through("forwarded", "for=203.0.113.7").await,
        403,
        "a header that the proxies do not set counts for nothing"
    );
    let direct = call(&client, &[("x-request-origin", "hr.example.com")]).await;
    assert_eq!(direct.status, 403, "a proxy that reports nobody");
}

#[tokio::test]
async fn without_a_valid_token_an_answer_reveals_nothing() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    let unknown = rollcall_events::token::Token::generate().unwrap();
    let typo = format!("Bearer {}x", &client.token[..client.token.len() - 1]);
    let mut bodies = Vec::new();
    for authorization in ["", "Bearer", "Basic YTpi", "Bearer nonsense", &typo, &format!("Bearer {}", unknown.reveal())]
    {
        let mut call = client.bare(Method::GET, "/Users").header("x-request-origin", "hr.example.com");
        if !authorization.is_empty() {
            call = call.header("authorization", authorization);
        }
        let answer = call.send().await;
        answer.expect_error(401, None);
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{authorization}");
        bodies.push(answer.body);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    // The api does not even read the body of an unauthenticated call.
    let nested = client.bare(Method::POST, "/Users").body("[".repeat(10_000), "application/json").send().await;
    nested.expect_error(401, None);
}

#[tokio::test]
async fn a_revoked_token_and_an_expired_token_are_refused() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let (id, token) = organization.issue(&[]);
    let client = Client::new(&stack.url, &token, Some("hr.example.com"));
    assert_eq!(client.get("/Users").await.status, 200);
    answers(&stack.instance, &["token", "revoke", "--organization", &organization.id, &id]);
    // The command returns when the revocation is committed. The api learns of it within a second.
    eventually("the refusal", async || (client.get("/Users").await.status == 401).then_some(())).await;
    assert_eq!(organization.client_with(&["--expires", "2020-01-01T00:00:00Z"]).get("/Users").await.status, 401);
    assert_eq!(organization.client_with(&["--expires", "2999-01-01T00:00:00Z"]).get("/Users").await.status, 200);
}

#[tokio::test]
async fn denials_are_counted_in_the_log_without_any_secret() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    for _ in 0..20 {
        assert_eq!(call(&client, &[("x-request-origin", "pay.example.com")]).await.status, 403);
    }
    let auditor = stack.auditor().await;
    let denials = eventually("the count", async || {
        let log = auditor.log(&organization.id).await;
        let denied =
            log.into_iter().filter(|entry| entry.header.event_type.as_str() == "AccessDenied").collect::<Vec<_>>();
        let count: u64 = denied.iter().filter_map(|entry| entry.payload["count"].as_u64()).sum();
        (count == 20).then_some(denied)
    })
    .await;
    assert!(denials.len() <= 5, "aggregated: {}", denials.len());
    for entry in &denials {
        assert_eq!(entry.payload["reason"], "wrongOrigin");
        assert_eq!(entry.actor.address, "127.0.0.1".parse().ok());
        assert_eq!(entry.actor.service_origin.as_deref(), Some("hr.example.com"));
    }
    for entry in auditor.verify(&organization.id).await {
        let text = format!("{}{}{}", json!(entry.header), json!(entry.actor), entry.payload);
        assert!(!text.contains(&client.token), "a token in the log");
    }
}

#[tokio::test]
async fn a_token_is_shown_once_and_only_its_digest_is_stored() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let (id, token) =
        organization.issue(&["--allow", "127.0.0.1-127.0.0.9, 10.0.0.0/8", "--expires", "2999-01-01T00:00:00Z"]);
    let listed = answers(&stack.instance, &["token", "list", "--organization", &organization.id]);
    assert_eq!(
        (listed.len(), &listed[0]["id"], &listed[0]["allow_list"]),
        (1, &json!(id), &json!("127.0.0.1-127.0.0.9,10.0.0.0/8"))
    );
    let database = stack.database("postgres").await;
    let everything = "SELECT t::text FROM rollcall.scim_tokens t UNION ALL SELECT e::text FROM rollcall.events e";
    for row in database.query(everything, &[]).await.unwrap() {
        assert!(!row.get::<_, String>(0).contains(&token[3..30]));
    }
    let refused = command(
        &stack.instance,
        &[
            "token",
            "issue",
            "--organization",
            &organization.id,
            "--default-workspace",
            &organization.id,
            "--label",
            "x",
            "--service-origin",
            "hr.example.com",
        ],
    );
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("default_workspace"), "{refused:?}");
}

#[tokio::test]
async fn a_caller_over_its_rate_limit_gets_429_with_retry_after() {
    let stack = Stack::shared().await;
    let (_api, url) =
        Service::api(&stack.instance, &[("ROLLCALL_API__CALLS_PER_SECOND", "1"), ("ROLLCALL_API__BURST", "3")]).await;
    let client = stack.organization().client().at(&url);
    let calls = futures_util::future::join_all((0..20).map(|_| client.get("/Users?count=0"))).await;
    let refused = calls.iter().find(|answer| answer.status == 429).expect("20 calls at once are too many");
    refused.expect_error(429, None);
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert!(calls.iter().any(|answer| answer.status == 200));
}
