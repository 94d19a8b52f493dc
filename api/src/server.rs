//! Wires everything together, serves until a signal, and shuts down in order.

use actix_http::body::MessageBody;
use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol, Request};
use actix_server::GracefulShutdownSignal;
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt, map_config};
use actix_web::dev::{AppConfig, Server, ServiceResponse, fn_service};
use actix_web::middleware::{NormalizePath, TrailingSlash, from_fn};
use actix_web::rt::net::TcpStream;
use actix_web::web::{self, Data};
use actix_web::{App, HttpServer};
use rollcall_scim::resource::SizeLimit;
use rollcall_service::settings::SettingsError;
use rollcall_service::shutdown;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tracing_actix_web::TracingLogger;
use utoipa_swagger_ui::SwaggerUi;

use crate::audit;
use crate::auth::{Authentication, Denials, Limits, Tokens, follow_changes, gate};
use crate::call_log::{CallRecorder, observe};
use crate::endpoints;
use crate::health::{self, Health};
use crate::metrics::{Metrics, metrics};
use crate::oidc::Provider;
use crate::openapi;
use crate::pages::{self, OIDC_CALLBACK, Pages, Seal};
use crate::pending::PendingReplies;
use crate::publish::Publisher;
use crate::read::{Database, Followers, Growth, PageCache};
use crate::refusal::Explaining;
use crate::scim::{self, BASE_PATH, Base, Bounds, Dialects};
use crate::settings::Settings;
use crate::streams::{self, Polling};
use crate::submit::RequestClient;
use crate::trace::CallSpan;

/// Maximum time to close a connection.
const DISCONNECT: Duration = Duration::from_secs(1);

/// Why the api cannot serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("cannot listen on {address}: {error}; is the port in use, or is the setting wrong?")]
    Listen { address: std::net::SocketAddr, error: std::io::Error },
    #[error("the server failed: {0}")]
    Server(#[from] std::io::Error),
}

/// Serves until the first signal to stop. Then it accepts no more calls, finishes the accepted ones, and
/// returns.
///
/// # Errors
/// If a setting is wrong, or an address cannot be listened on.
pub(crate) async fn serve(settings: Settings) -> Result<(), ServeError> {
    let database = Database::new(&settings.database_url, settings.connections(), settings.page_bytes)
        .map_err(|error| SettingsError::malformed("database_url", error))?;
    let publisher = Publisher::new(settings.partitions, Duration::from_secs(settings.confirm_seconds));
    let requests =
        Arc::new(RequestClient::new(publisher, PendingReplies::new(settings.max_waiting), Duration::from_secs(settings.wait_seconds)));
    let authentication = Authentication {
        tokens: Arc::new(Tokens::new(database.clone(), Duration::from_secs(settings.token_cache_seconds))),
        proxies: settings.proxies()?,
        limits: Arc::new(Limits::new(settings.calls_per_second, settings.burst)),
        denials: Arc::new(Denials::default()),
    };
    let denials = authentication.denials.clone();
    let recorder = Arc::new(CallRecorder::new(settings.observed_per_second));
    let mut background = start_background(&settings, &requests, &authentication, &recorder);
    let (stop, growth) = (shutdown::on_signal()?, Arc::new(Growth::default()));
    let (listening, logs) = (growth.clone(), database.clone());
    background.spawn(async move { listening.keep_listening(&logs).await });
    http(&settings, database, requests.clone(), authentication, recorder.clone(), Followers::new(growth, stop.clone()), async move {
        stop.cancelled().await;
    })?
    .await?;
    let flushing = async {
        denials.flush(&requests).await;
        recorder.send(&requests).await;
    };
    if tokio::time::timeout(Duration::from_secs(settings.shutdown_seconds), flushing).await.is_err() {
        tracing::warn!("some denials and call records were not published before the shutdown");
    }
    // All calls are answered, so nothing needs these tasks any more.
    background.shutdown().await;
    tracing::info!("all accepted calls are finished");
    Ok(())
}

/// Starts the tasks that run until the last call is answered.
fn start_background(
    settings: &Settings,
    requests: &Arc<RequestClient>,
    authentication: &Authentication,
    recorder: &Arc<CallRecorder>,
) -> JoinSet<()> {
    let mut background = JoinSet::new();
    let (recorder, sending) = (recorder.clone(), requests.clone());
    background.spawn(async move { recorder.keep_sending(&sending).await });
    let (connected, amqp_url) = (requests.clone(), settings.amqp_url.clone());
    background.spawn(async move { connected.publisher().keep_connected(&amqp_url, connected.pending()).await });
    background.spawn(follow_changes(authentication.tokens.clone()));
    let limits = authentication.limits.clone();
    background.spawn(async move { limits.keep_small().await });
    let (denials, requests, interval) = (authentication.denials.clone(), requests.clone(), Duration::from_secs(settings.denied_seconds));
    background.spawn(async move { denials.keep_flushing(&requests, interval).await });
    background
}

