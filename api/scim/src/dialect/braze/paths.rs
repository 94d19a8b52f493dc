//! Paths below `permissions`: `appGroup[appGroupName eq "Sales"].team` is
//! `urn:…:rollcall:2.0:User:workspaces[value eq "…"].teams` in the model.

use rollcall_scim::ScimError;
use rollcall_scim::casefold::casefold;
use rollcall_scim::filter::{AttributePath, Comparison, Filter};
use rollcall_scim::path::Path;
use rollcall_scim::schema::ROLLCALL_SCHEMA;
use serde_json::{Value, json};

use super::keys::{after_permissions, local};
use super::parts::Vocabulary;
use super::spelling::{Name, member, not_known};

/// The target of a path: a part of `permissions`, or an attribute inside that part.
pub(super) struct TargetPath {
    /// The part.
    pub(super) part: Name,
    /// The choice among its values, in the terms of the model.
    pub(super) filter: Option<Filter>,
    /// The member of the chosen values.
    pub(super) sub: Option<Name>,
}

/// The keys of the names of workspaces that the filter of a path has.
pub(super) fn names_in_path(path: &str) -> Vec<String> {
    let mut names = Vec::new();
    let below =
        after_permissions(local(path)).filter(|rest| rest.contains('[')).and_then(|rest| rest.strip_prefix('.'));
    let path = below.and_then(|below| below.parse::<Path>().ok());
    if let Some(filter) = path.as_ref().and_then(|path| path.pieces().1) {
        names_in(filter, &mut names);
    }
    names
}

fn names_in(filter: &Filter, names: &mut Vec<String>) {
    match filter {
        Filter::Or(left, right) | Filter::And(left, right) => {
            for side in [left, right] {
                names_in(side, names);
            }
        }
        Filter::Not(inside) | Filter::ValuePath(_, inside) => names_in(inside, names),
        Filter::Compare(path, _, value) if is_workspace_name(path) => {
            names.extend(word(value).map(|name| casefold(&name)));
        }
        Filter::Compare(..) | Filter::Present(_) => {}
    }
}

fn is_workspace_name(path: &AttributePath) -> bool {
    path.name.eq_ignore_ascii_case("appGroupName")
}

/// A name in a filter. One of digits may come without quotes.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(digits) if digits.is_u64() => Some(digits.to_string()),
        _ => None,
    }
}

impl TargetPath {
    /// Reads the rest of a path after `permissions`.
    ///
    /// # Errors
    /// 400 `invalidPath` or `invalidFilter` for a name that is not known, 400 `invalidValue` for an unknown
    /// workspace.
    pub(super) fn read(vocabulary: Vocabulary<'_>, rest: &str) -> Result<Self, ScimError> {
        let below = rest
            .strip_prefix('.')
            .ok_or_else(|| ScimError::invalid_path("permissions has no values to choose from"))?;
        let path: Path = below.parse()?;
        let (attribute, filter, sub) = path.pieces();
        let unknown = |path: &str, holder, name| ScimError::invalid_path(not_known(path, holder, name));
        let (name, urn) = (&attribute.name, &attribute.urn);
        let part = member("permissions", name)
            .filter(|_| urn.is_none())
            .ok_or_else(|| unknown("permissions", "permissions", name))?;
        let sub = attribute.sub.as_deref().or(sub);
        let sub =
            sub.map(|sub| member(part.0, sub).ok_or_else(|| unknown(&format!("permissions.{}", part.0), part.0, sub)));
        let filter = filter.map(|filter| to_model_filter(vocabulary, part.0, filter));
        Ok(Self { part, filter: filter.transpose()?, sub: sub.transpose()? })
    }

    /// The whole of a part.
    pub(super) fn whole(part: Name) -> Self {
        Self { part, filter: None, sub: None }
    }

    /// The values at the path whose member has that value.
    pub(super) fn with(&self, member: &str, value: &Value) -> Self {
        Self { filter: Some(Filter::Compare(plain(member), Comparison::Eq, value.clone())), ..*self }
    }

