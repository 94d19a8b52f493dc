//! The strings of the dialect's vocabulary: departments and permissions.

use rollcall_scim::{ScimError, lenience};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// The known strings. They come from one data file.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct BrazeVocabulary {
    departments: BTreeSet<String>,
    company_permissions: BTreeSet<String>,
    app_group_permissions: BTreeSet<String>,
    team_permissions: BTreeSet<String>,
}

impl BrazeVocabulary {
    /// Reads a data file; if the path is empty, the built-in file.
    ///
    /// # Errors
    /// The reason why the file cannot be read.
    pub(super) fn read(path: &str) -> Result<Self, String> {
        let text = match path {
            "" => include_str!("vocabulary.json").to_owned(),
            path => std::fs::read_to_string(path).map_err(|error| error.to_string())?,
        };
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }

    /// A department, if it is known.
    pub(super) fn department(&self, value: Value) -> Result<Value, ScimError> {
        one_of(&self.departments, "department", &value)?;
        Ok(value)
    }

    /// Permissions in the whole company, if all of them are known.
    pub(super) fn company_permissions(&self, value: Value) -> Result<Value, ScimError> {
        all_of(&self.company_permissions, "permissions.companyPermissions", value)
    }

    /// Permissions in a workspace, if all of them are known.
    pub(super) fn app_group_permissions(&self, value: Value) -> Result<Value, ScimError> {
        all_of(&self.app_group_permissions, "permissions.appGroup.appGroupPermissions", value)
    }

    /// Permissions in a team, if all of them are known.
    pub(super) fn team_permissions(&self, value: Value) -> Result<Value, ScimError> {
        all_of(&self.team_permissions, "permissions.appGroup.team.teamPermissions", value)
    }
}

fn all_of(known: &BTreeSet<String>, path: &str, value: Value) -> Result<Value, ScimError> {
    let values = lenience::list(value);
    values.iter().try_for_each(|value| one_of(known, path, value))?;
    Ok(values.into())
}

fn one_of(known: &BTreeSet<String>, path: &str, value: &Value) -> Result<(), ScimError> {
    if value.as_str().is_some_and(|text| known.contains(text)) {
        return Ok(());
    }
    let known: Vec<_> = known.iter().map(String::as_str).collect();
    Err(ScimError::invalid_value(format!("{path} contains a value other than {}", known.join(", "))))
}
