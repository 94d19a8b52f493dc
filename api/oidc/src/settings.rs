//! The settings of the provider.

use rollcall_service::settings::{SettingsError, public_url};
use secrecy::SecretString;
use serde::Deserialize;

/// The OpenID provider at which administrators sign in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcSettings {
    /// The provider's identifier, a URL. If it is empty, there is no provider.
    pub issuer: String,
    /// The id of Rollcall at the provider.
    pub client_id: String,
    /// The secret of Rollcall at the provider.
    pub client_secret: SecretString,
    /// The requested scopes, separated by spaces.
    pub scopes: String,
    /// The name of the claim with a person's roles.
    pub roles_claim: String,
}

impl OidcSettings {
    /// Whether a provider is configured.
    pub fn is_configured(&self) -> bool {
        !self.issuer.is_empty()
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// If the issuer is not a URL, or another setting is missing.
    pub fn check(&self) -> Result<(), SettingsError> {
        if !self.is_configured() {
            return Ok(());
        }
        public_url("oidc.issuer", &self.issuer)?;
        for (name, value) in [("oidc.client_id", &self.client_id), ("oidc.roles_claim", &self.roles_claim)] {
            if value.trim().is_empty() {
                return Err(SettingsError::malformed(name, "it must not be empty if oidc.issuer is set"));
            }
        }
        Ok(())
    }
}
