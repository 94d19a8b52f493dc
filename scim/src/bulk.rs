//! Bulk requests (RFC 7644 section 3.7): several operations in one call, which may refer to what others of them create.

use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap};

use crate::{ScimError, ScimType};

/// The schema of a bulk request.
pub const BULK_REQUEST_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
/// The schema of its answer.
pub const BULK_RESPONSE_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
/// How a reference to what another operation creates begins.
const REFERENCE: &str = "bulkId:";
/// The longest `bulkId`, in bytes.
const MAX_BULK_ID: usize = 256;

/// A bulk request.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkRequest {
    /// After so many errors nothing more is done; `None` where all is tried.
    pub fail_on_errors: Option<u64>,
    /// The operations. One that is malformed is an error of its own.
    pub operations: Vec<Operation>,
}

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// The method, in capital letters.
    pub method: String,
    /// The path below the base.
    pub path: String,
    /// What others of the request call the resource that this one creates.
    pub bulk_id: Option<String>,
    /// The version that the resource must have.
    pub version: Option<String>,
    /// The body.
    pub data: Value,
}

/// Reads a bulk request.
///
/// # Errors
/// 400 `invalidSyntax` where it is not one; 413 `tooMany` where it has more than `max_operations`.
pub fn parse(body: Value, max_operations: usize) -> Result<BulkRequest, ScimError> {
    let Value::Object(mut body) = body else { return Err(ScimError::invalid_syntax("the body is not a JSON object")) };
    let is_bulk = |urn: &Value| urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(BULK_REQUEST_SCHEMA));
    if !take(&mut body, "schemas").as_ref().and_then(Value::as_array).is_some_and(|schemas| schemas.iter().any(is_bulk)) {
        return Err(ScimError::invalid_syntax(format!("schemas does not hold {BULK_REQUEST_SCHEMA}")));
    }
    let fail_on_errors = match take(&mut body, "failOnErrors") {
        None | Some(Value::Null) => None,
        Some(value) => match value.as_u64() {
            Some(errors) if errors > 0 => Some(errors),
            _ => return Err(ScimError::invalid_syntax("failOnErrors is not a whole number above 0")),
        },
    };
    let Some(Value::Array(operations)) = take(&mut body, "Operations") else {
        return Err(ScimError::invalid_syntax("Operations is missing or not a list"));
    };
    if operations.len() > max_operations {
        let detail = format!("Operations has more than {max_operations} entries");
        return Err(ScimError { status: 413, scim_type: Some(ScimType::TooMany), detail });
    }
    let operations: Vec<_> = operations.into_iter().enumerate().map(|(index, one)| operation(index, one)).collect::<Result<_, _>>()?;
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
    /// The `bulkId`s of what the operation refers to.
    pub fn references(&self) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        found.extend(self.path.split('/').filter_map(|part| part.strip_prefix(REFERENCE)));
        collect(&self.data, &mut found);
        found
    }

    /// Puts the ids of what was created in the place of references to it.
    pub fn resolve(&mut self, ids: &HashMap<String, String>) {
        let of = |text: &str| text.strip_prefix(REFERENCE).and_then(|id| ids.get(id)).cloned();
        self.path = self.path.split('/').map(|part| of(part).unwrap_or_else(|| part.to_owned())).collect::<Vec<_>>().join("/");
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

/// The order in which the operations can be done, as waves: what is in one does not need the outcome of another in the same.
///
/// Operations keep their order, but for those that refer to what a later one creates: they wait for it. Where operations refer to each other in a
/// circle, one of them has to go before what it refers to is there.
pub fn waves(operations: &[Operation]) -> Vec<Vec<usize>> {
    let mut plan = Plan::new(operations);
    let mut waves = Vec::new();
    while let Some(wave) = plan.next_wave() {
        waves.push(wave);
    }
    waves
}

/// What is left to be put into waves. Every operation is looked at once when its turn comes, and once for each operation that it needs.
struct Plan {
    /// By operation: those that need it.
    needed_by: Vec<Vec<usize>>,
    /// By operation: how many of those that it needs are not done.
    open: Vec<usize>,
    /// By operation: how many of these come before it.
    open_before: Vec<usize>,
    /// The first operation whose turn has not come.
    next: usize,
    /// Operations before `next` that wait for later ones.
    waiting: BTreeSet<usize>,
    /// Operations before `next` that wait for nothing any more.
    ready: BTreeSet<usize>,
}

impl Plan {
    fn new(operations: &[Operation]) -> Self {
        let creators: HashMap<&str, usize> =
            operations.iter().enumerate().filter_map(|(index, operation)| Some((operation.bulk_id.as_deref()?, index))).collect();
        let (mut needed_by, mut open) = (vec![Vec::new(); operations.len()], vec![0; operations.len()]);
        let mut open_before = open.clone();
        for (index, operation) in operations.iter().enumerate() {
            for needed in operation.references().iter().filter_map(|id| creators.get(id).copied()).filter(|needed| *needed != index) {
                needed_by[needed].push(index);
                open[index] += 1;
                open_before[index] += usize::from(needed < index);
            }
        }
        Self { needed_by, open, open_before, next: 0, waiting: BTreeSet::new(), ready: BTreeSet::new() }
    }

    /// What can be done now; `None` where all is done.
    fn next_wave(&mut self) -> Option<Vec<usize>> {
        let mut wave: Vec<usize> = std::mem::take(&mut self.ready).into_iter().collect();
        // What refers to an operation before it, and all behind it, wait for the next wave.
        while self.next < self.open.len() && self.open_before[self.next] == 0 {
            if self.open[self.next] == 0 {
                wave.push(self.next);
            } else {
                self.waiting.insert(self.next);
            }
            self.next += 1;
        }
        if wave.is_empty() {
            wave.push(self.first_of_a_circle()?);
        }
        for &done in &wave {
            for index in std::mem::take(&mut self.needed_by[done]) {
                self.open[index] -= 1;
                self.open_before[index] -= usize::from(done < index);
                if self.open[index] == 0 && self.waiting.remove(&index) {
                    self.ready.insert(index);
                }
            }
        }
        Some(wave)
    }

    fn first_of_a_circle(&mut self) -> Option<usize> {
        if let Some(first) = self.waiting.pop_first() {
            return Some(first);
        }
        let first = self.next;
        self.next += 1;
        (first < self.open.len()).then_some(first)
    }
}

/// What became of one operation.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The method.
    pub method: String,
    /// What the request called it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bulk_id: Option<String>,
    /// The version of what it left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Where the resource is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The HTTP status, as a string.
    pub status: String,
    /// The error, where it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<Value>,
}

