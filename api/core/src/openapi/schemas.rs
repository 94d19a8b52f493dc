//! The schemas of requests and responses. They are JSON, so each is named by a type without values.

use rollcall_scim::bulk::{BULK_REQUEST_SCHEMA, BULK_RESPONSE_SCHEMA};
use rollcall_scim::error::ERROR_SCHEMA;
use rollcall_scim::list::LIST_SCHEMA;
use rollcall_scim::patch::PATCH_SCHEMA;
use rollcall_scim::schema::{ENTITLEMENT, GROUP, ROLE, USER, WORKSPACE};
use utoipa::openapi::schema::{ArrayBuilder, SchemaType};
use utoipa::openapi::{ComponentsBuilder, ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::resources::{received, returned, urns};

const SEARCH_REQUEST_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// Declares types that stand for schemas of the document, and the list of them.
macro_rules! schemas {
    ($($name:ident = $schema:expr;)+) => {
        $(
            #[doc = concat!("The schema `", stringify!($name), "`.")]
            pub enum $name {}

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    Schema::from($schema).into()
                }
            }

            impl ToSchema for $name {}
        )+

        /// Adds all schemas to the components of the document.
        pub(super) fn with_schemas(components: ComponentsBuilder) -> ComponentsBuilder {
            components$(.schema($name::name(), $name::schema()))+
        }
    };
}

schemas! {
    User = returned(&USER);
    Group = returned(&GROUP);
    Role = returned(&ROLE);
    Entitlement = returned(&ENTITLEMENT);
    Workspace = returned(&WORKSPACE);
    UserRequest = received(&USER);
    GroupRequest = received(&GROUP);
    PatchOp = message(PATCH_SCHEMA).required("Operations").property(
        "Operations", list(patch_operation()).min_items(Some(1))
    );
    BulkRequest = message(BULK_REQUEST_SCHEMA)
        .property("failOnErrors", integer().minimum(Some(1)))
        .required("Operations")
        .property("Operations", list(bulk_operation()));
    BulkResponse = message(BULK_RESPONSE_SCHEMA).required("Operations").property("Operations", list(object()));
    SearchRequest = search_request();
    ListResponse = list_response();
    Error = message(ERROR_SCHEMA).required("status").property("status", text()).property("scimType", text())
        .property("detail", text());
}

fn patch_operation() -> ObjectBuilder {
    let op = text().enum_values(Some(["add", "remove", "replace"]));
    object()
        .required("op")
        .property("op", op)
        .property("path", text())
        .property("value", ObjectBuilder::new().schema_type(SchemaType::AnyValue))
}

fn bulk_operation() -> ObjectBuilder {
    let method = text().enum_values(Some(["POST", "PUT", "PATCH", "DELETE"]));
    object()
        .required("method")
        .property("method", method)
        .required("path")
        .property("path", text())
        .property("bulkId", text())
        .property("version", text())
        .property("data", object())
}

fn search_request() -> ObjectBuilder {
    object()
        .property("schemas", urns([SEARCH_REQUEST_SCHEMA]))
        .property("attributes", list(text()))
        .property("excludedAttributes", list(text()))
        .property("filter", text())
        .property("sortBy", text())
        .property("sortOrder", text())
        .property("startIndex", integer())
        .property("count", integer())
        .property("cursor", text())
}

fn list_response() -> ObjectBuilder {
    message(LIST_SCHEMA)
        .required("totalResults")
        .property("totalResults", integer())
        .property("itemsPerPage", integer())
        .property("startIndex", integer())
        .property("nextCursor", text())
        .property("previousCursor", text())
        .required("Resources")
        .property("Resources", list(object()))
}

/// A SCIM message, which names its own schema.
fn message(urn: &str) -> ObjectBuilder {
    object().required("schemas").property("schemas", urns([urn]))
}

fn list(items: ObjectBuilder) -> ArrayBuilder {
    ArrayBuilder::new().items(items)
}

fn object() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Object)
}

fn integer() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer)
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}
