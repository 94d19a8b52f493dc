//! Sign-in with an OpenID provider: the authorization code flow with PKCE (OpenID Connect Core 1.0 section
//! 3.1, RFC 7636). This crate does not depend on pages or sessions.

mod client;
mod http;
mod roles;
mod settings;

pub use client::{Flow, Identity, NotIdentified, Provider};
pub use settings::OidcSettings;
