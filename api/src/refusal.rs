//! SCIM errors for the requests that the HTTP parser refuses before any handler sees them (RFC 7644 section
//! 3.12).
//!
//! Actix answers such a request with a status and an empty body, and closes the connection.
//! [`ExplainingStream`] is the stream below actix. It replaces that answer with a SCIM error. It inspects
//! outgoing bytes only, so it cannot move the boundary between two requests. To percent-encode the target of
//! an incoming request, it would need that boundary.

use actix_web::rt::net::TcpStream;
use rollcall_api_core::SCIM_JSON;
use rollcall_scim::{ScimError, ScimType};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// An empty answer is shorter than this: status line, `content-length`, `connection`, `date`.
const MAX_EMPTY_ANSWER: usize = 160;

/// A connection that adds a body to empty refusals.
#[derive(Debug)]
pub(crate) struct ExplainingStream<S = TcpStream> {
    stream: S,
    explanation: Option<Explanation>,
}

/// The answer that replaces an empty one, while it is written.
#[derive(Debug)]
struct Explanation {
    answer: Vec<u8>,
    written: usize,
    /// The length of the empty answer, in bytes.
    replaces: usize,
}

impl<S> ExplainingStream<S> {
    /// Wraps an accepted connection.
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, explanation: None }
    }
}

/// The start of the empty refusal at the end of `written`, if there is one, and its SCIM error.
fn empty_refusal(written: &[u8]) -> Option<(usize, ScimError)> {
    if !written.ends_with(b"\r\n\r\n") {
        return None;
    }
    let last = written.len().saturating_sub(MAX_EMPTY_ANSWER);
    let start = last + written[last..].windows(7).rposition(|window| window == b"HTTP/1.")?;
    let mut lines = std::str::from_utf8(&written[start..]).ok()?.trim_end().split("\r\n");
    let error = explained(lines.next()?.split(' ').nth(1)?)?;
    let is_empty = |line: &str| line == "content-length: 0";
    let is_usual = |line: &str| is_empty(line) || line.starts_with("connection: ") || line.starts_with("date: ");
    (lines.clone().any(is_empty) && lines.all(is_usual)).then_some((start, error))
}

/// The SCIM error for the status of a refusal.
fn explained(status: &str) -> Option<ScimError> {
    let (status, scim_type, detail) = match status {
        "400" => (
            400,
            Some(ScimType::InvalidSyntax),
            "the request is not well-formed HTTP; in its address, spaces, quotes, <, > and all characters outside \
             ASCII must be percent-encoded, as in filter=userName%20eq%20%22ada%22",
        ),
        "408" => (408, None, "the request did not arrive in time"),
        "431" => (431, None, "the address and the headers of the request are too long, or there are too many headers"),
        _ => return None,
    };
    Some(ScimError { status, scim_type, detail: detail.to_owned() })
}

impl Explanation {
    /// The answer that replaces `empty`, with the same `date` (RFC 9110 section 6.6.1).
    fn of(error: &ScimError, empty: &[u8]) -> Self {
        let date = std::str::from_utf8(empty)
            .ok()
            .and_then(|text| text.split_inclusive("\r\n").find(|line| line.starts_with("date: ")));
        let reason =
            actix_web::http::StatusCode::from_u16(error.status).ok().and_then(|status| status.canonical_reason());
        let (status, reason, body) = (error.status, reason.unwrap_or_default(), error.to_body().to_string());
        let answer = format!(
            "HTTP/1.1 {status} {reason}\r\ncontent-length: {}\r\ncontent-type: {SCIM_JSON}\r\nconnection: \
            close\r\n{}\r\n{body}",
            body.len(),
            date.unwrap_or_default()
        );
        Self { answer: answer.into_bytes(), written: 0, replaces: empty.len() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ExplainingStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ExplainingStream<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { stream, explanation } = self.get_mut();
        if explanation.is_none() {
            match empty_refusal(bytes) {
                None => return Pin::new(stream).poll_write(context, bytes),
                // The bytes before the refusal answer an earlier request.
                Some((start @ 1.., _)) => return Pin::new(stream).poll_write(context, &bytes[..start]),
                Some((0, error)) => *explanation = Some(Explanation::of(&error, bytes)),
            }
        }
        let Some(answering) = explanation else { return Poll::Ready(Ok(0)) };
        while answering.written < answering.answer.len() {
            match ready!(Pin::new(&mut *stream).poll_write(context, &answering.answer[answering.written..]))? {
                0 => return Poll::Ready(Ok(0)),
                written => answering.written += written,
            }
        }
        let replaces = answering.replaces;
        *explanation = None;
        Poll::Ready(Ok(replaces))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_scim::error::ERROR_SCHEMA;
    use test_case::test_case;

    const EMPTY: &str = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\ndate: Thu, 26 Nov 2026 \
        17:12:00 GMT\r\n\r\n";

    /// A stream that accepts a few bytes at a time, and none on every second call.
    #[derive(Default)]
    struct Slow {
        taken: Vec<u8>,
        at_most: usize,
        is_busy: bool,
    }

    impl AsyncWrite for Slow {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.is_busy = !self.is_busy;
            if self.is_busy {
                return Poll::Pending;
            }
            let length = bytes.len().min(self.at_most);
            self.taken.extend_from_slice(&bytes[..length]);
            Poll::Ready(Ok(length))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn sent(written: &str, at_most: usize) -> String {
        let mut stream = ExplainingStream::new(Slow { at_most, ..Slow::default() });
        let mut rest = written.as_bytes();
        while !rest.is_empty() {
            if let Poll::Ready(length) =
                Pin::new(&mut stream).poll_write(&mut Context::from_waker(std::task::Waker::noop()), rest)
            {
                rest = &rest[length.unwrap()..];
            }
        }
        String::from_utf8(stream.stream.taken).unwrap()
    }

    #[test_case("", 1; "byte by byte")]
    #[test_case("", 10_000; "at once")]
    #[test_case("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", 7; "after another answer")]
    #[test_case("HTTP/1.1 204 No Content\r\n\r\n", 10_000; "after an answer without a body")]
    fn an_empty_refusal_gets_a_body(before: &str, at_most: usize) {
        let sent = sent(&format!("{before}{EMPTY}"), at_most);
        let (head, body) = sent.strip_prefix(before).unwrap().split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 400 Bad Request\r\n")
                && head.contains(&format!("content-length: {}\r\n", body.len())),
            "{head}"
        );
        assert!(head.ends_with("\r\ndate: Thu, 26 Nov 2026 17:12:00 GMT"), "{head}");
        assert!(body.contains(ERROR_SCHEMA) && body.contains("percent-encoded"), "{body}");
    }

    #[test_case("HTTP/1.1 204 No Content\r\ndate: Thu, 26 Nov 2026 17:12:00 GMT\r\n\r\n"; "no error")]
    #[test_case("HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}"; "with a body")]
    #[test_case(
        "HTTP/1.1 400 Bad Request\r\ncontent-length: 20\r\ncontent-type: application/scim+json\r\n\r\n"; "to a HEAD"
    )]
    #[test_case("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"; "another error")]
    #[test_case("0\r\n\r\n"; "the end of a chunked body")]
    #[test_case("<p>HTTP/1.1 400 é</p>\r\n\r\n"; "a text")]
    fn everything_else_is_sent_unchanged(written: &str) {
        assert_eq!(sent(written, 5), written);
    }
}
