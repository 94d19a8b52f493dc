//! All routes of the service, and the document that describes the public ones.

use actix_web::web::{self, ServiceConfig};
use rollcall_api_core::http;
use rollcall_api_core::openapi::{self, Endpoints};
use rollcall_api_pages as pages;
use rollcall_api_scim as scim;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::SwaggerUi;

use crate::{audit, health, service_log, streams};

/// A group of endpoints: its registration with all middleware, and the list that it registers.
struct EndpointGroup {
    routes: fn(&mut ServiceConfig),
    endpoints: fn() -> Endpoints,
}

/// The groups of the public interface, in the order in which a call is matched. The most frequent calls are
/// first.
const ENDPOINT_GROUPS: [EndpointGroup; 7] = [
    EndpointGroup { routes: scim::routes, endpoints: scim::endpoints },
    EndpointGroup { routes: scim::key_routes, endpoints: scim::key_endpoints },
    EndpointGroup { routes: health::routes, endpoints: health::endpoints },
    // Administrators call these below the path of the auditors, so they come first.
    EndpointGroup { routes: pages::api_routes, endpoints: pages::api_endpoints },
    EndpointGroup { routes: audit::routes, endpoints: audit::endpoints },
    EndpointGroup { routes: streams::routes, endpoints: streams::endpoints },
    EndpointGroup { routes: service_log::routes, endpoints: service_log::endpoints },
];

/// The description of the public interface. `server` is the public address of the service.
pub(crate) fn description(server: &str) -> OpenApi {
    openapi::document(server, ENDPOINT_GROUPS.iter().map(|group| (group.endpoints)()))
}

/// Registers everything: the public interface, its description, and the pages.
pub(crate) fn configure(config: &mut ServiceConfig, description: &OpenApi) {
    for group in ENDPOINT_GROUPS {
        (group.routes)(config);
    }
    config
        .service(web::redirect("/docs", "/docs/index.html"))
        .service(SwaggerUi::new("/docs/{_:.*}").url("/openapi.json", description.clone()))
        .configure(pages::routes)
        .default_service(web::to(http::no_endpoint));
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::App;
    use actix_web::http::{Method, StatusCode};
    use actix_web::test::{TestRequest, call_service, init_service};
    use serde_json::Value;
    use std::collections::BTreeSet;

    /// The document of all groups, or of one.
    fn document(groups: &[EndpointGroup]) -> Value {
        serde_json::to_value(openapi::document(
            "https://id.example.com",
            groups.iter().map(|group| (group.endpoints)()),
        ))
        .unwrap()
    }

    /// The operations of a document: method, path, and the operation itself.
    fn operations(document: &Value) -> Vec<(Method, String, Value)> {
        let mut operations = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                operations.push((method.to_uppercase().parse().unwrap(), path.clone(), operation.clone()));
            }
        }
        operations
    }

    /// The status of a call to a group's endpoints alone, without authentication and without a database.
    async fn status(group: &EndpointGroup, method: Method, path: &str) -> StatusCode {
        let app = init_service(App::new().service((group.endpoints)().scope())).await;
        let call = TestRequest::default().method(method).uri(path).to_request();
        call_service(&app, call).await.status()
    }

    #[actix_web::test]
    async fn every_described_operation_is_registered() {
        for group in &ENDPOINT_GROUPS {
            for (method, path, _) in operations(&document(std::slice::from_ref(group))) {
                let status = status(group, method.clone(), &path.replace(['{', '}'], "")).await;
                assert!(
                    ![StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED].contains(&status),
                    "{method} {path}: {status}"
                );
            }
        }
        assert_eq!(status(&ENDPOINT_GROUPS[0], Method::GET, "/scim/v2/Nothing").await, StatusCode::NOT_FOUND);
        assert_eq!(status(&ENDPOINT_GROUPS[0], Method::PUT, "/scim/v2/Users").await, StatusCode::METHOD_NOT_ALLOWED);
    }

    #[test]
    fn every_registered_route_is_described_with_an_id_of_its_own() {
        let described = operations(&document(&ENDPOINT_GROUPS));
        let registered: usize = ENDPOINT_GROUPS.iter().map(|group| (group.endpoints)().operations().count()).sum();
        assert_eq!(described.len(), registered, "two routes have the same path and method");
        let ids: BTreeSet<_> =
            described.iter().map(|(.., operation)| operation["operationId"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), registered, "two routes have the same operation id");
        for (method, path, operation) in &described {
            assert!(
                operation["summary"].is_string() && operation["tags"][0].is_string(),
                "{method} {path}: {operation}"
            );
        }
    }

    #[test]
    fn every_parameter_of_a_path_is_described() {
        for (method, path, operation) in operations(&document(&ENDPOINT_GROUPS)) {
            let named = path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
            let described =
                operation["parameters"].as_array().into_iter().flatten().filter(|parameter| parameter["in"] == "path");
            let described: Vec<_> = described.map(|parameter| parameter["name"].as_str().unwrap()).collect();
            assert_eq!(named.collect::<Vec<_>>(), described, "{method} {path}");
        }
    }

    #[test]
    fn every_schema_that_is_referred_to_is_in_the_document() {
        let document = document(&ENDPOINT_GROUPS);
        let text = document.to_string();
        let referred = text.split("\"$ref\":\"").skip(1).filter_map(|rest| rest.split('"').next());
        let missing: BTreeSet<_> = referred.filter(|reference| document.pointer(&reference[1..]).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn the_document_names_every_attribute() {
        let document = document(&ENDPOINT_GROUPS);
        let user = &document["components"]["schemas"]["User"]["properties"];
        assert_eq!(user["emails"]["items"]["properties"]["value"]["type"], "string");
        assert!(user.get("password").is_none() && user.get("id").is_some());
        let sent = &document["components"]["schemas"]["UserRequest"]["properties"];
        assert!(sent.get("password").is_some() && sent.get("id").is_none());
        assert!(document["paths"]["/scim/v2/Users/{id}"]["patch"]["responses"]["204"].is_object());
    }
}
