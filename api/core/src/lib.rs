//! What all endpoints of the api share: authentication, errors, the request client, reads from Postgres, the
//! call log, the metrics, and the description of endpoints. No endpoint and no page is defined here.

#![cfg_attr(test, allow(clippy::needless_pass_by_value, reason = "tests pass literals"))]

pub mod audit;
pub mod auth;
pub mod call_log;
pub mod error;
pub mod http;
mod media_type;
pub mod metrics;
mod offload;
pub mod openapi;
mod pending;
pub mod publish;
pub mod read;
mod redact;
pub mod submit;

pub use media_type::SCIM_JSON;
pub use offload::offload;
pub use pending::PendingReplies;
pub use redact::redact;
