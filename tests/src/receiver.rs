//! A receiver for pushed events (RFC 8935).

use actix_web::dev::ServerHandle;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE};
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

/// A running receiver.
#[derive(Debug)]
pub struct Receiver {
    /// The URL to push to.
    pub url: String,
    received: Arc<Received>,
    server: ServerHandle,
}

#[derive(Debug, Default)]
struct Received {
    refusing: AtomicBool,
    refused: AtomicUsize,
    tokens: Mutex<Vec<String>>,
    authorizations: Mutex<Vec<String>>,
}

impl Receiver {
    /// Starts a receiver on a free port.
    pub fn start() -> Self {
        let received = Arc::new(Received::default());
        let (shared, (sender, started)) = (Data::from(received.clone()), channel());
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let app = move || App::new().app_data(shared.clone()).route("/events", web::post().to(receive));
                let server = HttpServer::new(app).workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
                let address = server.addrs()[0];
                let server = server.run();
                sender.send((address, server.handle())).unwrap();
                server.await.unwrap();
            });
        });
        let (address, server) = started.recv().unwrap();
        Self { url: format!("http://{address}/events"), received, server }
    }

    /// Makes the receiver refuse all events, or accept them again.
    pub fn refuse(&self, refusing: bool) {
        self.received.refusing.store(refusing, Ordering::SeqCst);
    }

    /// How many deliveries the receiver refused.
    pub fn refused(&self) -> usize {
        self.received.refused.load(Ordering::SeqCst)
    }

    /// The accepted tokens, in the order of their arrival.
    pub fn tokens(&self) -> Vec<String> {
        self.received.tokens.lock().unwrap().clone()
    }

    /// The values of the `Authorization` header.
    pub fn authorizations(&self) -> Vec<String> {
        self.received.authorizations.lock().unwrap().clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

async fn receive(request: HttpRequest, body: Bytes, received: Data<Received>) -> HttpResponse {
    assert_eq!(request.headers().get(CONTENT_TYPE).unwrap(), "application/secevent+jwt");
    if received.refusing.load(Ordering::SeqCst) {
        received.refused.fetch_add(1, Ordering::SeqCst);
        return HttpResponse::BadRequest()
            .json(json!({"err": "invalid_key", "description": "the key is not known here"}));
    }
    let authorization = request.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    received.authorizations.lock().unwrap().extend(authorization);
    received.tokens.lock().unwrap().push(String::from_utf8(body.to_vec()).unwrap());
    HttpResponse::Accepted().finish()
}
