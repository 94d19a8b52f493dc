//! The bodies of calls and answers as JSON Schema.

use rollcall_scim::bulk::{BULK_REQUEST_SCHEMA, BULK_RESPONSE_SCHEMA};
use rollcall_scim::error::ERROR_SCHEMA;
use rollcall_scim::list::LIST_SCHEMA;
use rollcall_scim::patch::PATCH_SCHEMA;
use rollcall_scim::schema::{Attribute, COMMON, Kind, Mutability, ResourceType, Returned};
use serde_json::{Map, Value, json};

/// All schemas, by name.
pub(super) fn schemas() -> Value {
    let text = || json!({"type": "string"});
    let texts = || json!({"type": "array", "items": {"type": "string"}});
    let urn = |urn: &str| json!({"type": "array", "items": {"type": "string", "enum": [urn]}, "minItems": 1});
    let mut schemas = Map::new();
    for resource_type in ResourceType::all() {
        schemas.insert(resource_type.name.to_owned(), resource(resource_type, false));
    }
    for resource_type in ResourceType::writable() {
        schemas.insert(format!("{}Request", resource_type.name), resource(resource_type, true));
    }
    let operation = json!({"type": "object", "required": ["op"], "properties": {"op": {"type": "string", "enum": ["add", "remove", "replace"]}, "path": text(), "value": {}}});
    let patch = json!({"type": "object", "required": ["schemas", "Operations"], "properties": {"schemas": urn(PATCH_SCHEMA), "Operations": {"type": "array", "items": operation, "minItems": 1}}});
    let in_bulk = json!({"type": "object", "required": ["method", "path"], "properties": {"method": {"type": "string", "enum": ["POST", "PUT", "PATCH", "DELETE"]}, "path": text(), "bulkId": text(), "version": text(), "data": {"type": "object"}}});
    let bulk = json!({"type": "object", "required": ["schemas", "Operations"], "properties": {"schemas": urn(BULK_REQUEST_SCHEMA), "failOnErrors": {"type": "integer", "minimum": 1}, "Operations": {"type": "array", "items": in_bulk}}});
    let search = json!({"type": "object", "properties": {"schemas": urn("urn:ietf:params:scim:api:messages:2.0:SearchRequest"), "attributes": texts(), "excludedAttributes": texts(), "filter": text(), "sortBy": text(), "sortOrder": text(), "startIndex": {"type": "integer"}, "count": {"type": "integer"}, "cursor": text()}});
    let listed = json!({"type": "object", "required": ["schemas", "totalResults", "Resources"], "properties": {"schemas": urn(LIST_SCHEMA), "totalResults": {"type": "integer"}, "itemsPerPage": {"type": "integer"}, "startIndex": {"type": "integer"}, "nextCursor": text(), "previousCursor": text(), "Resources": {"type": "array", "items": {"type": "object"}}}});
    let done = json!({"type": "object", "required": ["schemas", "Operations"], "properties": {"schemas": urn(BULK_RESPONSE_SCHEMA), "Operations": {"type": "array", "items": {"type": "object"}}}});
    let error = json!({"type": "object", "required": ["schemas", "status"], "properties": {"schemas": urn(ERROR_SCHEMA), "status": text(), "scimType": text(), "detail": text()}});
    for (name, schema) in [
        ("PatchOp", patch),
        ("BulkRequest", bulk),
        ("BulkResponse", done),
        ("SearchRequest", search),
        ("ListResponse", listed),
        ("Error", error),
    ] {
        schemas.insert(name.to_owned(), schema);
    }
    Value::Object(schemas)
}

/// The schema of a resource in calls (`is_sent`) or in answers.
fn resource(resource_type: &ResourceType, is_sent: bool) -> Value {
    let is_part = |attribute: &&Attribute| {
        if is_sent { attribute.mutability != Mutability::ReadOnly } else { attribute.returned != Returned::Never }
    };
    let attributes = |attributes: &'static [Attribute]| attributes.iter().filter(is_part);
    let known = attributes(&COMMON).chain(attributes(&resource_type.core.attributes));
    let mut properties: Map<_, _> = known.map(|attribute| (attribute.name.clone(), schema_of(attribute))).collect();
    for extension in &resource_type.extensions {
        let inside: Map<_, _> = attributes(&extension.attributes).map(|attribute| (attribute.name.clone(), schema_of(attribute))).collect();
        properties.insert(extension.id.clone(), json!({"type": "object", "description": extension.description, "properties": inside}));
    }
    let urns: Vec<_> =
        std::iter::once(resource_type.core).chain(resource_type.extensions.iter().copied()).map(|schema| &schema.id).collect();
    properties.insert("schemas".to_owned(), json!({"type": "array", "items": {"type": "string", "enum": urns}, "minItems": 1}));
    let mut required: Vec<_> = resource_type.core.attributes.iter().filter(|one| one.required).map(|one| one.name.as_str()).collect();
    required.push("schemas");
    json!({"type": "object", "description": resource_type.description, "required": required, "properties": properties})
}

fn schema_of(attribute: &Attribute) -> Value {
    let mut shape = match attribute.kind {
        Kind::Complex => {
            let parts: Map<_, _> = attribute.sub_attributes.iter().map(|part| (part.name.clone(), schema_of(part))).collect();
            json!({"type": "object", "properties": parts})
        }
        Kind::Boolean => json!({"type": "boolean"}),
        Kind::Integer => json!({"type": "integer"}),
        Kind::Decimal => json!({"type": "number"}),
        Kind::DateTime => json!({"type": "string", "format": "date-time"}),
        Kind::Binary => json!({"type": "string", "contentEncoding": "base64"}),
        Kind::String | Kind::Reference => json!({"type": "string"}),
    };
    if attribute.multi_valued {
        shape = json!({"type": "array", "items": shape});
    }
    if !attribute.description.is_empty() {
        shape["description"] = json!(attribute.description);
    }
    shape
}
