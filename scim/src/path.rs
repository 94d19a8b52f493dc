//! PATCH paths (RFC 7644 figure 7): `name.givenName`, `emails[type eq "work"].value`,
//! `urn:…:User:department`, `urn:…:User`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt::{Display, Formatter};
use std::str::FromStr;
use winnow::combinator::{cut_err, opt, preceded};
use winnow::prelude::*;

use crate::ScimError;
use crate::filter::{AttributePath, Comparison, Filter, Scope, attribute_path, bracketed, check, fit, whole};
use crate::schema::{Attribute, Kind, ResourceType, Schema};

/// A well-formed path. It is not looked up in a schema yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Path {
    attribute: AttributePath,
    filter: Option<Filter>,
    sub: Option<String>,
}

impl FromStr for Path {
    type Err = ScimError;

    fn from_str(text: &str) -> Result<Self, ScimError> {
        let sub = preceded('.', cut_err(attribute_path))
            .verify(|sub| sub.urn.is_none() && sub.sub.is_none())
            .map(|sub| sub.name);
        let path = (attribute_path, opt((bracketed, opt(sub)))).map(|(attribute, selection)| {
            let (filter, sub) = selection.map_or((None, None), |(filter, sub)| (Some(filter), sub));
            Self { attribute, filter, sub }
        });
        whole(text, path).map_err(|why| ScimError::invalid_path(format!("the path is wrong {why}")))
    }
}

impl Display for Path {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        self.attribute.fmt(f)?;
        if let Some(filter) = &self.filter {
            write!(f, "[{filter}]")?;
        }
        self.sub.as_ref().map_or(Ok(()), |sub| write!(f, ".{sub}"))
    }
}

impl From<Path> for String {
    fn from(path: Path) -> Self {
        path.to_string()
    }
}

impl TryFrom<String> for Path {
    type Error = ScimError;

    fn try_from(text: String) -> Result<Self, ScimError> {
        text.parse()
    }
}

/// The target of a path in resources of one type.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// A whole extension.
    Extension(&'static Schema),
    /// An attribute or a part of it.
    Attribute(AttributeTarget<'a>),
}

/// An attribute, perhaps with a choice of its values and one of their parts.
#[derive(Debug, Clone, Copy)]
pub struct AttributeTarget<'a> {
    /// The extension of the attribute; `None` for the core schema.
    pub extension: Option<&'static Schema>,
    /// The attribute.
    pub attribute: &'static Attribute,
    /// The choice of its values.
    pub filter: Option<&'a Filter>,
    /// The part of these values.
    pub sub: Option<&'static Attribute>,
}

impl AttributeTarget<'_> {
    /// The attribute whose value is set: the part, if there is one.
    pub fn innermost(&self) -> &'static Attribute {
        self.sub.unwrap_or(self.attribute)
    }

    /// Whether the path leads to whole values that a filter chooses.
    pub fn is_chosen_value(&self) -> bool {
        self.filter.is_some() && self.sub.is_none()
    }
}

impl Path {
    /// The pieces of the path: the attribute, the choice of its values, and the part that is named after that
    /// choice.
    pub fn pieces(&self) -> (&AttributePath, Option<&Filter>, Option<&str>) {
        (&self.attribute, self.filter.as_ref(), self.sub.as_deref())
    }

    /// The path of a part of the attribute that this path leads to.
    pub(crate) fn part(&self, sub: &str) -> Self {
        let attribute = AttributePath { sub: Some(sub.to_owned()), ..self.attribute.clone() };
        Self { sub: None, filter: None, attribute }
    }

    /// The path of the attribute that this path leads into, with the same choice of its values.
    #[must_use]
    pub fn whole(&self) -> Self {
        let attribute = AttributePath { sub: None, ..self.attribute.clone() };
        Self { sub: None, filter: self.filter.clone(), attribute }
    }

