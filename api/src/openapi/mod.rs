//! The `OpenAPI` 3.1 description of every endpoint, at `/openapi.json`, with a page at `/docs`. It is built
//! from the same schemas as the endpoints.

mod audit;
mod schemas;
mod streams;

use rollcall_scim::schema::ResourceType;
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

use crate::media_type::SCIM_JSON;
use crate::scim::BASE_PATH;

/// The errors that any endpoint may answer.
const ERRORS: [(&str, &str); 14] = [
    ("400", "The call is wrong; the detail names the attribute."),
    ("401", "No valid token."),
    ("403", "The token may not be used with this origin, from this address, or for this."),
    ("404", "There is no such thing."),
    ("405", "The endpoint does not know this method."),
    ("408", "The body did not arrive in time."),
    ("409", "A unique value is taken."),
    ("412", "The version is not the one in If-Match."),
    ("413", "The body is too large, or holds too much."),
    ("415", "Another media type than SCIM's or JSON."),
    ("422", "The Idempotency-Key came with another request before."),
    ("429", "Too many calls; Retry-After says when to call again."),
    ("500", "The call failed for a reason of the service's own."),
    ("503", "A server that the call needs is away; a change may have been applied, so repeat it with the same Idempotency-Key."),
];

/// The description. `server` is the address at which callers reach the service.
///
/// # Errors
/// If the description is not valid `OpenAPI`. A test checks that it is valid.
pub(crate) fn document(server: &str) -> Result<OpenApi, serde_json::Error> {
    serde_json::from_value(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Rollcall", "version": env!("CARGO_PKG_VERSION"), "license": {"name": "Apache-2.0"},
            "description": "SCIM 2.0 provisioning (RFC 7643, RFC 7644) with an event log behind it.",
        },
        "servers": [{"url": server}],
        "security": [{"token": []}],
        "paths": paths(),
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}, "schemas": schemas::schemas()},
    }))
}

fn paths() -> Value {
    let mut paths = Map::new();
    for resource_type in ResourceType::all() {
        let (name, endpoint) = (resource_type.name, resource_type.endpoint);
        let is_writable = ResourceType::writable().iter().any(|known| known.name == name);
        let keep = |described: Value| if is_writable { described } else { json!({"get": described["get"]}) };
        paths.insert(format!("{BASE_PATH}{endpoint}"), keep(collection(name)));
        paths.insert(format!("{BASE_PATH}{endpoint}/{{id}}"), keep(single(name)));
        paths.insert(format!("{BASE_PATH}{endpoint}/.search"), search(&format!("search{name}s"), &format!("Search {name}s by POST")));
    }
    paths.insert(BASE_PATH.to_owned(), json!({"get": list("listAll", "List users and groups")}));
    paths.insert(format!("{BASE_PATH}/.search"), search("searchAll", "Search users and groups by POST"));
    let bulk = body(operation("bulk", "Several operations in one call", "200", &reference("BulkResponse")), "BulkRequest");
    paths.insert(format!("{BASE_PATH}/Bulk"), json!({"post": with_answer(bulk, "202", json!({"description": "On a durable queue; Location says where the first outcome will be."}))}));
    for (path, id, summary) in [
        ("/ServiceProviderConfig", "serviceProviderConfig", "What the service supports"),
        ("/ResourceTypes", "resourceTypes", "The types of resources"),
        ("/Schemas", "schemas", "The schemas"),
    ] {
        paths.insert(format!("{BASE_PATH}{path}"), json!({"get": operation(id, summary, "200", &json!({"type": "object"}))}));
    }
    for (path, id, summary) in [("/ResourceTypes", "resourceType", "A type of resources"), ("/Schemas", "schema", "A schema")] {
        let get = with_parameters(operation(id, summary, "200", &json!({"type": "object"})), vec![path_id()]);
        paths.insert(format!("{BASE_PATH}{path}/{{id}}"), json!({"get": get}));
    }
    paths.insert(format!("{BASE_PATH}/Events/{{id}}"), json!({"get": event()}));
    paths.insert(format!("{BASE_PATH}/Me"), json!({"get": with_answer(operation("me", "Not supported: a token is no user", "501", &reference("Error")), "501", error("Not supported."))}));
    for (path, id, summary) in [("/healthz", "alive", "Whether the process lives"), ("/readyz", "ready", "Whether it can serve")] {
        let mut get = operation(id, summary, "200", &json!({"type": "object"}));
        get["responses"]["200"] = json!({"description": "Yes."});
        get["security"] = json!([]);
        paths.insert(path.to_owned(), json!({"get": get}));
    }
    paths.extend(audit::paths());
    paths.extend(streams::paths());
    let mut jwks = operation("jwks", "The keys that event tokens are checked with", "200", &json!({"type": "object"}));
    jwks["responses"]["200"] =
        json!({"description": "A JWK Set.", "content": {"application/jwk-set+json": {"schema": {"type": "object"}}}});
    jwks["security"] = json!([]);
    paths.insert("/.well-known/jwks.json".to_owned(), json!({"get": jwks}));
    Value::Object(paths)
}

