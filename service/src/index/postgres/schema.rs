//! The tables: made where there are none, recognised where there are.

use tokio_postgres::Client;

use super::failure::Failure;
use super::settings::PostgresSettings;
use super::{FORMAT, OLDEST_SERVER};
use crate::index::IndexError;

/// Any number that nobody else uses: "holdfast" in ASCII.
const MAKING_TABLES_LOCK: i64 = 0x686f_6c64_6661_7374;

/// Refuses servers that would lose what they confirm, or that are too old.
pub(super) async fn check_server(client: &Client) -> Result<(), Failure> {
    let settings = client
        .query_one("SELECT current_setting('server_version_num')::int, current_setting('fsync') = 'on'", &[])
        .await?;
    let version = settings.try_get::<_, i32>(0)? / 10_000;
    if version < OLDEST_SERVER {
        return Err(Failure::Refused(format!(
            "it is PostgreSQL {version}; {OLDEST_SERVER} or later is needed"
        )));
    }
    if !settings.try_get::<_, bool>(1)? {
        return Err(Failure::Refused(
            "it runs with fsync off and would lose what it confirmed: set fsync = on in postgresql.conf"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Checks the format of the tables, and makes them first if there are none. Many processes may do so at once.
pub(super) async fn prepare(client: &mut Client, settings: &PostgresSettings) -> Result<(), Failure> {
    if let Some(found) = format_of(client, settings).await? {
        return known(found, settings);
    }
    client.execute("SELECT pg_advisory_lock($1)", &[&MAKING_TABLES_LOCK]).await?;
    // Outside of any transaction, or the session would not see the tables of whoever held the lock before. On an error the
    // session ends, and with it the lock.
    match format_of(client, settings).await? {
        Some(found) => known(found, settings)?,
        None => make(client, &settings.schema).await?,
    }
    client.execute("SELECT pg_advisory_unlock($1)", &[&MAKING_TABLES_LOCK]).await?;
    Ok(())
}

/// In one transaction, which a failure undoes.
async fn make(client: &mut Client, schema: &str) -> Result<(), Failure> {
    let making = client.transaction().await?;
    // IF NOT EXISTS would ask for the right to make schemas even where an administrator has made this one.
    let there = making.query_one("SELECT to_regnamespace($1) IS NOT NULL", &[&schema]).await?;
    if !there.try_get::<_, bool>(0)? {
        making.batch_execute(&format!("CREATE SCHEMA {schema}")).await?;
    }
    making
        .batch_execute(&format!(
            "CREATE TABLE {schema}.entries (
                 table_name text COLLATE \"C\" NOT NULL,
                 key bytea NOT NULL,
                 value bytea NOT NULL,
                 PRIMARY KEY (table_name, key)
             );
             CREATE TABLE {schema}.format (version bigint NOT NULL);
             INSERT INTO {schema}.format VALUES ({FORMAT});"
        ))
        .await?;
    Ok(making.commit().await?)
}

/// The format that the tables say they have; `None` if there are no tables.
async fn format_of(client: &Client, settings: &PostgresSettings) -> Result<Option<i64>, Failure> {
    let schema = &settings.schema;
    let name = format!("{schema}.format");
    let there = client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&name]).await?;
    if !there.try_get::<_, bool>(0)? {
        return Ok(None);
    }
    let versions = client.query(&format!("SELECT version FROM {schema}.format"), &[]).await?;
    match versions.as_slice() {
        [version] => Ok(Some(version.try_get(0)?)),
        versions => Err(Failure::Index(IndexError::Foreign {
            place: settings.place().to_string(),
            reason: format!("{} rows in {schema}.format say which version it is, not one", versions.len()),
        })),
    }
}

fn known(found: i64, settings: &PostgresSettings) -> Result<(), Failure> {
    if found == FORMAT {
        return Ok(());
    }
    let number = |version: i64| u64::try_from(version).unwrap_or(u64::MAX);
    Err(Failure::Index(IndexError::UnknownFormat {
        place: settings.place().to_string(),
        found: number(found),
        known: number(FORMAT),
    }))
}
