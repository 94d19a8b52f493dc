//! A receiver that events are pushed to (RFC 8935).

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
    /// Where to push to.
    pub url: String,
    seen: Arc<Seen>,
    server: ServerHandle,
}

#[derive(Debug, Default)]
struct Seen {
    refusing: AtomicBool,
    refused: AtomicUsize,
    tokens: Mutex<Vec<String>>,
    authorizations: Mutex<Vec<String>>,
}

impl Receiver {
    /// Starts one on a free port.
    pub fn start() -> Self {
        let seen = Arc::new(Seen::default());
        let (shared, (tell, told)) = (Data::from(seen.clone()), channel());
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let app = move || App::new().app_data(shared.clone()).route("/events", web::post().to(receive));
                let server = HttpServer::new(app).workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
                let address = server.addrs()[0];
                let server = server.run();
                tell.send((address, server.handle())).unwrap();
                server.await.unwrap();
            });
        });
        let (address, server) = told.recv().unwrap();
        Self { url: format!("http://{address}/events"), seen, server }
    }

    /// From now on it refuses everything, or takes it again.
    pub fn refuse(&self, refusing: bool) {
        self.seen.refusing.store(refusing, Ordering::SeqCst);
    }

    /// How often it has refused.
    pub fn refused(&self) -> usize {
        self.seen.refused.load(Ordering::SeqCst)
    }

    /// What it has taken, in the order in which it came.
    pub fn tokens(&self) -> Vec<String> {
        self.seen.tokens.lock().unwrap().clone()
    }

    /// What came in `Authorization`.
    pub fn authorizations(&self) -> Vec<String> {
        self.seen.authorizations.lock().unwrap().clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

async fn receive(request: HttpRequest, body: Bytes, seen: Data<Seen>) -> HttpResponse {
    assert_eq!(request.headers().get(CONTENT_TYPE).unwrap(), "application/secevent+jwt");
    if seen.refusing.load(Ordering::SeqCst) {
        seen.refused.fetch_add(1, Ordering::SeqCst);
        return HttpResponse::BadRequest().json(json!({"err": "invalid_key", "description": "the key is not known here"}));
    }
    let authorization = request.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    seen.authorizations.lock().unwrap().extend(authorization);
    seen.tokens.lock().unwrap().push(String::from_utf8(body.to_vec()).unwrap());
    HttpResponse::Accepted().finish()
}
