//! The parameters that several audit endpoints share, as the document describes them.

use rollcall_api_core::openapi::query;
use utoipa::IntoParams;
use utoipa::openapi::Type;
use utoipa::openapi::path::{Parameter, ParameterIn};

/// The conditions that select entries of the log.
pub(super) struct Conditions;

/// The parameters of a page.
pub(super) struct PageParameters;

const CONDITIONS: [(&str, &str); 12] = [
    ("type", "One or several types, separated by commas"),
    ("outcome", "applied or rejected"),
    ("subject", "The id of the user or group that the entry is about"),
    ("userName", "A name that the user has or had"),
    ("externalId", "An external id that the user has or had"),
    ("workspace", "The id of a workspace that the entry is about, or that it left a user in"),
    ("token", "The id of the caller's token"),
    ("origin", "The service origin of the caller"),
    ("address", "The address of the caller, or a network that has it"),
    ("since", "The earliest time of recording"),
    ("until", "The latest time of recording"),
    ("txn", "The transaction"),
];

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
