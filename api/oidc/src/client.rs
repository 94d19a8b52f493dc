//! The flow: sends the browser to the provider, and identifies the person who comes back.

use moka::future::Cache;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AdditionalClaims, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdTokenClaims, IdTokenFields, IssuerUrl,
    Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, StandardErrorResponse,
    StandardTokenResponse, SubjectIdentifier, TokenResponse, UserInfoClaims,
};
use rollcall_events::OrganizationId;
use rollcall_events::session::Role;
use rollcall_service::cause::root;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::http::Http;
use super::roles::roles;
use super::settings::OidcSettings;

/// How long the provider's metadata and keys are cached.
const KEPT: Duration = Duration::from_mins(10);

/// The allowed signature algorithms of an ID token: those with a public key of the provider. A secret that is
/// shared with the provider is never used.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// The provider's additional claims.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(transparent)]
struct Claims(Map<String, Value>);

impl AdditionalClaims for Claims {}

type Fields = IdTokenFields<
    Claims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Tokens = StandardTokenResponse<Fields, CoreTokenType>;
type RelyingParty = Client<
    Claims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Why nobody was identified.
#[derive(Debug, thiserror::Error)]
pub enum NotIdentified {
    /// The provider cannot be reached, or does not match the settings.
    #[error("the OpenID provider cannot be used: {0}")]
    Provider(String),
    /// The provider does not confirm the person's identity.
    #[error("the OpenID provider does not confirm the identity: {0}")]
    Refused(String),
}

/// The secrets of a flow. The browser keeps them until it comes back.
#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    /// The `state` parameter. The provider returns it, so that only the browser that began a flow can end it.
    pub state: String,
    /// The `nonce` claim. The ID token must contain it, so that a token of another flow is refused.
    pub nonce: String,
    /// The code verifier, which proves that the code is used by the one who began the flow (RFC 7636 section
    /// 4.1).
    pub verifier: String,
}

/// A person whom the provider has identified.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// The issuer: the provider's identifier.
    pub issuer: String,
    /// The person's identifier at the provider.
    pub subject: String,
    /// The person's name.
    pub name: String,
    /// The person's roles, by organization.
    pub roles: BTreeMap<OrganizationId, Role>,
}

/// The OpenID provider.
pub struct Provider {
    http: Http,
    issuer: IssuerUrl,
    client_id: ClientId,
    client_secret: Option<SecretString>,
    redirect: RedirectUrl,
    scopes: Vec<Scope>,
    roles_claim: String,
    found: Cache<(), Arc<RelyingParty>>,
}