    /// The same path, with the values of its filter in the form of the attribute.
    #[must_use]
    pub fn fit(mut self, resource_type: &ResourceType) -> Self {
        if let Some(attribute) = resource_type.lookup(self.attribute.urn.as_deref(), &self.attribute.name) {
            self.filter = self.filter.map(|filter| fit(filter, Scope::Element(attribute)));
        }
        self
    }

    /// The comparisons of the filter with a text.
    pub fn text_terms(&self) -> Vec<TextTerm<'_>> {
        let mut terms = Vec::new();
        if let Some(filter) = &self.filter {
            text_terms(filter, &mut terms);
        }
        terms
    }

    /// The text that a part has in every value that the filter chooses, if `eq` and `and` determine it.
    pub fn compared_value(&self, part: &str) -> Option<&str> {
        self.filter.as_ref().and_then(|filter| compared_value(filter, part))
    }

    /// The same path, with each comparison with a text replaced by the result of `rewrite`; `None` keeps the
    /// comparison.
    #[must_use]
    pub fn rewritten(mut self, rewrite: &impl Fn(&TextTerm<'_>) -> Option<Filter>) -> Self {
        self.filter = self.filter.map(|filter| rewritten(filter, rewrite));
        self
    }

    /// Looks the path up in the schemas of a resource type.
    ///
    /// # Errors
    /// 400 `invalidPath` for an unknown attribute, 400 `invalidFilter` for a wrong attribute inside the
    /// brackets.
    pub fn target(&self, resource_type: &ResourceType) -> Result<Target<'_>, ScimError> {
        if self.filter.is_none()
            && let Some(schema) = resource_type.extension(&self.attribute.to_string())
        {
            return Ok(Target::Extension(schema));
        }
        let unknown = || ScimError::invalid_path(format!("{self} is not an attribute of a {}", resource_type.name));
        let path = &self.attribute;
        let attribute = resource_type.lookup(path.urn.as_deref(), &path.name).ok_or_else(unknown)?;
        if let Some(filter) = &self.filter {
            if !(attribute.multi_valued || attribute.kind == Kind::Complex) || path.sub.is_some() {
                return Err(ScimError::invalid_path(format!("{path} has no values to choose from")));
            }
            check(filter, Scope::Element(attribute))?;
        }
        let sub = match path.sub.as_ref().or(self.sub.as_ref()) {
            Some(name) => Some(attribute.sub(name).ok_or_else(unknown)?),
            None => None,
        };
        let extension = path.urn.as_deref().and_then(|urn| resource_type.extension(urn));
        Ok(Target::Attribute(AttributeTarget { extension, attribute, filter: self.filter.as_ref(), sub }))
    }
}

/// A comparison of a part of the chosen values with a text.
#[derive(Debug, Clone, Copy)]
pub struct TextTerm<'a> {
    /// The part.
    pub part: &'a AttributePath,
    /// The operator.
    pub operator: Comparison,
    /// The text.
    pub text: &'a str,
}

impl TextTerm<'_> {
    /// Whether the comparison is about the part of that name.
    pub fn is_about(&self, part: &str) -> bool {
        self.part.urn.is_none() && self.part.sub.is_none() && self.part.name.eq_ignore_ascii_case(part)
    }

    /// The same comparison of the part `value`, with another text.
    #[must_use]
    pub fn of_value(&self, text: &str) -> Filter {
        let value = AttributePath { urn: None, name: "value".to_owned(), sub: None };
        Filter::Compare(value, self.operator, Value::from(text))
    }
}

fn text_term(filter: &Filter) -> Option<TextTerm<'_>> {
    match filter {
        Filter::Compare(part, operator, Value::String(text)) => Some(TextTerm { part, operator: *operator, text }),
        _ => None,
    }
}

fn text_terms<'a>(filter: &'a Filter, terms: &mut Vec<TextTerm<'a>>) {
    match filter {
        Filter::Or(left, right) | Filter::And(left, right) => {
            text_terms(left, terms);
            text_terms(right, terms);
        }
        Filter::Not(inside) => text_terms(inside, terms),
        Filter::Compare(..) | Filter::Present(_) | Filter::ValuePath(..) => terms.extend(text_term(filter)),
    }
}