    /// The value that the filter says a member has.
    pub(super) fn compared_value(&self, member: &str) -> Option<&Value> {
        self.filter.as_ref().and_then(|filter| compared_value(filter, member))
    }

    /// The name of the member that holds the values at the path.
    pub(super) fn holder(&self) -> &'static str {
        self.sub.unwrap_or(self.part).0
    }

    /// The path in the dialect, without its filter, for errors.
    pub(super) fn name(&self) -> String {
        let sub = self.sub.map(|(sub, _)| format!(".{sub}")).unwrap_or_default();
        format!("permissions.{}{sub}", self.part.0)
    }

    /// The path in the model.
    pub(super) fn path(&self) -> String {
        let filter = self.filter.as_ref().map(|filter| format!("[{filter}]")).unwrap_or_default();
        let sub = self.sub.map(|(_, sub)| format!(".{sub}")).unwrap_or_default();
        let attribute = match self.part.1 {
            "roles" => "roles".to_owned(),
            part => format!("{ROLLCALL_SCHEMA}:{part}"),
        };
        format!("{attribute}{filter}{sub}")
    }
}

fn compared_value<'a>(filter: &'a Filter, member: &str) -> Option<&'a Value> {
    match filter {
        Filter::And(left, right) => compared_value(left, member).or_else(|| compared_value(right, member)),
        Filter::Compare(path, Comparison::Eq, value) if path.sub.is_none() && path.name == member => Some(value),
        _ => None,
    }
}

/// A filter on the values that `holder` holds, in the terms of the model.
fn to_model_filter(vocabulary: Vocabulary<'_>, holder: &str, filter: &Filter) -> Result<Filter, ScimError> {
    let boxed = |filter: &Filter| to_model_filter(vocabulary, holder, filter).map(Box::new);
    Ok(match filter {
        Filter::Or(left, right) => Filter::Or(boxed(left)?, boxed(right)?),
        Filter::And(left, right) => Filter::And(boxed(left)?, boxed(right)?),
        Filter::Not(inside) => Filter::Not(boxed(inside)?),
        Filter::Present(path) => Filter::Present(renamed(holder, path)?),
        Filter::Compare(path, operator, value) if holder == "appGroup" && is_workspace_name(path) => {
            let name = word(value).filter(|_| matches!(operator, Comparison::Eq | Comparison::Ne));
            let name =
                name.ok_or_else(|| ScimError::invalid_filter("appGroupName is compared with a name by eq or ne"))?;
            Filter::Compare(renamed(holder, &plain("appGroupId"))?, *operator, json!(vocabulary.workspace_id(&name)?))
        }
        Filter::Compare(path, operator, value) => Filter::Compare(renamed(holder, path)?, *operator, value.clone()),
        Filter::ValuePath(path, inside) => {
            let (inner, _) = member(holder, &path.name).unwrap_or_default();
            Filter::ValuePath(renamed(holder, path)?, Box::new(to_model_filter(vocabulary, inner, inside)?))
        }
    })
}

fn plain(name: &str) -> AttributePath {
    AttributePath { urn: None, name: name.to_owned(), sub: None }
}

/// The name of a member in the model. A value without members is called `value`, there as here.
fn renamed(holder: &str, path: &AttributePath) -> Result<AttributePath, ScimError> {
    if holder == "companyPermissions" {
        return Ok(path.clone());
    }
    let known = |holder: &str, name: &str| {
        member(holder, name)
            .ok_or_else(|| ScimError::invalid_filter(not_known(&format!("permissions: {holder}"), holder, name)))
    };
    let (canonical, name) = known(holder, &path.name)?;
    let sub = path.sub.as_deref().map(|sub| known(canonical, sub)).transpose()?;
    Ok(AttributePath { urn: path.urn.clone(), name: name.to_owned(), sub: sub.map(|(_, sub)| sub.to_owned()) })
}
