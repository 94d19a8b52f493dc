//! The form of a SCIM token: parses it into settings, and explains each problem in the page's language.

use rollcall_events::address::{AllowList, InvalidAllowList};
use rollcall_events::name::Label;
use rollcall_events::rate::CallsPerSecond;
use rollcall_events::request::TokenSettings;
use rollcall_events::{Timestamp, TokenId, WorkspaceId};
use serde::Deserialize;

use super::text::Language;

/// The fields of the form, as they were typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct TokenForm {
    pub(super) csrf: String,
    /// The id of the new token. Because the page chooses it, a form that is sent again creates no second
    /// token.
    pub(super) id: String,
    pub(super) label: String,
    pub(super) workspace: String,
    pub(super) origin: String,
    /// `on` if calls need not name the origin.
    pub(super) origin_not_required: String,
    pub(super) allow: String,
    pub(super) dialect: String,
    /// A date such as 2027-01-31. The token expires at the end of that day, in UTC.
    pub(super) expires: String,
    /// The allowed calls per second.
    pub(super) rate: String,
}

/// The problems of a form, each with the name of its field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Problems(Vec<(&'static str, String)>);

impl Problems {
    /// The problem of a field, if it has one.
    pub(super) fn of(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|(about, _)| *about == field).map(|(_, text)| text.as_str())
    }

    fn take<T>(&mut self, field: &'static str, read: Result<T, String>) -> Option<T> {
        read.map_err(|text| self.0.push((field, text))).ok()
    }
}

impl TokenForm {
    /// The form with a token's current settings.
    pub(super) fn of(settings: &TokenSettings) -> Self {
        Self {
            label: settings.label.to_string(),
            workspace: settings.default_workspace.to_string(),
            origin: settings.service_origin.to_string(),
            origin_not_required: if settings.origin_required { "" } else { "on" }.to_owned(),
            allow: settings.allow_list.as_ref().map(ToString::to_string).unwrap_or_default(),
            dialect: settings.dialect.as_str().to_owned(),
            // The form has only a date.
            expires: settings
                .expires_at
                .map(|at| at.to_string().get(..10).unwrap_or_default().to_owned())
                .unwrap_or_default(),
            rate: settings.calls_per_second.map(|rate| rate.to_string()).unwrap_or_default(),
            ..Self::default()
        }
    }

    /// The id of the new token.
    pub(super) fn token_id(&self) -> Option<TokenId> {
        self.id.parse().ok()
    }

    /// Parses the settings.
    ///
    /// # Errors
    /// The problems of the fields.
    pub(super) fn read(
        &self,
        workspaces: &[(WorkspaceId, String)],
        now: Timestamp,
        t: Language,
    ) -> Result<TokenSettings, Problems> {
        let mut problems = Problems::default();
        let label =
            problems.take("label", self.label.parse().map_err(|_| t.with("problem-label", "most", Label::MAX_CHARS)));
        let workspace = self.workspace.parse().ok().filter(|id| workspaces.iter().any(|(known, _)| known == id));
        let workspace = problems.take("workspace", workspace.ok_or_else(|| t.get("problem-workspace")));
        let origin = problems.take("origin", self.origin.parse().map_err(|_| t.get("problem-origin")));
        let allow = problems.take("allow", self.read_allow(t));
        let dialect = problems.take("dialect", self.dialect.parse().map_err(|_| t.get("problem-dialect")));
        let expires = problems.take("expires", self.read_expires(now, t));
        let rate = problems.take("rate", self.read_rate(t));
        let (
            Some(label),
            Some(default_workspace),
            Some(service_origin),
            Some(allow_list),
            Some(dialect),
            Some(expires_at),
            Some(rate),
        ) = (label, workspace, origin, allow, dialect, expires, rate)
        else {
            return Err(problems);
        };
        let origin_required = self.origin_not_required.is_empty();
        let calls_per_second = rate;
        Ok(TokenSettings {
            label,
            default_workspace,
            service_origin,
            origin_required,
            allow_list,
            dialect,
            expires_at,
            calls_per_second,
        })
    }

