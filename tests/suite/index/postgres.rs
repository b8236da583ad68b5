//! What can happen to a server and to the way there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use holdfast_service::index::{Changes, Index, IndexError, PostgresIndex, PostgresSettings, Table};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::numbered::{self, WORKERS};
use crate::stores::{Store, absent, administer, administer_at, entries, fresh_schema, server_url, settings};

/// Enough for a call that must fail after all has been tried.
const SHORT: Duration = Duration::from_millis(200);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handles_see_each_others_commits() {
    let Some(store) = Store::server().await else { return };
    let other = store.another().await;
    for number in 0..20_u8 {
        let (writer, reader) =
            if number % 2 == 0 { (store.index(), &*other) } else { (&*other, store.index()) };
        let mut changes = Changes::new();
        changes.put(Table::Files, "key", vec![number]);
        writer.commit(changes).await.expect("commits");
        assert_eq!(reader.get(Table::Files, b"key").await.expect("reads").as_deref(), Some(&[number][..]));
    }
    store.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_start_at_once_make_the_tables_once() {
    if server_url().is_none() {
        return;
    }
    let schema = fresh_schema();
    let mut starts = JoinSet::new();
    for number in 0..8_u8 {
        let settings = settings(&schema);
        starts.spawn(async move {
            let index = PostgresIndex::connect(settings).await.expect("connects");
            let mut changes = Changes::new();
            changes.put(Table::Miners, vec![number], "");
            index.commit(changes).await.expect("commits");
        });
    }
    starts.join_all().await;
    let index = PostgresIndex::connect(settings(&schema)).await.expect("connects");
    assert_eq!(entries(&index, Table::Miners).await.len(), 8);
    administer(&format!("DROP SCHEMA {schema} CASCADE")).await;
}

#[tokio::test]
async fn tables_of_others_are_refused() {
    if server_url().is_none() {
        return;
    }
    for (tables, unknown) in [
        ("CREATE TABLE THEIR.format (version bigint); INSERT INTO THEIR.format VALUES (7);", Some(7)),
        ("CREATE TABLE THEIR.format (version bigint);", None),
        ("CREATE TABLE THEIR.format (name text); INSERT INTO THEIR.format VALUES ('x');", None),
        ("CREATE TABLE THEIR.entries (theirs int);", None),
    ] {
        let schema = fresh_schema();
        administer(&format!("CREATE SCHEMA {schema}; {}", tables.replace("THEIR", &schema))).await;
        match (PostgresIndex::connect(settings(&schema)).await, unknown) {
            (Err(IndexError::UnknownFormat { found, known: 1, .. }), Some(expected)) => {
                assert_eq!(found, expected);
            }
            (Err(IndexError::Foreign { .. } | IndexError::Refused { .. }), None) => {}
            (outcome, _) => panic!("{tables}: {outcome:?}"),
        }
        administer(&format!("DROP SCHEMA {schema} CASCADE")).await;
    }
}

#[tokio::test]
async fn passwords_are_used_and_never_shown() {
    let Some(url) = server_url() else { return };
    if !url.contains("postgres://holdfast@") {
        return absent("only .ci/postgres.sh's server asks this role for a password");
    }
    let schema = fresh_schema();
    administer(&format!(
        "DO $$ BEGIN
             IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'with_password') THEN
                 DROP OWNED BY with_password CASCADE;
                 DROP ROLE with_password;
             END IF;
         END $$;
         CREATE ROLE with_password LOGIN PASSWORD 'a s3cret@word';
         CREATE SCHEMA {schema} AUTHORIZATION with_password;"
    ))
    .await;
    let with = |password: &str| {
        let url = url.replace("holdfast@", &format!("with_password:{password}@"));
        PostgresSettings::from_url(&url).and_then(|settings| settings.schema(&schema)).expect("settings")
    };
    let index = PostgresIndex::connect(with("a%20s3cret%40word")).await.expect("connects");
    assert!(!format!("{index:?} {}", index.place()).contains("s3cret"));
    match PostgresIndex::connect(with("another-s3cret")).await {
        // At once: trying again does not help.
        Err(error @ IndexError::Refused { .. }) => {
            let shown = format!("{error} {error:?}");
            assert!(shown.contains("with_password") && !shown.contains("s3cret"), "{shown}");
        }
        outcome => panic!("{outcome:?}"),
    }
    // Rights that are missing are said, too.
    administer(&format!(
        "REVOKE ALL ON {schema}.entries FROM with_password; ALTER TABLE {schema}.entries OWNER TO holdfast"
    ))
    .await;
    let outcome = index.get(Table::Files, b"key").await;
    assert!(
        matches!(&outcome, Err(IndexError::Refused { reason, .. }) if reason.contains("42501")),
        "{outcome:?}"
    );
    drop(index);
    administer(&format!(
        "DROP SCHEMA {schema} CASCADE; DROP OWNED BY with_password; DROP ROLE with_password"
    ))
    .await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_waited_for_and_then_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("postgres://nobody@{}/x", folder.path().display().to_string().replace('/', "%2F"));
    let settings = PostgresSettings::from_url(&url).expect("settings").patience(SHORT);
    match PostgresIndex::connect(settings).await {
        Err(IndexError::Unavailable { place, waited_ms, .. }) => {
            assert!(place.starts_with("postgres://nobody@"), "{place}");
            assert!(waited_ms >= 200, "it gave up after {waited_ms} ms");
        }
        outcome => panic!("{outcome:?}"),
    }
}

