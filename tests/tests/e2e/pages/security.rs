//! Attacks on the pages, which must fail.

use super::{Bare, hidden};
use reqwest::Method;
use reqwest::header::{COOKIE, LOCATION, ORIGIN};
use rollcall_tests::Stack;
use rollcall_tests::client::user;
use serde_json::json;

#[tokio::test]
async fn a_form_from_another_site_changes_nothing() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let admin = Bare::sign_in(&stack, &organization, "administrator").await;
    let (status, page, headers) = admin.get("/settings/scim").await;
    assert_eq!(status, 200);
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(headers["cache-control"], "no-store");
    let (csrf, id) = (hidden(&page, "csrf"), hidden(&page, "id"));
    let body = |csrf: &str| {
        format!(
            "csrf={csrf}&id={id}&label=x&workspace={}&origin=hr.example.com&dialect=standard",
            organization.marketing
        )
    };
    assert_eq!(admin.post("/settings/scim/tokens", body(""), &[]).await.0, 403, "without the CSRF token of the page");
    assert_eq!(admin.post("/settings/scim/tokens", body(&"0".repeat(64)), &[]).await.0, 403);
    assert_eq!(
        admin.post("/settings/scim/tokens", body(&csrf), &[(ORIGIN.as_str(), "https://evil.example")]).await.0,
        403,
        "from another origin"
    );
    assert_eq!(admin.post("/settings/scim/tokens", body(&csrf), &[("sec-fetch-site", "cross-site")]).await.0, 403);
    let other = Bare::sign_in(&stack, &organization, "administrator").await;
    assert_eq!(other.post("/settings/scim/tokens", body(&csrf), &[]).await.0, 403, "the token of another session");
    let issued = organization.auditor().query("/events", &[("type", "TokenIssued")]).await.expect(200);
    assert_eq!(issued["entries"], json!([]));
    let (status, page) = admin.post("/settings/scim/tokens", body(&csrf), &[(ORIGIN.as_str(), &stack.url)]).await;
    assert_eq!(status, 200, "{page}");
    assert_eq!(
        admin.post("/settings/scim/tokens", body(&csrf), &[]).await.0,
        409,
        "a form that is sent twice makes one token"
    );
    let (status, _) = admin.post("/language", "language=es&path=//evil.example/".to_owned(), &[]).await;
    assert_eq!(status, 303);
}

#[tokio::test]
async fn each_role_reads_and_changes_only_its_own_organization() {
    let stack = Stack::shared().await;
    let (organization, other) = (stack.organization(), stack.organization());
    let (token, _) = organization.issue(&[]);
    let auditor = Bare::sign_in(&stack, &organization, "auditor").await;
    assert_eq!(auditor.get("/").await.2[LOCATION], format!("{}/audit", stack.url));
    assert_eq!(auditor.get("/audit").await.0, 200);
    for path in ["/settings/scim", &format!("/settings/scim/tokens/{token}"), "/settings/scim/guides/okta"] {
        assert_eq!(auditor.get(path).await.0, 403, "an auditor at {path}");
    }
    let stranger = Bare::sign_in(&stack, &other, "owner").await;
    assert!(!stranger.get("/settings/scim").await.1.contains(&token));
    for path in ["", "/revoke", "/reset"] {
        assert_eq!(
            stranger.get(&format!("/settings/scim/tokens/{token}{path}")).await.0,
            404,
            "another organization's {path}"
        );
    }
    let csrf = hidden(&stranger.get("/settings/scim").await.1, "csrf");
    assert_eq!(
        stranger.post(&format!("/settings/scim/tokens/{token}/revoke"), format!("csrf={csrf}"), &[]).await.0,
        404
    );
    assert_eq!(organization.client().get("/Users").await.status, 200);

    // Only a session that the service issued is valid, not a forged one.
    let (name, value) = stranger.cookie.split_once('=').unwrap();
    let parts: Vec<_> = value.split('.').collect();
    for forged in [
        format!("{}.{}.{}", parts[0], parts[1].parse::<u64>().unwrap() + 1, parts[2]),
        parts[0].to_owned(),
        String::new(),
    ] {
        let forged =
            Bare { cookie: format!("{name}={forged}"), http: stranger.http.clone(), url: stranger.url.clone() };
        assert_eq!(forged.get("/settings/scim").await.0, 401);
    }
    stranger.post("/sign-out", format!("csrf={csrf}"), &[]).await;
    assert_eq!(stranger.get("/settings/scim").await.0, 401, "an ended session stays ended");
}

#[tokio::test]
async fn only_an_administrators_session_can_erase_a_person_through_the_api() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    let mary = client.create(user("Wollstonecraft")).await.id();
    let path = format!("/audit/v1/users/{mary}/erase");
    let json = ("content-type", "application/json");
    let admin = Bare::sign_in(&stack, &organization, "administrator").await;
    let call = async |who: &Bare, headers: &[(&'static str, &str)]| {
        let request = who.http.post(format!("{}{path}", who.url)).header(COOKIE, &who.cookie);
        headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value))
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(call(&admin, &[json]).await, 409, "the user is not deleted");
    client.delete(&mary).await.expect(204);
    let auditor = Bare::sign_in(&stack, &organization, "auditor").await;
    let stranger = Bare::sign_in(&stack, &stack.organization(), "owner").await;
    let nobody = Bare { cookie: String::new(), http: admin.http.clone(), url: admin.url.clone() };
    assert_eq!(call(&auditor, &[json]).await, 403);
    assert_eq!(call(&stranger, &[json]).await, 404);
    assert_eq!(call(&nobody, &[json]).await, 401);
    assert_eq!(call(&admin, &[]).await, 415, "as a form of another site would send it");
    assert_eq!(call(&admin, &[json, ("origin", "https://evil.example")]).await, 403);
    organization.auditor().send(Method::POST, &format!("/users/{mary}/erase"), json!({})).await.expect_error(415, None);
    let by_token = organization
        .auditor()
        .call(Method::POST, &format!("/users/{mary}/erase"))
        .body("", "application/json")
        .send()
        .await;
    by_token.expect_error(401, None);
    assert_eq!(call(&admin, &[json]).await, 204);
    let export = organization.auditor().get("/export").await.expect(200);
    assert!(!export.as_str().unwrap().contains("Wollstonecraft"));
    assert_eq!(
        admin.http.head(format!("{}/audit", admin.url)).header(COOKIE, &admin.cookie).send().await.unwrap().status(),
        200
    );
}
