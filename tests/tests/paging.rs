//! Lists: their pages, their order, and that nobody who stays is missed while others go.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test, what goes wrong is to be seen at once")]

use rollcall_tests::Stack;
use rollcall_tests::client::{Client, user_with};
use serde_json::{Value, json};
use test_case::test_case;

/// Users with those titles, in the order of their creation.
async fn titled(client: &Client, titles: &[Option<&str>]) {
    for (n, title) in titles.iter().enumerate() {
        let more = title.map_or_else(|| json!({}), |title| json!({"title": title}));
        assert_eq!(client.create(user_with(&format!("u{n:02}"), &more)).await.status, 201);
    }
}

fn names(page: &Value) -> Vec<String> {
    page["Resources"].as_array().unwrap().iter().map(|user| user["userName"].as_str().unwrap().to_owned()).collect()
}

/// All pages by cursor, forwards.
async fn walk(client: &Client, parameters: &[(&str, &str)]) -> Vec<String> {
    let (mut seen, mut cursor) = (Vec::new(), Some(String::new()));
    while let Some(next) = cursor {
        let page = client.query("/Users", &[parameters, &[("cursor", next.as_str())]].concat()).await.expect(200);
        assert_eq!((page["totalResults"].as_u64(), page.get("startIndex")), (Some(7), None));
        seen.extend(names(&page));
        cursor = page["nextCursor"].as_str().map(str::to_owned);
    }
    seen
}

const TITLES: [Option<&str>; 7] = [Some("b"), None, Some("A"), Some("ß"), Some("b"), None, Some("SR")];

#[test_case(&[], "0123456"; "creation")]
#[test_case(&[("sortBy", "title")], "2046315"; "least first, without regard to case, then who has none")]
#[test_case(&[("sortBy", "title"), ("sortOrder", "descending")], "1536042"; "greatest first")]
#[test_case(&[("sortBy", "userName"), ("sortOrder", "descending")], "6543210"; "by an indexed attribute")]
#[test_case(&[("sortBy", "meta.created")], "0123456"; "by time")]
#[tokio::test]
async fn every_order_is_walked_page_by_page_in_both_directions(order: &[(&str, &str)], expected: &str) {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    titled(&client, &TITLES).await;
    let expected: Vec<_> = expected.chars().map(|n| format!("u0{n}")).collect();
    let whole = client.query("/Users", order).await.expect(200);
    assert_eq!(names(&whole), expected, "in one page");
    for count in ["1", "2", "3", "7"] {
        assert_eq!(walk(&client, &[order, &[("count", count)]].concat()).await, expected, "{count} at a time");
    }
    let page = async |cursor: &str| client.query("/Users", &[order, &[("count", "3"), ("cursor", cursor)]].concat()).await.expect(200);
    let first = page("").await;
    let second = page(first["nextCursor"].as_str().unwrap()).await;
    let third = page(second["nextCursor"].as_str().unwrap()).await;
    assert_eq!((first.get("previousCursor"), third.get("nextCursor")), (None, None));
    let back = page(third["previousCursor"].as_str().unwrap()).await;
    assert_eq!(names(&back), names(&second));
    assert_eq!(names(&page(back["previousCursor"].as_str().unwrap()).await), names(&first));
}

#[tokio::test]
async fn nobody_who_stays_is_missed_while_others_are_deleted_on_the_way() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    titled(&client, &[None; 12]).await;
    let page = async |start: usize| client.query("/Users", &[("startIndex", start.to_string().as_str()), ("count", "4")]).await.expect(200);
    let first = page(1).await;
    for gone in ["u01", "u02"] {
        let found = client.find(&format!("userName eq \"{gone}\"")).await.expect(200);
        client.delete(found["Resources"][0]["id"].as_str().unwrap()).await.expect(204);
    }
    let (second, third) = (page(5).await, page(9).await);
    let seen: Vec<_> = [&first, &second, &third].into_iter().flat_map(names).collect();
    assert_eq!(seen, (0..12).map(|n| format!("u{n:02}")).collect::<Vec<_>>());
    assert_eq!((&first["totalResults"], &second["totalResults"]), (&json!(12), &json!(10)));
    let past = page(30).await;
    assert_eq!((&past["totalResults"], &past["itemsPerPage"], &past["startIndex"]), (&json!(10), &json!(0), &json!(30)));
    assert_eq!(client.query("/Users", &[("count", "0")]).await.expect(200)["totalResults"], 10);
}

#[tokio::test]
async fn a_cursor_is_good_for_its_own_query_only() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    titled(&client, &TITLES).await;
    let page = client.query("/Users", &[("count", "2"), ("cursor", "")]).await.expect(200);
    let next = page["nextCursor"].as_str().unwrap();
    let other = client.query("/Users", &[("cursor", next), ("filter", "active eq true")]).await;
    other.expect_error(400, Some("invalidCursor"));
    client.query("/Users", &[("cursor", "%%%")]).await.expect_error(400, Some("invalidCursor"));
    client.query("/Users", &[("cursor", next), ("count", "-1")]).await.expect_error(400, Some("invalidCount"));
    client.query("/Users", &[("sortBy", "shoeSize")]).await.expect_error(400, Some("invalidValue"));
    client.query("/Users", &[("sortBy", "title"), ("sortOrder", "sideways")]).await.expect_error(400, Some("invalidValue"));
}
