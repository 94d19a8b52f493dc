//! The schemas of resources, made of the SCIM schemas that drive the service.

use rollcall_scim::schema::{Attribute, COMMON, Kind, Mutability, ResourceType, Returned};
use utoipa::openapi::schema::ArrayBuilder;
use utoipa::openapi::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};

/// A resource as the service returns it.
pub(super) fn returned(resource_type: &'static ResourceType) -> ObjectBuilder {
    resource(resource_type, |attribute| attribute.returned != Returned::Never)
}

/// A resource as the service receives it.
pub(super) fn received(resource_type: &'static ResourceType) -> ObjectBuilder {
    resource(resource_type, |attribute| attribute.mutability != Mutability::ReadOnly)
}

fn resource(resource_type: &'static ResourceType, is_part: fn(&Attribute) -> bool) -> ObjectBuilder {
    let schemas = std::iter::once(resource_type.core).chain(resource_type.extensions.iter().copied());
    let schemas = urns(schemas.map(|schema| schema.id.as_str()));
    let known = COMMON.iter().chain(&resource_type.core.attributes);
    let mut shape = object(known.filter(|attribute| is_part(attribute))).property("schemas", schemas);
    for extension in &resource_type.extensions {
        let inside = object(extension.attributes.iter().filter(|attribute| is_part(attribute)));
        shape = shape.property(&extension.id, inside.description(Some(&extension.description)));
    }
    let required = resource_type.core.attributes.iter().filter(|attribute| attribute.required);
    let shape = required.fold(shape, |shape, attribute| shape.required(&attribute.name));
    shape.required("schemas").description(Some(resource_type.description))
}

fn object<'a>(attributes: impl Iterator<Item = &'a Attribute>) -> ObjectBuilder {
    let object = ObjectBuilder::new().schema_type(Type::Object);
    attributes.fold(object, |object, attribute| object.property(&attribute.name, schema(attribute)))
}

fn schema(attribute: &Attribute) -> Schema {
    let description = Some(&attribute.description).filter(|description| !description.is_empty());
    let value = match attribute.kind {
        Kind::Complex => object(attribute.sub_attributes.iter()),
        Kind::Boolean => ObjectBuilder::new().schema_type(Type::Boolean),
        Kind::Integer => ObjectBuilder::new().schema_type(Type::Integer),
        Kind::Decimal => ObjectBuilder::new().schema_type(Type::Number),
        Kind::DateTime => ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))),
        Kind::Binary => ObjectBuilder::new().schema_type(Type::String).content_encoding("base64"),
        Kind::String | Kind::Reference => ObjectBuilder::new().schema_type(Type::String),
    };
    if attribute.multi_valued {
        return ArrayBuilder::new().items(value).description(description).into();
    }
    value.description(description).into()
}

/// The attribute `schemas`: one or several of these URNs.
pub(super) fn urns<'a>(urns: impl IntoIterator<Item = &'a str>) -> ArrayBuilder {
    let urn = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(urns));
    ArrayBuilder::new().items(urn).min_items(Some(1))
}