impl Provider {
    /// Creates the provider of the settings, which sends browsers back to `redirect`. It is contacted only
    /// when somebody signs in.
    ///
    /// # Errors
    /// If a URL is malformed, or the system has no trusted certificates.
    pub fn new(settings: &OidcSettings, redirect: String) -> io::Result<Self> {
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidInput, format!("{error}"));
        let secret = &settings.client_secret;
        Ok(Self {
            http: Http::new()?,
            issuer: IssuerUrl::new(settings.issuer.clone()).map_err(invalid)?,
            client_id: ClientId::new(settings.client_id.clone()),
            client_secret: (!secret.expose_secret().is_empty()).then(|| secret.clone()),
            redirect: RedirectUrl::new(redirect).map_err(invalid)?,
            scopes: settings.scopes.split_whitespace().map(|scope| Scope::new(scope.to_owned())).collect(),
            roles_claim: settings.roles_claim.clone(),
            found: Cache::builder().max_capacity(1).time_to_live(KEPT).build(),
        })
    }

    /// Begins a flow. Returns the URL to which the browser must go.
    pub async fn begin(&self) -> Result<(String, Flow), NotIdentified> {
        let client = self.client().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let request =
            client.authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random);
        let (url, state, nonce) = request.add_scopes(self.scopes.clone()).set_pkce_challenge(challenge).url();
        let flow = Flow { state: state.into_secret(), nonce: nonce.secret().clone(), verifier: verifier.into_secret() };
        Ok((url.into(), flow))
    }

    /// Ends a flow. Returns the person who came back with the code.
    pub async fn finish(&self, code: String, flow: Flow) -> Result<Identity, NotIdentified> {
        let client = self.client().await?;
        let refused = |error: &dyn std::fmt::Display| NotIdentified::Refused(error.to_string());
        let exchange = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| NotIdentified::Provider(error.to_string()))?;
        let exchange = exchange.set_pkce_verifier(PkceCodeVerifier::new(flow.verifier));
        let tokens = exchange.request_async(&|request| self.http.send(request)).await.map_err(|error| match error {
            openidconnect::RequestTokenError::Request(error) => NotIdentified::Provider(error.to_string()),
            error => refused(&error),
        })?;
        let token = tokens.id_token().ok_or_else(|| refused(&"it gave no ID token"))?;
        let verifier = client.id_token_verifier().set_allowed_algs(ALGORITHMS);
        let claims = token.claims(&verifier, &Nonce::new(flow.nonce)).map_err(|error| refused(&error));
        if claims.is_err() {
            // The provider may have changed its keys. Discover it again at the next sign-in.
            self.found.invalidate(&()).await;
        }
        let claims = claims?;
        if let Some(expected) = claims.access_token_hash() {
            let algorithm = token.signing_alg().map_err(|error| refused(&error))?;
            let key = token.signing_key(&verifier).map_err(|error| refused(&error))?;
            let found =
                AccessTokenHash::from_token(tokens.access_token(), algorithm, key).map_err(|error| refused(&error))?;
            if found != *expected {
                return Err(refused(&"the access token is another's"));
            }
        }
        let claim = self.roles_claim(&client, claims, tokens.access_token()).await?;
        Ok(Identity {
            issuer: self.issuer.to_string(),
            subject: claims.subject().to_string(),
            name: name(claims),
            roles: roles(&claim),
        })
    }

    /// The claim with the roles: from the ID token, or else from the userinfo endpoint (OpenID Connect Core
    /// 1.0 section 5.3).
    async fn roles_claim(
        &self,
        client: &RelyingParty,
        claims: &IdTokenClaims<Claims, CoreGenderClaim>,
        access: &AccessToken,
    ) -> Result<Value, NotIdentified> {
        if let Some(claim) = claims.additional_claims().0.get(&self.roles_claim) {
            return Ok(claim.clone());
        }
        let subject: SubjectIdentifier = claims.subject().clone();
        let Ok(request) = client.user_info(access.clone(), Some(subject)) else { return Ok(Value::Null) };
        let info: UserInfoClaims<Claims, CoreGenderClaim> = request
            .request_async(&|request| self.http.send(request))
            .await
            .map_err(|error| NotIdentified::Provider(format!("its user info: {error}")))?;
        Ok(info.additional_claims().0.get(&self.roles_claim).cloned().unwrap_or_default())
    }

    async fn client(&self) -> Result<Arc<RelyingParty>, NotIdentified> {
        let found = self.found.try_get_with((), self.discover()).await;
        found.map_err(|error: Arc<String>| NotIdentified::Provider(error.to_string()))
    }

    /// Reads the provider's metadata (OpenID Connect Discovery 1.0).
    async fn discover(&self) -> Result<Arc<RelyingParty>, String> {
        let send = |request| self.http.send(request);
        let metadata =
            CoreProviderMetadata::discover_async(self.issuer.clone(), &send).await.map_err(|error| root(&error))?;
        let secret = self.client_secret.as_ref().map(|secret| ClientSecret::new(secret.expose_secret().to_owned()));
        Ok(Arc::new(
            Client::from_provider_metadata(metadata, self.client_id.clone(), secret)
                .set_redirect_uri(self.redirect.clone()),
        ))
    }
}

/// The person's name, or else another name that the provider has.
fn name(claims: &IdTokenClaims<Claims, CoreGenderClaim>) -> String {
    let name = claims.name().and_then(|name| name.get(None)).map(|name| name.as_str());
    let user_name = claims.preferred_username().map(|name| name.as_str());
    let email = claims.email().map(|email| email.as_str());
    [name, user_name, email]
        .into_iter()
        .flatten()
        .find(|name| !name.trim().is_empty())
        .unwrap_or(claims.subject())
        .to_owned()
}
