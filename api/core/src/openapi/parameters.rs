//! The parameters that many endpoints share.

use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{ObjectBuilder, Required, Type};

/// The parameters of a query (RFC 7644 section 3.4.2).
pub struct Query;

/// The parameters that choose the attributes of the response (RFC 7644 section 3.9).
pub struct Projection;

impl IntoParams for Query {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            query("filter", Type::String, "A filter (RFC 7644 section 3.4.2.2)"),
            query("sortBy", Type::String, "The attribute to sort by"),
            query("sortOrder", Type::String, "ascending or descending"),
            query("startIndex", Type::Integer, "The 1-based index of the first resource"),
            query("count", Type::Integer, "Maximum number of resources"),
            query("cursor", Type::String, "The beginning of the page (RFC 9865); empty for the first page"),
        ]
    }
}

impl IntoParams for Projection {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            query("attributes", Type::String, "Only these attributes, separated by commas"),
            query("excludedAttributes", Type::String, "All attributes but these, separated by commas"),
        ]
    }
}

/// An optional parameter of the query string.
pub fn query(name: &str, kind: Type, description: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(ObjectBuilder::new().schema_type(kind)))
        .build()
}
