//! Sends calls from many connections at once and measures how long each takes.

use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// A service to measure.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) address: String,
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// One call: method, path, body, and the expected status.
pub(crate) struct Call {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) body: String,
    pub(crate) status: u16,
}

/// How long calls are sent before a measurement begins.
pub(crate) const WARM_UP: Duration = Duration::from_secs(1);

/// The results of a measurement.
pub(crate) struct Measurement {
    pub(crate) calls: u64,
    pub(crate) per_second: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

/// Sends calls from `callers` connections for `time`, after a warm-up. `call` makes call number n.
pub(crate) async fn measure<F>(target: &Target, callers: usize, time: Duration, call: F) -> Measurement
where
    F: Fn(u64) -> Call + Send + Sync + 'static,
{
    measure_between(target, callers, time, call, || ()).await.0
}

/// As [`measure`]. Calls `look` at the beginning and at the end of the measured time, and returns both results.
pub(crate) async fn measure_between<F, T>(
    target: &Target,
    callers: usize,
    time: Duration,
    call: F,
    look: impl Fn() -> T,
) -> (Measurement, [T; 2])
where
    F: Fn(u64) -> Call + Send + Sync + 'static,
{
    let start = Instant::now() + WARM_UP;
    let (count, call) = (Arc::new(AtomicU64::new(0)), Arc::new(call));
    let calling: Vec<_> = (0..callers)
        .map(|_| {
            let (target, count, call) = (target.clone(), count.clone(), call.clone());
            tokio::spawn(async move {
                let mut connection = open(&target.address).await;
                let mut taken = Histogram::<u64>::new(3).unwrap();
                // Until the start, `elapsed` is zero.
                while start.elapsed() < time {
                    let next = call(count.fetch_add(1, Ordering::Relaxed));
                    let began = Instant::now();
                    send(&mut connection, &target, next).await;
                    if began >= start {
                        taken.record(u64::try_from(began.elapsed().as_micros()).unwrap()).unwrap();
                    }
                }
                taken
            })
        })
        .collect();
    tokio::time::sleep_until(start.into()).await;
    let before = look();
    tokio::time::sleep_until((start + time).into()).await;
    let after = look();
    let mut all = Histogram::<u64>::new(3).unwrap();
    for caller in calling {
        all.add(caller.await.unwrap()).unwrap();
    }
    let at = |quantile| Duration::from_micros(all.value_at_quantile(quantile));
    #[expect(clippy::cast_precision_loss, reason = "a count of calls is far below 2^52")]
    let per_second = all.len() as f64 / time.as_secs_f64();
    (Measurement { calls: all.len(), per_second, p50: at(0.5), p99: at(0.99) }, [before, after])
}

/// Opens a connection.
pub(crate) async fn open(address: &str) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// Sends a call and returns the body of the answer.
pub(crate) async fn send(connection: &mut SendRequest<Full<Bytes>>, target: &Target, call: Call) -> Bytes {
    let mut request = Request::builder().method(call.method).uri(call.path).header("host", target.address.as_str());
    request = request.header("content-type", "application/scim+json");
    for (name, value) in &target.headers {
        request = request.header(*name, value);
    }
    connection.ready().await.unwrap();
    let response = connection.send_request(request.body(Full::new(Bytes::from(call.body))).unwrap()).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(status, call.status, "{}", String::from_utf8_lossy(&body));
    body
}
