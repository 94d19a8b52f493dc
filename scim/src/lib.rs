//! SCIM 2.0 as pure functions: what a resource is, what a filter means, what a PATCH does.
//!
//! Both the api and the worker build on this crate. Nothing here knows a queue, a database or an HTTP framework,
//! and nothing here reads a clock: the same input gives the same output, anywhere.

#![cfg_attr(test, allow(clippy::needless_pass_by_value, reason = "tests hand literals over"))]

pub mod attributes;
pub mod bulk;
pub mod casefold;
pub mod defaults;
pub mod discovery;
pub mod error;
pub mod event;
pub mod filter;
pub mod given;
pub mod json;
pub mod lenience;
pub mod list;
pub mod patch;
pub mod path;
pub mod reserved;
pub mod resource;
pub mod schema;
pub mod search;
pub mod strict;
pub mod unfold;
pub mod validate;
pub mod visible;
pub mod work;

pub use error::{ScimError, ScimType};
