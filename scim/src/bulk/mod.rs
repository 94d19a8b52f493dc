//! Bulk requests (RFC 7644 section 3.7): several operations in one call. An operation may refer to a resource
//! that another one creates.

use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap};

mod waves;

pub use waves::waves;

use crate::{ScimError, ScimType, lenience};

/// The schema of a bulk request.
pub const BULK_REQUEST_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
/// The schema of the answer to a bulk request.
pub const BULK_RESPONSE_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
/// The prefix of a reference to a resource that another operation creates.
const REFERENCE: &str = "bulkId:";
/// The longest `bulkId`, in bytes.
const MAX_BULK_ID: usize = 256;

/// A bulk request.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkRequest {
    /// The number of errors after which no operation runs; `None` if all run.
    pub fail_on_errors: Option<u64>,
    /// The operations, in their order.
    pub operations: Vec<Operation>,
}

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// The method, in capital letters.
    pub method: String,
    /// The path below the base.
    pub path: String,
    /// The name of the created resource in other operations of the request.
    pub bulk_id: Option<String>,
    /// The version that the resource must have.
    pub version: Option<String>,
    /// The body.
    pub data: Value,
}

/// Reads a bulk request.
///
/// # Errors
/// 400 `invalidSyntax` if the body is no bulk request; 413 `tooMany` if it has more than `max_operations`.
pub fn parse(body: Value, max_operations: usize) -> Result<BulkRequest, ScimError> {
    let Value::Object(mut body) = body else { return Err(ScimError::invalid_syntax("the body is not a JSON object")) };
    let is_bulk = |urn: &Value| urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(BULK_REQUEST_SCHEMA));
    if !take(&mut body, "schemas").map(lenience::list).unwrap_or_default().iter().any(is_bulk) {
        return Err(ScimError::invalid_syntax(format!("schemas does not hold {BULK_REQUEST_SCHEMA}")));
    }
    let fail_on_errors = match take(&mut body, "failOnErrors") {
        None | Some(Value::Null) => None,
        // Some clients send 0 or -1 for "no limit".
        Some(value) => match (value.as_u64(), value.as_i64()) {
            (Some(0), _) | (None, Some(_)) => None,
            (Some(errors), _) => Some(errors),
            (None, None) => return Err(ScimError::invalid_syntax("failOnErrors is not a whole number")),
        },
    };
    let Some(Value::Array(operations)) = take(&mut body, "Operations") else {
        return Err(ScimError::invalid_syntax("Operations is missing or not a list"));
    };
    if operations.len() > max_operations {
        let detail = format!("Operations has more than {max_operations} entries");
        return Err(ScimError { status: 413, scim_type: Some(ScimType::TooMany), detail });
    }
    let operations: Vec<_> =
        operations.into_iter().enumerate().map(|(index, one)| operation(index, one)).collect::<Result<_, _>>()?;
    let mut seen = BTreeSet::new();
    for id in operations.iter().filter_map(|operation| operation.bulk_id.as_deref()) {
        if !seen.insert(id) {
            return Err(ScimError::invalid_value(format!("bulkId {id} is given to two operations")));
        }
    }
    Ok(BulkRequest { fail_on_errors, operations })
}

fn take(object: &mut Map<String, Value>, name: &str) -> Option<Value> {
    let key = object.keys().find(|key| key.eq_ignore_ascii_case(name))?.clone();
    object.remove(&key)
}

fn operation(index: usize, operation: Value) -> Result<Operation, ScimError> {
    let wrong = |what: &str| ScimError::invalid_syntax(format!("Operations[{index}]: {what}"));
    let Value::Object(mut operation) = operation else { return Err(wrong("it is not an object")) };
    let mut text = |name: &str| match take(&mut operation, name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(&format!("{name} is not a string"))),
    };
    let method = text("method")?.ok_or_else(|| wrong("method is missing"))?.to_ascii_uppercase();
    let path = text("path")?.ok_or_else(|| wrong("path is missing"))?;
    let (bulk_id, version) = (text("bulkId")?, text("version")?);
    if bulk_id.as_ref().is_some_and(|id| id.is_empty() || id.len() > MAX_BULK_ID) {
        return Err(wrong(&format!("bulkId is empty or longer than {MAX_BULK_ID} bytes")));
    }
    if method == "POST" && bulk_id.is_none() {
        return Err(wrong("a POST needs a bulkId"));
    }
    let data = take(&mut operation, "data").unwrap_or(Value::Null);
    Ok(Operation { method, path, bulk_id, version, data })
}

