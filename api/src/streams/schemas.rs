//! The bodies of a poll (RFC 8936 section 2) for the document. They are JSON, so each is named by a type
//! without values.

use utoipa::openapi::schema::ArrayBuilder;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// A poll request.
pub(super) enum PollRequest {}

/// A poll response.
pub(super) enum PollResponse {}

impl ToSchema for PollRequest {}

impl ToSchema for PollResponse {}

impl PartialSchema for PollRequest {
    fn schema() -> RefOr<Schema> {
        let most =
            of(Type::Integer).minimum(Some(0)).description(Some("Maximum number of events; 0 only acknowledges."));
        let immediately = of(Type::Boolean).description(Some("Whether to answer at once if there are no events."));
        let ack = ArrayBuilder::new()
            .items(of(Type::String))
            .description(Some("The jti of each event that the receiver has."));
        let error = of(Type::Object).property("err", of(Type::String)).property("description", of(Type::String));
        let errors = of(Type::Object)
            .additional_properties(Some(Schema::from(error)))
            .description(Some("The jti of each event that the receiver cannot use, and why."));
        let request = of(Type::Object)
            .property("maxEvents", most)
            .property("returnImmediately", immediately)
            .property("ack", ack)
            .property("setErrs", errors);
        Schema::from(request).into()
    }
}

impl PartialSchema for PollResponse {
    fn schema() -> RefOr<Schema> {
        let sets = of(Type::Object)
            .additional_properties(Some(Schema::from(of(Type::String))))
            .description(Some("Security Event Tokens by their jti."));
        let response = of(Type::Object)
            .required("sets")
            .property("sets", sets)
            .required("moreAvailable")
            .property("moreAvailable", of(Type::Boolean));
        Schema::from(response).into()
    }
}

fn of(kind: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(kind)
}
