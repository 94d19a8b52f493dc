//! Keys of a resource that are paths: `name.givenName`, `urn:…:enterprise:2.0:User:department`, the URN of the core schema. Some clients send them in POST and PUT, as a
//! PATCH without a path has them. A key that is understood must not be dropped.

use serde_json::{Map, Value};

use crate::ScimError;
use crate::path::{Path, Target};
use crate::schema::ResourceType;

/// The body with each value where the schemas have it. Keys that are no paths stay as they are.
///
/// # Errors
/// 400 `invalidSyntax` if a value is given twice, or if a key leads into an attribute with several values: it does not say into which.
pub(crate) fn unfold(resource_type: &ResourceType, body: Map<String, Value>) -> Result<Map<String, Value>, ScimError> {
    let mut unfolded = Map::new();
    let mut paths = Vec::new();
    for (name, value) in body {
        if name.eq_ignore_ascii_case(&resource_type.core.id) {
            core(resource_type, value, &mut unfolded, &mut paths)?;
        } else if let (Some(schema), Value::Object(members)) = (resource_type.extension(&name), &value) {
            let inside = extension(resource_type, &schema.id, members.clone(), &mut paths)?;
            sort(resource_type, name, Value::Object(inside), &mut unfolded, &mut paths)?;
        } else {
            sort(resource_type, name, value, &mut unfolded, &mut paths)?;
        }
    }
    for (keys, value) in paths {
        put(&mut unfolded, &keys, value)?;
    }
    Ok(unfolded)
}

/// The attributes under the URN of the core schema belong beside it.
fn core(
    resource_type: &ResourceType,
    value: Value,
    unfolded: &mut Map<String, Value>,
    paths: &mut Vec<(Vec<String>, Value)>,
) -> Result<(), ScimError> {
    match value {
        Value::Null => Ok(()),
        Value::Object(members) => members.into_iter().try_for_each(|(name, value)| sort(resource_type, name, value, unfolded, paths)),
        _ => Err(ScimError::invalid_syntax(format!("{} is not an object", resource_type.core.id))),
    }
}

/// The members of an extension that are no paths. Those that are, such as `manager.value`, go to the others.
fn extension(
    resource_type: &ResourceType,
    urn: &str,
    members: Map<String, Value>,
    paths: &mut Vec<(Vec<String>, Value)>,
) -> Result<Map<String, Value>, ScimError> {
    let mut inside = Map::new();
    for (name, value) in members {
        let path = if name.contains(':') { name.clone() } else { format!("{urn}:{name}") };
        match keys(resource_type, &path)?.filter(|_| name.contains(['.', ':'])) {
            Some(keys) => paths.push((keys, value)),
            None => {
                inside.insert(name, value);
            }
        }
    }
    Ok(inside)
}

/// Puts a value among those that stay where they are, or among those that a path leads to.
fn sort(
    resource_type: &ResourceType,
    name: String,
    value: Value,
    unfolded: &mut Map<String, Value>,
    paths: &mut Vec<(Vec<String>, Value)>,
) -> Result<(), ScimError> {
    if let Some(keys) = keys(resource_type, &name)? {
        paths.push((keys, value));
    } else if unfolded.contains_key(&name) {
        return Err(twice(&name));
    } else {
        unfolded.insert(name, value);
    }
    Ok(())
}

/// Where a key leads that is a path; `None` if it is the name of an attribute or of a schema, or unknown.
fn keys(resource_type: &ResourceType, name: &str) -> Result<Option<Vec<String>>, ScimError> {
    if !name.contains(['.', ':']) || resource_type.extension(name).is_some() {
        return Ok(None);
    }
    let Ok(path) = name.parse::<Path>() else { return Ok(None) };
    let Ok(Target::Attribute(target)) = path.target(resource_type) else { return Ok(None) };
    if target.filter.is_some() || (target.attribute.multi_valued && target.sub.is_some()) {
        return Err(ScimError::invalid_syntax(format!("{name} does not say which value of {} it is of", target.attribute.name)));
    }
    let extension = target.extension.map(|schema| schema.id.clone());
    let sub = target.sub.map(|sub| sub.name.clone());
    Ok(Some(extension.into_iter().chain([target.attribute.name.clone()]).chain(sub).collect()))
}

