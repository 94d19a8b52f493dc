//! The parameters that several audit endpoints share, as the document describes them.

use rollcall_api_core::audit::CONDITIONS;
use rollcall_api_core::openapi::query;
use utoipa::IntoParams;
use utoipa::openapi::Type;
use utoipa::openapi::path::{Parameter, ParameterIn};

/// The conditions that select entries of the log.
pub(super) struct Conditions;

/// The parameters of a page.
pub(super) struct PageParameters;

impl IntoParams for Conditions {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        CONDITIONS.map(|(name, description)| query(name, Type::String, description)).into()
    }
}

impl IntoParams for PageParameters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            query("count", Type::Integer, "Maximum number of entries"),
            query("cursor", Type::String, "The beginning of the page: `next` of the page before"),
        ]
    }
}
