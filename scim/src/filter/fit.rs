//! Gives the values of a filter the types of the attributes that they are compared with.

use super::check::{compared, resolve};
use super::{Filter, Scope};
use crate::lenience;

/// The filter as its scope understands it. A value that a client wrote in another form than its attribute has is read in that form, where it can mean nothing else
/// ([`lenience::literal`]). What does not fit stays, and is refused by [`super::check`].
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
