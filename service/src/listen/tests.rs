use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::*;

mod slow;

const NAME: &str = "holdfast.v1.Miner";

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Result<(), ListenError>>,
}

async fn start(settings: Settings) -> Running {
    let listener = Listener::bind(&settings).await.expect("binds");
    let address = listener.address();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(listener.serve(Routes::default(), &[NAME], async {
        let _ = stopped.await;
    }));
    Running { address, stop, served }
}

fn loopback() -> Settings {
    Settings::at(SocketAddr::from(([127, 0, 0, 1], 0)))
}

async fn is_serving(channel: Channel) -> Result<bool, tonic::Status> {
    let request = HealthCheckRequest { service: NAME.to_owned() };
    let answer = HealthClient::new(channel).check(request).await?;
    Ok(answer.into_inner().status() == tonic_health::pb::health_check_response::ServingStatus::Serving)
}

fn endpoint(scheme: &str, address: SocketAddr) -> Endpoint {
    Endpoint::from_shared(format!("{scheme}://{address}")).expect("an address")
}

#[tokio::test]
async fn health_is_told_and_the_end_comes_when_it_is_asked_for() {
    let running = start(loopback()).await;
    let channel = endpoint("http", running.address).connect().await.expect("connects");
    assert!(is_serving(channel.clone()).await.expect("answers"));
    running.stop.send(()).expect("still runs");
    drop(channel);
    running.served.await.expect("no panic").expect("a clean end");
    assert!(endpoint("http", running.address).connect().await.is_err());
}

/// A caller that keeps its connection open must not keep the process.
#[tokio::test]
async fn an_open_connection_does_not_hold_up_the_end() {
    let running = start(Settings { shutdown_grace_ms: 0, ..loopback() }).await;
    let _silent = TcpStream::connect(running.address).await.expect("connects");
    running.stop.send(()).expect("still runs");
    running.served.await.expect("no panic").expect("a clean end");
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_and_places_come_free_again() {
    let running = start(Settings { connections_per_address: 1, ..loopback() }).await;
    let first = endpoint("http", running.address).connect().await.expect("connects");
    assert!(is_serving(first.clone()).await.expect("answers"));
    let mut second = TcpStream::connect(running.address).await.expect("connects");
    let mut byte = [0];
    assert_eq!(second.read(&mut byte).await.unwrap_or(0), 0, "closed without a word");
    drop(first);
    // The server notices in its own time.
    let again = async {
        loop {
            if let Ok(channel) = endpoint("http", running.address).connect().await
                && is_serving(channel).await.is_ok()
            {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), again).await.expect("the place is free again");
}

#[tokio::test]
async fn other_machines_are_not_served_in_plain_text_unless_it_is_said() {
    let everywhere = Settings::at(SocketAddr::from(([0, 0, 0, 0], 0)));
    let refused = Listener::bind(&everywhere).await.expect_err("no TLS");
    assert!(matches!(refused, ListenError::PlainText { .. }), "{refused}");
    Listener::bind(&Settings { allow_plain_text: true, ..everywhere }).await.expect("was said");
}

#[tokio::test]
async fn only_callers_under_the_clients_root_pass_mutual_tls() {
    let folder = tempfile::tempdir().expect("a directory");
    let server = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let client = rcgen::generate_simple_self_signed(["client".to_owned()]).expect("a certificate");
    let write = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("writes");
        path
    };
    let tls = TlsSettings {
        certificate: write("server.pem", server.cert.pem()),
        key: write("server.key", server.signing_key.serialize_pem()),
        client_ca: Some(write("client.pem", client.cert.pem())),
    };
    let running = start(Settings { tls: Some(tls.clone()), ..loopback() }).await;
    let config = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(server.cert.pem()))
        .domain_name("localhost");
    let with =
        config.clone().identity(Identity::from_pem(client.cert.pem(), client.signing_key.serialize_pem()));
    let connect = async |config: ClientTlsConfig| {
        let channel =
            endpoint("https", running.address).tls_config(config).expect("a config").connect().await;
        match channel {
            Ok(channel) => is_serving(channel).await.is_ok(),
            Err(_) => false,
        }
    };
    assert!(connect(with).await);
    assert!(!connect(config).await, "without a certificate of its own");

    let missing = TlsSettings { key: folder.path().join("nothing"), ..tls };
    let refused = Listener::bind(&Settings { tls: Some(missing), ..loopback() }).await.expect_err("no key");
    assert!(refused.to_string().contains("nothing"), "{refused}");
}
