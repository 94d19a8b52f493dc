//! Finds the ids in a text, and everything that could be a user's name.
//!
//! Possible names are: the whole text, each quoted string (with JSON escapes undone), each part between two
//! separators, and each run of up to six words. Case, Unicode form, repeated white space and surrounding
//! punctuation make no difference. Parts of a name, and names of more than six words inside longer text, are
//! not found.

use rollcall_events::OrganizationId;
use rollcall_scim::casefold::casefold;
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};
use uuid::Uuid;

/// The BLAKE3 `derive_key` context for the hash of a name.
const CONTEXT: &str = "rollcall 2026 erased user name";
/// Maximum number of words in a possible name.
const MAX_WORDS: usize = 6;
/// Maximum length of a possible name, in bytes.
const MAX_BYTES: usize = 2048;
/// The length of an id with and without hyphens.
const ID_LENGTHS: [usize; 2] = [36, 32];

/// The hash of a name in an organization.
pub(crate) type NameHash = [u8; 32];

/// The ids and possible names in texts of an organization.
pub(crate) struct Mentions {
    organization: OrganizationId,
    /// Whether to look for names. Ids are always found.
    with_names: bool,
    pub(super) ids: BTreeSet<Uuid>,
    pub(super) names: HashSet<NameHash>,
}

/// The canonical form of a casefolded name: single spaces, and no punctuation around it. `None` if nothing is
/// left or the name is too long.
fn canonical<'a>(words: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut joined = String::new();
    for word in words {
        if !joined.is_empty() {
            joined.push(' ');
        }
        joined.push_str(word);
    }
    let trimmed = joined.trim_matches(|c: char| !c.is_alphanumeric());
    // Keep a name that consists only of punctuation.
    let name = if trimmed.is_empty() { joined } else { trimmed.to_owned() };
    (!name.is_empty() && name.len() <= MAX_BYTES).then_some(name)
}

fn hash(organization: OrganizationId, canonical: &str) -> NameHash {
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    hasher.update(organization.0.as_bytes()).update(canonical.as_bytes());
    hasher.finalize().into()
}

/// The hash of a user's name; `None` for an empty name.
pub(super) fn name_hash(organization: OrganizationId, name: &str) -> Option<NameHash> {
    canonical(casefold(name).split_whitespace()).map(|name| hash(organization, &name))
}

fn is_separator(c: char) -> bool {
    matches!(
        c,
        ',' | ';'
            | '&'
            | '='
            | ':'
            | '|'
            | '/'
            | '\\'
            | '('
            | ')'
            | '['
            | ']'
            | '{'
            | '}'
            | '<'
            | '>'
            | '"'
            | '\''
            | '`'
    )
}

impl Mentions {
    /// Starts without mentions. `with_names` says whether to look for names. Ids are always found.
    pub(crate) fn new(organization: OrganizationId, with_names: bool) -> Self {
        Self { organization, with_names, ids: BTreeSet::new(), names: HashSet::new() }
    }

    /// Adds an id.
    pub(crate) fn id(&mut self, id: Option<Uuid>) {
        self.ids.extend(id);
    }

    /// Adds the mentions in a text.
    pub(crate) fn text(&mut self, text: &str) {
        self.ids.extend(ids(text));
        self.names_in(text);
        for quoted in quoted(text) {
            self.names_in(&quoted);
        }
    }

    /// Adds the mentions in a body: those in all its strings if it is JSON, otherwise those in its text.
    pub(crate) fn body(&mut self, body: &str) {
        match serde_json::from_str(body) {
            Ok(value) => self.value(&value),
            Err(_) => self.text(body),
        }
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(values) => values.iter().for_each(|value| self.value(value)),
            Value::Object(members) => members.iter().for_each(|(name, value)| {
                self.text(name);
                self.value(value);
            }),
            // Nobody has validated this body, so an id or a name can be a number.
            Value::Number(number) => self.names_in(&number.to_string()),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn names_in(&mut self, text: &str) {
        if !self.with_names {
            return;
        }
        let folded = casefold(text);
        self.phrases(&folded);
        let parts = folded.split(is_separator);
        parts.filter(|part| part.len() < folded.len()).for_each(|part| self.phrases(part));
    }

    /// Adds a casefolded text as a whole, and each run of up to [`MAX_WORDS`] words in it.
    fn phrases(&mut self, text: &str) {
        let words: Vec<_> = text.split_whitespace().collect();
        let windows = (0..words.len())
            .flat_map(|first| (first + 1..=words.len().min(first + MAX_WORDS)).map(move |end| first..end));
        let whole = (words.len() > MAX_WORDS && text.len() <= MAX_BYTES).then_some(0..words.len());
        for range in windows.chain(whole) {
            if let Some(name) = canonical(words[range].iter().copied()) {
                self.names.insert(hash(self.organization, &name));
            }
        }
    }
}

/// The ids in a text, at any position.
pub(super) fn ids(text: &str) -> impl Iterator<Item = Uuid> + '_ {
    let runs = text.as_bytes().split(|byte| !byte.is_ascii_hexdigit() && *byte != b'-').filter(|run| run.len() >= 32);
    runs.flat_map(|run| ID_LENGTHS.into_iter().flat_map(move |length| run.windows(length))).filter_map(|window| {
        let could_be = window.len() == 32 || [8, 13, 18, 23].iter().all(|at| window[*at] == b'-');
        could_be.then(|| Uuid::try_parse_ascii(window).ok()).flatten()
    })
}

