//! What is traced of every call: its method and path, never its query string or body, which hold personal data.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use tracing::Span;
use tracing::field::Empty;
use tracing_actix_web::RootSpanBuilder;

/// Builds the span of a call, where somebody wants to see every one of them, and says how it ended. A call that the service itself fails is told of in any case.
pub(crate) struct CallSpan;

impl RootSpanBuilder for CallSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        tracing::debug_span!("call", method = %request.method(), path = request.path(), status = Empty)
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let status = match outcome {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        if let (true, Ok(response)) = (status.is_server_error(), outcome) {
            let request = response.request();
            tracing::warn!(method = %request.method(), path = request.path(), status = status.as_u16(), "a call failed");
        }
        span.record("status", status.as_u16());
        tracing::debug!(parent: &span, "answered");
    }
}
