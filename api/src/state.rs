//! The state that handlers share, made from the settings at the start.

use actix_web::web::{Data, ServiceConfig};
use rollcall_api_core::auth::Authentication;
use rollcall_api_core::call_log::CallRecorder;
use rollcall_api_core::http::{Base, Bounds};
use rollcall_api_core::metrics::Metrics;
use rollcall_api_core::read::{Database, Followers, PageCache};
use rollcall_api_core::submit::RequestClient;
use rollcall_api_oidc::Provider;
use rollcall_api_pages::{OIDC_CALLBACK, Pages, Seal};
use rollcall_api_scim::Dialects;
use rollcall_events::set::SetKeys;
use rollcall_scim::resource::SizeLimit;
use rollcall_service::settings::SettingsError;
use std::sync::Arc;
use std::time::Duration;

use crate::health::Health;
use crate::settings::Settings;
use crate::streams::Polling;

/// The state. Each part reaches a handler by its type.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) requests: Data<RequestClient>,
    pub(crate) database: Data<Database>,
    pub(crate) metrics: Data<Metrics>,
    authentication: Data<Authentication>,
    recorder: Data<CallRecorder>,
    followers: Data<Followers>,
    page_cache: Data<PageCache>,
    health: Data<Health>,
    base: Data<Base>,
    keys: Data<SetKeys>,
    bounds: Data<Bounds>,
    dialects: Data<Dialects>,
    polling: Data<Polling>,
    pages: Data<Pages>,
}

impl State {
    /// Makes the state.
    ///
    /// # Errors
    /// If a setting is malformed.
    pub(crate) fn new(
        settings: &Settings,
        database: Database,
        requests: Arc<RequestClient>,
        authentication: Authentication,
        recorder: Arc<CallRecorder>,
        followers: Followers,
    ) -> Result<Self, SettingsError> {
        let (requests, database, authentication) =
            (Data::from(requests), Data::new(database), Data::new(authentication));
        let (followers, page_cache) = (Data::new(followers), Data::new(PageCache::default()));
        let (base, keys) = (Data::new(Base::below(&settings.public_url)), Data::new(settings.event_keys()?));
        let dialects = Dialects::read(&settings.braze_strings)
            .map_err(|error| SettingsError::malformed("braze_strings", error))?;
        let polling = Polling {
            database: database.clone(),
            requests: requests.clone(),
            base: base.clone(),
            keys: keys.clone(),
            followers: followers.clone(),
            longest: Duration::from_secs(settings.poll_seconds),
        };
        let pages = Pages {
            database: database.clone(),
            requests: requests.clone(),
            authentication: authentication.clone(),
            base: base.clone(),
            followers: followers.clone(),
            page_cache: page_cache.clone(),
            seal: Seal::new(&settings.session_key).map_err(|error| SettingsError::malformed("session_key", error))?,
            provider: provider(settings)?,
            public_url: settings.public_url.clone(),
            is_secure: settings.public_url.starts_with("https:"),
            receive: Duration::from_secs(settings.receive_seconds),
        };
        Ok(Self {
            requests,
            database,
            metrics: Data::new(Metrics::new()),
            authentication,
            recorder: Data::from(recorder),
            followers,
            page_cache,
            health: Data::new(Health::default()),
            base,
            keys,
            bounds: Data::new(bounds(settings)),
            dialects: Data::new(dialects),
            polling: Data::new(polling),
            pages: Data::new(pages),
        })
    }

    /// Hands every part to the app.
    pub(crate) fn register(&self, config: &mut ServiceConfig) {
        config
            .app_data(self.requests.clone())
            .app_data(self.database.clone())
            .app_data(self.metrics.clone())
            .app_data(self.authentication.clone())
            .app_data(self.recorder.clone())
            .app_data(self.followers.clone())
            .app_data(self.page_cache.clone())
            .app_data(self.health.clone())
            .app_data(self.base.clone())
            .app_data(self.keys.clone())
            .app_data(self.bounds.clone())
            .app_data(self.dialects.clone())
            .app_data(self.polling.clone())
            .app_data(self.pages.clone());
    }
}

/// The limits of calls.
fn bounds(settings: &Settings) -> Bounds {
    Bounds {
        max_body_bytes: usize::try_from(settings.max_body_bytes).unwrap_or(usize::MAX),
        receive: Duration::from_secs(settings.receive_seconds),
        max_resource_bytes: SizeLimit(settings.max_resource_bytes),
        max_page: settings.max_page.into(),
        max_operations: usize::try_from(settings.max_bulk_operations).unwrap_or(usize::MAX),
        bulk_wait: Duration::from_secs(settings.bulk_seconds),
    }
}

/// The OpenID provider, if the settings name one.
fn provider(settings: &Settings) -> Result<Option<Provider>, SettingsError> {
    let callback = format!("{}{OIDC_CALLBACK}", settings.public_url);
    let provider = settings.oidc.is_configured().then(|| Provider::new(&settings.oidc, callback));
    provider.transpose().map_err(|error| SettingsError::malformed("oidc", error))
}
