//! Raw HTTP requests: the HTTP parser's refusals have a reason and do not affect other requests on the
//! connection.

use rollcall_tests::client::user;
use rollcall_tests::{Stack, within};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How every answer begins.
const STATUS_LINE: &[u8] = b"HTTP/1.1 ";

/// Sends requests over one connection, each when the answer to the one before has begun. Returns all answers
/// until the server closes the connection.
async fn raw_answers(address: &str, requests: &[&[u8]]) -> String {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let mut answers = Vec::new();
    for (answered, request) in requests.iter().enumerate() {
        while answers.windows(STATUS_LINE.len()).filter(|window| *window == STATUS_LINE).count() < answered {
            let read = within("an answer", connection.read_buf(&mut answers)).await.unwrap();
            assert!(read > 0, "the connection ended before {}", String::from_utf8_lossy(request));
        }
        connection.write_all(request).await.unwrap();
    }
    within("the end of the connection", connection.read_to_end(&mut answers)).await.unwrap();
    String::from_utf8(answers).unwrap()
}

/// Sends a request byte by byte and returns the answer.
async fn slow_answers(address: &str, request: &[u8]) -> String {
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.set_nodelay(true).unwrap();
    for byte in request {
        connection.write_all(&[*byte]).await.unwrap();
    }
    let mut answer = String::new();
    within("the end of the connection", connection.read_to_string(&mut answer)).await.unwrap();
    answer
}

/// The head of a request for this target, with this `Connection` header.
fn raw_request(target: &str, token: &str, connection: &str) -> Vec<u8> {
    let head = format!(
        "GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nX-Request-Origin: hr.example.com\r\n"
    );
    format!("{head}Connection: {connection}\r\n\r\n").into_bytes()
}

/// The body of the last answer. Panics if the answer is not the parser's refusal.
fn refusal(answers: &str) -> Value {
    let (head, body) = answers[answers.rfind("HTTP/1.1 ").unwrap()..].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 400 Bad Request"), "{answers}");
    for header in [
        format!("content-length: {}", body.len()),
        "content-type: application/scim+json".into(),
        "connection: close".into(),
    ] {
        assert!(head.contains(&header), "{answers}");
    }
    serde_json::from_str(body).unwrap()
}

/// Bytes in a URL that should be percent-encoded. The api accepts them if the parser does, and otherwise
/// refuses them with a reason.
#[tokio::test]
async fn raw_bytes_in_a_url_are_accepted_or_refused_with_a_reason() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let client = organization.client();
    client.create(user("a@example.com")).await.expect(201);
    let address = stack.url.strip_prefix("http://").unwrap();
    let ask = async |filter: &str| {
        let target = format!("/scim/v2/Users?filter={filter}");
        raw_answers(address, &[&raw_request(&target, &client.token, "close")]).await
    };
    for understood in [
        "userName%20eq%20%22a@example.com%22",
        "userName+eq+%22a@example.com%22",
        "not%20(title%20eq%20%22{}|\\\\^`%22)",
    ] {
        let answer = ask(understood).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"totalResults\":1"), "{understood}: {answer}");
    }
    for refused in [
        "userName%20eq%20\"a@example.com\"",
        "userName eq %22a%22",
        "title%20eq%20%22<b>%22",
        "title%20eq%20%22é%22",
        "title%20eq%20%22\u{7}%22",
        "title%20eq%20%22\u{7f}%22",
    ] {
        let error = refusal(&ask(refused).await);
        assert_eq!((&error["status"], &error["scimType"]), (&json!("400"), &json!("invalidSyntax")), "{refused}");
        assert!(error["detail"].as_str().unwrap().contains("percent-encoded"), "{refused}: {error}");
    }
    let latin = [&b"GET /scim/v2/Users?filter=title%20eq%20%22\xe9%22 HTTP/1.1\r\nHost: x\r\n\r\n"[..]];
    refusal(&raw_answers(address, &latin).await);
}

/// A refusal closes its connection. Earlier requests are answered, and later bytes are not read as a request.
#[tokio::test]
async fn a_refused_url_does_not_affect_other_requests_on_its_connection() {
    let stack = Stack::shared().await;
    let client = stack.organization().client();
    let address = stack.url.strip_prefix("http://").unwrap();
    let (good, bad) = (
        raw_request("/scim/v2/Users?count=0", &client.token, "keep-alive"),
        raw_request("/scim/v2/Users?filter=userName%20eq%20\"a\"", &client.token, "keep-alive"),
    );
    let count = |answers: &str, status: &str| answers.matches(&format!("HTTP/1.1 {status} ")).count();
    let pipelined = raw_answers(address, &[&[&good[..], &good, &bad, &good].concat()]).await;
    assert_eq!((count(&pipelined, "200"), count(&pipelined, "400")), (2, 1), "{pipelined}");
    refusal(&pipelined);
    let in_turn = raw_answers(address, &[&good, &bad]).await;
    assert_eq!((count(&in_turn, "200"), count(&in_turn, "400")), (1, 1), "{in_turn}");
    refusal(&in_turn);
    refusal(&slow_answers(address, &bad).await);
    // The body of a request may look like a request, whole or in chunks. It is not one.
    let head = |framing: &str| {
        let token = &client.token;
        format!(
            "POST /scim/v2/Users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nX-Request-Origin: \
            hr.example.com\r\n{framing}\r\n\r\n"
        )
    };
    let body = String::from_utf8(bad.clone()).unwrap();
    let whole = format!("{}{body}", head(&format!("Content-Length: {}", body.len())));
    let chunked = format!("{}{:x}\r\n{body}\r\n0\r\n\r\n", head("Transfer-Encoding: chunked"), body.len());
    for post in [whole, chunked] {
        let answers = raw_answers(address, &[post.as_bytes(), &good, &bad]).await;
        assert_eq!((count(&answers, "200"), count(&answers, "400")), (1, 2), "{answers}");
        refusal(&answers);
    }
}
