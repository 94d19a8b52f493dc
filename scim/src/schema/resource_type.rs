//! Resource types (RFC 7643 section 6): a core schema and the extensions that may stand beside it.

use std::sync::LazyLock;

use super::{Attribute, COMMON, ENTERPRISE_USER, ROLLCALL_USER, Schema, USER_CORE, find};

/// What kind of resource an endpoint serves.
#[derive(Debug)]
pub struct ResourceType {
    /// `User`.
    pub name: &'static str,
    /// The endpoint's path below the base, such as `/Users`.
    pub endpoint: &'static str,
    /// What it is.
    pub description: &'static str,
    /// The core schema.
    pub core: &'static Schema,
    /// The extensions; none is required.
    pub extensions: Vec<&'static Schema>,
}

/// The user.
pub static USER: LazyLock<ResourceType> = LazyLock::new(|| ResourceType {
    name: "User",
    endpoint: "/Users",
    description: "A person's account",
    core: &USER_CORE,
    extensions: vec![&ENTERPRISE_USER, &ROLLCALL_USER],
});

impl ResourceType {
    /// The extension with that URN, whatever its case.
    pub fn extension(&self, urn: &str) -> Option<&'static Schema> {
        self.extensions.iter().copied().find(|schema| schema.id.eq_ignore_ascii_case(urn))
    }

    /// The core or common attribute of that name.
    pub fn attribute(&self, name: &str) -> Option<&'static Attribute> {
        find(&self.core.attributes, name).or_else(|| find(&COMMON, name))
    }

    /// The attributes under a URN: the core schema's with the common ones' names resolved by [`Self::attribute`], or an extension's.
    pub fn lookup(&self, urn: Option<&str>, name: &str) -> Option<&'static Attribute> {
        match urn {
            None => self.attribute(name),
            Some(urn) if urn.eq_ignore_ascii_case(&self.core.id) => self.attribute(name),
            Some(urn) => find(&self.extension(urn)?.attributes, name),
        }
    }
}