/// The strings between double quotes, with JSON escapes undone. An unclosed string reaches to the end of the
/// text.
fn quoted(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('"') {
        let (inside, behind) = split_string(after);
        let unescaped = serde_json::from_str(&format!("\"{inside}\"")).ok();
        found.push(unescaped.unwrap_or_else(|| inside.to_owned()));
        rest = behind;
    }
    found
}

/// Splits a text at the first unescaped quote.
fn split_string(text: &str) -> (&str, &str) {
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' if !is_escaped => return (&text[..at], &text[at + 1..]),
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use test_case::test_case;

    const ID: &str = "01890000-0000-7000-8000-000000000001";

    fn mentions(text: &str, name: &str) -> bool {
        let organization = OrganizationId::SYSTEM;
        let mut found = Mentions::new(organization, true);
        found.body(text);
        found.names.contains(&name_hash(organization, name).unwrap())
    }

    #[test_case("Mary", "mary"; "the whole text")]
    #[test_case("filter=userName eq \"MARY\"&startIndex=1", "Mary"; "quoted in a query")]
    #[test_case("filter=userName eq \"stra\\u00dfe\"", "STRASSE"; "escaped and folded")]
    #[test_case("userName=Mary Shelley&count=1", "mary  shelley"; "between separators")]
    #[test_case("the name mary shelley is taken", "Mary Shelley"; "words in a sentence")]
    #[test_case("there is no (Mary).", "mary"; "within punctuation")]
    #[test_case(r#"{"name": {"formatted": "Hello İpek"}}"#, "i\u{307}pek"; "in JSON")]
    #[test_case(r#"[{"note": "{\"userName\": \"mary\"}"}]"#, "mary"; "in JSON in JSON")]
    #[test_case(r#"{"Resources":[{"userName":"mary","emails":["#, "mary"; "in JSON that was cut")]
    #[test_case("find \"jose\u{301}\"", "JOSÉ"; "in another Unicode form")]
    #[test_case("userName eq \"Mary-<b>\"", "mary-<B>"; "with punctuation of its own")]
    #[test_case("userName eq \"o'brien, \\\"mac\\\"\"", "O'Brien, \"Mac\""; "with quotes of its own")]
    fn a_name_is_recognized(text: &str, name: &str) {
        assert!(mentions(text, name));
    }

    #[test_case("filter=userName eq \"maryanne\"", "mary"; "a longer name")]
    #[test_case("mary", "mary shelley"; "a part of a name")]
    #[test_case("", "mary"; "nothing")]
    fn another_name_is_not(text: &str, name: &str) {
        assert!(!mentions(text, name));
    }

    #[test]
    fn the_same_name_has_another_hash_in_another_organization() {
        let [one, other] = [OrganizationId::generate(), OrganizationId::generate()];
        assert_ne!(name_hash(one, "mary"), name_hash(other, "mary"));
        assert_eq!(name_hash(one, " "), None);
    }

    #[test_case(&format!("/Users/{ID}"); "in a path")]
    #[test_case(&format!("user-{}x", ID.to_uppercase()); "within other text")]
    #[test_case(&ID.replace('-', ""); "without hyphens")]
    #[test_case(&format!("ab{ID}cd"); "within hexadecimal digits")]
    fn an_id_in_a_text_is_found(text: &str) {
        assert!(ids(text).any(|id| id == Uuid::try_parse(ID).unwrap()));
    }

    proptest! {
        /// A name in a quoted JSON string is always found, in any case and Unicode form.
        #[test]
        fn a_quoted_name_is_always_recognized(name in "\\PC{1,24}") {
            prop_assume!(name_hash(OrganizationId::SYSTEM, &name).is_some());
            let quoted = serde_json::to_string(&name.to_uppercase()).unwrap();
            let query = format!("filter=userName eq {quoted}");
            let body = format!("{{\"userName\":{quoted}}}");
            if casefold(&name.to_uppercase()) == casefold(&name) {
                prop_assert!(mentions(&query, &name), "{}", query);
                prop_assert!(mentions(&body, &name), "{}", body);
            }
        }
    }
}
