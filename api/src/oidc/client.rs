//! The flow: where the browser is sent, and who came back.

use moka::future::Cache;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AdditionalClaims, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, IdTokenClaims, IdTokenFields, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, Scope, StandardErrorResponse, StandardTokenResponse, SubjectIdentifier, TokenResponse, UserInfoClaims,
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
use crate::settings::OidcSettings;

/// How long what the provider says of itself, its keys with it, is taken as said.
const KEPT: Duration = Duration::from_mins(10);

/// What an ID token may be signed with: whatever takes a key that the provider publishes, and never a secret that is shared with it.
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

/// Claims of the provider's own.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(transparent)]
struct Claims(Map<String, Value>);

impl AdditionalClaims for Claims {}

type Fields = IdTokenFields<Claims, EmptyExtraTokenFields, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;
type Tokens = StandardTokenResponse<Fields, CoreTokenType>;
type Relying = Client<
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

/// Why nobody is identified.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotIdentified {
    /// The provider is away, or is not what the settings say that it is.
    #[error("the OpenID provider cannot be used: {0}")]
    Provider(String),
    /// It does not vouch for whoever came.
    #[error("the OpenID provider does not vouch for whoever came: {0}")]
    Refused(String),
}

/// What the browser keeps of a flow until it comes back.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Flow {
    /// What the provider is to bring back, so that only this browser can end what it began.
    pub(crate) state: String,
    /// What the ID token is to hold, so that it cannot be one from elsewhere.
    pub(crate) nonce: String,
    /// What shows that whoever hands the code in has begun the flow (RFC 7636 section 4.1).
    pub(crate) verifier: String,
}

/// Somebody for whom the provider vouches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// The provider.
    pub(crate) issuer: String,
    /// Who it is there.
    pub(crate) subject: String,
    /// What to call them.
    pub(crate) name: String,
    /// Their roles here.
    pub(crate) roles: BTreeMap<OrganizationId, Role>,
}

/// The provider.
pub(crate) struct Provider {
    http: Http,
    issuer: IssuerUrl,
    client_id: ClientId,
    client_secret: Option<SecretString>,
    redirect: RedirectUrl,
    scopes: Vec<Scope>,
    roles_claim: String,
    found: Cache<(), Arc<Relying>>,
}

impl Provider {
    /// The provider that the settings name, which sends browsers back to `redirect`. It is first asked when somebody signs in.
    ///
    /// # Errors
    /// Where an address is none, or the system has no certificates to trust.
    pub(crate) fn new(settings: &OidcSettings, redirect: String) -> io::Result<Self> {
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

    /// Begins a flow; where the browser is to go.
    pub(crate) async fn begin(&self) -> Result<(String, Flow), NotIdentified> {
        let client = self.client().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let request = client.authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random);
        let (url, state, nonce) = request.add_scopes(self.scopes.clone()).set_pkce_challenge(challenge).url();
        let flow = Flow { state: state.into_secret(), nonce: nonce.secret().clone(), verifier: verifier.into_secret() };
        Ok((url.into(), flow))
    }

    /// Ends a flow; who came back with the code.
    pub(crate) async fn finish(&self, code: String, flow: Flow) -> Result<Identity, NotIdentified> {
        let client = self.client().await?;
        let refused = |error: &dyn std::fmt::Display| NotIdentified::Refused(error.to_string());
        let exchange = client.exchange_code(AuthorizationCode::new(code)).map_err(|error| NotIdentified::Provider(error.to_string()))?;
        let exchange = exchange.set_pkce_verifier(PkceCodeVerifier::new(flow.verifier));
        let tokens = exchange.request_async(&|request| self.http.send(request)).await.map_err(|error| match error {
            openidconnect::RequestTokenError::Request(error) => NotIdentified::Provider(error.to_string()),
            error => refused(&error),
        })?;
        let token = tokens.id_token().ok_or_else(|| refused(&"it gave no ID token"))?;
        let verifier = client.id_token_verifier().set_allowed_algs(ALGORITHMS);
        let claims = token.claims(&verifier, &Nonce::new(flow.nonce)).map_err(|error| refused(&error));
        if claims.is_err() {
            // The provider may have changed its keys: the next one who comes finds out.
            self.found.invalidate(&()).await;
        }
        let claims = claims?;
        if let Some(expected) = claims.access_token_hash() {
            let algorithm = token.signing_alg().map_err(|error| refused(&error))?;
            let key = token.signing_key(&verifier).map_err(|error| refused(&error))?;
            let found = AccessTokenHash::from_token(tokens.access_token(), algorithm, key).map_err(|error| refused(&error))?;
            if found != *expected {
                return Err(refused(&"the access token is another's"));
            }
        }
        let claim = self.roles_claim(&client, claims, tokens.access_token()).await?;
        Ok(Identity { issuer: self.issuer.to_string(), subject: claims.subject().to_string(), name: name(claims), roles: roles(&claim) })
    }

    /// The claim that tells the roles: in the ID token, or else where the provider tells more (OpenID Connect Core 1.0 section 5.3).
    async fn roles_claim(
        &self,
        client: &Relying,
        claims: &IdTokenClaims<Claims, CoreGenderClaim>,
        access: &AccessToken,
    ) -> Result<Value, NotIdentified> {
        if let Some(claim) = claims.additional_claims().0.get(&self.roles_claim) {
            return Ok(claim.clone());
        }
        let subject: SubjectIdentifier = claims.subject().clone();
        let Ok(request) = client.user_info(access.clone(), Some(subject)) else { return Ok(Value::Null) };
        let told: UserInfoClaims<Claims, CoreGenderClaim> = request
            .request_async(&|request| self.http.send(request))
            .await
            .map_err(|error| NotIdentified::Provider(format!("its user info: {error}")))?;
        Ok(told.additional_claims().0.get(&self.roles_claim).cloned().unwrap_or_default())
    }

    async fn client(&self) -> Result<Arc<Relying>, NotIdentified> {
        let found = self.found.try_get_with((), self.discover()).await;
        found.map_err(|error: Arc<String>| NotIdentified::Provider(error.to_string()))
    }

    /// Asks the provider what it is (OpenID Connect Discovery 1.0).
    async fn discover(&self) -> Result<Arc<Relying>, String> {
        let send = |request| self.http.send(request);
        let metadata = CoreProviderMetadata::discover_async(self.issuer.clone(), &send).await.map_err(|error| root(&error))?;
        let secret = self.client_secret.as_ref().map(|secret| ClientSecret::new(secret.expose_secret().to_owned()));
        Ok(Arc::new(Client::from_provider_metadata(metadata, self.client_id.clone(), secret).set_redirect_uri(self.redirect.clone())))
    }
}

/// What to call somebody: the name, or else what else the provider calls them.
fn name(claims: &IdTokenClaims<Claims, CoreGenderClaim>) -> String {
    let name = claims.name().and_then(|name| name.get(None)).map(|name| name.as_str());
    let user_name = claims.preferred_username().map(|name| name.as_str());
    let email = claims.email().map(|email| email.as_str());
    [name, user_name, email].into_iter().flatten().find(|name| !name.trim().is_empty()).unwrap_or(claims.subject()).to_owned()
}
