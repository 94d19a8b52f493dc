//! Rows as parameters of a statement. Each column is listed once, with its type, and both the SQL and the
//! parameters come from that list.

/// Defines rows that a statement takes as columns.
///
/// `source(first)` is the `FROM` item of the statement: `unnest($1::uuid[], …) AS r (organization_id, …)`,
/// with placeholders from `first` on. `parameters()` returns the values of these placeholders, in the same
/// order. An array inside a row is sent as text ([`array_text`](super::array_text)), because `unnest` would
/// flatten it.
macro_rules! rows {
    ($(#[$about:meta])* $visibility:vis struct $name:ident { $($column:ident: $value:ty => $sql:literal),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Default)]
        #[allow(clippy::struct_field_names, reason = "the fields are called as the columns are")]
        $visibility struct $name {
            $($visibility $column: Vec<$value>,)+
        }

        impl $name {
            /// The `FROM` item of a statement. The rows are named `r`.
            $visibility fn source(first: usize) -> String {
                let types = [$($sql),+];
                let placeholders: Vec<_> = (first..).zip(types).map(
                    |(number, of_type)| format!("${number}::{of_type}[]")
                ).collect();
                let columns = [$(stringify!($column)),+];
                format!("unnest({}) AS r ({})", placeholders.join(", "), columns.join(", "))
            }

            /// The values of the placeholders.
            $visibility fn parameters(&self) -> Vec<$crate::db::Parameter<'_>> {
                vec![$(&self.$column),+]
            }

            /// Whether there are no rows.
            #[allow(dead_code, reason = "not every kind of rows is asked")]
            $visibility fn is_empty(&self) -> bool {
                $crate::db::rows::first!($(self.$column),+).is_empty()
            }
        }
    };
}
pub(crate) use rows;

/// The first of several expressions.
macro_rules! first {
    ($first:expr $(, $rest:expr)*) => {
        $first
    };
}
pub(crate) use first;

#[cfg(test)]
mod tests {
    rows! {
        /// Rows of a test.
        struct Example { id: i64 => "bigint", name: &'static str => "text" }
    }

    #[test]
    fn columns_and_parameters_come_from_one_list() {
        let rows = Example { id: vec![7], name: vec!["x"] };
        assert_eq!(Example::source(3), "unnest($3::bigint[], $4::text[]) AS r (id, name)");
        assert_eq!((rows.parameters().len(), rows.is_empty()), (2, false));
    }
}
