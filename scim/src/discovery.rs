//! The answers of the discovery endpoints (RFC 7644 section 4), made from the schemas that the code itself
//! uses.

use serde_json::{Map, Value, json};

use crate::event::{ASYNC_RESPONSE, Event};
use crate::schema::{ResourceType, Schema};

/// The schema of the service provider configuration (RFC 7643 section 5).
pub const CONFIG_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
/// The schema of a resource type (RFC 7643 section 6).
pub const RESOURCE_TYPE_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
/// The schema of a schema (RFC 7643 section 7).
pub const SCHEMA_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";

/// The limits that the configuration states.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most resources in one page.
    pub max_results: u64,
    /// The most operations in one bulk request.
    pub max_operations: usize,
    /// The largest body, in bytes.
    pub max_payload_bytes: usize,
}

/// `/ServiceProviderConfig`.
pub fn service_provider_config(base: &str, limits: Limits) -> Value {
    json!({
        "schemas": [CONFIG_SCHEMA],
        "patch": {"supported": true},
        "bulk": {"supported": true, "maxOperations": limits.max_operations, "maxPayloadSize": limits.max_payload_bytes},
        "filter": {"supported": true, "maxResults": limits.max_results},
        "changePassword": {"supported": false},
        "sort": {"supported": true},
        "etag": {"supported": true},
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "SCIM token",
            "description": "A token from the settings page, sent as Authorization: Bearer, with the service origin in \
            X-Request-Origin.",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": true,
        }],
        "meta": {"resourceType": "ServiceProviderConfig", "location": format!("{base}/ServiceProviderConfig")},
    })
}

/// The `pagination` of the configuration (RFC 9865 section 4). It is returned only if `attributes` names it:
/// clients that know the attributes of RFC 7643 alone, such as those made with older SDKs of Ping's, refuse a
/// configuration with more.
pub fn pagination(limits: Limits) -> Value {
    json!({
        "cursor": true, "index": true, "defaultPaginationMethod": "index",
        "defaultPageSize": limits.max_results, "maxPageSize": limits.max_results,
    })
}

/// The `securityEvents` of the configuration (RFC 9967). It is returned only if `attributes` names it, like
/// [`pagination`].
pub fn security_events() -> Value {
    let uris = Event::ALL.iter().map(|event| event.uri()).chain([ASYNC_RESPONSE]);
    json!({"asyncRequest": "long", "eventUris": uris.collect::<Vec<_>>()})
}

/// `/ResourceTypes/{name}`.
pub fn resource_type(base: &str, resource_type: &ResourceType) -> Value {
    let extensions = resource_type.extensions.iter().map(|schema| json!({"schema": schema.id, "required": false}));
    json!({
        "schemas": [RESOURCE_TYPE_SCHEMA],
        "id": resource_type.name,
        "name": resource_type.name,
        "description": resource_type.description,
        "endpoint": resource_type.endpoint,
        "schema": resource_type.core.id,
        "schemaExtensions": extensions.collect::<Vec<_>>(),
        "meta": {"resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{}", resource_type.name)},
    })
}

/// `/Schemas/{urn}`.
pub fn schema(base: &str, schema: &Schema) -> Value {
    let mut shown = json!({
        "schemas": [SCHEMA_SCHEMA],
        "id": schema.id,
        "name": schema.name,
        "description": schema.description,
        "meta": {"resourceType": "Schema", "location": format!("{base}/Schemas/{}", schema.id)},
    });
    shown["attributes"] = schema.attributes.iter().map(|attribute| without_noise(json!(attribute))).collect();
    shown
}

/// Sets the `canonicalValues` (RFC 7643 section 7) of a part of an attribute, if they depend on the caller.
pub fn suggest(schema: &mut Value, attribute: &str, part: &str, values: &[String]) {
    let parts = named(schema.get_mut("attributes"), attribute).and_then(|attribute| attribute.get_mut("subAttributes"));
    if let Some(part) = named(parts, part) {
        part["canonicalValues"] = json!(values);
    }
}

fn named<'a>(attributes: Option<&'a mut Value>, name: &str) -> Option<&'a mut Value> {
    attributes?.as_array_mut()?.iter_mut().find(|attribute| attribute["name"] == name)
}

/// Removes the characteristics that an attribute of its type does not have: only texts have a case, and only
/// simple attributes are unique.
fn without_noise(attribute: Value) -> Value {
    let Value::Object(mut attribute) = attribute else { return attribute };
    let kind = attribute.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    if !["string", "reference", "binary"].contains(&kind.as_str()) {
        attribute.remove("caseExact");
    }
    if kind == "complex" {
        attribute.remove("uniqueness");
    }
    if let Some(Value::Array(parts)) = attribute.remove("subAttributes") {
        attribute.insert("subAttributes".to_owned(), parts.into_iter().map(without_noise).collect());
    }
    Value::Object(Map::from_iter(attribute))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{ENTERPRISE_SCHEMA, ROLLCALL_SCHEMA, ROLLCALL_USER, USER, USER_SCHEMA};

    #[test]
    fn a_resource_type_names_its_schemas() {
        let shown = resource_type("https://x/scim/v2", &USER);
        assert_eq!((&shown["endpoint"], &shown["schema"]), (&json!("/Users"), &json!(USER_SCHEMA)));
        let extensions = [ENTERPRISE_SCHEMA, ROLLCALL_SCHEMA].map(|urn| json!({"schema": urn, "required": false}));
        assert_eq!(shown["schemaExtensions"], json!(extensions));
        assert_eq!(shown["meta"]["location"], "https://x/scim/v2/ResourceTypes/User");
    }

    #[test]
    fn a_schema_shows_every_characteristic_that_its_attributes_have() {
        let shown = schema("https://x/scim/v2", USER.core);
        let name = &shown["attributes"][0];
        assert_eq!(
            (&name["name"], &name["required"], &name["uniqueness"], &name["caseExact"]),
            (&json!("userName"), &json!(true), &json!("server"), &json!(false))
        );
        let parts = &shown["attributes"][1];
        assert_eq!(parts["subAttributes"][0]["mutability"], "readWrite");
        assert_eq!(parts.get("caseExact"), None);
    }

    #[test]
    fn canonical_values_can_be_suggested() {
        let mut shown = schema("https://x/scim/v2", &ROLLCALL_USER);
        suggest(&mut shown, "workspaces", "value", &["w".to_owned()]);
        assert_eq!(shown["attributes"][0]["subAttributes"][0]["canonicalValues"], json!(["w"]));
    }
}
