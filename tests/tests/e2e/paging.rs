//! Lists: pages and order. A listing misses no user who stays while other users are deleted.

use rollcall_tests::client::{Client, user_with};
use rollcall_tests::service::Service;
use rollcall_tests::{Organization, Stack};
use serde_json::{Value, json};
use test_case::test_case;

/// Creates users with these titles, in order.
async fn titled(client: &Client, titles: &[Option<&str>]) {
    for (n, title) in titles.iter().enumerate() {
        let more = title.map_or_else(|| json!({}), |title| json!({"title": title}));
        assert_eq!(client.create(user_with(&format!("u{n:02}"), &more)).await.status, 201);
    }
}

fn names(page: &Value) -> Vec<String> {
    page["Resources"].as_array().unwrap().iter().map(|user| user["userName"].as_str().unwrap().to_owned()).collect()
}

/// Reads all pages by cursor.
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
#[test_case(&[("sortBy", "title")], "2046315"; "ascending, ignoring case, users without a value last")]
#[test_case(&[("sortBy", "title"), ("sortOrder", "descending")], "1536042"; "descending")]
#[test_case(&[("sortBy", "userName"), ("sortOrder", "descending")], "6543210"; "by an indexed attribute")]
#[test_case(&[("sortBy", "meta.created")], "0123456"; "by time")]
#[tokio::test]
async fn every_sort_order_can_be_paged_in_both_directions(order: &[(&str, &str)], expected: &str) {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    titled(&client, &TITLES).await;
    let expected: Vec<_> = expected.chars().map(|n| format!("u0{n}")).collect();
    let whole = client.query("/Users", order).await.expect(200);
    assert_eq!(names(&whole), expected, "in one page");
    for count in ["1", "2", "3", "7"] {
        assert_eq!(walk(&client, &[order, &[("count", count)]].concat()).await, expected, "{count} at a time");
    }
    let page = async |cursor: &str| {
        client.query("/Users", &[order, &[("count", "3"), ("cursor", cursor)]].concat()).await.expect(200)
    };
    let first = page("").await;
    let second = page(first["nextCursor"].as_str().unwrap()).await;
    let third = page(second["nextCursor"].as_str().unwrap()).await;
    assert_eq!((first.get("previousCursor"), third.get("nextCursor")), (None, None));
    let back = page(third["previousCursor"].as_str().unwrap()).await;
    assert_eq!(names(&back), names(&second));
    assert_eq!(names(&page(back["previousCursor"].as_str().unwrap()).await), names(&first));
}

#[tokio::test]
async fn paging_misses_no_remaining_user_while_others_are_deleted() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    titled(&client, &[None; 12]).await;
    let page = async |start: usize| {
        client.query("/Users", &[("startIndex", start.to_string().as_str()), ("count", "4")]).await.expect(200)
    };
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
    assert_eq!(
        (&past["totalResults"], &past["itemsPerPage"], &past["startIndex"]),
        (&json!(10), &json!(0), &json!(30))
    );
    assert_eq!(client.query("/Users", &[("count", "0")]).await.expect(200)["totalResults"], 10);
}

#[tokio::test]
async fn a_cursor_is_valid_only_for_its_own_query() {
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
    client
        .query("/Users", &[("sortBy", "title"), ("sortOrder", "sideways")])
        .await
        .expect_error(400, Some("invalidValue"));
}

/// Starts an api with small pages, and creates users whose resources have about 20,000 bytes each.
async fn large_users(stack: &Stack, organization: &Organization, count: usize) -> (Service, String) {
    let api = Service::api(&stack.instance, &[("ROLLCALL_API__PAGE_BYTES", "65536")]).await;
    let client = organization.client();
    for n in 0..count {
        let name = format!("u{n:02}");
        let addresses: Vec<_> =
            (0..5).map(|part| json!({"type": part.to_string(), "formatted": name.repeat(1300)})).collect();
        client.create(user_with(&name, &json!({"title": name, "addresses": addresses}))).await.expect(201);
    }
    api
}

/// The number of large users on a page: the first number that reaches 64 KiB.
const FITTING: usize = 4;

