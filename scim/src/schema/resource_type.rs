//! Resource types (RFC 7643 section 6): a core schema and its extensions.

use std::sync::LazyLock;

use super::{
    Attribute, COMMON, ENTERPRISE_USER, ENTITLEMENT_CORE, GROUP_CORE, ROLE_CORE, ROLLCALL_USER, Returned, Schema,
    USER_CORE, find,
};

/// The type of the resources that an endpoint serves.
#[derive(Debug)]
pub struct ResourceType {
    /// `User`.
    pub name: &'static str,
    /// The endpoint's path below the base, such as `/Users`.
    pub endpoint: &'static str,
    /// A description.
    pub description: &'static str,
    /// The core schema.
    pub core: &'static Schema,
    /// The extensions; none is required.
    pub extensions: Vec<&'static Schema>,
    on_request: Vec<Part>,
}

/// An attribute of a schema, or a part of it.
pub type Part = (&'static Schema, &'static Attribute, Option<&'static Attribute>);

/// The user.
pub static USER: LazyLock<ResourceType> = LazyLock::new(|| {
    ResourceType::new("User", "/Users", "User Account", &USER_CORE, vec![&ENTERPRISE_USER, &ROLLCALL_USER])
});

/// The group.
pub static GROUP: LazyLock<ResourceType> =
    LazyLock::new(|| ResourceType::new("Group", "/Groups", "Group", &GROUP_CORE, Vec::new()));

/// A role. Administrators define roles; callers can read them and assign them to users.
pub static ROLE: LazyLock<ResourceType> =
    LazyLock::new(|| ResourceType::new("Role", "/Roles", "A role that users can have", &ROLE_CORE, Vec::new()));

/// An entitlement. Administrators define entitlements; callers can read them and assign them to users.
pub static ENTITLEMENT: LazyLock<ResourceType> = LazyLock::new(|| {
    ResourceType::new(
        "Entitlement",
        "/Entitlements",
        "Something that users can be entitled to",
        &ENTITLEMENT_CORE,
        Vec::new(),
    )
});

/// A workspace, as an entitlement: users who are entitled to it are members.
pub static WORKSPACE: LazyLock<ResourceType> = LazyLock::new(|| {
    ResourceType::new(
        "Workspace",
        "/Workspaces",
        "A workspace that users can be members of",
        &ENTITLEMENT_CORE,
        Vec::new(),
    )
});

impl ResourceType {
    /// Every resource type that `/ResourceTypes` lists.
    pub fn all() -> [&'static ResourceType; 5] {
        [&USER, &GROUP, &ROLE, &ENTITLEMENT, &WORKSPACE]
    }

    /// The resource types that callers can create, change and delete.
    pub fn writable() -> [&'static ResourceType; 2] {
        [&USER, &GROUP]
    }

    fn new(
        name: &'static str,
        endpoint: &'static str,
        description: &'static str,
        core: &'static Schema,
        extensions: Vec<&'static Schema>,
    ) -> Self {
        let schemas = std::iter::once(core).chain(extensions.iter().copied());
        let attributes = schemas.flat_map(|schema| schema.attributes.iter().map(move |attribute| (schema, attribute)));
        let parts = attributes.flat_map(|(schema, attribute)| {
            let inside = attribute.sub_attributes.iter().map(Some);
            std::iter::once(None).chain(inside).map(move |part| (schema, attribute, part))
        });
        let on_request =
            parts.filter(|(_, attribute, part)| part.unwrap_or(attribute).returned == Returned::Request).collect();
        Self { name, endpoint, description, core, extensions, on_request }
    }

    /// The multi-valued core attributes whose values refer to resources of one type, and that type.
    pub fn references(&self) -> impl Iterator<Item = (&'static Attribute, &'static ResourceType)> {
        self.core.attributes.iter().filter(|attribute| attribute.multi_valued).filter_map(|attribute| {
            let name = attribute.sub("$ref")?.reference_types.first()?;
            Some((attribute, ResourceType::all().into_iter().find(|known| known.name == name)?))
        })
    }

    /// The attributes and parts of them that are returned on request only (RFC 7643 section 7).
    pub fn on_request(&self) -> &[Part] {
        &self.on_request
    }

    /// The extension with that URN, in any case.
    pub fn extension(&self, urn: &str) -> Option<&'static Schema> {
        self.extensions.iter().copied().find(|schema| schema.id.eq_ignore_ascii_case(urn))
    }

    /// Whether the core schema or an extension has that URN, in any case.
    pub fn has_schema(&self, urn: &str) -> bool {
        self.core.id.eq_ignore_ascii_case(urn) || self.extension(urn).is_some()
    }

    /// The core or common attribute of that name.
    pub fn attribute(&self, name: &str) -> Option<&'static Attribute> {
        find(&self.core.attributes, name).or_else(|| find(&COMMON, name))
    }

    /// The attributes under a URN: those of the core schema or of an extension. [`Self::attribute`] finds the
    /// common attributes too.
    pub fn lookup(&self, urn: Option<&str>, name: &str) -> Option<&'static Attribute> {
        match urn {
            None => self.attribute(name),
            Some(urn) if urn.eq_ignore_ascii_case(&self.core.id) => self.attribute(name),
            Some(urn) => find(&self.extension(urn)?.attributes, name),
        }
    }
}
