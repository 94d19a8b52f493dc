//! Compiles a filter to SQL with the same meaning as `rollcall_scim::filter::matches`. A test compares the
//! two.
//!
//! Every part of the SQL is true or false and never NULL, so that NOT negates. Values are bound and never
//! written into the text. The names of attributes come from the schemas. The organization is `$1`.

use rollcall_events::Timestamp;
use rollcall_scim::casefold::casefold;
use rollcall_scim::filter::{AttributePath, Comparison, Filter, ResolvedPath, Scope};
use rollcall_scim::schema::{Attribute, COMMON, Kind, find};
use rollcall_scim::search::{is_casefolded, is_keyed};
use serde_json::Value;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::table::Table;

/// A bound value with its type.
pub(super) type Bound = (Box<dyn ToSql + Sync + Send>, Type);

/// The values that a statement binds.
#[derive(Default)]
pub(super) struct Values(Vec<Bound>);

impl Values {
    /// Binds a value and returns its placeholder.
    pub(super) fn bind(&mut self, value: impl ToSql + Sync + Send + 'static, of_type: Type) -> String {
        self.0.push((Box::new(value), of_type));
        format!("${}", self.0.len())
    }

    /// The bound values, as the client takes them.
    pub(super) fn parameters(&self) -> Vec<(&(dyn ToSql + Sync), Type)> {
        self.0.iter().map(|(value, of_type)| (&**value as &(dyn ToSql + Sync), of_type.clone())).collect()
    }
}

/// Compiles a filter to a condition on the rows of a table. An attribute that the resource type does not have
/// has no values.
pub(super) fn condition(filter: &Filter, table: &Table, values: &mut Values) -> String {
    Compiler { table, values, elements: 0 }
        .filter(filter, At { scope: Scope::Resource(table.resource_type), element: None })
}

/// The expression by which a table's rows are sorted: the attribute's first value, or the primary one (RFC
/// 7644 section 3.4.2.3).
pub(super) fn sort_key(path: &AttributePath, table: &Table) -> Option<String> {
    let found = Scope::Resource(table.resource_type).resolve(path)?;
    if found.sub.is_none() && found.attribute.name == table.unique.0 && found.extension.is_none() {
        return Some(table.unique.1.to_owned());
    }
    let (container, name) = (container(&found), quoted(&found.attribute.name));
    let sub = found.sub.or_else(|| found.attribute.sub("value").filter(|_| found.attribute.kind == Kind::Complex));
    let value = |element: String| match sub {
        Some(sub) => format!("({element} ->> {})", quoted(&sub.name)),
        None => format!("({element} #>> '{{}}')"),
    };
    Some(if found.attribute.multi_valued {
        let values = format!("jsonb_array_elements({container} -> {name}) WITH ORDINALITY AS s (v, n)");
        format!(
            "(SELECT {} FROM {values} ORDER BY (s.v -> 'primary') = 'true' DESC NULLS LAST, s.n LIMIT 1)",
            value("s.v".to_owned())
        )
    } else {
        value(format!("({container} -> {name})"))
    })
}

/// The JSON value that contains an attribute: the keys, or the resource if case matters.
fn container(found: &ResolvedPath<'_>) -> String {
    let is_common = found.extension.is_none() && find(&COMMON, &found.attribute.name).is_some();
    let column = if is_keyed(found.attribute) && !is_common { "r.keys" } else { "r.resource" };
    match found.extension {
        Some(schema) => format!("({column} -> {})", quoted(&schema.id)),
        None => column.to_owned(),
    }
}

fn quoted(name: &str) -> String {
    format!("'{}'", name.replace('\'', "''"))
}

/// The subject of a filter: rows, or the values of one of their attributes.
#[derive(Clone, Copy)]
struct At<'a> {
    scope: Scope<'a>,
    /// The number of the element, if the filter is about an element.
    element: Option<usize>,
}

struct Compiler<'t, 'v> {
    table: &'t Table,
    values: &'v mut Values,
    elements: usize,
}

impl Compiler<'_, '_> {
    fn filter(&mut self, filter: &Filter, at: At<'_>) -> String {
        match filter {
            Filter::Or(left, right) => format!("({} OR {})", self.filter(left, at), self.filter(right, at)),
            Filter::And(left, right) => format!("({} AND {})", self.filter(left, at), self.filter(right, at)),
            Filter::Not(inside) => format!("(NOT {})", self.filter(inside, at)),
            Filter::Present(path) => self.any(path, at, false, |_, value| format!("({value} IS NOT NULL)")),
            Filter::Compare(path, operator, wanted) => self.compare(path, *operator, wanted, at),
            Filter::ValuePath(path, inside) => self.value_path(path, inside, at),
        }
    }

