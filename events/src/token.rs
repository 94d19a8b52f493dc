//! The format of a SCIM token: `rc_`, 32 random bytes in base 62, and a checksum.
//!
//! The prefix and checksum let a secret scanner recognize a token, and let us refuse a typo without a
//! look-up. Each half of the bytes takes 22 digits. The last six digits are the CRC-32 of everything before
//! them.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

/// The prefix of every token.
pub const PREFIX: &str = "rc_";
const HALF_DIGITS: usize = 22;
const CHECKSUM_DIGITS: usize = 6;
/// How many digits of a token the pages show after it was issued.
const SHOWN_DIGITS: usize = 5;
const LENGTH: usize = PREFIX.len() + 2 * HALF_DIGITS + CHECKSUM_DIGITS;
const DIGEST_CONTEXT: &str = "rollcall 2026 token";

/// The secret of a token. It is well-formed, shown once, and never stored.
#[derive(Debug, Clone)]
pub struct Token(SecretString);

/// The digest of a token: 32 bytes of BLAKE3. We store, send and compare it instead of the token.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TokenDigest([u8; 32]);

/// The text is not a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a Rollcall token")]
pub struct InvalidToken;

impl Token {
    /// Generates a new token from the operating system's randomness.
    ///
    /// # Errors
    /// If the operating system's randomness fails.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self::from_bytes(bytes))
    }

    fn from_bytes(bytes: [u8; 32]) -> Self {
        let number = u128::from_be_bytes;
        let mut halves = [[0; 16]; 2];
        halves[0].copy_from_slice(&bytes[..16]);
        halves[1].copy_from_slice(&bytes[16..]);
        let text =
            format!("{PREFIX}{}{}", digits(number(halves[0]), HALF_DIGITS), digits(number(halves[1]), HALF_DIGITS));
        let checksum = checksum(&text);
        Self(SecretString::from(text + &checksum))
    }

    /// Parses a token and checks its format and checksum.
    ///
    /// # Errors
    /// If the text is not a token, for whatever reason.
    pub fn parse(text: &str) -> Result<Self, InvalidToken> {
        let is_token = text.len() == LENGTH
            && text.starts_with(PREFIX)
            && text.bytes().skip(PREFIX.len()).all(|b| b.is_ascii_alphanumeric());
        if !is_token {
            return Err(InvalidToken);
        }
        let (body, given) = text.split_at(LENGTH - CHECKSUM_DIGITS);
        if checksum(body) == given { Ok(Self(SecretString::from(text))) } else { Err(InvalidToken) }
    }

    /// The token in clear, to be shown once.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }

    /// The first characters of the token. They let people tell tokens apart and are useless otherwise: they
    /// contain 30 of the 256 random bits.
    pub fn prefix(&self) -> &str {
        self.reveal().get(..PREFIX.len() + SHOWN_DIGITS).unwrap_or_default()
    }

    /// The digest of the token.
    pub fn digest(&self) -> TokenDigest {
        TokenDigest(blake3::derive_key(DIGEST_CONTEXT, self.reveal().as_bytes()))
    }
}

fn digits(number: u128, width: usize) -> String {
    let digits = base62::encode(number);
    format!("{digits:0>width$}")
}

fn checksum(text: &str) -> String {
    digits(crc32fast::hash(text.as_bytes()).into(), CHECKSUM_DIGITS)
}

impl TokenDigest {
    /// The bytes, as the database stores them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether two digests are equal, compared in constant time.
    pub fn matches(&self, other: &[u8]) -> bool {
        self.0.ct_eq(other).into()
    }
}

impl std::fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenDigest")
    }
}

impl From<TokenDigest> for String {
    fn from(digest: TokenDigest) -> Self {
        blake3::Hash::from_bytes(digest.0).to_hex().to_string()
    }
}

impl TryFrom<String> for TokenDigest {
    type Error = blake3::HexError;

    fn try_from(text: String) -> Result<Self, blake3::HexError> {
        blake3::Hash::from_hex(text).map(|hash| Self(hash.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_form_of_a_token_does_not_change() {
        let token = Token::from_bytes([7; 32]);
        assert_eq!(token.reveal(), "rc_0DG9mkOv2l6AkSp3WsPxY70DG9mkOv2l6AkSp3WsPxY72WqZmg");
        assert_eq!(token.prefix(), "rc_0DG9m");
        assert_eq!(String::from(token.digest()), "60e2c24aa17e003bd00403add3ee191773caa9f47dfc7eb363f77b6800efc7fd");
    }

    #[test]
    fn debug_output_has_neither_token_nor_digest() {
        let token = Token::from_bytes([7; 32]);
        let shown = format!("{token:?} {:?}", token.digest());
        assert!(!shown.contains("G9mk") && !shown.contains(&String::from(token.digest())), "{shown}");
    }

    proptest! {
        #[test]
        fn every_token_is_recognized_and_no_typo_is(bytes: [u8; 32], place in 0..LENGTH, letter in "[0-9A-Za-z]") {
            let token = Token::from_bytes(bytes);
            let text = token.reveal().to_owned();
            prop_assert_eq!(Token::parse(&text).unwrap().digest(), token.digest());
            let mut typo = text.clone();
            typo.replace_range(place..=place, &letter);
            prop_assert_eq!(Token::parse(&typo).is_ok(), typo == text);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}") {
            let _ = Token::parse(&text);
        }
    }
}
