//! The limits of calls.

use rollcall_scim::resource::SizeLimit;
use std::time::Duration;

/// The limits of calls.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Maximum size of a body, in bytes.
    pub max_body_bytes: usize,
    /// Maximum size of a resource.
    pub max_resource_bytes: SizeLimit,
    /// Maximum time for the body to arrive.
    pub receive: Duration,
    /// Maximum number of operations in a bulk request.
    pub max_operations: usize,
    /// Maximum time for the operations of a bulk request that are applied one after the other.
    pub bulk_wait: Duration,
    /// Maximum number of resources in a page.
    pub max_page: u64,
}
