//! Connections to the page: few at once, and none for long, whatever its other side does.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::TcpListenerStream;

use crate::listen::accept::Accepted;

/// Connections at once; others wait in the queue of the system.
const CONNECTIONS_MAX: usize = 16;
/// What is not done then is not done: a look takes milliseconds, and at most a few seconds.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(15);

/// Accepts connections within the limits.
pub(super) struct Visitors {
    address: SocketAddr,
    accepted: Accepted<TcpListenerStream>,
    places: Arc<Semaphore>,
    timeout: Duration,
}

impl Visitors {
    pub(super) fn of(address: SocketAddr, listener: TcpListener) -> Visitors {
        Visitors::with((address, listener), CONNECTIONS_MAX, CONNECTION_TIMEOUT)
    }

    /// At an address, with so many places, each for so long.
    pub(super) fn with(
        (address, listener): (SocketAddr, TcpListener),
        connections: usize,
        timeout: Duration,
    ) -> Visitors {
        let accepted = Accepted::of(TcpListenerStream::new(listener));
        Visitors { address, accepted, places: Arc::new(Semaphore::new(connections)), timeout }
    }
}

impl Listener for Visitors {
    type Io = Visitor;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Visitor, SocketAddr) {
        loop {
            // Neither is the semaphore ever closed, nor does the stream end.
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else {
                std::future::pending().await
            };
            let Some(stream) = self.accepted.next().await else { std::future::pending().await };
            // Who is gone already has none.
            let Ok(address) = stream.peer_addr() else { continue };
            let end = Box::pin(tokio::time::sleep(self.timeout));
            return (Visitor { stream, end, _place: place }, address);
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// A connection that breaks when its time is over.
pub(super) struct Visitor {
    stream: TcpStream,
    end: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Visitor {
    /// Breaks it if its time is over; else has the task woken then.
    fn in_time(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.end.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Visitor {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.in_time(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Visitor {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.in_time(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.in_time(context)?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
