use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::testing::get_page;
use super::*;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Knows what is free on a disk.
struct Disk;

#[async_trait]
impl Observe for Disk {
    async fn observe(&self, metrics: &Metrics) {
        metrics.objects.inc();
    }
}

#[tokio::test]
async fn a_scraper_gets_what_was_counted_and_what_is_found_when_it_looks() {
    let metrics = Arc::new(Metrics::new());
    metrics.receipts_signed.inc_by(3);
    let page = Page::open(LOOPBACK, Arc::clone(&metrics), Arc::new(Disk)).await.expect("open");
    let address = page.address();
    let (end, ended) = oneshot::channel::<()>();
    let server = tokio::spawn(page.serve(async move {
        let _ = ended.await;
    }));
    let answer = get_page(address, "/metrics").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.to_lowercase().contains(OPEN_METRICS), "{answer}");
    assert!(answer.contains("holdfast_receipts_signed_total 3"), "{answer}");
    assert!(answer.contains("holdfast_objects 1"), "{answer}");
    assert!(get_page(address, "/metrics").await.contains("holdfast_objects 2"));
    assert!(get_page(address, "/healthz").await.ends_with("ok\n"));
    assert!(get_page(address, "/secrets").await.starts_with("HTTP/1.1 404"));
    // The address is taken: a second page says so instead of serving nothing.
    let second = Page::open(address, metrics, Arc::new(())).await.expect_err("taken");
    assert!(second.to_string().contains("cannot serve metrics"), "{second}");
    drop(end);
    server.await.expect("ended").expect("well");
}

/// All places are held by connections that say nothing; they lose them, and the next one is served.
#[tokio::test]
async fn who_says_nothing_holds_up_nobody_for_long() {
    let listener = TcpListener::bind(LOOPBACK).await.expect("binds");
    let address = listener.local_addr().expect("an address");
    let routes = Router::new().route("/healthz", get(|| async { "ok\n" })).layer(map_response(close));
    let visitors = Visitors::with((address, listener), 2, Duration::from_millis(50));
    tokio::spawn(async move { axum::serve(visitors, routes).await });
    let mut silent = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost:").await.expect("sent");
        silent.push(stream);
    }
    assert!(get_page(address, "/healthz").await.ends_with("ok\n"));
    for mut stream in silent {
        let mut said = Vec::new();
        // Closed, in whatever way.
        let _ = stream.read_to_end(&mut said).await;
        assert!(!said.starts_with(b"HTTP/1.1 200"));
    }
}
