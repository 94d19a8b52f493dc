//! Describes the auditors' endpoints.

use serde_json::{Map, Value, json};

use super::{operation, path_id, query, with_answer, with_parameters};
use crate::audit::BASE_PATH;

/// The paths of the auditors' endpoints.
pub(super) fn paths() -> Map<String, Value> {
    let list = with_parameters(get("auditEvents", "Entries of the log", "application/json"), conditions());
    let at = query("at", "The time; now where it is missing", "string");
    let users = with_parameters(get("auditUsers", "Users as they were at a time", "application/json"), [vec![at.clone()], page()].concat());
    let user = with_parameters(get("auditUser", "A user as it was at a time", "application/json"), vec![path_id(), at]);
    let history =
        with_parameters(get("auditHistory", "What became of a user, and by whom", "application/json"), [vec![path_id()], page()].concat());
    let seq = json!({"name": "seq", "in": "path", "required": true, "schema": {"type": "integer", "minimum": 1}});
    let entry = with_parameters(get("auditEvent", "An entry of the log", "application/json"), vec![seq]);
    let size = |name: &str, what: &str| query(name, what, "integer");
    let export = with_parameters(
        get("auditExport", "The log to take away", "application/x-ndjson"),
        vec![size("from", "The first place"), size("to", "The last place"), query("format", "ndjson or csv", "string")],
    );
    let csv = json!({"description": "The entries.", "content": {"application/x-ndjson": {"schema": {"type": "string"}}, "text/csv": {"schema": {"type": "string"}}}});
    let checkpoint =
        with_parameters(get("checkpoint", "A signed checkpoint", "text/plain"), vec![size("size", "That of a size; else the newest")]);
    let inclusion = with_parameters(
        get("inclusionProof", "That an entry is in the log", "application/json"),
        vec![required(size("seq", "The place of the entry")), size("size", "The size of the log; else that of the newest checkpoint")],
    );
    let consistency = with_parameters(
        get("consistencyProof", "That a log begins with an earlier one", "application/json"),
        vec![required(size("from", "The earlier size")), required(size("to", "The later size"))],
    );
    let tail = with_parameters(
        get("auditTail", "The log as it grows, as Server-Sent Events", "text/event-stream"),
        [vec![size("after", "The place after which it begins; else now")], conditions()].concat(),
    );
    let paths = [
        ("/tail", tail),
        ("/events", list),
        ("/events/{seq}", entry),
        ("/users", users),
        ("/users/{id}", user),
        ("/users/{id}/history", history),
        ("/export", with_answer(export, "200", csv)),
        ("/checkpoint", checkpoint),
        ("/proof/inclusion", inclusion),
        ("/proof/consistency", consistency),
    ];
    let erase =
        with_parameters(operation("eraseUser", "Erase what the log holds about a deleted user", "204", &json!({})), vec![path_id()]);
    let erase = with_answer(erase, "204", json!({"description": "Erased. For administrators, by the session that a sign-in link begins."}));
    let erase = (format!("{BASE_PATH}/users/{{id}}/erase"), json!({"post": erase}));
    paths.into_iter().map(|(path, get)| (format!("{BASE_PATH}{path}"), json!({"get": get}))).chain([erase]).collect()
}

fn get(id: &str, summary: &str, media_type: &str) -> Value {
    let kind = if media_type == "application/json" { "object" } else { "string" };
    let schema = json!({"type": kind});
    let answer = json!({"description": "Done.", "content": {media_type: {"schema": schema}}});
    with_answer(operation(id, summary, "200", &schema), "200", answer)
}

fn required(mut parameter: Value) -> Value {
    parameter["required"] = json!(true);
    parameter
}

fn page() -> Vec<Value> {
    vec![query("count", "At most so many", "integer"), query("cursor", "Where the page begins: `next` of the one before", "string")]
}

fn conditions() -> Vec<Value> {
    let conditions = [
        ("type", "One or several types, separated by commas"),
        ("outcome", "applied or rejected"),
        ("subject", "The id of what it is about"),
        ("userName", "Whoever has or had that name"),
        ("externalId", "Whoever has or had that id"),
        ("workspace", "The id of a workspace that it is about, or that it left a user in"),
        ("token", "The id of the token that asked"),
        ("origin", "The service origin that asked"),
        ("address", "The address or network that asked"),
        ("since", "Recorded at that time or later"),
        ("until", "Recorded at that time or earlier"),
        ("txn", "The transaction"),
        ("filter", "A SCIM filter on the user or group as the entry left it"),
        ("order", "newest or oldest first"),
    ];
    conditions.map(|(name, what)| query(name, what, "string")).into_iter().chain(page()).collect()
}
