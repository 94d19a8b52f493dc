//! Wires everything together, serves until a signal, and shuts down in order.

use actix_server::Server;
use actix_web::App;
use actix_web::middleware::{NormalizePath, TrailingSlash, from_fn};
use rollcall_api_core::PendingReplies;
use rollcall_api_core::auth::{Authentication, Denials, Limits, Tokens};
use rollcall_api_core::call_log::CallRecorder;
use rollcall_api_core::http::BASE_PATH;
use rollcall_api_core::metrics;
use rollcall_api_core::publish::Publisher;
use rollcall_api_core::read::{Database, Followers, Growth};
use rollcall_api_core::submit::RequestClient;
use rollcall_api_scim::in_any_case;
use rollcall_service::settings::SettingsError;
use rollcall_service::shutdown;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tracing_actix_web::TracingLogger;

use crate::background::start_background;
use crate::connection::{ConnectionTimes, connections};
use crate::routes;
use crate::settings::Settings;
use crate::state::State;
use crate::trace::CallSpan;

/// Why the api cannot serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("cannot listen on {address}: {error}; is the port in use, or is the setting wrong?")]
    Listen { address: SocketAddr, error: std::io::Error },
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
    let requests = Arc::new(RequestClient::new(
        publisher,
        PendingReplies::new(settings.max_waiting),
        Duration::from_secs(settings.wait_seconds),
    ));
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
    let followers = Followers::new(growth, stop.clone());
    let state = State::new(&settings, database, requests.clone(), authentication, recorder.clone(), followers)?;
    http(&settings, state, async move { stop.cancelled().await })?.await?;
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

/// Listens on the addresses of the service and of the metrics.
fn http(
    settings: &Settings,
    state: State,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<Server, ServeError> {
    let listen = |address: SocketAddr| move |error| ServeError::Listen { address, error };
    if let Some(address) = settings.metrics_listen()? {
        metrics::serve(address, state.metrics.clone(), state.database.clone(), state.requests.clone())
            .map_err(listen(address))?;
    }
    let description = Arc::new(routes::description(&settings.public_url));
    let app = move || {
        App::new()
            .configure(|config| state.register(config))
            .wrap(from_fn(in_any_case))
            .wrap(NormalizePath::new(TrailingSlash::Trim))
            .wrap(TracingLogger::<CallSpan>::new())
            .configure(|config| routes::configure(config, &description))
    };
    let builder = Server::build()
        .max_concurrent_connections(usize::try_from(settings.max_connections).unwrap_or(usize::MAX))
        .shutdown_timeout(settings.shutdown_seconds)
        .shutdown_signal(stop);
    let draining = builder.graceful_shutdown_signal();
    let times = ConnectionTimes {
        receive: Duration::from_secs(settings.receive_seconds),
        keep_alive: Duration::from_secs(settings.keep_alive_seconds),
    };
    let service = move || connections(app(), times, draining.clone());
    let server = builder.bind("rollcall", settings.listen, service).map_err(listen(settings.listen))?;
    tracing::info!("listening on http://{}{BASE_PATH}", settings.listen);
    Ok(server.run())
}
