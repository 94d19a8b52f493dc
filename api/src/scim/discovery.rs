//! `/ServiceProviderConfig`, `/ResourceTypes` and `/Schemas` (RFC 7644 section 4).

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use rollcall_scim::discovery::{self, Limits};
use rollcall_scim::list::ListResponse;
use rollcall_scim::schema::{self, USER};
use rollcall_scim::{ScimError, ScimType};
use serde_json::Value;

use super::answer::json;
use super::query::Parameters;
use super::{Base, Bounds};
use crate::auth::Caller;
use crate::error::ApiResult;

/// `GET /ServiceProviderConfig`.
pub(super) async fn service_provider_config(_: Caller, parameters: Parameters, base: Data<Base>, bounds: Data<Bounds>) -> ApiResult {
    refuse_filter(&parameters)?;
    json(StatusCode::OK, &discovery::service_provider_config(base.as_str(), Limits { max_results: bounds.max_page }))
}

/// `GET /ResourceTypes`.
pub(super) async fn resource_types(_: Caller, parameters: Parameters, base: Data<Base>) -> ApiResult {
    refuse_filter(&parameters)?;
    json(StatusCode::OK, &ListResponse::whole(vec![discovery::resource_type(base.as_str(), &USER)]))
}

/// `GET /ResourceTypes/{name}`.
pub(super) async fn resource_type(_: Caller, name: Path<String>, base: Data<Base>) -> ApiResult {
    if *name != USER.name {
        return Err(ScimError::new(404, "there is no such resource type").into());
    }
    json(StatusCode::OK, &discovery::resource_type(base.as_str(), &USER))
}

/// `GET /Schemas`.
pub(super) async fn schemas(_: Caller, parameters: Parameters, base: Data<Base>) -> ApiResult {
    refuse_filter(&parameters)?;
    let schemas: Vec<Value> = schema::all().into_iter().map(|schema| discovery::schema(base.as_str(), schema)).collect();
    json(StatusCode::OK, &ListResponse::whole(schemas))
}

/// `GET /Schemas/{urn}`.
pub(super) async fn schema(_: Caller, urn: Path<String>, base: Data<Base>) -> ApiResult {
    let found = schema::all().into_iter().find(|schema| schema.id.eq_ignore_ascii_case(&urn));
    let found = found.ok_or_else(|| ScimError::new(404, "there is no such schema"))?;
    json(StatusCode::OK, &discovery::schema(base.as_str(), found))
}

/// A filter here is refused, lest a caller takes an unfiltered list for a filtered one.
fn refuse_filter(parameters: &Parameters) -> Result<(), ScimError> {
    if parameters.get("filter").is_none() {
        return Ok(());
    }
    Err(ScimError { status: 403, scim_type: Some(ScimType::InvalidFilter), detail: "this endpoint cannot be filtered".to_owned() })
}
