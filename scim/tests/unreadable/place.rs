//! Where an attribute is, and every form that can carry a value for it.

use rollcall_scim::resource::Attributes;
use rollcall_scim::schema::{Attribute, Mutability, ResourceType, Schema};
use serde_json::{Value, json};

use super::values::full;

/// An attribute that callers can write, and where it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) resource_type: &'static ResourceType,
    pub(super) extension: Option<&'static Schema>,
    pub(super) attribute: &'static Attribute,
}

impl Place {
    pub(super) fn all() -> Vec<Self> {
        let core = |resource_type: &'static ResourceType| (resource_type, None, resource_type.core);
        let beside = |resource_type: &'static ResourceType| {
            resource_type.extensions.iter().map(move |&schema| (resource_type, Some(schema), schema))
        };
        let schemas =
            ResourceType::writable().into_iter().flat_map(|kind| std::iter::once(core(kind)).chain(beside(kind)));
        let places = schemas.flat_map(|(resource_type, extension, schema)| {
            schema.attributes.iter().map(move |attribute| Self { resource_type, extension, attribute })
        });
        places.filter(|place| is_writable(place.attribute)).collect()
    }

    pub(super) fn path(&self) -> String {
        self.extension.map_or(self.attribute.name.clone(), |schema| format!("{}:{}", schema.id, self.attribute.name))
    }

    /// A whole resource whose attribute has this value.
    pub(super) fn body(&self, value: Value) -> Value {
        let mut body = Value::Object(full(self.resource_type));
        body["schemas"] = json!([self.resource_type.core.id]);
        match self.extension {
            None => body[&self.attribute.name] = value,
            Some(schema) => body[&schema.id] = json!({&self.attribute.name: value}),
        }
        body
    }

    /// Every way in which a PATCH can carry a value for the attribute.
    pub(super) fn patches(&self, value: &Value) -> Vec<Value> {
        let mut patches = Vec::new();
        for op in ["add", "replace", "remove"] {
            patches.push(json!({"op": op, "path": self.path(), "value": value}));
            if let Some(schema) = self.extension {
                patches.push(json!({"op": op, "path": schema.id, "value": {&self.attribute.name: value}}));
            }
            if self.attribute.multi_valued {
                patches.push(json!({"op": op, "path": self.path(), "value": {&self.attribute.name: value}}));
            }
        }
        for op in ["add", "replace"] {
            patches.push(json!({"op": op, "value": {self.path(): value}}));
            if let Some(schema) = self.extension {
                patches.push(json!({"op": op, "value": {&schema.id: {&self.attribute.name: value}}}));
            }
        }
        patches
    }

    pub(super) fn held(&self, resource: &Attributes) -> Value {
        let holder = self.extension.map_or(Some(resource), |schema| resource.get(&schema.id)?.as_object());
        holder.and_then(|holder| holder.get(&self.attribute.name)).cloned().unwrap_or_default()
    }

    /// Whether an empty text means "none" here: for the manager alone.
    pub(super) fn is_manager(&self) -> bool {
        self.attribute.name == "manager"
    }
}

pub(super) fn is_writable(attribute: &Attribute) -> bool {
    matches!(attribute.mutability, Mutability::ReadWrite | Mutability::Immutable)
}
