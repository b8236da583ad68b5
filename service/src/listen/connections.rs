//! Connections as they come, counted in all and for each address: what is beyond the limits is closed at once, so that one
//! caller cannot take all of them. Nor can one that connects and then calls nothing: whoever speaks HTTP/2 answers pings for ever at no
//! cost. TLS is spoken here and not behind it, so that whoever agrees on TLS and then says nothing is noticed, too.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::Request;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Sleep;
use tokio_rustls::{Accept, TlsAcceptor};
use tokio_stream::{Stream, StreamExt, wrappers::TcpListenerStream};
use tonic::transport::server::{Connected, TcpConnectInfo};

use super::Settings;
use super::accept::Accepted;

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

/// What every request brings with it of its connection.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    tcp: TcpConnectInfo,
    has_called: Arc<AtomicBool>,
}

impl Origin {
    /// Notes that a connection makes calls. Of where it comes from, what is behind gets to see what it expects.
    pub(super) fn note<B>(mut request: Request<B>) -> Request<B> {
        if let Some(Origin { tcp, has_called }) = request.extensions_mut().remove() {
            has_called.store(true, Ordering::Relaxed);
            request.extensions_mut().insert(tcp);
        }
        request
    }
}

/// A connection that has a place.
pub(super) struct Connection {
    /// Dropped first: whoever sees the end finds the place free.
    _place: Place,
    transport: Transport,
    origin: Origin,
    /// By when it is to make its first call, until it has.
    call_by: Option<Pin<Box<Sleep>>>,
}

impl Connection {
    fn new(stream: TcpStream, tls: Option<&TlsAcceptor>, place: Place, limit: Duration) -> Connection {
        let origin = Origin { tcp: stream.connect_info(), has_called: Arc::default() };
        let transport = match tls {
            Some(tls) => Transport::Agreeing(Box::new(tls.accept(stream))),
            None => Transport::Open(Box::new(stream)),
        };
        Connection { _place: place, transport, origin, call_by: Some(Box::pin(tokio::time::sleep(limit))) }
    }

    /// Does something with what bytes go over. Nobody waits for it longer than a first call may take.
    fn poll<T>(
        &mut self,
        context: &mut Context<'_>,
        act: impl FnOnce(Pin<&mut dyn Duplex>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        self.call_by.take_if(|_| self.origin.has_called.load(Ordering::Relaxed));
        if self.call_by.as_mut().is_some_and(|by| by.as_mut().poll(context).is_ready()) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        act(ready!(self.transport.poll_open(context))?, context)
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
    type ConnectInfo = Origin;

    fn connect_info(&self) -> Origin {
        self.origin.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll(context, |stream, context| stream.poll_read(context, buffer))
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
    async fn a_connection_that_makes_no_call_is_ended() {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let settings = Settings::at(socket.local_addr().expect("an address"));
        let open = Arc::new(Mutex::new(Open::default()));
        for calls in [false, true] {
            let mut client = TcpStream::connect(settings.address).await.expect("connects");
            let (stream, address) = socket.accept().await.expect("accepts");
            let place = Place::take(&open, address.ip(), &settings).expect("is free");
            let mut connection = Connection::new(stream, None, place, Duration::from_secs(2));
            client.write_all(b"a byte").await.expect("sends");
            assert_eq!(connection.read_u8().await.expect("is there"), b'a');
            if calls {
                let mut request = Request::new(());
                request.extensions_mut().insert(connection.connect_info());
                let from = Origin::note(request).extensions().get().and_then(TcpConnectInfo::remote_addr);
                assert_eq!(from, Some(address), "callers are told apart by their addresses");
            }
            let mut rest = Vec::new();
            let ended = connection.read_to_end(&mut rest);
            if calls {
                drop(client);
                ended.await.expect("goes on until the client ends it");
                assert!(connection.call_by.is_none());
            } else {
                assert_eq!(ended.await.expect_err("calls nothing").kind(), io::ErrorKind::TimedOut);
            }
            assert_eq!(rest, b" byte");
        }
    }
}