fn compared_value<'a>(filter: &'a Filter, part: &str) -> Option<&'a str> {
    match filter {
        Filter::And(left, right) => compared_value(left, part).or_else(|| compared_value(right, part)),
        _ => text_term(filter)
            .filter(|term| term.operator == Comparison::Eq && term.is_about(part))
            .map(|term| term.text),
    }
}

fn rewritten(filter: Filter, rewrite: &impl Fn(&TextTerm<'_>) -> Option<Filter>) -> Filter {
    let boxed = |filter: Box<Filter>| Box::new(rewritten(*filter, rewrite));
    match filter {
        Filter::Or(left, right) => Filter::Or(boxed(left), boxed(right)),
        Filter::And(left, right) => Filter::And(boxed(left), boxed(right)),
        Filter::Not(inside) => Filter::Not(boxed(inside)),
        filter => text_term(&filter).and_then(|term| rewrite(&term)).unwrap_or(filter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::USER;
    use test_case::test_case;

    #[test_case("userName"; "simple")]
    #[test_case("name.givenName"; "sub-attribute")]
    #[test_case(r#"emails[type eq "work"]"#; "value path")]
    #[test_case(r#"emails[type eq "work" and primary eq true].value"#; "value path with a part")]
    #[test_case("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"; "extension")]
    #[test_case("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value"; "inside an extension")]
    #[test_case(
        r#"urn:ietf:params:scim:schemas:extension:rollcall:2.0:User:workspaces[value eq "w"].permissions"#;
        "value path in an extension"
    )]
    fn prints_as_it_was_written(text: &str) {
        let path: Path = text.parse().unwrap();
        assert_eq!(path.to_string(), text);
        path.target(&USER).unwrap();
    }

    #[test_case(r#"entitlements[type eq "Workspace" and value eq "Sales"]"# => Some("Workspace".to_owned()); "by and")]
    #[test_case(r#"entitlements[Type eq "License"].primary"# => Some("License".to_owned()); "in any case")]
    #[test_case(r#"entitlements[type eq "License" or value eq "Sales"]"# => None; "by or")]
    #[test_case(r#"entitlements[not (type eq "License")]"# => None; "negated")]
    #[test_case(r#"entitlements[type ne "License"]"# => None; "by another operator")]
    fn says_the_type(path: &str) -> Option<String> {
        path.parse::<Path>().unwrap().compared_value("type").map(str::to_owned)
    }

    #[test]
    fn comparisons_with_texts_are_rewritten_at_any_depth() {
        let path: Path = r#"roles[not (value eq "a") and (value ne "b" or primary eq true)]"#.parse().unwrap();
        assert_eq!(path.text_terms().len(), 2);
        let path = path.rewritten(&|term| (term.text == "b").then(|| term.of_value("c")));
        assert_eq!(path.to_string(), r#"roles[not (value eq "a") and (value ne "c" or primary eq true)]"#);
    }

    #[test_case("", "wrong at character 1"; "empty")]
    #[test_case("emails[type eq", "wrong at character 15"; "truncated")]
    #[test_case(r#"emails[type eq "work"]x"#, "wrong at character 23"; "trailing")]
    #[test_case(r#"emails[type eq "work"].a.b"#, "wrong at"; "too many parts")]
    #[test_case("shoeSize", "shoeSize is not an attribute of a User"; "unknown")]
    #[test_case("name.age", "name.age is not an attribute of a User"; "unknown part")]
    #[test_case("urn:x:User:department", "urn:x:User:department is not an attribute of a User"; "unknown schema")]
    #[test_case(r#"userName[value eq "x"]"#, "userName has no values to choose from"; "single-valued")]
    #[test_case(r"emails[size eq 1]", "size is not a known attribute"; "unknown inside the brackets")]
    fn refused(text: &str, why: &str) {
        let error = text.parse::<Path>().and_then(|path| path.target(&USER).map(|_| ())).unwrap_err();
        assert!(error.detail.contains(why), "{}", error.detail);
    }
}
