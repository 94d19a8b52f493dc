//! Checks that the attributes in a filter exist, and that their types allow the comparisons.

use serde_json::Value;

use super::{AttributePath, Comparison, Filter, Scope};
use crate::ScimError;
use crate::schema::{Attribute, Kind, Returned};

/// Checks every term of a filter.
///
/// # Errors
/// 400 `invalidFilter` that names the attribute.
pub fn check(filter: &Filter, scope: Scope<'_>) -> Result<(), ScimError> {
    match filter {
        Filter::Or(left, right) | Filter::And(left, right) => check(left, scope).and_then(|()| check(right, scope)),
        Filter::Not(inside) => check(inside, scope),
        Filter::Present(path) => resolve(path, scope).map(|_| ()),
        Filter::Compare(path, operator, value) => comparable(path, compared(resolve(path, scope)?), *operator, value),
        Filter::ValuePath(path, inside) => {
            let attribute = resolve(path, scope)?;
            if !attribute.multi_valued && attribute.kind != Kind::Complex {
                return Err(ScimError::invalid_filter(format!("{path} has no values to choose from")));
            }
            check(inside, Scope::Element(attribute))
        }
    }
}

/// The attribute that a path names, sub-attribute included.
pub(super) fn resolve<'a>(path: &AttributePath, scope: Scope<'a>) -> Result<&'a Attribute, ScimError> {
    let unknown = || ScimError::invalid_filter(format!("{path} is not a known attribute"));
    let attribute = scope.attribute(path).ok_or_else(unknown)?;
    let attribute = match &path.sub {
        Some(sub) => attribute.sub(sub).ok_or_else(unknown)?,
        None => attribute,
    };
    // A filter must not help to guess a secret.
    if attribute.returned == Returned::Never { Err(unknown()) } else { Ok(attribute) }
}

/// A complex attribute is compared by its `value` (RFC 7644 section 3.4.2.2).
pub(super) fn compared(attribute: &Attribute) -> &Attribute {
    if attribute.kind == Kind::Complex { attribute.sub("value").unwrap_or(attribute) } else { attribute }
}

fn comparable(
    path: &AttributePath,
    attribute: &Attribute,
    operator: Comparison,
    value: &Value,
) -> Result<(), ScimError> {
    use Comparison::{Co, Eq, Ew, Ge, Gt, Le, Lt, Ne, Sw};
    let fits = match (attribute.kind, value) {
        (Kind::Complex, _) => false,
        (_, Value::Null) => matches!(operator, Eq | Ne),
        (Kind::Boolean, value) => value.is_boolean() && matches!(operator, Eq | Ne),
        (Kind::Binary, value) => value.is_string() && matches!(operator, Eq | Ne),
        (Kind::Decimal | Kind::Integer, value) => value.is_number() && !matches!(operator, Co | Sw | Ew),
        (Kind::DateTime, Value::String(text)) => {
            text.parse::<jiff::Timestamp>().is_ok() && matches!(operator, Eq | Ne | Gt | Ge | Lt | Le)
        }
        (Kind::String | Kind::Reference, value) => value.is_string(),
        (Kind::DateTime, _) => false,
    };
    if fits {
        Ok(())
    } else {
        Err(ScimError::invalid_filter(format!("{path} cannot be compared by {operator} with that value")))
    }
}
