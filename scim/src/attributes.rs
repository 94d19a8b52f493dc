//! The choice of attributes that are returned (RFC 7644 section 3.9): `attributes` and `excludedAttributes`.

use serde_json::{Map, Value};
use std::collections::BTreeSet;

use crate::filter::{AttributePath, attribute_path, whole};
use crate::schema::{Attribute, ResourceType, Returned, Schema, find};
use crate::{ScimError, lenience};

/// The most names in one list.
const MAX_NAMES: usize = 100;

/// The caller's choice of attributes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Projection {
    /// The attributes that are returned by default.
    #[default]
    Default,
    /// Only these attributes, and those that are always returned.
    Only(Vec<AttributePath>),
    /// All attributes except these.
    Without(Vec<AttributePath>),
    /// All attributes. A dialect needs them for a shape of its own.
    Everything,
}

impl Projection {
    /// Reads the two query parameters.
    ///
    /// # Errors
    /// 400 `invalidValue` if both are given or a name is malformed.
    pub fn parse(attributes: Option<&str>, excluded: Option<&str>) -> Result<Self, ScimError> {
        match (attributes, excluded) {
            (None, None) => Ok(Self::Default),
            (Some(names), None) => Ok(Self::Only(paths("attributes", names)?)),
            (None, Some(names)) => Ok(Self::Without(paths("excludedAttributes", names)?)),
            (Some(_), Some(_)) => Err(ScimError::invalid_value("attributes and excludedAttributes exclude each other")),
        }
    }

    /// Whether the caller chose anything.
    pub fn is_default(&self) -> bool {
        *self == Self::Default
    }

    /// The part of a resource that is returned.
    pub fn apply(&self, resource_type: &ResourceType, mut resource: Map<String, Value>) -> Map<String, Value> {
        if *self == Self::Everything {
            return resource;
        }
        for (schema, attribute, part) in resource_type.on_request() {
            if !self.asks_for(schema, attribute, *part) {
                let is_core = std::ptr::eq(*schema, resource_type.core);
                let Some(holder) = (if is_core { Some(&mut resource) } else { object(resource.get_mut(&schema.id)) })
                else {
                    continue;
                };
                let Some(part) = part else {
                    holder.remove(&attribute.name);
                    continue;
                };
                let values = holder.get_mut(&attribute.name).and_then(Value::as_array_mut);
                for value in values.into_iter().flatten() {
                    object(Some(value)).map(|value| value.remove(&part.name));
                }
            }
        }
        if self.is_default() {
            return resource;
        }
        resource
            .into_iter()
            .filter_map(|(name, value)| Some((name.clone(), self.member(resource_type, &name, value)?)))
            .collect()
    }

    /// Whether an attribute of the core schema is returned, whole or in part.
    pub fn wants(&self, name: &str) -> bool {
        let names = |path: &AttributePath| path.name.eq_ignore_ascii_case(name);
        match self {
            Self::Default | Self::Everything => true,
            Self::Only(paths) => paths.iter().any(names),
            Self::Without(paths) => !paths.iter().any(|path| names(path) && path.sub.is_none()),
        }
    }

    /// Whether the caller names any attribute that is returned on request only.
    pub fn asks_on_request(&self, resource_type: &ResourceType) -> bool {
        resource_type.on_request().iter().any(|(schema, attribute, part)| self.asks_for(schema, attribute, *part))
    }

    /// Whether the caller names this attribute or part, which is returned on request only.
    fn asks_for(&self, schema: &Schema, attribute: &Attribute, part: Option<&Attribute>) -> bool {
        let Self::Only(paths) = self else { return *self == Self::Everything };
        let same = |given: Option<&str>, name: &str| given.is_some_and(|given| given.eq_ignore_ascii_case(name));
        paths.iter().any(|path| {
            path.name.eq_ignore_ascii_case(&attribute.name)
                && part.is_none_or(|part| same(path.sub.as_deref(), &part.name))
                && path.urn.as_deref().is_none_or(|urn| urn.eq_ignore_ascii_case(&schema.id))
        })
    }

