//! Invisible characters. Two names that look the same must be the same name.

use crate::ScimError;

/// Characters without a shape of their own, and characters that change the direction of the text around them:
/// Unicode's categories Cc, Zl and Zp, and the invisible characters of Cf.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Checks that a text has no invisible characters.
///
/// # Errors
/// 400 `invalidValue` that names the attribute and the character.
pub fn check(text: &str, path: &str) -> Result<(), ScimError> {
    if let Some(invisible) = text.chars().find(|character| is_invisible(*character)) {
        return Err(ScimError::invalid_value(format!(
            "{path} holds U+{:04X}, which cannot be seen",
            u32::from(invisible)
        )));
    }
    if let Some(space) = text.chars().find(|character| character.is_whitespace() && *character != ' ') {
        return Err(ScimError::invalid_value(format!(
            "{path} holds U+{:04X}, a space that looks like another",
            u32::from(space)
        )));
    }
    if text.trim() != text {
        return Err(ScimError::invalid_value(format!("{path} begins or ends with a space")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case("ada\u{7}", "U+0007"; "control")]
    #[test_case("a\tda", "U+0009"; "tab")]
    #[test_case("a\u{200b}da", "U+200B"; "zero width")]
    #[test_case("\u{202e}ada", "U+202E"; "right to left")]
    #[test_case("\u{feff}ada", "U+FEFF"; "byte order mark")]
    #[test_case("a\u{2028}da", "U+2028"; "line separator")]
    #[test_case(" ada", "space"; "before")]
    #[test_case("ada\u{a0}", "space"; "no-break space after")]
    #[test_case("ada\u{2003}king", "U+2003"; "a space of another width")]
    #[test_case("a\u{fe0f}da", "U+FE0F"; "variation selector")]
    fn refused(text: &str, why: &str) {
        let error = check(text, "userName").unwrap_err();
        assert!(error.detail.contains("userName") && error.detail.contains(why), "{}", error.detail);
    }

    #[test_case("ada.lovelace@example.com"; "an address")]
    #[test_case("Ada King"; "a space inside")]
    #[test_case("Ünïcode Ω 李"; "other scripts")]
    #[test_case("ada 👋"; "an emoji")]
    fn accepted(text: &str) {
        assert_eq!(check(text, "userName"), Ok(()));
    }
}
