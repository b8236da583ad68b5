//! Callers that are slower than anybody who means it, below gRPC: each is disconnected by the limit, and others are served meanwhile.

use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ClientConnection};
use tonic_health::pb::health_check_response::ServingStatus;

use super::*;
use crate::connect::testing::{Authority, connector};
use crate::connect::{Connector, authorities};

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// What comes behind it.
const EMPTY_SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
/// Long enough for those who mean it, on a machine that has much else to do.
const HANDSHAKE_MS: u64 = 2_000;
/// However slow the machine is.
const LONG: Duration = Duration::from_secs(60);

fn impatient() -> Settings {
    Settings { handshake_ms: HANDSHAKE_MS, connections_per_address: 3, ..loopback() }
}

async fn connected(running: &Running) -> TcpStream {
    TcpStream::connect(running.address).await.expect("connects")
}

/// Waits until the server ends the connection. It may say something first.
async fn is_ended(stream: &mut (impl AsyncRead + Unpin)) {
    let mut bytes = [0; 256];
    let ended = async { while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {} };
    tokio::time::timeout(LONG, ended).await.expect("is ended");
}

/// Somebody who was served before is served while and after others are slow, and their places come free.
async fn others_are_served(running: &Running, connector: &Connector, slow: impl AsyncFn(TcpStream)) {
    let others = connector.channel(running.address);
    assert!(is_serving(others.clone()).await.expect("answers"));
    // All places that are left, twice, so that those of the first time must have come free.
    for _ in 0..2 {
        let (one, two) = (connected(running).await, connected(running).await);
        let meanwhile = async { assert!(is_serving(others.clone()).await.expect("answers")) };
        tokio::join!(slow(one), slow(two), meanwhile);
    }
    assert!(is_serving(others).await.expect("answers"), "a connection that has begun has no such limit");
    let new = connector.channel(running.address);
    assert!(is_serving(new).await.expect("answers"), "the places are free");
}

#[tokio::test]
async fn who_connects_and_says_nothing_is_disconnected() {
    let running = start(impatient()).await;
    let silent = async |mut stream: TcpStream| is_ended(&mut stream).await;
    others_are_served(&running, &Connector::plain(), silent).await;
}

/// Pings would be answered for ever by whoever speaks HTTP/2 and wants nothing but a place. A call that takes its time stays.
#[tokio::test]
async fn who_speaks_and_calls_nothing_is_disconnected_and_who_calls_is_not() {
    let running = start(impatient()).await;
    let watching = HealthCheckRequest { service: NAME.to_owned() };
    let mut health = HealthClient::new(endpoint("http", running.address).connect_lazy());
    let mut told = health.watch(watching).await.expect("answers").into_inner();
    assert_eq!(told.message().await.expect("is told").expect("a status").status(), ServingStatus::Serving);
    let idle = async |mut stream: TcpStream| {
        stream.write_all(&[PREFACE.as_slice(), EMPTY_SETTINGS].concat()).await.expect("is taken");
        is_ended(&mut stream).await;
    };
    let (one, two) = (connected(&running).await, connected(&running).await);
    tokio::join!(idle(one), idle(two));
    running.stop.send(()).expect("still runs");
    let last = told.message().await.expect("the call goes on").expect("a status");
    assert_eq!(last.status(), ServingStatus::NotServing);
}

/// Every byte comes in time, and all of them do not.
#[tokio::test]
async fn who_dribbles_the_preface_is_disconnected() {
    let running = start(impatient()).await;
    let dribbling = async |stream: TcpStream| {
        let (mut answers, mut stream) = stream.into_split();
        let mut due = tokio::time::interval(Duration::from_millis(HANDSHAKE_MS / 4));
        let mut sent = 0;
        let dribble = async {
            for byte in PREFACE {
                due.tick().await;
                if stream.write_all(&[*byte]).await.is_err() {
                    break;
                }
                sent += 1;
            }
        };
        tokio::select! {
            () = is_ended(&mut answers) => {}
            () = dribble => {}
        }
        assert!(sent < PREFACE.len(), "it could say all of it");
    };
    others_are_served(&running, &Connector::plain(), dribbling).await;
}

/// A server with TLS, who is known to it, and how others begin.
async fn encrypted() -> (TempDir, Running, Connector, Arc<ClientConfig>) {
    let folder = tempfile::tempdir().expect("a directory");
    let authority = Authority::new(folder.path(), "network");
    let running = start(Settings { tls: Some(authority.server("127.0.0.1")), ..impatient() }).await;
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config.with_safe_default_protocol_versions().expect("versions");
    let roots = authorities("ca", &authority.certificate).expect("an authority");
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols.push(b"h2".to_vec());
    let connector = connector(authority.trusted());
    (folder, running, connector, Arc::new(config))
}

fn server_name() -> ServerName<'static> {
    ServerName::try_from("127.0.0.1").expect("an address")
}

#[tokio::test]
async fn who_gives_half_a_handshake_is_disconnected() {
    let (_folder, running, connector, config) = encrypted().await;
    let half = async |mut stream: TcpStream| {
        let mut hello = Vec::new();
        let mut client = ClientConnection::new(Arc::clone(&config), server_name()).expect("a client");
        client.write_tls(&mut hello).expect("says hello");
        stream.write_all(&hello[..hello.len() / 2]).await.expect("sends");
        is_ended(&mut stream).await;
    };
    others_are_served(&running, &connector, half).await;
}

/// What every pair of connections costs it is one handshake; a place for ever would be cheap.
#[tokio::test]
async fn who_agrees_on_tls_and_says_nothing_is_disconnected() {
    let (_folder, running, connector, config) = encrypted().await;
    let silent = async |stream: TcpStream| {
        let agreed = TlsConnector::from(Arc::clone(&config)).connect(server_name(), stream).await;
        is_ended(&mut agreed.expect("agrees on TLS")).await;
    };
    others_are_served(&running, &connector, silent).await;
}
