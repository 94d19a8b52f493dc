//! Settings in three layers: the documented defaults that are compiled in, then a file, then the environment.

use config::{Config, Environment, File, FileFormat};
use rollcall_events::set::SetKeys;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::path::Path;
use url::Url;

/// The settings are not valid. The message names the setting and the reason, and never contains a secret.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file or variable is malformed, or names a setting that does not exist.
    #[error("the settings cannot be read: {0}")]
    Unreadable(#[from] config::ConfigError),
    /// A number is outside its range.
    #[error("the setting {name} is {value}; it must be from {least} to {most}")]
    OutOfRange {
        /// The name of the setting.
        name: &'static str,
        /// The given value.
        value: u64,
        /// The smallest allowed value.
        least: u64,
        /// The largest allowed value.
        most: u64,
    },
    /// A text has the wrong form.
    #[error("the setting {name} is wrong: {reason}")]
    Malformed {
        /// The name of the setting.
        name: &'static str,
        /// The fault.
        reason: String,
    },
}

impl SettingsError {
    /// The error for a malformed setting.
    pub fn malformed(name: &'static str, reason: impl Display) -> Self {
        Self::Malformed { name, reason: reason.to_string() }
    }
}

/// Reads the layers. With the prefix `X`, the environment variable of `a` is `X__A`, and that of `b` in the
/// table `[a]` is `X__A__B`.
///
/// # Errors
/// If a layer is malformed or contains an unknown name.
pub fn read<T: DeserializeOwned>(prefix: &str, defaults: &str, file: Option<&Path>) -> Result<T, SettingsError> {
    let mut layers = Config::builder().add_source(File::from_str(defaults, FileFormat::Toml));
    if let Some(file) = file {
        layers = layers.add_source(File::from(file).format(FileFormat::Toml));
    }
    let environment = Environment::with_prefix(prefix).prefix_separator("__").separator("__").try_parsing(true);
    Ok(layers.add_source(environment).build()?.try_deserialize()?)
}

/// Checks that a number is in its range.
///
/// # Errors
/// If it is not.
pub fn in_range(name: &'static str, value: impl Into<u64>, least: u64, most: u64) -> Result<(), SettingsError> {
    let value = value.into();
    if (least..=most).contains(&value) { Ok(()) } else { Err(SettingsError::OutOfRange { name, value, least, most }) }
}

/// Reads a list of secrets: first those of a setting, separated by white space, then those in a file, if one
/// is named.
///
/// # Errors
/// If the file cannot be read. The error names the setting.
pub fn secrets(
    file_setting: &'static str,
    listed: &SecretString,
    file: &str,
) -> Result<Vec<SecretString>, SettingsError> {
    let content = match file {
        "" => String::new(),
        path => std::fs::read_to_string(path)
            .map_err(|error| SettingsError::malformed(file_setting, format!("{path}: {error}")))?,
    };
    Ok(listed.expose_secret().split_whitespace().chain(content.split_whitespace()).map(SecretString::from).collect())
}

/// Reads the keys that sign event tokens: first those of the setting, then those in the file.
///
/// # Errors
/// If the file cannot be read, or a text is not a key.
pub fn event_keys(listed: &SecretString, file: &str) -> Result<SetKeys, SettingsError> {
    let keys = secrets("event_key_file", listed, file)?;
    SetKeys::read(&keys).map_err(|error| SettingsError::malformed("event_keys", error))
}

/// Reads the URL at which callers reach the service, and removes a trailing slash.
///
/// # Errors
/// If the text is not an http or https URL, or has a query or fragment.
pub fn public_url(name: &'static str, text: &str) -> Result<String, SettingsError> {
    let malformed = |reason: &dyn Display| SettingsError::malformed(name, reason);
    let url: Url = text.parse().map_err(|error| malformed(&error))?;
    if !["http", "https"].contains(&url.scheme()) || url.query().is_some() || url.fragment().is_some() {
        return Err(malformed(&"it must be an http or https address without a query"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use test_case::test_case;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Example {
        size: u16,
    }

    #[test]
    fn a_default_is_read_and_an_unknown_name_is_reported() {
        assert_eq!(read::<Example>("ROLLCALL_TEST_SETTINGS", "size = 7", None).unwrap().size, 7);
        assert!(
            read::<Example>("ROLLCALL_TEST_SETTINGS", "size = 7\nsise = 8", None)
                .unwrap_err()
                .to_string()
                .contains("sise")
        );
        assert!(read::<Example>("ROLLCALL_TEST_SETTINGS", "size = 70000", None).is_err());
    }

    #[test_case(0 => false; "below")]
    #[test_case(1 => true; "least")]
    #[test_case(9 => true; "most")]
    #[test_case(10 => false; "above")]
    fn range(value: u64) -> bool {
        in_range("size", value, 1, 9).is_ok()
    }

    #[test_case("https://id.example.com/" => Some("https://id.example.com".to_owned()); "slash")]
    #[test_case("https://example.com/rollcall" => Some("https://example.com/rollcall".to_owned()); "below a path")]
    #[test_case("ftp://example.com" => None; "scheme")]
    #[test_case("example.com" => None; "no scheme")]
    #[test_case("https://example.com/?a=b" => None; "query")]
    fn public(text: &str) -> Option<String> {
        public_url("public_url", text).ok()
    }
}
