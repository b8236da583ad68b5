use tempfile::TempDir;
use tokio::sync::oneshot;
use tonic::service::Routes;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::testing::{Authority, SERVER_NAME, connector};
use super::*;
use crate::listen::{self, Listener};
use crate::wire::status::advice_of;

/// A server that ends with the test.
struct Server {
    address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl Server {
    async fn start(tls: Option<listen::TlsSettings>) -> Server {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let settings = listen::Settings { tls, ..listen::Settings::at(loopback) };
        let listener = Listener::bind(&settings).await.expect("binds");
        let address = listener.address();
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(listener.serve(Routes::default(), &[], async {
            let _ = stopped.await;
        }));
        Server { address, _stop: stop }
    }

    /// Asks the server something, as everybody does who has a connector.
    async fn ask(&self, connector: &Connector) -> Result<(), Status> {
        let mut client = HealthClient::new(connector.channel(self.address));
        let asked = client.check(HealthCheckRequest::default()).await;
        asked.map(drop).map_err(|status| connector.explain(self.address, status, Stage::Fresh))
    }

    /// The message and the advice with which it fails.
    async fn refused(&self, connector: &Connector) -> (String, String) {
        let status = self.ask(connector).await.expect_err("no connection");
        assert!(status.message().contains(&self.address.to_string()), "{status}");
        (status.message().to_owned(), advice_of(&status).expect("says what to do"))
    }
}

fn scene() -> (TempDir, Authority) {
    let folder = tempfile::tempdir().expect("a directory");
    let authority = Authority::new(folder.path(), "network");
    (folder, authority)
}

#[tokio::test]
async fn a_server_under_a_trusted_authority_is_spoken_to() {
    let (folder, authority) = scene();
    let server = Server::start(Some(authority.server("127.0.0.1"))).await;
    server.ask(&connector(authority.trusted())).await.expect("answers");

    let other = Authority::new(folder.path(), "other");
    let (message, advice) = server.refused(&connector(other.trusted())).await;
    assert!(message.contains("of no authority in") && message.contains("other.pem"), "{message}");
    assert!(advice.contains("--tls-ca"), "{advice}");
}

#[tokio::test]
async fn the_name_in_a_certificate_is_the_address_or_the_one_that_is_said() {
    let (_folder, authority) = scene();
    let server = Server::start(Some(authority.server(SERVER_NAME))).await;
    let named =
        |name: &str| connector(TlsSettings { server_name: Some(name.to_owned()), ..authority.trusted() });
    server.ask(&named(SERVER_NAME)).await.expect("answers");
    for wrong in [connector(authority.trusted()), named("somebody.example")] {
        let (message, advice) = server.refused(&wrong).await;
        assert!(message.contains("for another name") && message.contains(SERVER_NAME), "{message}");
        assert!(advice.contains("--tls-server-name"), "{advice}");
    }
}

#[tokio::test]
async fn by_seals_alone_any_certificate_is_taken() {
    let (_folder, authority) = scene();
    let server = Server::start(Some(authority.server("elsewhere.example"))).await;
    server.ask(&connector(TlsSettings::by_seals())).await.expect("answers");
}

#[tokio::test]
async fn a_server_that_wants_certificates_gets_one_or_says_so() {
    let (folder, authority) = scene();
    let clients = Authority::new(folder.path(), "clients");
    let tls =
        listen::TlsSettings { client_ca: Some(clients.certificate.clone()), ..authority.server("127.0.0.1") };
    let server = Server::start(Some(tls)).await;
    let with = |(certificate, key): (PathBuf, PathBuf)| {
        connector(TlsSettings { certificate: Some(certificate), key: Some(key), ..authority.trusted() })
    };
    server.ask(&with(clients.issue("owner"))).await.expect("answers");

    let (message, advice) = server.refused(&connector(authority.trusted())).await;
    assert!(message.contains("certificates of its callers"), "{message}");
    assert!(advice.contains("--tls-certificate"), "{advice}");
    let (message, _) = server.refused(&with(authority.issue("stranger"))).await;
    assert!(message.contains("does not know our certificate"), "{message}");
    let (message, advice) = server.refused(&with(clients.issue_expired("late"))).await;
    assert!(message.contains("does not know our certificate"), "{message}");
    assert!(advice.contains("--tls-certificate"), "{advice}");
}

#[tokio::test]
async fn plain_and_encrypted_sides_say_what_to_change() {
    let (_folder, authority) = scene();
    let encrypted = Server::start(Some(authority.server("127.0.0.1"))).await;
    let (message, advice) = encrypted.refused(&Connector::plain()).await;
    assert!(message.contains("before anything was answered"), "{message}");
    assert!(advice.contains("perhaps it wants TLS"), "{advice}");
    assert!(advice.contains("[connect.tls]") && advice.contains("--tls-ca"), "{advice}");

    let plain = Server::start(None).await;
    let (message, advice) = plain.refused(&connector(authority.trusted())).await;
    assert!(message.contains("does not speak TLS"), "{message}");
    assert!(advice.contains("without TLS"), "{advice}");
}

/// Connections end for many reasons: once something was answered without TLS, the want of it is none.
#[tokio::test]
async fn a_connection_that_carried_answers_did_not_end_for_want_of_tls() {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = socket.local_addr().expect("an address");
    tokio::spawn(async move { while socket.accept().await.is_ok() {} });
    let connector = Connector::plain();
    for (stage, is_said) in [(Stage::Fresh, true), (Stage::Answered, false)] {
        let broken = HealthClient::new(connector.channel(address)).check(HealthCheckRequest::default()).await;
        let status = connector.explain(address, broken.expect_err("ends at once"), stage);
        assert!(status.message().contains("broke"), "{status}");
        let advice = advice_of(&status).expect("says what to do");
        assert_eq!(advice.contains("TLS"), is_said, "{stage:?}: {advice}");
        assert!(!status.message().contains("TLS"), "{status}");
    }
}

#[tokio::test]
async fn nobody_there_is_told_apart_from_an_answer() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("binds").local_addr().expect("an address");
    let connector = Connector::plain();
    let status = HealthClient::new(connector.channel(nobody)).check(HealthCheckRequest::default()).await;
    let status = connector.explain(nobody, status.expect_err("nobody is there"), Stage::Fresh);
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("cannot be reached"), "{status}");
    assert!(status.message().contains("refused"), "the system's answer: {status}");

    // What a server says stays what it says.
    let server = Server::start(None).await;
    let unknown = HealthCheckRequest { service: "nothing".to_owned() };
    let status = HealthClient::new(connector.channel(server.address)).check(unknown).await;
    let said = status.expect_err("not known");
    let (code, message) = (said.code(), said.message().to_owned());
    let status = connector.explain(server.address, said, Stage::Fresh);
    assert_eq!((status.code(), status.message()), (code, &*message));
    assert_eq!((code, advice_of(&status)), (Code::NotFound, None));
}

