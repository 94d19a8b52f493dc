//! The media type of SCIM.

/// The media type of every SCIM answer, errors included (RFC 7644 section 3.1).
pub const SCIM_JSON: &str = "application/scim+json";
