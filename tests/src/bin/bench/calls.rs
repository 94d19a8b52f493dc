//! Sends calls from many connections at once and measures how long each takes.

use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// If a call of a measurement takes longer, it counts as an error.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to a service.
pub(crate) type Connection = SendRequest<Full<Bytes>>;

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
    /// Calls that failed. They are in none of the other figures.
    pub(crate) errors: u64,
}

/// Sends calls from `callers` connections, and measures those that end within `time`, after a warm-up. `call` makes
/// call number n. It panics at the first unexpected answer.
pub(crate) async fn measure<F>(target: &Target, callers: usize, time: Duration, call: F) -> Measurement
where
    F: Fn(u64) -> Call + Send + Sync + 'static,
{
    load(target, callers, time, true, call, || ()).await.0
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
    load(target, callers, time, true, call, look).await
}

/// As [`measure`], but counts unexpected answers and failed connections, and goes on.
pub(crate) async fn measure_counting_errors<F>(target: &Target, callers: usize, time: Duration, call: F) -> Measurement
where
    F: Fn(u64) -> Call + Send + Sync + 'static,
{
    load(target, callers, time, false, call, || ()).await.0
}

/// Sends the calls of a measurement. If it is `strict`, it panics at the first unexpected answer. `look` is called at
/// the beginning and at the end of the measured time.
async fn load<F, T>(
    target: &Target,
    callers: usize,
    time: Duration,
    strict: bool,
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
                let mut connection = None;
                let (mut taken, mut errors) = (Histogram::<u64>::new(3).unwrap(), 0);
                // Until the start, `elapsed` is zero.
                while start.elapsed() < time {
                    let next = call(count.fetch_add(1, Ordering::Relaxed));
                    let began = Instant::now();
                    let answered = attempt(&mut connection, &target, next).await;
                    if let (true, Err(error)) = (strict, &answered) {
                        panic!("{error}");
                    }
                    // Counting ends, not beginnings, is also right for calls that take longer than `time`.
                    let ended = Instant::now();
                    match answered {
                        _ if ended < start || ended >= start + time => {}
                        Ok(()) => taken.record(u64::try_from((ended - began).as_micros()).unwrap()).unwrap(),
                        Err(_) => errors += 1,
                    }
                }
                (taken, errors)
            })
        })
        .collect();
    tokio::time::sleep_until(start.into()).await;
    let before = look();
    tokio::time::sleep_until((start + time).into()).await;
    let after = look();
    let (mut all, mut errors) = (Histogram::<u64>::new(3).unwrap(), 0);
    for caller in calling {
        let (taken, failed) = caller.await.unwrap();
        all.add(taken).unwrap();
        errors += failed;
    }
    let at = |quantile| Duration::from_micros(all.value_at_quantile(quantile));
    #[expect(clippy::cast_precision_loss, reason = "a count of calls is far below 2^52")]
    let per_second = all.len() as f64 / time.as_secs_f64();
    (Measurement { calls: all.len(), per_second, p50: at(0.5), p99: at(0.99), errors }, [before, after])
}

/// Opens a connection.
pub(crate) async fn open(address: &str) -> Connection {
    connect(address).await.unwrap()
}

/// Opens a connection, unless the service refuses it.
pub(crate) async fn connect(address: &str) -> Result<Connection, Box<dyn Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Sends a call and returns the body of the answer.
pub(crate) async fn send(connection: &mut Connection, target: &Target, call: Call) -> Bytes {
    let expected = call.status;
    let (status, body) = exchange(connection, target, call).await.unwrap();
    assert_eq!(status, expected, "{}", String::from_utf8_lossy(&body));
    body
}

/// Sends a call and returns the status and the body of the answer.
pub(crate) async fn exchange(
    connection: &mut Connection,
    target: &Target,
    call: Call,
) -> Result<(u16, Bytes), hyper::Error> {
    let mut request = Request::builder().method(call.method).uri(call.path).header("host", target.address.as_str());
    request = request.header("content-type", "application/scim+json");
    for (name, value) in &target.headers {
        request = request.header(*name, value);
    }
    connection.ready().await?;
    let response = connection.send_request(request.body(Full::new(Bytes::from(call.body))).unwrap()).await?;
    let status = response.status().as_u16();
    Ok((status, response.into_body().collect().await?.to_bytes()))
}

/// Sends a call. If there is no connection, it opens one; after a failure it closes it.
async fn attempt(connection: &mut Option<Connection>, target: &Target, call: Call) -> Result<(), String> {
    let expected = call.status;
    match timeout(PATIENCE, exchange_on(connection, target, call)).await {
        Ok(Ok((status, _))) if status == expected => Ok(()),
        Ok(Ok((status, body))) => Err(format!("{status} instead of {expected}: {}", String::from_utf8_lossy(&body))),
        failed => {
            *connection = None;
            // A server that refuses connections would be called without a pause.
            sleep(Duration::from_millis(50)).await;
            Err(failed.map_or_else(|_| "no answer in time".to_owned(), |failed| format!("{failed:?}")))
        }
    }
}

/// Sends a call on a connection, which it opens if it is not open.
async fn exchange_on(
    connection: &mut Option<Connection>,
    target: &Target,
    call: Call,
) -> Result<(u16, Bytes), Box<dyn Error + Send + Sync>> {
    // A server may close a connection after an answer.
    let alive = match connection {
        Some(open) => open.ready().await.is_ok(),
        None => false,
    };
    if !alive {
        *connection = Some(connect(&target.address).await?);
    }
    Ok(exchange(connection.as_mut().expect("a connection was opened"), target, call).await?)
}
