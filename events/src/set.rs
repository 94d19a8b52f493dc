//! Security Event Tokens (RFC 8417): claims signed with Ed25519 (RFC 8037), and the public keys to check them
//! with (RFC 7517).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer as _, SigningKey};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

/// The media type of a token (RFC 8417 section 7.1).
pub const MEDIA_TYPE: &str = "application/secevent+jwt";
/// The path of the SCIM endpoints below the public address. The address and this path together are the issuer
/// of every token (RFC 9967 section 2.1).
pub const SCIM_PATH: &str = "/scim/v2";
const TYP: &str = "secevent+jwt";
/// The byte before the seed in a private key. It stands for Ed25519.
const ALGORITHM: u8 = 1;

/// The text is not a private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a private key as `rollcall-worker key generate` prints it")]
pub struct InvalidSetKey;

/// The keys of an issuer. The first key signs; all keys are published, so that keys can be rotated.
#[derive(Default)]
pub struct SetKeys(Vec<Key>);

struct Key {
    id: String,
    key: SigningKey,
}

impl SetKeys {
    /// Reads private keys. They have the same format as the keys that sign checkpoints:
    /// `PRIVATE+KEY+name+id+…`.
    ///
    /// # Errors
    /// If a text is not a private key. The error does not contain the text.
    pub fn read(keys: &[SecretString]) -> Result<Self, InvalidSetKey> {
        keys.iter().map(|key| read(key.expose_secret().trim()).ok_or(InvalidSetKey)).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there is a key to sign with.
    pub fn can_sign(&self) -> bool {
        !self.0.is_empty()
    }

    /// Signs claims. Without a key, the result is an unsecured token (RFC 7519 section 6), for a receiver
    /// that trusts the connection it authenticated.
    pub fn sign(&self, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let Some(Key { id, key }) = self.0.first() else {
            return format!("{}.{}.", encode(&json!({"typ": TYP, "alg": "none"})), encode(claims));
        };
        let signed = format!("{}.{}", encode(&json!({"typ": TYP, "alg": "EdDSA", "kid": id})), encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()).to_bytes());
        format!("{signed}.{signature}")
    }

    /// The public keys as a JWK Set (RFC 7517).
    pub fn to_jwks(&self) -> Value {
        let public = |Key { id, key }: &Key| {
            let x = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
            json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": id, "x": x})
        };
        json!({"keys": self.0.iter().map(public).collect::<Vec<_>>()})
    }
}

fn read(text: &str) -> Option<Key> {
    let mut parts = text.strip_prefix("PRIVATE+KEY+")?.splitn(3, '+');
    let (name, id, key) = (parts.next()?, parts.next()?, STANDARD.decode(parts.next()?).ok()?);
    let (&algorithm, seed) = key.split_first()?;
    let seed = seed.try_into().ok().filter(|_| algorithm == ALGORITHM)?;
    Some(Key { id: format!("{name}-{id}"), key: SigningKey::from_bytes(seed) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::checkpoint::generate_key;
    use ed25519_dalek::{Signature, VerifyingKey};

    #[test]
    fn a_token_is_checked_with_the_published_key_that_it_names() {
        let (old, new) = (generate_key("id.example.com").unwrap().0, generate_key("id.example.com").unwrap().0);
        let keys = SetKeys::read(&[new, old]).unwrap();
        let token = keys.sign(&json!({"iss": "https://id.example.com"}));
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let header: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(signed.split('.').next().unwrap()).unwrap()).unwrap();
        let jwks = keys.to_jwks();
        let key = jwks["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]).unwrap();
        let x: [u8; 32] = URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap().try_into().unwrap();
        let signature = Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
        VerifyingKey::from_bytes(&x).unwrap().verify_strict(signed.as_bytes(), &signature).unwrap();
        assert_eq!((jwks["keys"].as_array().unwrap().len(), &header["typ"]), (2, &json!("secevent+jwt")));
        assert!(key.get("d").is_none(), "nothing private is published");
    }

    #[test]
    fn a_malformed_key_is_refused_and_not_shown() {
        for text in ["", "PRIVATE+KEY+x", "PRIVATE+KEY+x+00000000+AAAA", "id.example.com+00000000+AAAA"] {
            assert_eq!(SetKeys::read(&[text.into()]).err(), Some(InvalidSetKey));
        }
    }
}
