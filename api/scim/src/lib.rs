//! The SCIM endpoints (RFC 7644 section 3.2). A handler turns a call into a request or a query, and an
//! outcome into an answer. Publishing and reading are done elsewhere.

#![cfg_attr(test, allow(clippy::needless_pass_by_value, reason = "tests pass literals"))]

mod accept;
mod answer;
mod any_case;
mod bulk;
mod call;
mod catalog;
mod dialect;
mod discovery;
mod events;
mod groups;
mod headers;
mod me;
mod routes;
mod search;
mod users;

pub use any_case::in_any_case;
pub use dialect::Dialects;
pub use routes::{endpoints, key_endpoints, key_routes, routes};

use accept::as_accepted;
