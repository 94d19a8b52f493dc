//! The short texts that people give to settings: labels, names, descriptions, reasons, permissions.
//!
//! Parsing (`FromStr`) checks the rule of a text. The commands and the pages parse what a person typed. The
//! worker checks again (`check`) before it decides, because a message may come from elsewhere. Reading JSON
//! does not check: the same types are read from the log and from messages. A recorded text must stay readable
//! if its rule becomes stricter, and a message with a bad text must get a rejection instead of becoming a
//! dead letter.

use rollcall_scim::visible;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// The `type` of an entitlement that is a workspace: a user who has it is a member of the workspace.
pub const WORKSPACE_TYPE: &str = "Workspace";

/// Why a text is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidText {
    /// It is empty, too long, or has control characters.
    #[error("a {what} has 1 to {most} characters and no control characters")]
    Length {
        /// What the text is.
        what: &'static str,
        /// The maximum length, in characters.
        most: usize,
    },
    /// It has an invisible character, or begins or ends with a space.
    #[error("{0}")]
    Invisible(String),
    /// It is a name in the form of an id.
    #[error("a name cannot have the form of an id")]
    Id,
    /// It is the type of workspaces.
    #[error("Workspace is the type of workspaces, which are entitlements by themselves")]
    TypeOfWorkspaces,
}

/// A check of a text. The second parameter is what the text is.
type Check = fn(&str, &str) -> Result<(), InvalidText>;

/// The rule of a text.
struct Rule {
    what: &'static str,
    most: usize,
    more: &'static [Check],
}

impl Rule {
    fn check(&self, text: &str) -> Result<(), InvalidText> {
        let has_length = !text.is_empty() && text.chars().count() <= self.most;
        if !has_length || text.chars().any(char::is_control) {
            return Err(InvalidText::Length { what: self.what, most: self.most });
        }
        self.more.iter().try_for_each(|check| check(text, self.what))
    }
}

/// Two names that look the same must be the same name.
fn is_visible(text: &str, what: &str) -> Result<(), InvalidText> {
    visible::check(text, &format!("the {what}")).map_err(|error| InvalidText::Invisible(error.detail))
}

/// A request may give an id or a name, so no name may look like an id.
fn is_no_id(text: &str, _: &str) -> Result<(), InvalidText> {
    if Uuid::try_parse(text).is_ok() { Err(InvalidText::Id) } else { Ok(()) }
}

/// The type says whether an entitlement is a workspace, so no other entitlement may have that type.
fn is_no_workspace(text: &str, _: &str) -> Result<(), InvalidText> {
    if text.eq_ignore_ascii_case(WORKSPACE_TYPE) { Err(InvalidText::TypeOfWorkspaces) } else { Ok(()) }
}

/// Defines a type of text with its rule.
macro_rules! text {
    ($(#[$about:meta])* $name:ident: $what:literal, $most:literal, [$($more:path),*]) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The maximum length, in characters.
            pub const MAX_CHARS: usize = $most;
            const RULE: Rule = Rule { what: $what, most: $most, more: &[$($more),*] };

            /// A text that was recorded. The rule may have become stricter since, so it is not checked.
            pub fn recorded(text: String) -> Self {
                Self(text)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Checks the rule again, for a text that was not parsed here.
            ///
            /// # Errors
            /// If the text breaks the rule.
            pub fn check(&self) -> Result<(), InvalidText> {
                Self::RULE.check(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidText;

            fn from_str(text: &str) -> Result<Self, InvalidText> {
                let text = text.trim();
                Self::RULE.check(text).map(|()| Self(text.to_owned()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }
    };
}

text! {
    /// A label of a token or a stream. People tell tokens apart by it.
    Label: "label", 200, [is_visible]
}

text! {
    /// A name of an organization, a person or a stream's receiver.
    DisplayName: "name", 200, [is_visible]
}

text! {
    /// A name of a workspace, a role or an entitlement. It is unique, and callers may give it instead of an
    /// id.
    UniqueName: "name", 200, [is_visible, is_no_id]
}

text! {
    /// The `type` of an entitlement, such as `License`.
    EntitlementType: "type", 200, [is_visible, is_no_workspace]
}

text! {
    /// A permission in a workspace.
    Permission: "permission", 200, [is_visible]
}

text! {
    /// A description for people.
    Description: "description", 1000, []
}

text! {
    /// Why an operator or an administrator decides something, such as to discard a dead letter.
    Reason: "reason", 500, []
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case(" HR ", Some("HR"); "spaces around are left out")]
    #[test_case("Ünïcode Ω 李", Some("Ünïcode Ω 李"); "other scripts")]
    #[test_case("  ", None; "empty")]
    #[test_case("a\u{7}b", None; "a control character")]
    #[test_case("a\u{200b}b", None; "an invisible character")]
    fn a_label(text: &str, expected: Option<&str>) {
        assert_eq!(text.parse::<Label>().ok().as_ref().map(Label::as_str), expected);
    }

    #[test_case(200 => true; "the longest")]
    #[test_case(201 => false; "too long")]
    fn the_length_of_a_name_counts_characters(length: usize) -> bool {
        "ä".repeat(length).parse::<DisplayName>().is_ok()
    }

    #[test_case("Sales" => Ok(()); "a name")]
    #[test_case("01234567-89ab-7def-8123-456789abcdef" => Err(InvalidText::Id); "an id")]
    #[test_case("0123456789ab7def8123456789abcdef" => Err(InvalidText::Id); "an id without hyphens")]
    fn a_unique_name(text: &str) -> Result<(), InvalidText> {
        text.parse::<UniqueName>().map(|_| ())
    }

    #[test_case("License" => Ok(()); "a type")]
    #[test_case("Workspaces" => Ok(()); "another word")]
    #[test_case("WORKSPACE" => Err(InvalidText::TypeOfWorkspaces); "the type of workspaces")]
    fn an_entitlement_type(text: &str) -> Result<(), InvalidText> {
        text.parse::<EntitlementType>().map(|_| ())
    }

    #[test_case("may read" => true; "a permission")]
    #[test_case("" => false; "empty")]
    #[test_case("read\u{202e}" => false; "a character that turns the text around")]
    fn a_permission(text: &str) -> bool {
        text.parse::<Permission>().is_ok()
    }

    #[test_case("why \u{2764}\u{fe0f}" => true; "a free text")]
    #[test_case(&"x".repeat(500) => true; "the longest reason")]
    #[test_case(&"x".repeat(501) => false; "too long for a reason")]
    fn a_reason_and_a_description(text: &str) -> bool {
        assert!(text.parse::<Description>().is_ok());
        text.parse::<Reason>().is_ok()
    }

    #[test_case("\"HR\"" => Ok(()); "a good label")]
    #[test_case("\" HR\"" => Err(InvalidText::Invisible("the label begins or ends with a space".into())); "a space")]
    #[test_case("\"\"" => Err(InvalidText::Length { what: "label", most: 200 }); "an empty label")]
    fn a_recorded_text_is_read_and_can_be_checked(json: &str) -> Result<(), InvalidText> {
        let label: Label = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&label).unwrap(), json);
        label.check()
    }
}