/// Puts a value where its keys lead, beside what is there already.
fn put(object: &mut Map<String, Value>, keys: &[String], value: Value) -> Result<(), ScimError> {
    let [key, rest @ ..] = keys else { return Ok(()) };
    let present = object.keys().find(|present| present.eq_ignore_ascii_case(key)).cloned();
    if rest.is_empty() {
        if present.is_some() {
            return Err(twice(key));
        }
        object.insert(key.clone(), value);
        return Ok(());
    }
    let inside = object.entry(present.unwrap_or_else(|| key.clone())).or_insert_with(|| Value::Object(Map::new()));
    match inside {
        Value::Object(inside) => put(inside, rest, value),
        _ => Err(twice(key)),
    }
}

fn twice(name: &str) -> ScimError {
    ScimError::invalid_syntax(format!("{name} is given twice"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{ENTERPRISE_SCHEMA, USER, USER_SCHEMA};
    use serde_json::json;
    use test_case::test_case;

    fn unfolded(body: Value) -> Result<Value, ScimError> {
        unfold(&USER, body.as_object().cloned().unwrap()).map(Value::Object)
    }

    #[test_case(json!({"name.givenName": "Ada"}) => json!({"name": {"givenName": "Ada"}}); "a part")]
    #[test_case(json!({"name.givenName": "Ada", "Name": {"familyName": "King"}}) => json!({"Name": {"familyName": "King", "givenName": "Ada"}}); "beside the attribute")]
    #[test_case(json!({format!("{ENTERPRISE_SCHEMA}:department"): "E"}) => json!({ENTERPRISE_SCHEMA: {"department": "E"}}); "in an extension")]
    #[test_case(json!({format!("{ENTERPRISE_SCHEMA}.manager.value"): "7"}) => json!({ENTERPRISE_SCHEMA: {"manager": {"value": "7"}}}); "with dots")]
    #[test_case(json!({format!("{USER_SCHEMA}:userName"): "ada"}) => json!({"userName": "ada"}); "qualified")]
    #[test_case(json!({USER_SCHEMA: {"userName": "ada", "name.givenName": "Ada"}}) => json!({"userName": "ada", "name": {"givenName": "Ada"}}); "the core schema")]
    #[test_case(json!({ENTERPRISE_SCHEMA: {"manager.value": "7", "costCenter": "c"}}) => json!({ENTERPRISE_SCHEMA: {"costCenter": "c", "manager": {"value": "7"}}}); "inside an extension")]
    #[test_case(json!({ENTERPRISE_SCHEMA: {format!("{ENTERPRISE_SCHEMA}:department"): "E"}}) => json!({ENTERPRISE_SCHEMA: {"department": "E"}}); "qualified inside an extension")]
    #[test_case(json!({"shoe.size": 7, "urn:x:y": {}, "userName": "ada"}) => json!({"shoe.size": 7, "urn:x:y": {}, "userName": "ada"}); "unknown")]
    fn understood(body: Value) -> Value {
        unfolded(body).unwrap()
    }

    #[test_case(json!({"emails.value": "a@x"}), "emails.value"; "into several values")]
    #[test_case(json!({"emails[type eq \"work\"].value": "a@x"}), "emails"; "with a filter")]
    #[test_case(json!({"name.givenName": "Ada", "name": {"givenName": "Kim"}}), "givenName is given twice"; "twice")]
    #[test_case(json!({"name.givenName": "Ada", "name": "Kim"}), "name is given twice"; "into a text")]
    #[test_case(json!({USER_SCHEMA: {"userName": "ada"}, "userName": "kim"}), "userName is given twice"; "under the core schema too")]
    #[test_case(json!({USER_SCHEMA: "ada"}), "is not an object"; "the core schema as a text")]
    fn refused(body: Value, why: &str) {
        let error = unfolded(body).unwrap_err();
        assert!(error.detail.contains(why), "{}", error.detail);
    }
}
