//! The address of the SCIM endpoints.

use rollcall_scim::schema::ResourceType;

/// The path of every SCIM endpoint, below the public address.
pub const BASE_PATH: &str = rollcall_events::set::SCIM_PATH;

/// The address of the endpoints, such as `https://id.example.com/scim/v2`. It comes from the settings and
/// never from a `Host` header.
#[derive(Debug, Clone)]
pub struct Base(String);

impl Base {
    /// The endpoints below a public address.
    pub fn below(public_url: &str) -> Self {
        Self(format!("{public_url}{BASE_PATH}"))
    }

    /// The address itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address of one resource.
    pub fn location(&self, resource_type: &ResourceType, id: &str) -> String {
        format!("{}{}/{id}", self.0, resource_type.endpoint)
    }
}
