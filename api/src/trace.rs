//! Traces calls by method and path. Query strings and bodies contain personal data and are never traced.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use tracing::Span;
use tracing::field::Empty;
use tracing_actix_web::RootSpanBuilder;

/// Builds the span of a call at level `debug`, and records its status. An answer of 500 or more is logged at
/// level `warn`.
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
            tracing::warn!(
                method = %request.method(), path = request.path(), status = status.as_u16(), "a call failed"
            );
        }
        span.record("status", status.as_u16());
        tracing::debug!(parent: &span, "answered");
    }
}
