//! The connections of callers.

use actix_http::body::MessageBody;
use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol, Request};
use actix_server::GracefulShutdownSignal;
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt, map_config};
use actix_web::dev::{AppConfig, ServiceResponse, fn_service};
use actix_web::rt::net::TcpStream;
use std::time::Duration;

use crate::refusal::ExplainingStream;

/// Maximum time to close a connection.
const DISCONNECT: Duration = Duration::from_secs(1);

/// Time limits of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionTimes {
    /// Maximum time to receive the headers of a call.
    pub(crate) receive: Duration,
    /// How long an idle connection stays open.
    pub(crate) keep_alive: Duration,
}

/// Serves each connection as actix's own server does, on a stream that adds a body to the refusals of the
/// HTTP parser (see [`ExplainingStream`]).
pub(crate) fn connections<F, B>(
    app: impl IntoServiceFactory<F, Request>,
    times: ConnectionTimes,
    draining: GracefulShutdownSignal,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()>
where
    F: ServiceFactory<
            Request,
            Config = AppConfig,
            Response = ServiceResponse<B>,
            Error = actix_web::Error,
            InitError = (),
        > + 'static,
    B: MessageBody + 'static,
{
    let app = app.into_factory().map_err(|error: actix_web::Error| error.error_response());
    let draining = move || {
        let draining = draining.clone();
        async move { draining.notified().await }
    };
    let http = HttpService::build()
        .graceful_shutdown_signal(draining)
        .client_request_timeout(times.receive)
        .keep_alive(times.keep_alive)
        .client_disconnect_timeout(DISCONNECT)
        .finish(map_config(app, |()| AppConfig::default()));
    fn_service(|stream: TcpStream| async {
        let peer = stream.peer_addr().ok();
        Ok((ExplainingStream::new(stream), Protocol::Http1, peer))
    })
    .and_then(http)
}
