//! Connections as they come, counted in all and for each address: what is beyond the limits is closed at once, so that one
//! caller cannot take all of them.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_stream::{Stream, StreamExt, wrappers::TcpListenerStream};
use tonic::transport::server::{Connected, TcpConnectInfo};

use super::Settings;

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

/// A connection that has a place.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    _place: Place,
}

/// The connections that are served.
pub(super) fn connections(
    socket: TcpListener,
    settings: &Settings,
) -> impl Stream<Item = io::Result<Connection>> + use<> {
    let (open, settings) = (Arc::new(Mutex::new(Open::default())), settings.clone());
    TcpListenerStream::new(socket).filter_map(move |accepted| {
        // A connection that broke before it was accepted is no reason to end; tonic goes on after an error, too.
        let stream = accepted.ok()?;
        let address = stream.peer_addr().ok()?.ip();
        let place = Place::take(&open, address, &settings)?;
        // Small answers are not to wait for larger ones.
        stream.set_nodelay(true).ok()?;
        Some(Ok(Connection { stream, _place: place }))
    })
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