/// More callers than connections wait for their turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_serves_many_callers() {
    let Some(_) = server_url() else { return };
    let schema = fresh_schema();
    let index = Arc::new(PostgresIndex::connect(settings(&schema).connections(1)).await.expect("connects"));
    let mut callers = JoinSet::new();
    for caller in 0..20_u8 {
        let index = Arc::clone(&index);
        callers.spawn(async move {
            let mut changes = Changes::new();
            changes.put(Table::Miners, vec![caller], "");
            index.commit(changes).await.expect("commits");
        });
    }
    callers.join_all().await;
    assert_eq!(entries(&*index, Table::Miners).await.len(), 20);
    administer(&format!("DROP SCHEMA {schema} CASCADE")).await;
}

/// What a worker was told, and what happened to it.
#[derive(Default)]
struct Tally {
    acknowledged: AtomicU64,
    unknown: AtomicU64,
}

/// Commits until told to stop. A commit whose outcome is unknown is looked up.
async fn work(index: Arc<PostgresIndex>, worker: u8, stop: Arc<AtomicBool>, tally: Arc<Tally>) {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        match numbered::commit(&*index, worker, number).await {
            Ok(()) => {}
            Err(IndexError::OutcomeUnknown { .. }) => {
                tally.unknown.fetch_add(1, Ordering::Relaxed);
                let there = numbered::check(&*index, worker, number).await;
                if there == number {
                    continue;
                }
            }
            Err(error) => panic!("{error}"),
        }
        number += 1;
        tally.acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    assert_eq!(numbered::check(&*index, worker, number).await, number);
}

/// Runs workers on handles of their own while `disturb` is at it.
async fn disturbed(settings: impl Fn() -> PostgresSettings, disturb: impl AsyncFnOnce(&Tally)) -> Arc<Tally> {
    let (stop, tally) = (Arc::new(AtomicBool::new(false)), Arc::new(Tally::default()));
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let index = Arc::new(PostgresIndex::connect(settings()).await.expect("connects"));
        workers.spawn(work(index, worker, Arc::clone(&stop), Arc::clone(&tally)));
    }
    tokio::select! {
        () = disturb(&tally) => {}
        // Only a worker that found something wrong ends by itself.
        ended = workers.join_next() => panic!("a worker ended: {ended:?}"),
    }
    stop.store(true, Ordering::Relaxed);
    workers.join_all().await;
    tally
}

/// Until so many more commits are acknowledged.
async fn progress(tally: &Tally, commits: u64) {
    let goal = tally.acknowledged.load(Ordering::Relaxed) + commits;
    while tally.acknowledged.load(Ordering::Relaxed) < goal {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_are_killed_are_replaced_and_nothing_is_lost() {
    let Some(url) = server_url() else { return };
    let schema = fresh_schema();
    // Only the sessions of this test carry its name.
    let named = format!("{url}?application_name={schema}");
    let make = || {
        PostgresSettings::from_url(&named).and_then(|settings| settings.schema(&schema)).expect("settings")
    };
    disturbed(make, async |tally| {
        for _ in 0..15 {
            progress(tally, 10).await;
            administer(&format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{schema}'"
            ))
            .await;
        }
        progress(tally, 10).await;
    })
    .await;
    administer(&format!("DROP SCHEMA {schema} CASCADE")).await;
}

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
    let settings = server.settings().patience(Duration::from_secs(3));
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
