//! Where the cases keep their entries.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use holdfast_service::index::{
    EmbeddedIndex, EmbeddedSettings, Index, PostgresIndex, PostgresSettings, Table,
};
use tempfile::TempDir;
use tokio_postgres::NoTls;

/// An empty place for an index, with a handle on it.
pub(crate) struct Store {
    place: Place,
    index: Arc<dyn Index>,
}

enum Place {
    File(TempDir),
    /// A schema of its own.
    Server(String),
}

impl Store {
    pub(crate) async fn file() -> Store {
        let folder = tempfile::tempdir().expect("a folder");
        let index = open_file(folder.path().join("index")).await;
        Store { place: Place::File(folder), index }
    }

    /// `None` where there is no server, which is said.
    pub(crate) async fn server() -> Option<Store> {
        server_url()?;
        let schema = fresh_schema();
        let index = connect(&schema).await;
        Some(Store { place: Place::Server(schema), index })
    }

    pub(crate) fn index(&self) -> &dyn Index {
        &*self.index
    }

    /// A handle for another task. Of a server, one with connections of its own, as another process would have.
    pub(crate) async fn another(&self) -> Arc<dyn Index> {
        match &self.place {
            Place::File(_) => Arc::clone(&self.index),
            Place::Server(schema) => connect(schema).await,
        }
    }

    /// What a later process finds, after this handle is closed.
    pub(crate) async fn entries_of_a_later_process(&self) -> Arc<dyn Index> {
        match &self.place {
            // The file is locked while there is a handle; a copy of a file at rest is an index.
            Place::File(folder) => {
                let copy = folder.path().join("copy");
                std::fs::copy(folder.path().join("index"), &copy).expect("copies");
                open_file(copy).await
            }
            Place::Server(schema) => connect(schema).await,
        }
    }

    /// Leaves nothing on the server.
    pub(crate) async fn remove(self) {
        let Place::Server(schema) = &self.place else { return };
        administer(&format!("DROP SCHEMA {schema} CASCADE")).await;
    }
}

async fn open_file(path: PathBuf) -> Arc<dyn Index> {
    Arc::new(EmbeddedIndex::open(&path, EmbeddedSettings::default()).await.expect("opens"))
}

async fn connect(schema: &str) -> Arc<dyn Index> {
    Arc::new(PostgresIndex::connect(settings(schema)).await.expect("connects"))
}

/// The URL of the server; `None` where there is none, which is said.
pub(crate) fn server_url() -> Option<String> {
    let url = std::env::var("HOLDFAST_POSTGRES").ok();
    if url.is_none() {
        absent("HOLDFAST_POSTGRES names no PostgreSQL server; .ci/postgres.sh starts one");
    }
    url
}

/// A failure where a server is required.
pub(crate) fn absent(why: &str) {
    let required = std::env::var("HOLDFAST_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|name| name == "postgres"), "postgres is required: ABSENT({why})");
    eprintln!("postgres ABSENT({why})");
}

pub(crate) fn settings(schema: &str) -> PostgresSettings {
    let url = server_url().expect("a server");
    PostgresSettings::from_url(&url).and_then(|settings| settings.schema(schema)).expect("settings")
}

/// A name that no other test has, nor one of an earlier run on the same server.
pub(crate) fn fresh_schema() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let random = getrandom::u32().expect("randomness");
    format!("test_{random:08x}_{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// Statements outside of any index.
pub(crate) async fn administer(statements: &str) {
    administer_at(&server_url().expect("a server"), statements).await;
}

pub(crate) async fn administer_at(url: &str, statements: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("connects");
    tokio::spawn(connection);
    client.batch_execute(statements).await.expect(statements);
}

/// All entries of a table.
pub(crate) async fn entries(index: &dyn Index, table: Table) -> Vec<(Vec<u8>, Vec<u8>)> {
    let range = holdfast_service::index::KeyRange::all();
    let found = index.scan(table, &range, usize::MAX).await.expect("scans");
    found.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
}