    fn member(&self, resource_type: &ResourceType, name: &str, value: Value) -> Option<Value> {
        let Some(extension) = resource_type.extension(name) else {
            return self.attribute(resource_type.attribute(name)?, None, resource_type, value);
        };
        let names_all = |path: &AttributePath| path.to_string().eq_ignore_ascii_case(name);
        match (self, value) {
            (Self::Only(paths), value) if paths.iter().any(names_all) => Some(value),
            (Self::Without(paths), _) if paths.iter().any(names_all) => None,
            (_, Value::Object(members)) => {
                let kept = members.into_iter().filter_map(|(member, value)| {
                    let attribute = find(&extension.attributes, &member)?;
                    Some((member, self.attribute(attribute, Some(name), resource_type, value)?))
                });
                let kept: Map<_, _> = kept.collect();
                (!kept.is_empty()).then_some(Value::Object(kept))
            }
            (_, value) => Some(value),
        }
    }

    fn attribute(
        &self,
        attribute: &Attribute,
        urn: Option<&str>,
        resource_type: &ResourceType,
        value: Value,
    ) -> Option<Value> {
        let names_it = |path: &&AttributePath| {
            let same_schema = match (path.urn.as_deref(), urn) {
                (None, None) => true,
                (Some(given), None) => given.eq_ignore_ascii_case(&resource_type.core.id),
                (given, Some(urn)) => given.is_some_and(|given| given.eq_ignore_ascii_case(urn)),
            };
            same_schema && path.name.eq_ignore_ascii_case(&attribute.name)
        };
        if attribute.returned == Returned::Always {
            return Some(value);
        }
        let (paths, keep) = match self {
            Self::Default | Self::Everything => return Some(value),
            Self::Only(paths) => (paths, true),
            Self::Without(paths) => (paths, false),
        };
        let named: Vec<_> = paths.iter().filter(names_it).collect();
        if named.is_empty() {
            return (!keep).then_some(value);
        }
        if named.iter().any(|path| path.sub.is_none()) {
            return keep.then_some(value);
        }
        // Each part is listed once, even if the caller names it again: there can be many values.
        let subs: BTreeSet<&str> =
            named.iter().filter_map(|path| Some(attribute.sub(path.sub.as_deref()?)?.name.as_str())).collect();
        parts(value, &|name| subs.contains(name) == keep)
    }
}

fn object(value: Option<&mut Value>) -> Option<&mut Map<String, Value>> {
    value.and_then(Value::as_object_mut)
}

/// Keeps some parts of a complex value, or of each value in a list.
fn parts(value: Value, keep: &dyn Fn(&str) -> bool) -> Option<Value> {
    match value {
        // An empty list has no parts to leave out.
        Value::Array(values) if values.is_empty() => Some(Value::Array(values)),
        Value::Array(values) => {
            let values: Vec<_> = values.into_iter().filter_map(|value| parts(value, keep)).collect();
            (!values.is_empty()).then_some(Value::Array(values))
        }
        Value::Object(object) => {
            let object: Map<_, _> = object.into_iter().filter(|(name, _)| keep(name)).collect();
            (!object.is_empty()).then_some(Value::Object(object))
        }
        simple => Some(simple),
    }
}