impl Outcome {
    /// An operation that failed.
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

    /// Whether it failed.
    pub fn is_error(&self) -> bool {
        self.response.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use test_case::test_case;

    fn bulk(operations: Value) -> Result<BulkRequest, ScimError> {
        parse(json!({"schemas": [BULK_REQUEST_SCHEMA], "Operations": operations}), 5)
    }

    fn post(id: &str, refers: &[&str]) -> Value {
        let members: Vec<_> = refers.iter().map(|id| json!({"value": format!("bulkId:{id}")})).collect();
        json!({"method": "post", "path": "/Users", "bulkId": id, "data": {"members": members}})
    }

    #[test_case(&[post("a", &[]), post("b", &[])] => vec![vec![0, 1]]; "nothing refers to anything")]
    #[test_case(&[post("a", &[]), post("b", &["a"]), post("c", &[])] => vec![vec![0], vec![1, 2]]; "back: order is kept")]
    #[test_case(&[post("a", &["c"]), post("b", &[]), post("c", &[])] => vec![vec![1, 2], vec![0]]; "forth: it waits")]
    #[test_case(&[post("a", &["b"]), post("b", &["a"])] => vec![vec![0], vec![1]]; "in a circle")]
    #[test_case(&[post("a", &["a", "nobody"])] => vec![vec![0]]; "to itself and to nothing")]
    fn order(operations: &[Value]) -> Vec<Vec<usize>> {
        waves(&bulk(json!(operations)).unwrap().operations)
    }

    /// The order as it is defined, in words that cost the square of the operations.
    fn by_definition(operations: &[Operation]) -> Vec<Vec<usize>> {
        let place = |id: &str| operations.iter().position(|operation| operation.bulk_id.as_deref() == Some(id));
        let needs = |index: usize| -> Vec<usize> {
            operations[index].references().into_iter().filter_map(place).filter(|needed| *needed != index).collect()
        };
        let (mut remaining, mut waves): (Vec<usize>, Vec<Vec<usize>>) = ((0..operations.len()).collect(), Vec::new());
        while let Some(&first) = remaining.first() {
            let mut wave = Vec::new();
            for &index in &remaining {
                let open: Vec<_> = needs(index).into_iter().filter(|needed| remaining.contains(needed)).collect();
                if open.is_empty() {
                    wave.push(index);
                } else if open.iter().any(|needed| *needed < index) {
                    break;
                }
            }
            if wave.is_empty() {
                wave.push(first);
            }
            remaining.retain(|index| !wave.contains(index));
            waves.push(wave);
        }
        waves
    }

    proptest! {
        #[test]
        fn the_order_is_the_one_that_is_defined(edges in proptest::collection::vec((0..8_usize, 0..8_usize), 0..14)) {
            let refers = |index: usize| edges.iter().filter(move |(from, _)| *from == index).map(|(_, to)| to.to_string()).collect::<Vec<_>>();
            let posts: Vec<_> =
                (0..8).map(|index| post(&index.to_string(), &refers(index).iter().map(String::as_str).collect::<Vec<_>>())).collect();
            let operations = parse(json!({"schemas": [BULK_REQUEST_SCHEMA], "Operations": posts}), 8).unwrap().operations;
            prop_assert_eq!(waves(&operations), by_definition(&operations));
        }
    }

    #[test]
    fn a_chain_of_many_operations_is_put_in_order() {
        let id = |index: usize| format!("b{index}");
        for (step, waves_expected) in [(1, 20_000), (-1_isize, 20_000)] {
            let posts: Vec<_> = (0..20_000_usize).map(|index| post(&id(index), &[&id(index.wrapping_add_signed(step))])).collect();
            let operations = parse(json!({"schemas": [BULK_REQUEST_SCHEMA], "Operations": posts}), 20_000).unwrap().operations;
            assert_eq!(waves(&operations).len(), waves_expected);
        }
    }

    #[test]
    fn references_are_resolved_in_the_path_and_in_the_data() {
        let patch = json!({"method": "PATCH", "path": "/Groups/bulkId:g", "data": {"Operations": [{"value": [{"value": "bulkId:a"}]}]}});
        let mut operation = bulk(json!([patch])).unwrap().operations.remove(0);
        assert_eq!(operation.references(), BTreeSet::from(["a", "g"]));
        operation.resolve(&HashMap::from([("g".to_owned(), "7".to_owned()), ("a".to_owned(), "8".to_owned())]));
        assert_eq!((operation.path.as_str(), &operation.data), ("/Groups/7", &json!({"Operations": [{"value": [{"value": "8"}]}]})));
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
