//! Serving until it is dropped.

use std::net::{Ipv4Addr, SocketAddr};

use holdfast_service::listen::{Listener, Settings};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::service::Routes;

/// Something that serves.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    _end: DropGuard,
}

impl Server {
    pub(crate) async fn start(routes: Routes) -> Server {
        Server::start_with(routes, |_| ()).await
    }

    pub(crate) async fn start_with(routes: Routes, change: impl FnOnce(&mut Settings)) -> Server {
        let mut settings = Settings::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        change(&mut settings);
        let listener = Listener::bind(&settings).await.expect("binds");
        let (address, end) = (listener.address(), CancellationToken::new());
        let ended = end.clone().cancelled_owned();
        tokio::spawn(async move { listener.serve(routes, &[], ended).await });
        Server { address, _end: end.drop_guard() }
    }
}
