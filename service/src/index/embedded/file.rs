//! Opening and making the file.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use redb::backends::{FileBackend, InMemoryBackend};
use redb::{Builder, Database, DatabaseError, ReadableDatabase, StorageError, TableError, TableHandle};

use super::{EmbeddedSettings, FORMAT, FORMAT_KEY, FORMAT_TABLE, definition, failed};
use crate::index::{IndexError, Table};

/// Opens the file; where there is none, makes one.
pub(super) fn open_or_create(path: &Path, settings: EmbeddedSettings) -> Result<Database, IndexError> {
    let mut builder = Builder::new();
    builder.set_cache_size(settings.cache_bytes);
    let opened = match builder.open(path) {
        Err(DatabaseError::Storage(StorageError::Io(error))) if error.kind() == io::ErrorKind::NotFound => {
            create(path)?;
            builder.open(path)
        }
        opened => opened,
    };
    let place = path.display().to_string();
    let database = opened.map_err(|error| refused(&place, error))?;
    check_format(&database, &place)?;
    add_tables(&database).map_err(|error| failed("prepare", &place, error))?;
    Ok(database)
}

pub(super) fn in_memory() -> Result<Database, IndexError> {
    let database = Builder::new().create_with_backend(InMemoryBackend::new());
    let database = database.map_err(|error| refused("memory", error))?;
    prepare(&database).map_err(|error| failed("prepare", "memory", error))?;
    Ok(database)
}

/// Makes a whole index under another name first: a process killed here leaves no half of one under this name. If somebody
/// else is quicker, theirs stays.
fn create(path: &Path) -> Result<(), IndexError> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let place = path.display().to_string();
    let file_error = |source: io::Error| IndexError::File {
        doing: "create",
        place: place.clone(),
        source: Arc::new(source),
    };
    let unnamed = tempfile::Builder::new().prefix(".index-").suffix(".new").tempfile_in(folder);
    let unnamed = unnamed.map_err(file_error)?;
    let file = unnamed.reopen().map_err(file_error)?;
    let database = FileBackend::new(file).and_then(|backend| Builder::new().create_with_backend(backend));
    prepare(&database.map_err(|error| refused(&place, error))?)
        .map_err(|error| failed("create", &place, error))?;
    unnamed.as_file().sync_all().map_err(file_error)?;
    match unnamed.persist_noclobber(path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(file_error(error.error)),
        // The name is durable only once the folder is synced.
        _ => File::open(folder).and_then(|folder| folder.sync_all()).map_err(file_error),
    }
}

/// A new database becomes an index: its format, and all tables, in one transaction.
pub(super) fn prepare(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(FORMAT_TABLE)?.insert(FORMAT_KEY, FORMAT)?;
    for table in Table::ALL {
        transaction.open_table(definition(table))?;
    }
    transaction.commit()?;
    Ok(())
}

/// Tables that a newer program added to the same format.
fn add_tables(database: &Database) -> Result<(), redb::Error> {
    let names: Vec<String> =
        database.begin_read()?.list_tables()?.map(|table| table.name().to_owned()).collect();
    let missing: Vec<Table> =
        Table::ALL.into_iter().filter(|table| !names.iter().any(|name| name == table.name())).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let transaction = database.begin_write()?;
    for table in missing {
        transaction.open_table(definition(table))?;
    }
    transaction.commit()?;
    Ok(())
}

/// Refuses a database of another program, and an index of another version.
fn check_format(database: &Database, place: &str) -> Result<(), IndexError> {
    let read = || -> Result<Option<u64>, redb::Error> {
        match database.begin_read()?.open_table(FORMAT_TABLE) {
            Ok(table) => Ok(table.get(FORMAT_KEY)?.map(|format| format.value())),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    };
    match read().map_err(|error| failed("read from", place, error))? {
        Some(FORMAT) => Ok(()),
        Some(found) => Err(IndexError::UnknownFormat { place: place.to_owned(), found, known: FORMAT }),
        None => Err(IndexError::Foreign {
            place: place.to_owned(),
            reason: "it is a database of another program".to_owned(),
        }),
    }
}

/// What redb says when it opens a file, in our words.
fn refused(place: &str, error: DatabaseError) -> IndexError {
    let place = place.to_owned();
    match error {
        DatabaseError::DatabaseAlreadyOpen => IndexError::Locked { place },
        DatabaseError::Storage(StorageError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
            IndexError::Foreign { place, reason: error.to_string() }
        }
        DatabaseError::Storage(StorageError::Io(source)) => {
            IndexError::File { doing: "open", place, source: Arc::new(source) }
        }
        error => failed("open", &place, error),
    }
}
