//! Connections as they come, counted in all and for each address: what is beyond the limits is closed at once, so that one
//! caller cannot take all of them. Nor can one that connects and then says nothing: pings come only once it has begun to speak HTTP/2.
//! TLS is spoken here and not behind it, so that whoever agrees on TLS and then says nothing is noticed, too.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Sleep;
use tokio_rustls::{Accept, TlsAcceptor};
use tokio_stream::{Stream, StreamExt, wrappers::TcpListenerStream};
use tonic::transport::server::{Connected, TcpConnectInfo};

use super::Settings;
use super::accept::Accepted;

/// Bytes that every client sends first, within TLS if that is spoken: HTTP/2's preface.
const FIRST_BYTES: usize = 24;

/// Whose an address is: one host has all addresses of an IPv6 network of 64 bits.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    of: HashMap<IpAddr, usize>,
}

/// A place among the open connections, free again when it is dropped.
#[derive(Debug)]
struct Place {
    address: IpAddr,
    open: Arc<Mutex<Open>>,
}

impl Place {
    fn take(open: &Arc<Mutex<Open>>, address: IpAddr, settings: &Settings) -> Option<Place> {
        let mut state = open.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address = state.of.get(&address).copied().unwrap_or_default();
        if state.total >= settings.connections || of_address >= settings.connections_per_address {
            return None;
        }
        state.total += 1;
        state.of.insert(address, of_address + 1);
        Some(Place { address, open: Arc::clone(open) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        state.total = state.total.saturating_sub(1);
        match state.of.get(&self.address).copied() {
            Some(2..) => *state.of.entry(self.address).or_default() -= 1,
            _ => drop(state.of.remove(&self.address)),
        }
    }
}

/// What both kinds of streams are.
trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// What bytes go over.
enum Transport {
    Open(Box<dyn Duplex>),
    /// TLS is being agreed upon.
    Agreeing(Box<Accept<TcpStream>>),
    /// TLS was not agreed upon.
    Refused,
}

impl Transport {
    /// Ready once there is something to read from and write to.
    fn poll_open(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Pin<&mut dyn Duplex>>> {
        if let Transport::Agreeing(accept) = self {
            *self = match ready!(Pin::new(accept).poll(context)) {
                Ok(stream) => Transport::Open(Box::new(stream)),
                Err(error) => {
                    tracing::debug!(%error, "no TLS with a caller");
                    Transport::Refused
                }
            };
        }
        Poll::Ready(match self {
            Transport::Open(stream) => Ok(Pin::new(&mut **stream)),
            Transport::Agreeing(_) | Transport::Refused => Err(io::ErrorKind::ConnectionAborted.into()),
        })
    }
}

/// A connection that has a place.
pub(super) struct Connection {
    transport: Transport,
    info: TcpConnectInfo,
    /// Until it has begun to speak: how much is to come, and by when.
    beginning: Option<(usize, Pin<Box<Sleep>>)>,
    _place: Place,
}

impl Connection {
    fn new(stream: TcpStream, tls: Option<&TlsAcceptor>, place: Place, limit: Duration) -> Connection {
        let info = stream.connect_info();
        let transport = match tls {
            Some(tls) => Transport::Agreeing(Box::new(tls.accept(stream))),
            None => Transport::Open(Box::new(stream)),
        };
        let beginning = Some((FIRST_BYTES, Box::pin(tokio::time::sleep(limit))));
        Connection { transport, info, beginning, _place: place }
    }

    /// Notes what came. What has begun is no more waited for.
    fn came(&mut self, bytes: usize) {
        if let Some((left, _)) = &mut self.beginning {
            *left = left.saturating_sub(bytes);
        }
        self.beginning.take_if(|(left, _)| *left == 0);
    }

    /// Does something with what bytes go over, for which nobody waits longer than the beginning may take.
    fn poll<T>(
        &mut self,
        context: &mut Context<'_>,
        act: impl FnOnce(Pin<&mut dyn Duplex>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let polled = match self.transport.poll_open(context) {
            Poll::Ready(Ok(stream)) => act(stream, context),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        };
        let is_late = |(_, by): &mut (usize, Pin<Box<Sleep>>)| by.as_mut().poll(context).is_ready();
        if polled.is_pending() && self.beginning.as_mut().is_some_and(is_late) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        polled
    }
}

/// The connections that are served.
pub(super) fn connections(
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
    settings: &Settings,
) -> impl Stream<Item = io::Result<Connection>> + use<> {
    let (open, settings) = (Arc::new(Mutex::new(Open::default())), settings.clone());
    Accepted::of(TcpListenerStream::new(socket)).filter_map(move |stream| {
        let address = network_of(stream.peer_addr().ok()?.ip());
        let place = Place::take(&open, address, &settings)?;
        // Small answers are not to wait for larger ones.
        stream.set_nodelay(true).ok()?;
        Some(Ok(Connection::new(stream, tls.as_ref(), place, settings.handshake())))
    })
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.info.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = self.poll(context, |stream, context| stream.poll_read(context, buffer));
        self.came(buffer.filled().len() - before);
        polled
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll(context, |stream, context| stream.poll_write(context, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(context, |stream, context| stream.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Open(stream) => Pin::new(&mut **stream).poll_shutdown(context),
            Transport::Agreeing(_) | Transport::Refused => Poll::Ready(Ok(())),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll(context, |stream, context| stream.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        matches!(&self.transport, Transport::Open(stream) if stream.is_write_vectored())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn an_ipv6_network_of_64_bits_is_one_host() {
        let network = |text: &str| network_of(text.parse().expect("an address"));
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:10.0.0.1"), network("10.0.0.1"));
        assert_ne!(network("10.0.0.2"), network("10.0.0.1"));
    }

    /// Its place would be taken for ever otherwise, at no cost to whoever took it.
    #[tokio::test]
    async fn a_connection_that_does_not_begin_to_speak_is_ended() {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let settings = Settings::at(socket.local_addr().expect("an address"));
        let open = Arc::new(Mutex::new(Open::default()));
        for (sent, is_ended) in [(0, true), (FIRST_BYTES - 1, true), (FIRST_BYTES, false)] {
            let mut client = TcpStream::connect(settings.address).await.expect("connects");
            let (stream, address) = socket.accept().await.expect("accepts");
            let place = Place::take(&open, address.ip(), &settings).expect("is free");
            let mut connection = Connection::new(stream, None, place, Duration::from_millis(200));
            client.write_all(&[7; FIRST_BYTES][..sent]).await.expect("sends");
            let mut bytes = vec![0; sent];
            connection.read_exact(&mut bytes).await.expect("is there");
            if is_ended {
                let ended = connection.read_u8().await.expect_err("says nothing more");
                assert_eq!(ended.kind(), io::ErrorKind::TimedOut, "{sent} bytes");
            } else {
                assert!(connection.beginning.is_none());
            }
        }
    }
}