    fn compare(&mut self, path: &AttributePath, operator: Comparison, wanted: &Value, at: At<'_>) -> String {
        let Some(found) = at.scope.resolve(path) else { return absent(operator, wanted).to_owned() };
        if let Some(shortcut) = self.shortcut(&found, operator, wanted, at) {
            return shortcut;
        }
        let present = |compiler: &mut Self| compiler.any(path, at, true, |_, value| format!("({value} IS NOT NULL)"));
        match (operator, wanted) {
            (Comparison::Eq, Value::Null) => format!("(NOT {})", present(self)),
            (Comparison::Ne, Value::Null) => present(self),
            (_, Value::Null) => "FALSE".to_owned(),
            (Comparison::Ne, wanted) => {
                let (present, differs) = (present(self), self.any_holds(path, &found, operator, wanted, at));
                format!("(NOT {present} OR {differs})")
            }
            (_, wanted) => self.any_holds(path, &found, operator, wanted, at),
        }
    }

    fn any_holds(
        &mut self,
        path: &AttributePath,
        found: &ResolvedPath<'_>,
        operator: Comparison,
        wanted: &Value,
        at: At<'_>,
    ) -> String {
        let attribute = found.sub.unwrap_or(found.attribute);
        let compared =
            if attribute.kind == Kind::Complex { attribute.sub("value").unwrap_or(attribute) } else { attribute };
        self.any(path, at, true, |compiler, value| compiler.holds(compared, operator, value, wanted))
    }

    /// Compiles a comparison to a condition that an index serves, if there is one.
    fn shortcut(
        &mut self,
        found: &ResolvedPath<'_>,
        operator: Comparison,
        wanted: &Value,
        at: At<'_>,
    ) -> Option<String> {
        if at.element.is_some() || found.extension.is_some() {
            return None;
        }
        let text = wanted.as_str();
        match (found.attribute.name.as_str(), found.sub.map(|sub| sub.name.as_str())) {
            (name, None) if name == self.table.unique.0 => {
                let (column, key) = (self.table.unique.1, casefold(text?));
                match operator {
                    Comparison::Eq => Some(format!("({column} = {})", self.values.bind(key, Type::TEXT))),
                    Comparison::Sw => Some(format!("starts_with({column}, {})", self.values.bind(key, Type::TEXT))),
                    _ => None,
                }
            }
            ("externalId", None) if operator == Comparison::Eq => {
                let wanted = self.values.bind(text?.to_owned(), Type::TEXT);
                Some(format!("(r.external_id IS NOT NULL AND r.external_id = {wanted})"))
            }
            ("id", None) if operator == Comparison::Eq => Some(match uuid(text?) {
                Some(id) => format!("(r.id = {})", self.values.bind(id, Type::UUID)),
                None => "FALSE".to_owned(),
            }),
            ("meta", Some(part @ ("created" | "lastModified"))) => {
                let column = if part == "created" { "r.created_at" } else { "r.last_modified_at" };
                Some(self.time(column, operator, text?))
            }
            (name, None | Some("value")) if self.table.is_relation(found.attribute) && operator == Comparison::Eq => {
                let (before, after) = self.table.relation_of(name)?.holds;
                Some(match uuid(text?) {
                    Some(id) => format!("({before}{}{after})", self.values.bind(id, Type::UUID)),
                    None => "FALSE".to_owned(),
                })
            }
            _ => None,
        }
    }

    /// Compares times. The database has microseconds, and a filter may have smaller units. A time between two
    /// microseconds equals neither of them.
    fn time(&mut self, column: &str, operator: Comparison, wanted: &str) -> String {
        let Ok(wanted) = wanted.parse::<jiff::Timestamp>() else { return "FALSE".to_owned() };
        let floor = wanted.as_nanosecond().div_euclid(1000);
        let is_between = wanted.as_nanosecond().rem_euclid(1000) != 0;
        let operator = match (operator, is_between) {
            (Comparison::Eq, true) | (Comparison::Co | Comparison::Sw | Comparison::Ew, _) => {
                return "FALSE".to_owned();
            }
            (Comparison::Ne, true) => return "TRUE".to_owned(),
            (Comparison::Gt | Comparison::Ge, true) | (Comparison::Gt, false) => ">",
            (Comparison::Lt | Comparison::Le, true) | (Comparison::Le, false) => "<=",
            (Comparison::Ge, false) => ">=",
            (Comparison::Lt, false) => "<",
            (Comparison::Eq, false) => "=",
            (Comparison::Ne, false) => "<>",
        };
        match i64::try_from(floor).ok().and_then(Timestamp::from_microsecond) {
            Some(floor) => format!("({column} {operator} {})", self.values.bind(floor, Type::TIMESTAMPTZ)),
            None => "FALSE".to_owned(),
        }
    }

    fn value_path(&mut self, path: &AttributePath, inside: &Filter, at: At<'_>) -> String {
        let Some(found) = at.scope.resolve(path) else { return "FALSE".to_owned() };
        let scope = Scope::Element(found.attribute);
        self.elements += 1;
        let number = self.elements;
        let source = match self.source(&found, at) {
            Source::Values(rows) => rows,
            Source::Value(value) => format!("SELECT {value} AS v WHERE {value} IS NOT NULL"),
        };
        let inside = self.filter(inside, At { scope, element: Some(number) });
        format!("EXISTS (SELECT FROM ({source}) AS e{number} (v) WHERE {inside})")
    }