    /// Parses the allowlist. An empty field allows any address.
    ///
    /// # Errors
    /// The problem, in the page's language.
    pub(super) fn read_allow(&self, t: Language) -> Result<Option<AllowList>, String> {
        match self.allow.parse() {
            Ok(list) => Ok(Some(list)),
            Err(InvalidAllowList::Empty) if self.allow.trim().is_empty() => Ok(None),
            Err(InvalidAllowList::Empty) => Err(t.get("problem-allow-empty")),
            Err(InvalidAllowList::TooLong) => Err(t.get("problem-allow-long")),
            Err(InvalidAllowList::Entry(entry)) => Err(t.with("problem-allow", "entry", entry)),
        }
    }

    fn read_rate(&self, t: Language) -> Result<Option<CallsPerSecond>, String> {
        match self.rate.trim() {
            "" => Ok(None),
            rate => rate.parse().map(Some).map_err(|_| t.with("problem-rate", "most", CallsPerSecond::MAX)),
        }
    }

    fn read_expires(&self, now: Timestamp, t: Language) -> Result<Option<Timestamp>, String> {
        if self.expires.is_empty() {
            return Ok(None);
        }
        let end = format!("{}T23:59:59.999999Z", self.expires).parse().ok().filter(|end| *end > now);
        end.map(Some).ok_or_else(|| t.get("problem-expires"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const T: Language = Language::English;

    fn workspace() -> WorkspaceId {
        WorkspaceId(Uuid::from_u128(1))
    }

    fn now() -> Timestamp {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    fn form() -> TokenForm {
        TokenForm {
            label: " HR ".to_owned(),
            workspace: workspace().to_string(),
            origin: "https://HR.example.com/".to_owned(),
            dialect: "standard".to_owned(),
            ..TokenForm::default()
        }
    }

    fn problems(form: &TokenForm) -> Vec<(&'static str, String)> {
        form.read(&[(workspace(), "Main".to_owned())], now(), T).unwrap_err().0
    }

    #[test]
    fn a_form_becomes_settings_and_settings_become_the_form() {
        let form = TokenForm {
            allow: "203.0.113.0/24, 198.51.100.7".to_owned(),
            expires: "2026-06-01".to_owned(),
            rate: "25".to_owned(),
            ..form()
        };
        let settings = form.read(&[(workspace(), "Main".to_owned())], now(), T).unwrap();
        assert_eq!((settings.label.as_str(), settings.origin_required), ("HR", true));
        assert_eq!(settings.service_origin.to_string(), "hr.example.com");
        assert_eq!(settings.expires_at.unwrap().to_string(), "2026-06-01T23:59:59.999999Z");
        let again = TokenForm::of(&settings).read(&[(workspace(), "Main".to_owned())], now(), T).unwrap();
        assert_eq!(again, settings);
    }

    #[test]
    fn each_problem_names_its_field() {
        let fields: Vec<_> = problems(&TokenForm::default()).into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["label", "workspace", "origin", "dialect"]);
        let allow = TokenForm { allow: "203.0.113.0/24, 10.0.0".to_owned(), ..form() };
        assert_eq!(problems(&allow), [("allow", T.with("problem-allow", "entry", "10.0.0"))]);
        assert!(T.with("problem-allow", "entry", "10.0.0").contains("10.0.0"));
        assert_eq!(
            problems(&TokenForm { expires: "2026-05-31".to_owned(), ..form() })[0].0,
            "expires",
            "the day is over"
        );
        assert_eq!(problems(&TokenForm { rate: "0".to_owned(), ..form() })[0].0, "rate");
        assert_eq!(
            problems(&TokenForm { workspace: Uuid::from_u128(2).to_string(), ..form() })[0].0,
            "workspace",
            "the workspace is not in the list"
        );
    }
}
