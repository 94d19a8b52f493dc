//! Answers with resources: their locations, entity tags and bodies.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{ETAG, HeaderMap, IF_NONE_MATCH, LOCATION};
use rollcall_api_core::SCIM_JSON;
use rollcall_api_core::error::{ApiError, ApiResult};
use rollcall_api_core::http::{Base, Prefer};
use rollcall_events::EventId;
use rollcall_scim::attributes::Projection;
use rollcall_scim::resource::Attributes;
use rollcall_scim::schema::ResourceType;
use serde::Serialize;
use serde_json::Value;

use super::headers::{PREFERENCE_APPLIED, SET_TXN, entity_tags};

/// A resource as a caller gets it, with its location and entity tag.
pub(super) struct Representation<'a> {
    resource_type: &'a ResourceType,
    resource: Attributes,
    location: String,
    etag: String,
}

impl<'a> Representation<'a> {
    /// Adds the location to a stored resource, and the locations of the resources that it refers to.
    pub(super) fn new(resource_type: &'a ResourceType, base: &Base, mut resource: Attributes) -> Self {
        let location = base.location(resource_type, resource.get("id").and_then(Value::as_str).unwrap_or_default());
        let mut etag = String::new();
        if let Some(Value::Object(meta)) = resource.get_mut("meta") {
            meta.insert("location".to_owned(), Value::from(location.as_str()));
            meta.get("version").and_then(Value::as_str).unwrap_or_default().clone_into(&mut etag);
        }
        add_references(resource_type, base, &mut resource);
        Self { resource_type, resource, location, etag }
    }

    /// Whether the resource is of that type.
    pub(super) fn is_a(&self, resource_type: &ResourceType) -> bool {
        self.resource_type.name == resource_type.name
    }

    /// All attributes.
    pub(super) fn attributes(&self) -> &Attributes {
        &self.resource
    }

    /// The attributes that the caller requested (RFC 7644 section 3.9).
    pub(super) fn projected(self, projection: &Projection) -> Attributes {
        projection.apply(self.resource_type, self.resource)
    }

    /// An answer with the resource as its body.
    pub(super) fn with_body(self, status: StatusCode, projection: &Projection) -> ApiResult {
        let mut response = HttpResponse::build(status);
        response.insert_header((LOCATION, self.location.as_str())).insert_header((ETAG, self.etag.as_str()));
        body(&mut response, &self.projected(projection))
    }

    /// 204 with the new entity tag.
    pub(super) fn without_body(self) -> HttpResponse {
        HttpResponse::NoContent().insert_header((ETAG, self.etag)).finish()
    }

    /// An answer with the resource, or 304 if the caller already has this version (RFC 9110 section 13.1.2).
    pub(super) fn or_not_modified(self, headers: &HeaderMap, projection: &Projection) -> ApiResult {
        let weak = |tag: &str| tag.trim_start_matches("W/").to_owned();
        let known = entity_tags(headers, &IF_NONE_MATCH)?
            .is_some_and(|tags| tags.iter().any(|tag| tag == "*" || weak(tag) == weak(&self.etag)));
        if known {
            Ok(HttpResponse::NotModified().insert_header((ETAG, self.etag)).finish())
        } else {
            self.with_body(StatusCode::OK, projection)
        }
    }
}

/// Adds the locations of the resources that a resource refers to: `members.$ref`, `groups.$ref`.
fn add_references(resource_type: &ResourceType, base: &Base, resource: &mut Attributes) {
    for (attribute, target) in resource_type.references() {
        let values = resource.get_mut(&attribute.name).and_then(Value::as_array_mut);
        for value in values.into_iter().flatten().filter_map(Value::as_object_mut) {
            if let Some(id) = value.get("value").and_then(Value::as_str) {
                let location = format!("{}{}/{id}", base.as_str(), target.endpoint);
                value.insert("$ref".to_owned(), Value::from(location));
            }
        }
    }
}

/// An answer in JSON.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> ApiResult {
    body(&mut HttpResponse::build(status), value)
}

fn body(response: &mut actix_web::HttpResponseBuilder, value: &impl Serialize) -> ApiResult {
    let text = serde_json::to_string(value)
        .map_err(|error| ApiError::Internal(format!("an answer cannot be written: {error}")))?;
    Ok(response.content_type(SCIM_JSON).body(text))
}

/// 202: the request is on a durable queue. `Location` is the address of its outcome (RFC 9967 section 2.5.1).
pub(super) fn accepted(base: &Base, txn: EventId, prefer: &Prefer) -> HttpResponse {
    let mut response = HttpResponse::Accepted();
    response
        .insert_header((SET_TXN, txn.to_string()))
        .insert_header((LOCATION, format!("{}/Events/{txn}", base.as_str())));
    if prefer.respond_async {
        response.insert_header((PREFERENCE_APPLIED, "respond-async"));
    }
    response.finish()
}