impl Operation {
    /// The `bulkId`s that the operation refers to.
    pub fn references(&self) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        found.extend(self.path.split('/').filter_map(|part| part.strip_prefix(REFERENCE)));
        collect(&self.data, &mut found);
        found
    }

    /// Replaces references by the ids of the created resources.
    pub fn resolve(&mut self, ids: &HashMap<String, String>) {
        let of = |text: &str| text.strip_prefix(REFERENCE).and_then(|id| ids.get(id)).cloned();
        self.path =
            self.path.split('/').map(|part| of(part).unwrap_or_else(|| part.to_owned())).collect::<Vec<_>>().join("/");
        replace(&mut self.data, &of);
    }
}

fn collect<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::String(text) => found.extend(text.strip_prefix(REFERENCE)),
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        Value::Object(members) => members.values().for_each(|value| collect(value, found)),
        _ => {}
    }
}

fn replace(value: &mut Value, of: &impl Fn(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            if let Some(id) = of(text) {
                *text = id;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| replace(value, of)),
        Value::Object(members) => members.values_mut().for_each(|value| replace(value, of)),
        _ => {}
    }
}

/// The outcome of one operation.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The method.
    pub method: String,
    /// The `bulkId` of the operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bulk_id: Option<String>,
    /// The version of the resource after the operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The address of the resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The HTTP status, as a string.
    pub status: String,
    /// The error, if the operation failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<Value>,
}

impl Outcome {
    /// The outcome of a failed operation.
    pub fn failed(operation: &Operation, error: &ScimError) -> Self {
        Self {
            method: operation.method.clone(),
            bulk_id: operation.bulk_id.clone(),
            version: None,
            location: None,
            status: error.status.to_string(),
            response: Some(error.to_body()),
        }
    }

    /// Whether the operation failed.
    pub fn is_error(&self) -> bool {
        self.response.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use test_case::test_case;

    fn bulk(operations: Value) -> Result<BulkRequest, ScimError> {
        parse(json!({"schemas": [BULK_REQUEST_SCHEMA], "Operations": operations}), 5)
    }

    fn post(id: &str, refers: &[&str]) -> Value {
        let members: Vec<_> = refers.iter().map(|id| json!({"value": format!("bulkId:{id}")})).collect();
        json!({"method": "post", "path": "/Users", "bulkId": id, "data": {"members": members}})
    }

    #[test]
    fn references_are_resolved_in_the_path_and_in_the_data() {
        let patch = json!({
            "method": "PATCH", "path": "/Groups/bulkId:g", "data": {"Operations": [{"value": [{"value": "bulkId:a"}]}]}
        });
        let mut operation = bulk(json!([patch])).unwrap().operations.remove(0);
        assert_eq!(operation.references(), BTreeSet::from(["a", "g"]));
        operation.resolve(&HashMap::from([("g".to_owned(), "7".to_owned()), ("a".to_owned(), "8".to_owned())]));
        assert_eq!(
            (operation.path.as_str(), &operation.data),
            ("/Groups/7", &json!({"Operations": [{"value": [{"value": "8"}]}]}))
        );
    }

    #[test_case(json!("x"), 400; "not a list")]
    #[test_case(json!([1]), 400; "not an object")]
    #[test_case(json!([{"path": "/Users"}]), 400; "no method")]
    #[test_case(json!([{"method": "POST", "path": "/Users"}]), 400; "a create without a name")]
    #[test_case(json!([post("a", &[]), post("a", &[])]), 400; "one name twice")]
    #[test_case(json!(vec![post("a", &[]); 6]), 413; "too many")]
    fn refused(operations: Value, status: u16) {
        assert_eq!(bulk(operations).unwrap_err().status, status);
    }
}
