//! Comparison without regard to case. The api, the worker and the database share this definition.
//!
//! The casefold of a text is Unicode normalization form C, then full case folding (the Unicode Standard,
//! section 5.18, toCasefold), then form C again. Folding twice changes nothing. Attributes that are not
//! `caseExact` (RFC 7643 section 2.2) are compared by it. The database stores the result and never folds by
//! itself. The tables come with the crates, not with the operating system. A new Unicode version does not
//! change the folding of assigned characters (Unicode stability policy).

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizer;

/// The form of a text for comparisons in which case does not count.
pub fn casefold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let composed = ComposingNormalizer::new_nfc();
    let mut key = text.to_owned();
    // Folding can yield a sequence that composes into a character that folds again (U+0345 after a vowel). A
    // second round settles it.
    for _ in 0..2 {
        let folded = CaseMapper::new().fold_string(&composed.normalize(&key)).into_owned();
        key = composed.normalize(&folded).into_owned();
    }
    key
}

/// Whether two texts are equal if case does not count.
pub fn same(left: &str, right: &str) -> bool {
    if left.is_ascii() && right.is_ascii() {
        return left.eq_ignore_ascii_case(right);
    }
    casefold(left) == casefold(right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use test_case::test_case;

    #[test_case("Ada@Example.COM", "ada@example.com"; "ascii")]
    #[test_case("STRASSE", "straße"; "sharp s is two letters")]
    #[test_case("STRAẞE", "strasse"; "capital sharp s too")]
    #[test_case("ΣΊΣΥΦΟΣ", "σίσυφος"; "final sigma is a sigma")]
    #[test_case("e\u{301}cole", "\u{c9}COLE"; "a combining mark composes")]
    #[test_case("\u{212b}", "\u{e5}"; "the angstrom sign is a letter")]
    #[test_case("o\u{308}\u{323}", "o\u{323}\u{308}"; "the order of combining marks does not count")]
    fn these_are_the_same(left: &str, right: &str) {
        assert_eq!(casefold(left), casefold(right));
        assert!(same(left, right));
    }

    #[test_case("i", "ı"; "dotless i is another letter")]
    #[test_case("İ", "i"; "dotted capital I keeps its dot")]
    #[test_case("a", "á"; "an accent counts")]
    #[test_case("ﬁ ", "fi"; "a space counts")]
    fn these_differ(left: &str, right: &str) {
        assert_ne!(casefold(left), casefold(right));
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in "\\PC{0,24}") {
            let once = casefold(&text);
            prop_assert_eq!(casefold(&once), once);
        }

        #[test]
        fn canonically_equivalent_texts_fold_alike(text in "[a-zA-ZäÄßİıΣσς\u{300}-\u{36f}\u{345}]{0,12}") {
            let decomposed = icu_normalizer::DecomposingNormalizer::new_nfd().normalize(&text).into_owned();
            prop_assert_eq!(casefold(&decomposed), casefold(&text));
        }

        #[test]
        fn the_ascii_shortcut_agrees_with_the_definition(text in "[ -~]{0,24}") {
            let composed = ComposingNormalizer::new_nfc();
            let long_way = CaseMapper::new().fold_string(&composed.normalize(&text)).into_owned();
            prop_assert_eq!(casefold(&text), long_way);
        }
    }
}
