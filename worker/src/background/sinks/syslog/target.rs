//! Sends batches to a syslog server.
//!
//! Syslog has no acknowledgements: a sender that keeps a connection open does not know what the receiver has
//! read when the connection breaks. So each batch has a connection of its own, and its end confirms it. The
//! sender closes its side after the last message, and waits until the receiver closes too. A receiver that
//! ends or is cut off before it has read everything resets the connection, or does not answer at all.

use futures_util::poll;
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::message::frames;
use crate::background::sinks::batch::{Failure, Message};
use crate::background::sinks::sink::SyslogReceiver;

/// Bounds of the time to wait for a reset after the receiver has closed. A reset comes within a round trip.
const SHORTEST_ROUND_TRIP: Duration = Duration::from_millis(10);
const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(1);

/// A syslog server.
pub(crate) struct SyslogTarget {
    receiver: SyslogReceiver,
    /// The name of this service.
    host: String,
}

impl SyslogTarget {
    pub(crate) fn new(receiver: SyslogReceiver, host: &str) -> Self {
        Self { receiver, host: host.to_owned() }
    }

    /// Delivers a batch. Returns when the server has read it.
    pub(crate) async fn deliver(&self, messages: &[Message]) -> Result<(), Failure> {
        let sending = self.send(frames(messages, &self.host));
        match tokio::time::timeout(self.receiver.timeout, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Failure::Unavailable(format!("the batch was not confirmed: {error}"))),
            Err(_) => Err(Failure::unavailable("the receiver did not read the batch and close the connection in time")),
        }
    }

    async fn send(&self, frames: Vec<u8>) -> io::Result<()> {
        let begun = Instant::now();
        let stream = TcpStream::connect((self.receiver.host.as_str(), self.receiver.port)).await?;
        let round_trip = begun.elapsed().clamp(SHORTEST_ROUND_TRIP, LONGEST_ROUND_TRIP);
        let stream = match &self.receiver.tls {
            None => {
                let mut stream = stream;
                exchange(&mut stream, &frames).await?;
                stream
            }
            Some(tls) => {
                let connector = TlsConnector::from(tls.config.clone());
                let mut secure = connector.connect(tls.name.clone(), stream).await?;
                exchange(&mut secure, &frames).await?;
                secure.into_inner().0
            }
        };
        not_reset(&stream)?;
        tokio::time::sleep(round_trip).await;
        not_reset(&stream)
    }
}

/// Writes everything, closes this side, and waits until the receiver closes. Over TLS the receiver must close
/// in order too, so that nobody on the way can pretend it.
async fn exchange(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), frames: &[u8]) -> io::Result<()> {
    stream.write_all(frames).await?;
    stream.flush().await?;
    still_open(stream).await?;
    stream.shutdown().await?;
    let mut ignored = [0; 1024];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}

/// A receiver that closes before this side does has not read everything.
async fn still_open(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut ignored = [0; 1024];
    match poll!(pin!(stream.read(&mut ignored))) {
        Poll::Ready(Ok(0)) => Err(io::Error::other("the receiver closed the connection too early")),
        Poll::Ready(Err(error)) => Err(error),
        Poll::Ready(Ok(_)) | Poll::Pending => Ok(()),
    }
}

/// A receiver that had closed when data arrived has reset the connection.
fn not_reset(stream: &TcpStream) -> io::Result<()> {
    stream.take_error()?.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::background::sinks::examples::message;
    use tokio::net::TcpListener;

    async fn delivered(receive: impl AsyncFnOnce(TcpStream)) -> Result<(), Failure> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let receiver =
            SyslogReceiver { host: "127.0.0.1".to_owned(), port, tls: None, timeout: Duration::from_secs(2) };
        let target = SyslogTarget::new(receiver, "id.example.com");
        let messages = [message(7, "{}")];
        let receiving = async { receive(listener.accept().await.unwrap().0).await };
        tokio::join!(target.deliver(&messages), receiving).0
    }

    fn is_unavailable(delivered: &Result<(), Failure>, reason: &str) -> bool {
        matches!(delivered, Err(Failure::Unavailable(found)) if found.contains(reason))
    }

    #[tokio::test]
    async fn a_batch_is_confirmed_when_the_receiver_has_read_it_and_closes() {
        let mut received = String::new();
        let receive = async |mut stream: TcpStream| {
            stream.read_to_string(&mut received).await.unwrap();
        };
        assert_eq!(delivered(receive).await, Ok(()));
        assert!(received.starts_with("77 <110>1 "), "{received}");
    }

    #[tokio::test]
    async fn a_receiver_that_closes_before_it_has_read_everything_confirms_nothing() {
        let early = delivered(async |stream| drop(stream)).await;
        assert!(is_unavailable(&early, ""), "{early:?}");
        let partly = delivered(async |mut stream| {
            stream.read_u8().await.unwrap();
        });
        let partly = partly.await;
        assert!(is_unavailable(&partly, ""), "{partly:?}");
    }

    #[tokio::test]
    async fn a_receiver_that_hangs_confirms_nothing() {
        let hung = delivered(async |stream| {
            tokio::time::sleep(Duration::from_secs(3)).await;
            drop(stream);
        });
        assert!(is_unavailable(&hung.await, "in time"));
    }
}