#[test]
fn settings_that_cannot_work_are_refused_at_the_start() {
    let (folder, authority) = scene();
    let refused =
        |tls: TlsSettings| Connector::new(&Settings { tls: Some(tls) }).expect_err("cannot work").to_string();
    let write = |text: &str| {
        let path = folder.path().join("file.pem");
        std::fs::write(&path, text).expect("writes");
        path
    };
    assert!(refused(TlsSettings::default()).contains("check = \"seals\""));
    let both = TlsSettings { check: Check::Seals, ..authority.trusted() };
    assert!(refused(both).contains("check = \"authority\""));
    let (certificate, key) = authority.issue("owner");
    let alone = TlsSettings { certificate: Some(certificate.clone()), ..authority.trusted() };
    assert!(refused(alone).contains("given together"));
    assert!(refused(TlsSettings::under(folder.path().join("nothing"))).contains("nothing"));
    for text in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(refused(TlsSettings::under(write(text))).contains("file.pem"), "{text}");
    }
    let other_key = authority.issue("stranger").1;
    for key in [write("no key"), other_key] {
        let wrong =
            TlsSettings { certificate: Some(certificate.clone()), key: Some(key), ..authority.trusted() };
        assert!(refused(wrong).contains("cannot be used"));
    }
    let no_name = TlsSettings { server_name: Some("not a name".to_owned()), ..authority.trusted() };
    let named = Connector::new(&Settings { tls: Some(no_name) });
    assert!(named.expect_err("no name").to_string().contains("server_name"));
    let fine = TlsSettings { certificate: Some(certificate), key: Some(key), ..authority.trusted() };
    Connector::new(&Settings { tls: Some(fine) }).expect("fine");
}

#[test]
fn keys_are_not_shown() {
    let (_folder, authority) = scene();
    let (certificate, key) = authority.issue("owner");
    let secret = std::fs::read_to_string(&key).expect("reads");
    let tls = TlsSettings { certificate: Some(certificate), key: Some(key), ..authority.trusted() };
    let shown = format!("{:?}", connector(tls));
    assert!(secret.lines().all(|line| !shown.contains(line)), "{shown}");
}

/// An engine has no seals: only an authority says who it is, and an address does not say one thing and the settings another.
#[tokio::test]
async fn an_engine_is_reached_by_its_certificate_alone() {
    let (_folder, authority) = scene();
    let server = Server::start(Some(authority.server("127.0.0.1"))).await;
    let at = |scheme: &str| Endpoint::from_shared(format!("{scheme}://{}", server.address)).expect("a URL");
    let trusted = connector(authority.trusted());
    let channel = trusted.secured(at("https")).expect("fits").connect().await.expect("connects");
    HealthClient::new(channel).check(HealthCheckRequest::default()).await.expect("answers");
    assert!(Connector::plain().secured(at("http")).is_ok());
    let by_seals = connector(TlsSettings { check: Check::Seals, ca: None, ..authority.trusted() });
    for (connector, scheme, said) in [
        (&trusted, "http", "no https"),
        (&Connector::plain(), "https", "--tls-ca"),
        (&by_seals, "https", "no seals"),
    ] {
        let refused = connector.secured(at(scheme)).expect_err(said).to_string();
        assert!(refused.contains(said), "{refused}");
    }
}