fn collection(name: &str) -> Value {
    let create = operation(&format!("create{name}"), &format!("Create a {name}"), "201", &reference(name));
    let mut create = body(create, &format!("{name}Request"));
    let link = |verb: &str| (verb.to_owned(), json!({"operationId": format!("{verb}{name}"), "parameters": {"id": "$response.body#/id"}}));
    create["responses"]["201"]["links"] = ["read", "replace", "patch", "delete"].map(link).into_iter().collect();
    json!({"get": list(&format!("list{name}s"), &format!("List {name}s")), "post": accepted(shown(create))})
}

fn single(name: &str) -> Value {
    let of = |verb: &str, status| {
        with_parameters(operation(&format!("{verb}{name}"), &format!("{verb} a {name}"), status, &reference(name)), vec![path_id()])
    };
    let no_content = json!({"description": "Done."});
    let read = with_answer(shown(of("read", "200")), "304", json!({"description": "The version is the one in If-None-Match."}));
    let patch = with_answer(shown(body(of("patch", "200"), "PatchOp")), "204", no_content.clone());
    let mut delete = with_answer(of("delete", "204"), "204", no_content);
    delete["description"] = json!("The name is free again.");
    json!({"get": read, "put": accepted(shown(body(of("replace", "200"), &format!("{name}Request")))), "patch": accepted(patch), "delete": accepted(delete)})
}

fn list(id: &str, summary: &str) -> Value {
    let parameters = [
        ("filter", "A filter (RFC 7644 section 3.4.2.2)", "string"),
        ("sortBy", "The attribute to sort by", "string"),
        ("sortOrder", "ascending or descending", "string"),
        ("startIndex", "The 1-based index of the first resource", "integer"),
        ("count", "At most so many resources", "integer"),
        ("cursor", "Where the page begins (RFC 9865); empty for the first", "string"),
    ];
    let parameters = parameters.map(|(name, description, kind)| query(name, description, kind));
    shown(with_parameters(operation(id, summary, "200", &reference("ListResponse")), parameters.to_vec()))
}

fn search(id: &str, summary: &str) -> Value {
    json!({"post": body(operation(id, summary, "200", &reference("ListResponse")), "SearchRequest")})
}

fn event() -> Value {
    let mut get = with_parameters(
        operation("event", "What became of a request that was answered 202", "200", &json!({"type": "string"})),
        vec![path_id()],
    );
    get["responses"]["200"]["content"] = json!({"application/secevent+jwt": {"schema": {"type": "string"}}});
    get
}

fn query(name: &str, description: &str, kind: &str) -> Value {
    json!({"name": name, "in": "query", "required": false, "description": description, "schema": {"type": kind}})
}

fn path_id() -> Value {
    json!({"name": "id", "in": "path", "required": true, "schema": {"type": "string"}})
}

/// Adds the parameters that select attributes of the answer (RFC 7644 section 3.9).
fn shown(operation: Value) -> Value {
    let parameters = [
        query("attributes", "Only these, separated by commas", "string"),
        query("excludedAttributes", "All but these, separated by commas", "string"),
    ];
    with_parameters(operation, parameters.to_vec())
}

/// Adds the answer 202, which comes before the outcome is known.
fn accepted(operation: Value) -> Value {
    with_answer(operation, "202", json!({"description": "On a durable queue; Location says where the outcome will be."}))
}

fn operation(id: &str, summary: &str, status: &str, schema: &Value) -> Value {
    let mut responses: Map<String, Value> = ERRORS.iter().map(|(status, why)| ((*status).to_owned(), error(why))).collect();
    responses.insert(status.to_owned(), json!({"description": "Done.", "content": {SCIM_JSON: {"schema": schema}}}));
    json!({"operationId": id, "summary": summary, "parameters": [], "responses": responses})
}

fn error(description: &str) -> Value {
    json!({"description": description, "content": {SCIM_JSON: {"schema": reference("Error")}}})
}

fn with_answer(mut operation: Value, status: &str, answer: Value) -> Value {
    operation["responses"][status] = answer;
    operation
}

fn with_parameters(mut operation: Value, parameters: Vec<Value>) -> Value {
    if let Some(present) = operation["parameters"].as_array_mut() {
        present.extend(parameters);
    }
    operation
}

fn body(mut operation: Value, schema: &str) -> Value {
    operation["requestBody"] = json!({"required": true, "content": {SCIM_JSON: {"schema": reference(schema)}}});
    operation
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_is_valid_and_names_every_attribute() {
        let document = serde_json::to_value(document("https://id.example.com").unwrap()).unwrap();
        let user = &document["components"]["schemas"]["User"]["properties"];
        assert_eq!(user["emails"]["items"]["properties"]["value"]["type"], "string");
        assert!(user.get("password").is_none() && user.get("id").is_some());
        let sent = &document["components"]["schemas"]["UserRequest"]["properties"];
        assert!(sent.get("password").is_some() && sent.get("id").is_none());
        assert!(document["paths"]["/scim/v2/Users/{id}"]["patch"]["responses"]["204"].is_object());
    }
}