#[tokio::test]
async fn a_page_ends_at_its_byte_limit_and_the_next_continues_there() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let (_api, url) = large_users(&stack, &organization, 10).await;
    let client = organization.client().at(&url);
    let expected: Vec<_> = (0..10).map(|n| format!("u{n:02}")).collect();
    for order in [&[][..], &[("sortBy", "userName")], &[("filter", "title sw \"u\"")], &[("count", "5")]] {
        let (mut by_index, mut start) = (Vec::new(), 1);
        while by_index.len() < 10 {
            let page =
                client.query("/Users", &[order, &[("startIndex", &start.to_string())]].concat()).await.expect(200);
            assert_eq!((&page["totalResults"], &page["startIndex"]), (&json!(10), &json!(start)), "{order:?}");
            let found = names(&page);
            assert!(
                (1..=FITTING).contains(&found.len()) && page["itemsPerPage"] == found.len(),
                "{order:?}: {found:?}"
            );
            start += found.len();
            by_index.extend(found);
        }
        assert_eq!(by_index, expected, "{order:?}");
        let (mut by_cursor, mut cursor) = (Vec::new(), Some(String::new()));
        let mut back = None;
        while let Some(next) = cursor {
            let page = client.query("/Users", &[order, &[("cursor", next.as_str())]].concat()).await.expect(200);
            assert!((1..=FITTING).contains(&names(&page).len()), "{order:?}");
            by_cursor.extend(names(&page));
            cursor = page["nextCursor"].as_str().map(str::to_owned);
            back = page["previousCursor"].as_str().map(str::to_owned).or(back);
        }
        assert_eq!(by_cursor, expected, "{order:?}");
        let mut backwards = Vec::new();
        while let Some(previous) = back {
            let page = client.query("/Users", &[order, &[("cursor", previous.as_str())]].concat()).await.expect(200);
            backwards.splice(0..0, names(&page));
            back = page["previousCursor"].as_str().map(str::to_owned);
        }
        assert!(expected.starts_with(&backwards) && backwards.len() >= FITTING, "{order:?}: {backwards:?}");
    }
    let whole = organization.client().get("/Users").await.expect(200);
    assert_eq!(names(&whole), expected, "the users fit into a page of the usual size");
    let one = client.query("/Users", &[("filter", "userName eq \"u03\"")]).await.expect(200);
    assert_eq!(names(&one), ["u03"]);
}

#[tokio::test]
async fn pages_of_the_log_end_at_their_byte_limit_and_miss_nothing() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let stream = organization.stream(&[]);
    let (_api, url) = large_users(&stack, &organization, 10).await;
    let auditor = Client::auditor(&url, &organization.issue_for_auditor(&[]).1);
    let size = auditor.get("/events?count=1").await.expect(200)["entries"][0]["header"]["seq"].as_u64().unwrap();
    for filter in [&[][..], &[("filter", "userName sw \"u\"")]] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let mut parameters = [filter, &[("order", "oldest")]].concat();
            if !cursor.is_empty() {
                parameters.push(("cursor", cursor.as_str()));
            }
            let page = auditor.query("/events", &parameters).await.expect(200);
            let entries = page["entries"].as_array().unwrap();
            assert!(page.to_string().len() < 130_000, "{filter:?}");
            seen.extend(
                entries
                    .iter()
                    .filter(|entry| entry["header"]["type"] == "UserCreated")
                    .map(|entry| entry["header"]["seq"].as_u64().unwrap()),
            );
            match page["next"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
        assert!(seen.len() == 10 && distinct.len() == 10 && seen.is_sorted(), "{filter:?}: {seen:?}");
    }
    let export = auditor.get("/export").await.expect(200);
    assert_eq!(export.as_str().unwrap().lines().count() as u64, size);
    let (mut users, mut cursor) = (0, None::<String>);
    loop {
        let page = match &cursor {
            None => auditor.get("/users").await.expect(200),
            Some(after) => auditor.query("/users", &[("cursor", after)]).await.expect(200),
        };
        users += page["users"].as_array().unwrap().len();
        match page["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(users, 10);
    let receiver = Client::receiver(&url, stream["token"].as_str().unwrap());
    let (mut sets, mut done, mut polls) = (0, Vec::new(), 0);
    loop {
        let body = json!({"returnImmediately": true, "ack": done});
        let answer = receiver
            .send(reqwest::Method::POST, &format!("/{}/poll", stream["id"].as_str().unwrap()), body)
            .await
            .expect(200);
        done = answer["sets"].as_object().unwrap().keys().cloned().collect();
        sets += done.len();
        polls += 1;
        if done.is_empty() && answer["moreAvailable"] == false {
            break;
        }
        assert!(done.len() <= FITTING + 1, "{}", done.len());
    }
    assert!(sets == 10 && polls > 3, "{sets} in {polls}");
}