fn http(
    settings: &Settings,
    database: Database,
    requests: Arc<RequestClient>,
    authentication: Authentication,
    recorder: Arc<CallRecorder>,
    followers: Followers,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<Server, ServeError> {
    let receive = Duration::from_secs(settings.receive_seconds);
    let bounds = Data::new(Bounds {
        max_body_bytes: usize::try_from(settings.max_body_bytes).unwrap_or(usize::MAX),
        receive,
        max_resource_bytes: SizeLimit(settings.max_resource_bytes),
        max_page: settings.max_page.into(),
        max_operations: usize::try_from(settings.max_bulk_operations).unwrap_or(usize::MAX),
        bulk_wait: Duration::from_secs(settings.bulk_seconds),
    });
    let (requests, authentication, database, recorder) =
        (Data::from(requests), Data::new(authentication), Data::new(database), Data::from(recorder));
    let openapi = openapi::document(&settings.public_url).map_err(|error| SettingsError::malformed("public_url", error))?;
    let dialects = Data::new(Dialects::read(&settings.braze_strings).map_err(|error| SettingsError::malformed("braze_strings", error))?);
    let keys = Data::new(settings.event_keys()?);
    let (page_cache, followers) = (Data::new(PageCache::default()), Data::new(followers));

    let (health, base) = (Data::new(Health::default()), Data::new(Base::below(&settings.public_url)));
    let polling = Data::new(Polling {
        database: database.clone(),
        requests: requests.clone(),
        base: base.clone(),
        keys: keys.clone(),
        followers: followers.clone(),
        longest: Duration::from_secs(settings.poll_seconds),
    });
    let provider = settings.oidc.is_configured().then(|| Provider::new(&settings.oidc, format!("{}{OIDC_CALLBACK}", settings.public_url)));
    let pages = Data::new(Pages {
        database: database.clone(),
        requests: requests.clone(),
        authentication: authentication.clone(),
        base: base.clone(),
        followers: followers.clone(),
        page_cache: page_cache.clone(),
        seal: Seal::new(&settings.session_key).map_err(|error| SettingsError::malformed("session_key", error))?,
        provider: provider.transpose().map_err(|error| SettingsError::malformed("oidc", error))?,
        public_url: settings.public_url.clone(),
        is_secure: settings.public_url.starts_with("https:"),
        receive,
    });
    let counted = Data::new(Metrics::new());
    serve_metrics(settings, &counted, &database, &requests)?;
    let app = move || {
        App::new()
            .app_data(requests.clone())
            .app_data(authentication.clone())
            .app_data(database.clone())
            .app_data(recorder.clone())
            .app_data(counted.clone())
            .app_data(health.clone())
            .app_data(base.clone())
            .app_data(keys.clone())
            .app_data(page_cache.clone())
            .app_data(followers.clone())
            .app_data(polling.clone())
            .app_data(pages.clone())
            .app_data(dialects.clone())
            .app_data(bounds.clone())
            .wrap(from_fn(endpoints::in_any_case))
            .wrap(NormalizePath::new(TrailingSlash::Trim))
            .wrap(TracingLogger::<CallSpan>::new())
            // Routes are tried in order, so the most frequent ones come first.
            .service(
                web::scope(BASE_PATH)
                    .wrap(from_fn(gate))
                    .wrap(from_fn(scim::as_accepted))
                    .wrap(from_fn(observe))
                    .configure(scim::routes)
                    .default_service(web::to(scim::no_endpoint)),
            )
            .service(web::redirect("/docs", "/docs/index.html"))
            .service(SwaggerUi::new("/docs/{_:.*}").url("/openapi.json", openapi.clone()))
            .route("/.well-known/jwks.json", web::get().to(scim::jwks))
            .route("/healthz", web::get().to(health::alive))
            .route("/readyz", web::get().to(health::ready))
            .configure(pages::api_routes)
            .configure(audit::routes)
            .configure(streams::routes)
            .configure(pages::routes)
            .default_service(web::to(scim::no_endpoint))
    };
    let builder = Server::build()
        .max_concurrent_connections(usize::try_from(settings.max_connections).unwrap_or(usize::MAX))
        .shutdown_timeout(settings.shutdown_seconds)
        .shutdown_signal(stop);
    let draining = builder.graceful_shutdown_signal();
    let service = move || connections(app(), receive, draining.clone());
    let server =
        builder.bind("rollcall", settings.listen, service).map_err(|error| ServeError::Listen { address: settings.listen, error })?;
    tracing::info!("listening on http://{}{BASE_PATH}", settings.listen);
    Ok(server.run())
}

/// Serves each connection as actix's own server does, on a stream that adds a body to the refusals of the
/// HTTP parser (see [`Explaining`]).
fn connections<F, B>(
    app: impl IntoServiceFactory<F, Request>,
    receive: Duration,
    draining: GracefulShutdownSignal,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()>
where
    F: ServiceFactory<Request, Config = AppConfig, Response = ServiceResponse<B>, Error = actix_web::Error, InitError = ()> + 'static,
    B: MessageBody + 'static,
{
    let app = app.into_factory().map_err(|error: actix_web::Error| error.error_response());
    let draining = move || {
        let draining = draining.clone();
        async move { draining.notified().await }
    };
    let http = HttpService::build()
        .graceful_shutdown_signal(draining)
        .client_request_timeout(receive)
        .client_disconnect_timeout(DISCONNECT)
        .finish(map_config(app, |()| AppConfig::default()));
    fn_service(|stream: TcpStream| async {
        let peer = stream.peer_addr().ok();
        Ok((Explaining::new(stream), Protocol::Http1, peer))
    })
    .and_then(http)
}

/// Serves the metrics at their own address, if the settings enable it, until the process ends.
fn serve_metrics(
    settings: &Settings,
    counted: &Data<Metrics>,
    database: &Data<Database>,
    requests: &Data<RequestClient>,
) -> Result<(), ServeError> {
    let Some(address) = settings.metrics_listen()? else { return Ok(()) };
    let (counted, database, requests) = (counted.clone(), database.clone(), requests.clone());
    let app = move || {
        let app = App::new().app_data(counted.clone()).app_data(database.clone()).app_data(requests.clone());
        app.route("/metrics", web::get().to(metrics))
    };
    let server = HttpServer::new(app).workers(1).disable_signals().bind(address).map_err(|error| ServeError::Listen { address, error })?;
    tokio::spawn(server.run());
    Ok(())
}
