//! Keys of a resource that are paths: `name.givenName`, `urn:…:enterprise:2.0:User:department`, the URN of
//! the core schema. POST, PUT and PATCH read keys here, so a key means the same in all of them. A known key
//! must not be dropped.

use serde_json::{Map, Value};

use crate::ScimError;
use crate::given::GivenPlaces;
use crate::patch::MAX_OPERATIONS;
use crate::path::{AttributeTarget, Path, Target};
use crate::reserved::{Reserved, check_key};
use crate::schema::{Attribute, Kind, Mutability, ResourceType, Schema};

/// The members of an object, each in its place in the schemas.
#[derive(Debug, Default)]
pub(crate) struct UnfoldedBody {
    /// The attributes and extensions by their canonical names. Unknown and read-only ones are left out.
    pub(crate) attributes: Map<String, Value>,
    /// The keys that choose among the values of an attribute, such as `emails[type eq "work"].value`.
    pub(crate) chosen: Vec<(Path, Value)>,
    /// Whether any key is known.
    pub(crate) is_known: bool,
}

/// Reads the keys of a whole resource, as POST and PUT carry it.
///
/// # Errors
/// As [`members`]; 400 `invalidSyntax` for a key that leads into one of several values, because it does not
/// say into which.
pub fn resource(
    resource_type: &ResourceType,
    reserved: Reserved,
    body: Map<String, Value>,
) -> Result<Map<String, Value>, ScimError> {
    let unfolded = members(resource_type, reserved, None, body)?;
    match unfolded.chosen.first() {
        Some((path, _)) => Err(ScimError::invalid_syntax(format!(
            "{path} does not say which value of {} it belongs to",
            path.pieces().0.name
        ))),
        None => Ok(unfolded.attributes),
    }
}

/// Whether a key of a resource is known.
pub fn knows(resource_type: &ResourceType, key: &str) -> bool {
    resource_type.has_schema(key) || matches!(path(resource_type, None, key), Ok(Some(_)))
}

/// Reads the keys of an object that stands for a resource, or for its part `within` an extension.
///
/// # Errors
/// 400 `invalidSyntax` for a value that is given twice and for an unknown schema, 400 `invalidValue` for a
/// reserved key and for a schema without any attribute.
pub(crate) fn members(
    resource_type: &ResourceType,
    reserved: Reserved,
    within: Option<&'static Schema>,
    members: Map<String, Value>,
) -> Result<UnfoldedBody, ScimError> {
    let mut unfolding = Unfolding {
        resource_type,
        reserved,
        given: GivenPlaces::default(),
        parts: Vec::new(),
        unfolded: UnfoldedBody::default(),
    };
    unfolding.unfolded.is_known = unfolding.members(within, members)?;
    let Unfolding { parts, mut unfolded, .. } = unfolding;
    for (place, value) in parts {
        place.put(&mut unfolded.attributes, value);
    }
    Ok(unfolded)
}

/// Whether the server alone sets the target of a path.
pub(crate) fn is_read_only(target: &AttributeTarget<'_>) -> bool {
    target.attribute.mutability == Mutability::ReadOnly || target.innermost().mutability == Mutability::ReadOnly
}

struct Unfolding<'a> {
    resource_type: &'a ResourceType,
    reserved: Reserved,
    given: GivenPlaces,
    /// The parts of complex attributes. They are inserted after the attributes themselves.
    parts: Vec<(Place, Value)>,
    unfolded: UnfoldedBody,
}

/// A part of a single-valued attribute.
struct Place {
    extension: Option<&'static Schema>,
    attribute: &'static Attribute,
    part: &'static Attribute,
}

impl Place {
    fn put(self, attributes: &mut Map<String, Value>, value: Value) {
        let holder = holder(attributes, self.extension).and_then(|holder| object_in(holder, &self.attribute.name));
        holder.map(|holder| holder.insert(self.part.name.clone(), value));
    }
}