    /// Whether any value of a path matches a condition. With `by_value`, a complex value is compared by its
    /// `value`.
    fn any(
        &mut self,
        path: &AttributePath,
        at: At<'_>,
        by_value: bool,
        holds: impl FnOnce(&mut Self, &str) -> String,
    ) -> String {
        let Some(found) = at.scope.resolve(path) else { return "FALSE".to_owned() };
        let last = found.sub.unwrap_or(found.attribute);
        let value_part = if by_value && last.kind == Kind::Complex { last.sub("value") } else { None };
        let steps = found.sub.into_iter().chain(value_part);
        let (mut value, mut wrap) = match self.source(&found, at) {
            Source::Value(value) => (value, Vec::new()),
            Source::Values(rows) => {
                self.elements += 1;
                (
                    format!("e{}.v", self.elements),
                    vec![format!("EXISTS (SELECT FROM ({rows}) AS e{} (v) WHERE ", self.elements)],
                )
            }
        };
        for step in steps {
            value = format!("({value} -> {})", quoted(&step.name));
            if step.multi_valued {
                self.elements += 1;
                wrap.push(format!(
                    "EXISTS (SELECT FROM jsonb_array_elements({value}) AS e{} (v) WHERE ",
                    self.elements
                ));
                value = format!("e{}.v", self.elements);
            }
        }
        let condition = holds(self, &value);
        format!("{}{condition}{}", wrap.concat(), ")".repeat(wrap.len()))
    }

    /// The source of an attribute's values.
    fn source(&self, found: &ResolvedPath<'_>, at: At<'_>) -> Source {
        let name = quoted(&found.attribute.name);
        let value = match at.element {
            Some(number) if found.is_element => return Source::Value(format!("e{number}.v")),
            Some(number) => format!("(e{number}.v -> {name})"),
            None => {
                if let Some(relation) =
                    self.table.relation_of(&found.attribute.name).filter(|_| found.extension.is_none())
                {
                    return Source::Values(relation.searched.to_owned());
                }
                if let Some((_, rows)) = self
                    .table
                    .derived
                    .filter(|(attribute, _)| found.extension.is_some() && *attribute == found.attribute.name)
                {
                    return Source::Values(rows.to_owned());
                }
                format!("({} -> {name})", container(found))
            }
        };
        if found.attribute.multi_valued {
            Source::Values(format!("SELECT jsonb_array_elements({value})"))
        } else {
            Source::Value(value)
        }
    }

    fn holds(&mut self, attribute: &Attribute, operator: Comparison, value: &str, wanted: &Value) -> String {
        let condition = match (operator, wanted) {
            (Comparison::Eq | Comparison::Ne, wanted) if attribute.kind != Kind::DateTime => {
                let operator = if operator == Comparison::Eq { "=" } else { "<>" };
                format!("{value} {operator} {}", self.values.bind(key(attribute, wanted), Type::JSONB))
            }
            (_, Value::String(text)) if attribute.kind == Kind::DateTime => {
                return format!(
                    "COALESCE({}, FALSE)",
                    self.time(&format!("({value} #>> '{{}}')::timestamptz"), operator, text)
                );
            }
            (_, Value::String(_)) => {
                let Value::String(wanted) = key(attribute, wanted) else { return "FALSE".to_owned() };
                let (value, wanted) = (format!("({value} #>> '{{}}')"), self.values.bind(wanted, Type::TEXT));
                match operator {
                    Comparison::Co => format!("strpos({value}, {wanted}) > 0"),
                    Comparison::Sw => format!("starts_with({value}, {wanted})"),
                    Comparison::Ew => format!("right({value}, length({wanted})) = {wanted}"),
                    _ => format!("{value} COLLATE \"C\" {} {wanted}", sign(operator)),
                }
            }
            (_, Value::Number(number)) => {
                let wanted = self.values.bind(number.as_f64().unwrap_or(f64::NAN), Type::FLOAT8);
                format!("({value} #>> '{{}}')::float8 {} {wanted}", sign(operator))
            }
            _ => return "FALSE".to_owned(),
        };
        format!("COALESCE({condition}, FALSE)")
    }
}

/// The source of values.
enum Source {
    /// One value, as an expression.
    Value(String),
    /// Several values, as the rows of a query with one column.
    Values(String),
}

fn key(attribute: &Attribute, wanted: &Value) -> Value {
    match wanted {
        Value::String(text) if is_casefolded(attribute) => Value::String(casefold(text)),
        other => other.clone(),
    }
}

fn sign(operator: Comparison) -> &'static str {
    match operator {
        Comparison::Gt => ">",
        Comparison::Ge => ">=",
        Comparison::Lt => "<",
        _ => "<=",
    }
}

/// The result of a comparison for an attribute without values.
fn absent(operator: Comparison, wanted: &Value) -> &'static str {
    match (operator, wanted.is_null()) {
        (Comparison::Eq, true) | (Comparison::Ne, false) => "TRUE",
        _ => "FALSE",
    }
}

/// Parses an id in canonical spelling. Another spelling is another text, and matches nothing.
fn uuid(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|id| id.to_string() == text)
}
