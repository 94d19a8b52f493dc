//! The syntax tree of a filter.

use serde_json::Value;

use crate::schema::{Attribute, ResourceType, Schema};

/// The name of an attribute, perhaps with the URN of its schema and a sub-attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributePath {
    /// The schema's URN, if it was given.
    pub urn: Option<String>,
    /// The attribute's name.
    pub name: String,
    /// The sub-attribute's name.
    pub sub: Option<String>,
}

/// The comparison operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Contains.
    Co,
    /// Starts with.
    Sw,
    /// Ends with.
    Ew,
    /// Greater than.
    Gt,
    /// Greater than or equal to.
    Ge,
    /// Less than.
    Lt,
    /// Less than or equal to.
    Le,
}

/// A filter expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Either side holds.
    Or(Box<Filter>, Box<Filter>),
    /// Both sides hold.
    And(Box<Filter>, Box<Filter>),
    /// The inside does not hold.
    Not(Box<Filter>),
    /// The attribute has a value.
    Present(AttributePath),
    /// The attribute has a value that matches the comparison with a string, number, boolean or null.
    Compare(AttributePath, Comparison, Value),
    /// One value of the multi-valued attribute matches the whole inside.
    ValuePath(AttributePath, Box<Filter>),
}

/// The target of a path.
#[derive(Debug, Clone, Copy)]
pub struct ResolvedPath<'a> {
    /// The extension of the attribute; `None` for the core schema and for common attributes.
    pub extension: Option<&'static Schema>,
    /// The attribute.
    pub attribute: &'a Attribute,
    /// The part of it.
    pub sub: Option<&'a Attribute>,
    /// Whether the path names the element of the scope itself: a value of a simple multi-valued attribute.
    pub is_element: bool,
}

/// The scope in which the names in a filter are looked up.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// A resource's attributes.
    Resource(&'a ResourceType),
    /// The parts of one complex attribute.
    Element(&'a Attribute),
}

impl<'a> Scope<'a> {
    /// Looks up a path; `None` if a name is unknown.
    pub fn resolve(self, path: &AttributePath) -> Option<ResolvedPath<'a>> {
        let attribute = self.attribute(path)?;
        let sub = match &path.sub {
            Some(sub) => Some(attribute.sub(sub)?),
            None => None,
        };
        let extension = match (self, &path.urn) {
            (Self::Resource(resource_type), Some(urn)) => resource_type.extension(urn),
            _ => None,
        };
        let is_element = matches!(self, Self::Element(element) if std::ptr::eq(element, attribute));
        Some(ResolvedPath { extension, attribute, sub, is_element })
    }

    /// The attribute that a path begins with, without its sub-attribute.
    pub fn attribute(self, path: &AttributePath) -> Option<&'a Attribute> {
        match self {
            Self::Resource(resource_type) => resource_type.lookup(path.urn.as_deref(), &path.name),
            Self::Element(attribute) if path.urn.is_none() => {
                // A value of a simple multi-valued attribute is called `value` (RFC 7643 section 2.4).
                if attribute.sub_attributes.is_empty() && path.name.eq_ignore_ascii_case("value") {
                    return Some(attribute);
                }
                attribute.sub(&path.name)
            }
            Self::Element(_) => None,
        }
    }
}
