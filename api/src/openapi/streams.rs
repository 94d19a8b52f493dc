//! Describes the receivers' endpoint.

use serde_json::{Map, Value, json};

use super::{operation, path_id, with_parameters};
use crate::streams::BASE_PATH;

/// The path of the receivers' endpoint.
pub(super) fn paths() -> Map<String, Value> {
    let answer = json!({
        "type": "object", "required": ["sets", "moreAvailable"],
        "properties": {
            "sets": {"type": "object", "description": "Security Event Tokens by their jti.", "additionalProperties": {"type": "string"}},
            "moreAvailable": {"type": "boolean"},
        },
    });
    let mut poll = with_parameters(operation("pollStream", "What has happened since (RFC 8936)", "200", &answer), vec![path_id()]);
    poll["responses"]["200"] =
        json!({"description": "What waits to be acknowledged.", "content": {"application/json": {"schema": answer}}});
    let error = json!({"type": "object", "properties": {"err": {"type": "string"}, "description": {"type": "string"}}});
    let asked = json!({
        "type": "object",
        "properties": {
            "maxEvents": {"type": "integer", "minimum": 0, "description": "At most so many; 0 only acknowledges."},
            "returnImmediately": {"type": "boolean", "description": "Whether to answer at once where there is nothing."},
            "ack": {"type": "array", "items": {"type": "string"}, "description": "The jti of what the receiver has."},
            "setErrs": {"type": "object", "additionalProperties": error, "description": "What it cannot use, and why."},
        },
    });
    poll["requestBody"] = json!({"required": true, "content": {"application/json": {"schema": asked}}});
    Map::from_iter([(format!("{BASE_PATH}/{{id}}/poll"), json!({"post": poll}))])
}
