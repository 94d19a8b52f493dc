//! The texts of the pages. Each language has one file in `api/pages/texts`.

use actix_web::http::header::{ACCEPT_LANGUAGE, HeaderMap};
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use std::sync::LazyLock;
use unic_langid::LanguageIdentifier;

/// The name of the cookie with the chosen language.
pub(super) const COOKIE: &str = "language";

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Language {
    #[default]
    English,
    Spanish,
}

const ENGLISH: &str = include_str!("../texts/en.ftl");
const SPANISH: &str = include_str!("../texts/es.ftl");

static BUNDLES: LazyLock<[FluentBundle<FluentResource>; 2]> =
    LazyLock::new(|| [bundle(Language::English, ENGLISH), bundle(Language::Spanish, SPANISH)]);

fn bundle(language: Language, source: &str) -> FluentBundle<FluentResource> {
    let locale: LanguageIdentifier = language.code().parse().unwrap_or_default();
    let mut bundle = FluentBundle::new_concurrent(vec![locale]);
    bundle.set_use_isolating(false);
    // Malformed entries of a file are left out. A test checks that there are none.
    bundle.add_resource_overriding(FluentResource::try_new(source.to_owned()).unwrap_or_else(|(read, _)| read));
    bundle
}

impl Language {
    /// All languages.
    pub(super) const ALL: [Self; 2] = [Self::English, Self::Spanish];

    /// The language's code (RFC 5646).
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Spanish => "es",
        }
    }

    /// The language's name, in the language.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Spanish => "Español",
        }
    }

    /// The language with a code.
    pub(super) fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.code() == code)
    }

    /// The chosen language, or else the one that the browser prefers.
    pub(super) fn choose(chosen: Option<&str>, headers: &HeaderMap) -> Self {
        chosen.and_then(Self::from_code).or_else(|| Self::preferred(headers)).unwrap_or_default()
    }

    /// The first language that the browser accepts and that there are texts in.
    fn preferred(headers: &HeaderMap) -> Option<Self> {
        let header = headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?;
        accept_language::parse(header).iter().find_map(|code| Self::from_code(code.split('-').next()?))
    }

    /// The text with an id. If there is none, the id.
    pub(super) fn get(self, id: &str) -> String {
        self.format(id, None)
    }

    /// The text with an id, with a value for its variable.
    pub(super) fn with(self, id: &str, name: &'static str, value: impl std::fmt::Display) -> String {
        let mut arguments = FluentArgs::new();
        arguments.set(name, value.to_string());
        self.format(id, Some(&arguments))
    }

    fn format(self, id: &str, arguments: Option<&FluentArgs>) -> String {
        let bundle = &BUNDLES[self as usize];
        let Some(pattern) = bundle.get_message(id).and_then(|message| message.value()) else { return id.to_owned() };
        bundle.format_pattern(pattern, arguments, &mut Vec::new()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_events::call_log::Meaning;
    use rollcall_events::log::EventType;
    use std::collections::BTreeSet;

    fn ids(source: &str) -> BTreeSet<&str> {
        source
            .lines()
            .filter_map(|line| line.split_once(" ="))
            .map(|(id, _)| id)
            .filter(|id| !id.starts_with([' ', '#']))
            .collect()
    }

    /// The content of every template and source file of the pages.
    fn files() -> Vec<String> {
        let folder = |path: &str| std::fs::read_dir(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        ["templates", "src", "src/view"]
            .into_iter()
            .flat_map(folder)
            .filter(|entry| entry.as_ref().unwrap().path().is_file())
            .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
            .collect()
    }

    #[test]
    fn no_text_is_missing_in_any_language_and_none_is_unused() {
        assert!([ENGLISH, SPANISH].into_iter().all(|source| FluentResource::try_new(source.to_owned()).is_ok()));
        assert_eq!(ids(ENGLISH), ids(SPANISH));
        let (files, ids) = (files(), ids(ENGLISH));
        for file in &files {
            let named = ["t.get(\"", "t.with(\""]
                .into_iter()
                .flat_map(|call| file.split(call).skip(1))
                .filter_map(|rest| rest.split('"').next());
            let missing: Vec<_> = named.filter(|id| !ids.contains(id)).collect();
            assert!(missing.iter().all(|id| id.ends_with('\\')), "{missing:?}");
        }
        assert!(EventType::ALL.iter().all(|event_type| ids.contains(&*format!("event-{event_type}"))));
        assert!(Meaning::ALL.iter().all(|meaning| ids.contains(&*format!("meaning-{}", meaning.as_str()))));
        let ids = ids.iter().filter(|id| !id.starts_with("event-") && !id.starts_with("meaning-"));
        let unused: Vec<_> = ids.filter(|id| !files.iter().any(|file| file.contains(&format!("\"{id}\"")))).collect();
        assert!(unused.is_empty(), "{unused:?}");
    }

    #[test]
    fn the_language_is_the_chosen_one_or_the_one_that_the_browser_prefers() {
        let mut headers = HeaderMap::new();
        assert_eq!(Language::choose(None, &headers), Language::English);
        headers.insert(ACCEPT_LANGUAGE, "de, es-MX;q=0.8, en;q=0.5".parse().unwrap());
        assert_eq!(Language::choose(None, &headers), Language::Spanish);
        assert_eq!(Language::choose(Some("en"), &headers), Language::English);
        assert_eq!(Language::choose(Some("xx"), &headers), Language::Spanish);
    }
}