/// The object that holds the attributes of a schema. [`Given`] ensures that there is no other value in its
/// place.
fn holder<'a>(
    attributes: &'a mut Map<String, Value>,
    extension: Option<&Schema>,
) -> Option<&'a mut Map<String, Value>> {
    match extension {
        None => Some(attributes),
        Some(schema) => object_in(attributes, &schema.id),
    }
}

fn object_in<'a>(attributes: &'a mut Map<String, Value>, name: &str) -> Option<&'a mut Map<String, Value>> {
    attributes.entry(name).or_insert_with(|| Value::Object(Map::new())).as_object_mut()
}

impl Unfolding<'_> {
    /// Reads the members, and returns whether any key is known.
    fn members(&mut self, within: Option<&'static Schema>, members: Map<String, Value>) -> Result<bool, ScimError> {
        let mut is_known = false;
        for (name, value) in members {
            is_known |= self.member(within, &name, value)?;
        }
        Ok(is_known)
    }

    fn member(&mut self, within: Option<&'static Schema>, name: &str, value: Value) -> Result<bool, ScimError> {
        if within.is_none() && name.eq_ignore_ascii_case(&self.resource_type.core.id) {
            return self.schema(self.resource_type.core, None, value);
        }
        if let (None, Some(schema)) = (within, self.resource_type.extension(name)) {
            check_key(self.reserved, &Target::Extension(schema), name)?;
            if !value.is_null() {
                return self.schema(schema, Some(schema), value);
            }
            self.given.add(&schema.id)?;
            self.unfolded.attributes.insert(schema.id.clone(), Value::Null);
            return Ok(true);
        }
        let Some(path) = path(self.resource_type, within, name)? else { return Ok(false) };
        if let Target::Attribute(target) = path.target(self.resource_type)? {
            check_key(self.reserved, &Target::Attribute(target), name)?;
            self.attribute(&path, &target, value)?;
        }
        Ok(true)
    }

    /// The URN of a schema as a key: its attributes are the members.
    fn schema(&mut self, schema: &Schema, within: Option<&'static Schema>, value: Value) -> Result<bool, ScimError> {
        let Value::Object(members) = value else {
            return Err(ScimError::invalid_value(format!("{} is not an object", schema.id)));
        };
        if self.members(within, members)? { Ok(true) } else { Err(unreadable_extension(schema)) }
    }

    fn attribute(&mut self, path: &Path, target: &AttributeTarget<'_>, value: Value) -> Result<(), ScimError> {
        if is_read_only(target) {
            return Ok(());
        }
        for place in places(target, &value) {
            self.given.add(&place)?;
        }
        match target.sub {
            _ if target.filter.is_some() => self.choose(path, value)?,
            Some(_) if target.attribute.multi_valued => self.choose(path, value)?,
            Some(part) => {
                self.parts.push((Place { extension: target.extension, attribute: target.attribute, part }, value));
            }
            None => {
                let holder = holder(&mut self.unfolded.attributes, target.extension);
                holder.map(|holder| holder.insert(target.attribute.name.clone(), value));
            }
        }
        Ok(())
    }

    fn choose(&mut self, path: &Path, value: Value) -> Result<(), ScimError> {
        if self.unfolded.chosen.len() == MAX_OPERATIONS {
            return Err(ScimError::invalid_value(format!("the value has more than {MAX_OPERATIONS} changes")));
        }
        self.unfolded.chosen.push((path.clone(), value));
        Ok(())
    }
}

