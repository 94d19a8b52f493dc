//! Schemas as data (RFC 7643 section 7): the attributes and their characteristics.
//!
//! The files in `data/` contain only the characteristics that differ from the defaults of RFC 7643 section
//! 2.2. `/Schemas` shows all of them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::LazyLock;

mod common;
mod resource_type;

pub use common::COMMON;
pub use resource_type::{ENTITLEMENT, GROUP, Part, ROLE, ResourceType, USER, WORKSPACE};

/// The core user schema (RFC 7643 section 4.1).
pub const USER_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The core group schema (RFC 7643 section 4.2).
pub const GROUP_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The enterprise extension (RFC 7643 section 4.3).
pub const ENTERPRISE_SCHEMA: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// A role (Okta's guide "Build a SCIM 2.0 server with entitlements"): Okta finds roles by this URN.
pub const ROLE_SCHEMA: &str = "urn:okta:scim:schemas:core:1.0:Role";
/// An entitlement (the same guide): Okta finds everything that it can grant by this URN.
pub const ENTITLEMENT_SCHEMA: &str = "urn:okta:scim:schemas:core:1.0:Entitlement";
/// Rollcall's own extension: workspaces, permissions, teams.
pub const ROLLCALL_SCHEMA: &str = "urn:ietf:params:scim:schemas:extension:rollcall:2.0:User";

/// A schema: a URN and the attributes under it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Schema {
    /// The URN.
    pub id: String,
    /// A name for people.
    pub name: String,
    /// A description.
    pub description: String,
    /// Its attributes.
    pub attributes: Vec<Attribute>,
    /// Whether a PUT keeps the extension if it does not have it: most clients do not know it. This is no
    /// characteristic of SCIM's.
    #[serde(default, skip_serializing)]
    pub kept_by_put: bool,
}

/// The data types of RFC 7643 section 2.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A text.
    #[default]
    String,
    /// True or false.
    Boolean,
    /// A number with a fraction.
    Decimal,
    /// A whole number.
    Integer,
    /// A time, as in XML Schema's dateTime.
    DateTime,
    /// Bytes in base64.
    Binary,
    /// A URI.
    Reference,
    /// An object of sub-attributes.
    Complex,
}

/// The mutability of an attribute: who may change it, and when (RFC 7643 section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mutability {
    /// The server alone.
    ReadOnly,
    /// Anyone, at any time.
    #[default]
    ReadWrite,
    /// Set once, at creation.
    Immutable,
    /// Set at any time, never read.
    WriteOnly,
}

/// The answers that an attribute is part of (RFC 7643 section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Returned {
    /// All answers.
    Always,
    /// No answer.
    Never,
    /// All answers, unless the caller excludes it.
    #[default]
    Default,
    /// Only answers for which the caller asks for it.
    Request,
}

/// The scope in which a value is unique (RFC 7643 section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Uniqueness {
    /// None.
    #[default]
    None,
    /// The organization.
    Server,
    /// The world.
    Global,
}

/// One attribute of a schema.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools, reason = "the characteristics of RFC 7643 section 7 are booleans of their own")]
pub struct Attribute {
    /// The name, in its canonical spelling.
    pub name: String,
    /// The data type.
    #[serde(rename = "type", default)]
    pub kind: Kind,
    /// Whether there may be several values.
    #[serde(default)]
    pub multi_valued: bool,
    /// A description.
    pub description: String,
    /// Whether the attribute must have a value.
    #[serde(default)]
    pub required: bool,
    /// Suggested values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub canonical_values: Vec<String>,
    /// Whether case counts in comparison.
    #[serde(default)]
    pub case_exact: bool,
    /// The mutability.
    #[serde(default)]
    pub mutability: Mutability,
    /// The answers that the attribute is part of.
    #[serde(default)]
    pub returned: Returned,
    /// The scope in which a value is unique.
    #[serde(default)]
    pub uniqueness: Uniqueness,
    /// The types that a reference may refer to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reference_types: Vec<String>,
    /// The parts of a complex attribute.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sub_attributes: Vec<Attribute>,
    /// The most values, if the limit differs from the general one. This is no characteristic of SCIM's.
    #[serde(default, skip_serializing)]
    pub max_values: Option<usize>,
    /// The most characters of a value, if the limit differs from the general one: indexed values must fit
    /// into a database index.
    #[serde(default, skip_serializing)]
    pub max_chars: Option<usize>,
    /// The value of a new resource whose creator gives none. An attribute with a default always has a value:
    /// unassigning it keeps the present value (see [`crate::defaults`]). This is no characteristic of SCIM's;
    /// clients see `required`.
    #[serde(default, skip_serializing)]
    pub default: Option<Value>,
    /// Whether people tell resources apart by the attribute, so that all its characters must be visible. This
    /// is no characteristic of SCIM's.
    #[serde(default, skip_serializing)]
    pub is_identifier: bool,
    /// Whether a PUT keeps the attribute if it does not name it. This is no characteristic of SCIM's.
    #[serde(default, skip_serializing)]
    pub kept_by_put: bool,
}

