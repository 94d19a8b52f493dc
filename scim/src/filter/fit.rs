//! Gives the values of a filter the types of the attributes that they are compared with.

use super::check::{compared, resolve};
use super::{Filter, Scope};
use crate::lenience;

/// Converts the values of a filter to the types of their attributes, if they have one sure meaning
/// ([`lenience::literal`]). A value that does not fit stays, and [`super::check`] refuses it.
#[must_use]
pub fn fit(filter: Filter, scope: Scope<'_>) -> Filter {
    let boxed = |filter: Box<Filter>| Box::new(fit(*filter, scope));
    match filter {
        Filter::Or(left, right) => Filter::Or(boxed(left), boxed(right)),
        Filter::And(left, right) => Filter::And(boxed(left), boxed(right)),
        Filter::Not(inside) => Filter::Not(boxed(inside)),
        Filter::Compare(path, operator, value) => {
            let value = match resolve(&path, scope) {
                Ok(attribute) => lenience::literal(compared(attribute), value),
                Err(_) => value,
            };
            Filter::Compare(path, operator, value)
        }
        Filter::ValuePath(path, inside) => match scope.attribute(&path) {
            Some(attribute) => Filter::ValuePath(path, Box::new(fit(*inside, Scope::Element(attribute)))),
            None => Filter::ValuePath(path, inside),
        },
        Filter::Present(_) => filter,
    }
}