/// The places that a value sets: the attribute, or each of its parts that the value has.
fn places(target: &AttributeTarget<'_>, value: &Value) -> Vec<String> {
    let attribute = match target.extension {
        Some(schema) => format!("{}:{}", schema.id, target.attribute.name),
        None => target.attribute.name.clone(),
    };
    let choice = target.filter.map(|filter| format!("[{filter}]")).unwrap_or_default();
    let of_part = |part: &Attribute| format!("{attribute}.{}{choice}", part.name);
    let is_one = target.attribute.kind == Kind::Complex && (target.filter.is_some() || !target.attribute.multi_valued);
    match (target.sub, value) {
        (Some(part), _) => vec![of_part(part)],
        (None, Value::Object(members)) if is_one => {
            members.keys().filter_map(|name| target.attribute.sub(name)).map(of_part).collect()
        }
        (None, _) if target.filter.is_some() => target.attribute.sub_attributes.iter().map(of_part).collect(),
        (None, _) => vec![attribute],
    }
}

/// Reads a key as a path; `None` for an unknown attribute, which is ignored.
fn path(resource_type: &ResourceType, within: Option<&'static Schema>, key: &str) -> Result<Option<Path>, ScimError> {
    let error = match qualified(within, key).parse::<Path>().map(|path| path.fit(resource_type)) {
        Ok(path) => match path.target(resource_type) {
            Ok(Target::Attribute(target))
                if within.is_none_or(|schema| target.extension.is_some_and(|of| of.id == schema.id)) =>
            {
                return Ok(Some(path));
            }
            Ok(_) => return Err(unknown_key(resource_type, within, key)),
            Err(error) => error,
        },
        Err(error) => error,
    };
    let before_choice = before_choice(key);
    if is_schema(before_choice) && !has_known_schema(resource_type, within, before_choice) {
        return Err(unknown_key(resource_type, within, key));
    }
    // An unreadable choice among the values of a known attribute is an error. Only unknown attributes are
    // ignored.
    let is_known =
        || qualified(within, before_choice).parse::<Path>().is_ok_and(|path| path.target(resource_type).is_ok());
    if before_choice.len() < key.len() && is_known() { Err(error) } else { Ok(None) }
}

/// A key inside an extension as a path. It may have the URN of the extension before it already.
fn qualified(within: Option<&'static Schema>, key: &str) -> String {
    match within {
        Some(schema) if !before_choice(key).contains(':') => format!("{}:{key}", schema.id),
        _ => key.to_owned(),
    }
}

fn before_choice(key: &str) -> &str {
    key.split('[').next().unwrap_or(key)
}

/// Whether a key begins with the URI of a schema.
fn is_schema(key: &str) -> bool {
    is_urn(key) || key.contains("://")
}

/// Whether a key is an attribute of a schema that is allowed in this place.
fn has_known_schema(resource_type: &ResourceType, within: Option<&'static Schema>, key: &str) -> bool {
    let path = key.parse::<Path>().ok();
    let urn = path.as_ref().and_then(|path| path.pieces().0.urn.as_deref());
    urn.is_some_and(|urn| match within {
        Some(schema) => schema.id.eq_ignore_ascii_case(urn),
        None => resource_type.has_schema(urn),
    })
}

fn unknown_key(resource_type: &ResourceType, within: Option<&'static Schema>, key: &str) -> ScimError {
    let shown: String = key.chars().take(128).collect();
    match within {
        Some(schema) => ScimError::invalid_syntax(format!("{shown} is not an attribute of {}", schema.id)),
        None => unknown_schema(resource_type, key),
    }
}

/// The error for a schema that resources of a type do not have.
pub(crate) fn unknown_schema(resource_type: &ResourceType, urn: &str) -> ScimError {
    let shown: String = urn.chars().take(128).collect();
    ScimError::invalid_syntax(format!("the schema {shown} is not one of a {}", resource_type.name))
}

/// The error for an object of an extension that has none of the extension's attributes.
pub(crate) fn unreadable_extension(schema: &Schema) -> ScimError {
    ScimError::invalid_value(format!("{} has none of its attributes", schema.id))
}

fn is_urn(name: &str) -> bool {
    name.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("urn:"))
}

#[cfg(test)]
#[path = "unfold_tests.rs"]
mod tests;