fn paths(parameter: &str, names: &str) -> Result<Vec<AttributePath>, ScimError> {
    let names = lenience::without_choices(names);
    let names: Vec<_> = names.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if names.len() > MAX_NAMES {
        return Err(ScimError::invalid_value(format!("{parameter} has more than {MAX_NAMES} names")));
    }
    let path = |name: &&str| {
        whole(name, attribute_path)
            .map_err(|why| ScimError::invalid_value(format!("{parameter}: a name is wrong {why}")))
    };
    names.iter().map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{ENTERPRISE_SCHEMA, ROLLCALL_SCHEMA, USER, USER_SCHEMA};
    use serde_json::json;
    use test_case::test_case;

    fn user() -> Map<String, Value> {
        let user = json!({
            "schemas": [USER_SCHEMA], "id": "7", "userName": "ada", "name": {"givenName": "Ada", "familyName": "King"},
            "emails": [{"value": "a@x", "type": "work"}], "meta": {"version": "1"},
            ENTERPRISE_SCHEMA: {"department": "E", "division": "D"},
        });
        user.as_object().cloned().unwrap()
    }

    #[test_case(
        "username" => json!({"schemas": [USER_SCHEMA], "id": "7", "userName": "ada"});
        "any case; attributes that are always returned stay"
    )]
    #[test_case(
        "name.givenName,emails.value"
        => json!({"schemas": [USER_SCHEMA], "id": "7", "name": {"givenName": "Ada"}, "emails": [{"value": "a@x"}]});
        "parts"
    )]
    #[test_case(
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"
        => json!({"schemas": [USER_SCHEMA], "id": "7", ENTERPRISE_SCHEMA: {"department": "E"}}); "in an extension"
    )]
    #[test_case(
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
        => json!({"schemas": [USER_SCHEMA], "id": "7", ENTERPRISE_SCHEMA: {"department": "E", "division": "D"}});
        "an extension"
    )]
    #[test_case(
        r#"emails[type eq "work, or not]"].value, username"#
        => json!({"schemas": [USER_SCHEMA], "id": "7", "userName": "ada", "emails": [{"value": "a@x"}]});
        "with a choice of values"
    )]
    #[test_case(
        r#"emails[type eq "home"]"#
        => json!({"schemas": [USER_SCHEMA], "id": "7", "emails": [{"value": "a@x", "type": "work"}]});
        "the choice does not matter"
    )]
    #[test_case(
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.department"
        => json!({"schemas": [USER_SCHEMA], "id": "7", ENTERPRISE_SCHEMA: {"department": "E"}}); "a dot before it"
    )]
    #[test_case(
        "urn:ietf:params:scim:schemas:core:2.0:User:userName"
        => json!({"schemas": [USER_SCHEMA], "id": "7", "userName": "ada"}); "qualified"
    )]
    #[test_case("shoeSize" => json!({"schemas": [USER_SCHEMA], "id": "7"}); "unknown")]
    fn only(names: &str) -> Value {
        Value::Object(Projection::parse(Some(names), None).unwrap().apply(&USER, user()))
    }

    #[test]
    fn an_attribute_returned_on_request_is_shown_only_on_request() {
        let user =
            json!({"userName": "ada", ROLLCALL_SCHEMA: {"workspaces": [{"value": "w", "display": "Marketing"}]}});
        let shown = |names: Option<&str>| {
            Projection::parse(names, None).unwrap().apply(&USER, user.as_object().cloned().unwrap())
        };
        assert_eq!(shown(None)[ROLLCALL_SCHEMA]["workspaces"], json!([{"value": "w"}]));
        assert_eq!(
            shown(Some(&format!("{ROLLCALL_SCHEMA}:workspaces")))[ROLLCALL_SCHEMA]["workspaces"],
            json!([{"value": "w"}])
        );
        let asked = shown(Some(&format!("{ROLLCALL_SCHEMA}:workspaces.value,{ROLLCALL_SCHEMA}:workspaces.display")));
        assert_eq!(asked[ROLLCALL_SCHEMA]["workspaces"], json!([{"value": "w", "display": "Marketing"}]));
    }

    #[test]
    fn excluded_attributes_are_left_out_but_not_the_id() {
        let names = format!("id,emails,name.familyName,meta,{ENTERPRISE_SCHEMA}:division");
        let shown = Projection::parse(None, Some(&names)).unwrap().apply(&USER, user());
        let expected = json!({
            "schemas": [USER_SCHEMA], "id": "7", "userName": "ada", "name": {"givenName": "Ada"},
            ENTERPRISE_SCHEMA: {"department": "E"}
        });
        assert_eq!(Value::Object(shown), expected);
    }

    #[test]
    fn both_lists_or_a_malformed_name_are_refused() {
        assert!(Projection::parse(Some("a"), Some("b")).is_err());
        assert!(Projection::parse(Some("a b"), None).is_err());
        assert!(Projection::parse(Some(&"a,".repeat(101)), None).is_err());
    }
}
