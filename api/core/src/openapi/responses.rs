//! The responses that many endpoints share.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use utoipa::openapi::link::Link;
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use super::schemas::Error;
use crate::media_type::SCIM_JSON;

type Responses = BTreeMap<String, RefOr<Response>>;

/// The errors that any endpoint may answer.
pub struct Errors;

/// 202: the outcome is not known yet.
pub struct Accepted;

/// 201 with the new resource.
pub struct Created<T>(PhantomData<T>);

const ERRORS: [(&str, &str); 14] = [
    ("400", "The call is malformed. The detail names the attribute."),
    ("401", "No valid token."),
    ("403", "The token may not be used with this origin, from this address, or for this endpoint."),
    ("404", "Not found."),
    ("405", "The endpoint does not allow this method."),
    ("408", "The body did not arrive in time."),
    ("409", "A unique value is taken."),
    ("412", "The version is not the one in If-Match."),
    ("413", "The body is too large, or has too many values."),
    ("415", "The media type is neither SCIM's nor JSON."),
    ("422", "The Idempotency-Key was used with another request."),
    ("429", "Too many calls. Retry-After says when to call again."),
    ("500", "Internal error."),
    (
        "503",
        "A server that the call needs is away. A change may have been applied: repeat it with the same \
        Idempotency-Key.",
    ),
];

impl IntoResponses for Errors {
    fn responses() -> Responses {
        ERRORS
            .into_iter()
            .map(|(status, description)| (status.to_owned(), with_body::<Error>(description).into()))
            .collect()
    }
}

impl IntoResponses for Accepted {
    fn responses() -> Responses {
        let description = "The request is on a durable queue. Location is the address of its outcome.";
        BTreeMap::from([("202".to_owned(), Response::new(description).into())])
    }
}

impl<T: ToSchema> IntoResponses for Created<T> {
    fn responses() -> Responses {
        let name = T::name();
        let created = with_body::<T>("The new resource.");
        let created = ["read", "replace", "patch", "delete"].into_iter().fold(created, |created, verb| {
            let link = Link::builder().operation_id(format!("{verb}{name}")).parameter("id", "$response.body#/id");
            created.link(verb, link.build())
        });
        BTreeMap::from([("201".to_owned(), created.into())])
    }
}

fn with_body<T: ToSchema>(description: &str) -> ResponseBuilder {
    ResponseBuilder::new()
        .description(description)
        .content(SCIM_JSON, Content::new(Some(Ref::from_schema_name(T::name()))))
}
