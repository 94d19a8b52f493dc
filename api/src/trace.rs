//! A span for every call: its method and path, never its query string or body, which hold personal data.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use tracing::Span;
use tracing::field::Empty;
use tracing_actix_web::RootSpanBuilder;

/// Builds the span, and says how the call ended.
pub(crate) struct CallSpan;

impl RootSpanBuilder for CallSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        tracing::info_span!("call", method = %request.method(), path = request.path(), status = Empty)
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let status = match outcome {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        span.record("status", status.as_u16());
        tracing::debug!(parent: &span, "answered");
    }
}
