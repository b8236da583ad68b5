//! What can happen to a server and to the way there.

use std::sync::Arc;
use std::time::Duration;

use holdfast_service::index::{Changes, Index, IndexError, PostgresIndex, PostgresSettings, Table};
use tokio::task::JoinSet;

use crate::stores::{Store, absent, administer, entries, fresh_schema, server_url, settings};
use crate::workers::{disturbed, progress};

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
            // No attempt is begun in the last tenth.
            assert!(waited_ms >= 180, "it gave up after {waited_ms} ms");
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