impl Attribute {
    /// Whether a caller must give a value: the attribute is required and has no default.
    pub fn must_be_given(&self) -> bool {
        self.required && self.default.is_none()
    }

    /// The sub-attribute of that name, in any case (RFC 7643 section 2.1).
    pub fn sub(&self, name: &str) -> Option<&Attribute> {
        find(&self.sub_attributes, name)
    }
}

/// The attribute of that name, in any case.
pub fn find<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

#[expect(clippy::expect_used, reason = "the data is part of the program and a test reads all of it")]
fn load(data: &str) -> Schema {
    serde_json::from_str(data).expect("a schema file of this crate is well-formed")
}

/// The core user schema.
pub static USER_CORE: LazyLock<Schema> = LazyLock::new(|| load(include_str!("data/user.json")));
/// The core group schema.
pub static GROUP_CORE: LazyLock<Schema> = LazyLock::new(|| load(include_str!("data/group.json")));
/// The enterprise user extension.
pub static ENTERPRISE_USER: LazyLock<Schema> = LazyLock::new(|| load(include_str!("data/enterprise_user.json")));
/// Rollcall's user extension.
pub static ROLLCALL_USER: LazyLock<Schema> = LazyLock::new(|| load(include_str!("data/rollcall_user.json")));

/// The schema of a role.
pub static ROLE_CORE: LazyLock<Schema> = LazyLock::new(|| load(include_str!("data/role.json")));
/// The schema of an entitlement.
pub static ENTITLEMENT_CORE: LazyLock<Schema> = LazyLock::new(|| load(include_str!("data/entitlement.json")));

/// The schema of the service provider configuration (RFC 7643 section 5).
pub static SERVICE_PROVIDER_CONFIG: LazyLock<Schema> =
    LazyLock::new(|| load(include_str!("data/service_provider_config.json")));
/// The schema of a resource type (RFC 7643 section 6).
pub static RESOURCE_TYPE: LazyLock<Schema> = LazyLock::new(|| load(include_str!("data/resource_type.json")));
/// The schema of a schema (RFC 7643 section 7).
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(|| load(include_str!("data/schema.json")));

/// Every schema that `/Schemas` lists.
pub fn all() -> [&'static Schema; 9] {
    [
        &USER_CORE,
        &GROUP_CORE,
        &ENTERPRISE_USER,
        &ROLLCALL_USER,
        &ROLE_CORE,
        &ENTITLEMENT_CORE,
        &SERVICE_PROVIDER_CONFIG,
        &RESOURCE_TYPE,
        &SCHEMA,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::{CONFIG_SCHEMA, RESOURCE_TYPE_SCHEMA, SCHEMA_SCHEMA};

    #[test]
    fn every_schema_file_loads_and_has_its_urn() {
        let urns = all().map(|schema| schema.id.as_str());
        assert_eq!(urns[..4], [USER_SCHEMA, GROUP_SCHEMA, ENTERPRISE_SCHEMA, ROLLCALL_SCHEMA]);
        assert_eq!(urns[4..6], [ROLE_SCHEMA, ENTITLEMENT_SCHEMA]);
        assert_eq!(urns[6..], [CONFIG_SCHEMA, RESOURCE_TYPE_SCHEMA, SCHEMA_SCHEMA]);
    }

    #[test]
    fn an_attribute_with_a_default_is_required_and_the_default_fits_it() {
        let with_default = |attribute: &&Attribute| attribute.default.is_some();
        let names: Vec<_> = all().into_iter().flat_map(|schema| &schema.attributes).filter(with_default).collect();
        assert_eq!(names.iter().map(|attribute| attribute.name.as_str()).collect::<Vec<_>>(), ["active"]);
        for attribute in names {
            let default = attribute.default.clone().unwrap();
            assert_eq!(crate::validate::value_of(attribute, default.clone(), &attribute.name), Ok(Some(default)));
            assert!(attribute.required && !attribute.must_be_given());
        }
    }

    #[test]
    fn only_complex_attributes_have_sub_attributes_and_all_of_them_do() {
        fn check(attribute: &Attribute) {
            assert_eq!(attribute.kind == Kind::Complex, !attribute.sub_attributes.is_empty(), "{}", attribute.name);
            assert!(!attribute.description.is_empty(), "{}", attribute.name);
            attribute.sub_attributes.iter().for_each(check);
        }
        all().into_iter().flat_map(|schema| &schema.attributes).for_each(check);
    }
}
