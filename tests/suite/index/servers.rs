//! What can happen to a server, each time one of the test's own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

use holdfast_service::index::{Changes, Index, IndexError, PostgresIndex, PostgresSettings, Table};
use tempfile::TempDir;

use crate::stores::{absent, administer_at, server_url};
use crate::workers::{disturbed, progress};

/// A server of its own, which can be stopped without harm to other tests.
struct Server {
    folder: TempDir,
    url: String,
    port: Option<u16>,
}

impl Server {
    /// On a Unix socket, and on a port of the loopback if one is given.
    fn start(port: Option<u16>) -> Option<Server> {
        server_url()?;
        let folder = tempfile::tempdir().expect("a folder");
        let output = script("start", folder.path(), port).output().expect("a shell");
        if output.status.code() == Some(3) {
            absent("PostgreSQL's programs are not on this machine");
            return None;
        }
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let url = String::from_utf8(output.stdout).expect("text").trim().to_owned();
        Some(Server { folder, url, port })
    }

    fn run(&self, action: &str) {
        let output = script(action, self.folder.path(), self.port).output().expect("a shell");
        assert!(output.status.success(), "{action}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn settings(&self) -> PostgresSettings {
        PostgresSettings::from_url(&self.url).expect("settings")
    }

    /// Writes a file into the folder of the server's data, as the server's user and only for it.
    async fn write(&self, name: &str, text: &str) {
        administer_at(
            &self.url,
            &format!(
                "COPY (SELECT unnest(string_to_array('{text}', E'\\n'))) TO PROGRAM 'umask 077; cat > {name}'"
            ),
        )
        .await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = script("crash", self.folder.path(), self.port).output();
    }
}

fn script(action: &str, folder: &Path, port: Option<u16>) -> Command {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.ci/postgres.sh");
    let mut command = Command::new("bash");
    command.arg(path).arg(action).arg(folder).args(port.map(|port| port.to_string())).stdin(Stdio::null());
    command
}

/// The server is stopped in an orderly way and crashes, in turn, while workers commit. It is set up to confirm commits before
/// they are durable, which sessions of an index must not accept: a crash would lose what was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_crashes_and_comes_back_loses_nothing() {
    let Some(server) = Server::start(None) else { return };
    administer_at(&server.url, "ALTER SYSTEM SET synchronous_commit = off").await;
    administer_at(&server.url, "ALTER SYSTEM SET wal_writer_delay = '10s'").await;
    administer_at(&server.url, "SELECT pg_reload_conf()").await;
    let tally = disturbed(
        || server.settings().patience(Duration::from_secs(60)),
        async |tally| {
            for action in ["crash", "stop", "crash", "stop"] {
                progress(tally, 50).await;
                server.run(action);
                server.run("resume");
            }
            progress(tally, 50).await;
        },
    )
    .await;
    assert!(tally.acknowledged.load(Ordering::Relaxed) >= 250);
    println!("{} commits of unknown outcome", tally.unknown.load(Ordering::Relaxed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_sync_is_refused() {
    let Some(server) = Server::start(None) else { return };
    PostgresIndex::connect(server.settings()).await.expect("connects");
    administer_at(&server.url, "ALTER SYSTEM SET fsync = off").await;
    server.run("stop");
    server.run("resume");
    let outcome = PostgresIndex::connect(server.settings()).await;
    assert!(
        matches!(&outcome, Err(IndexError::Refused { reason, .. }) if reason.contains("fsync")),
        "{outcome:?}"
    );
}

/// Enough for a call that must fail, and for those before it that must not. The last attempt has a tenth of it for a new
/// connection and an answer: with less, a commit that the server refused would be one of which nobody knows.
const PATIENCE: Duration = Duration::from_secs(10);

/// A stand-by takes no commits; who waits for it to become a primary is told in the end. Reads go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_only_reads_takes_no_commits() {
    let Some(server) = Server::start(None) else { return };
    let index = PostgresIndex::connect(server.settings()).await.expect("connects");
    let put = |value: &'static str| {
        let mut changes = Changes::new();
        changes.put(Table::Files, "key", value);
        changes
    };
    index.commit(put("before")).await.expect("commits");
    drop(index);
    administer_at(&server.url, "ALTER SYSTEM SET default_transaction_read_only = on").await;
    administer_at(&server.url, "SELECT pg_reload_conf()").await;
    let settings = server.settings().patience(PATIENCE);
    let index = PostgresIndex::connect(settings).await.expect("connects");
    assert_eq!(index.get(Table::Files, b"key").await.expect("reads").as_deref(), Some(&b"before"[..]));
    let outcome = index.commit(put("after")).await;
    assert!(
        matches!(&outcome, Err(IndexError::Unavailable { reason, .. }) if reason.contains("25006")),
        "{outcome:?}"
    );
}

/// An authority, and the certificate and key of a server that it vouches for, in PEM.
struct Certificates {
    authority: String,
    server: String,
    key: String,
}

impl Certificates {
    fn of(name: &str) -> Certificates {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = params.self_signed(&key).expect("a certificate");
        let issuer = rcgen::Issuer::new(params, key);
        let key = rcgen::KeyPair::generate().expect("a key");
        let server = rcgen::CertificateParams::new(vec![name.to_owned()])
            .and_then(|params| params.signed_by(&key, &issuer))
            .expect("a certificate");
        Certificates { authority: authority.pem(), server: server.pem(), key: key.serialize_pem() }
    }
}

/// The server takes encrypted connections only, so who gets through is encrypted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn encrypted_connections_go_to_the_server_that_was_meant() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("an address").port();
    drop(free);
    let Some(server) = Server::start(Some(port)) else { return };
    let certificates = Certificates::of("localhost");
    server.write("server.crt", &certificates.server).await;
    server.write("server.key", &certificates.key).await;
    server.write("pg_hba.conf", "local all all trust\nhostssl all all 127.0.0.1/32 trust").await;
    administer_at(&server.url, "ALTER SYSTEM SET ssl = on").await;
    server.run("stop");
    server.run("resume");

    let authority = server.folder.path().join("authority.pem");
    let other = server.folder.path().join("other.pem");
    std::fs::write(&authority, certificates.authority).expect("writes");
    std::fs::write(&other, Certificates::of("localhost").authority).expect("writes");
    let verified = |path: &Path| format!("sslmode=verify-full&sslrootcert={}", path.display());
    let connect = async |host: &str, options: String| {
        let url = format!("postgres://holdfast@{host}:{port}/postgres?{options}&hostaddr=127.0.0.1");
        PostgresIndex::connect(PostgresSettings::from_url(&url).expect("settings")).await
    };
    let index = connect("localhost", verified(&authority)).await.expect("connects");
    let mut changes = Changes::new();
    changes.put(Table::Files, "key", vec![7; 1 << 20]);
    index.commit(changes).await.expect("commits");
    assert_eq!(index.get(Table::Files, b"key").await.expect("reads").map(|value| value.len()), Some(1 << 20));

    // All at once, and not after patience: trying again would not help.
    for (host, options) in [
        // Another authority vouches for somebody else; this one does not vouch for this name; nothing is encrypted.
        ("localhost", verified(&other)),
        ("index.example", verified(&authority)),
        ("localhost", "sslmode=disable".to_owned()),
    ] {
        let outcome = connect(host, options.clone()).await;
        assert!(matches!(outcome, Err(IndexError::Refused { .. })), "{host} {options}: {outcome:?}");
    }
}
