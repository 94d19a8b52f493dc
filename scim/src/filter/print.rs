//! Prints a filter so that it parses to itself.

use std::fmt::{Display, Formatter, Result};

use super::{AttributePath, Comparison, Filter};

impl Display for AttributePath {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if let Some(urn) = &self.urn {
            write!(f, "{urn}:")?;
        }
        f.write_str(&self.name)?;
        self.sub.as_ref().map_or(Ok(()), |sub| write!(f, ".{sub}"))
    }
}

impl Display for Comparison {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Co => "co",
            Self::Sw => "sw",
            Self::Ew => "ew",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
        })
    }
}

impl Display for Filter {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            // Chains lean to the left. A chain on the right was in parentheses.
            Self::Or(left, right) => write!(f, "{left} or {}", Inner(right, matches!(**right, Self::Or(..)))),
            Self::And(left, right) => {
                let left_needs = matches!(**left, Self::Or(..));
                let right_needs = matches!(**right, Self::Or(..) | Self::And(..));
                write!(f, "{} and {}", Inner(left, left_needs), Inner(right, right_needs))
            }
            Self::Not(inside) => write!(f, "not ({inside})"),
            Self::Present(path) => write!(f, "{path} pr"),
            Self::Compare(path, operator, value) => write!(f, "{path} {operator} {value}"),
            Self::ValuePath(path, inside) => write!(f, "{path}[{inside}]"),
        }
    }
}

struct Inner<'a>(&'a Filter, bool);

impl Display for Inner<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if self.1 { write!(f, "({})", self.0) } else { self.0.fmt(f) }
    }
}
