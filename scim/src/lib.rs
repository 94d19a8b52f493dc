//! SCIM 2.0 as pure functions: resources, filters, PATCH, bulk requests and discovery.
//!
//! The api and the worker build on this crate. It knows no queue, no database and no HTTP framework, and it
//! reads no clock. The same input gives the same output in every process.

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
