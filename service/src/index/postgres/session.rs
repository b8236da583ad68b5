//! One connection, with its statements prepared.

use bytes::Bytes;
use tokio_postgres::{Client, Row, Statement};

use super::failure::Failure;
use super::schema;
use super::settings::PostgresSettings;
use super::tls;
use crate::index::{Changes, IndexError, KeyRange, Table};

#[derive(Debug)]
pub(super) struct Session {
    client: Client,
    get: Statement,
    /// By direction.
    scan_from: [Statement; 2],
    scan_between: [Statement; 2],
    commit: Statement,
}

impl Session {
    pub(super) async fn connect(settings: &PostgresSettings) -> Result<Session, Failure> {
        let mut client = tls::connect(&settings.config, &settings.tls).await?;
        schema::check_server(&client).await?;
        schema::prepare(&mut client, settings).await?;
        client.batch_execute(&set_up(settings)).await?;
        let schema = &settings.schema;
        Ok(Session {
            get: client.prepare(&get_statement(schema)).await?,
            scan_from: [
                client.prepare(&scan_statement(schema, "", "ASC")).await?,
                client.prepare(&scan_statement(schema, "", "DESC")).await?,
            ],
            scan_between: [
                client.prepare(&scan_statement(schema, "AND key < $4", "ASC")).await?,
                client.prepare(&scan_statement(schema, "AND key < $4", "DESC")).await?,
            ],
            commit: client.prepare(&commit_statement(schema)).await?,
            client,
        })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    pub(super) async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, Failure> {
        let row = self.client.query_opt(&self.get, &[&table.name(), &key]).await?;
        row.map(|row| bytes(&row, 0)).transpose()
    }

    pub(super) async fn scan(
        &self,
        table: Table,
        range: &KeyRange,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, Failure> {
        let direction = usize::from(range.is_descending());
        let (name, start) = (table.name(), range.start());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = match range.end() {
            None => self.client.query(&self.scan_from[direction], &[&name, &start, &limit]).await?,
            Some(end) => {
                self.client.query(&self.scan_between[direction], &[&name, &start, &limit, &end]).await?
            }
        };
        rows.iter().map(|row| Ok((bytes(row, 0)?, bytes(row, 1)?))).collect()
    }

    pub(super) async fn commit(&self, changes: &Changes) -> Result<(), Failure> {
        let checks = changes.checks();
        let (mut check_tables, mut check_keys, mut expected) = (Vec::new(), Vec::new(), Vec::new());
        for check in checks {
            check_tables.push(check.table.name());
            check_keys.push(&*check.key);
            expected.push(check.expected.as_deref());
        }
        let (mut delete_tables, mut delete_keys) = (Vec::new(), Vec::new());
        let (mut put_tables, mut put_keys, mut put_values) = (Vec::new(), Vec::new(), Vec::new());
        for (table, key, value) in changes.writes() {
            match value {
                None => {
                    delete_tables.push(table.name());
                    delete_keys.push(&**key);
                }
                Some(value) => {
                    put_tables.push(table.name());
                    put_keys.push(&**key);
                    put_values.push(&**value);
                }
            }
        }
        let failed = self
            .client
            .query_opt(
                &self.commit,
                &[
                    &check_tables,
                    &check_keys,
                    &expected,
                    &delete_tables,
                    &delete_keys,
                    &put_tables,
                    &put_keys,
                    &put_values,
                ],
            )
            .await?;
        let Some(failed) = failed else { return Ok(()) };
        // WITH ORDINALITY counts from 1.
        let number = usize::try_from(failed.try_get::<_, i64>(0)? - 1).ok();
        match number.and_then(|number| checks.get(number)) {
            Some(check) => {
                Err(Failure::Index(IndexError::Conflict { table: check.table, key: check.key.clone() }))
            }
            None => Err(Failure::Refused("it names a check that was not sent".to_owned())),
        }
    }
}

fn bytes(row: &Row, column: usize) -> Result<Bytes, Failure> {
    Ok(Bytes::copy_from_slice(row.try_get(column)?))
}

/// Serialisable, so that checks of keys that do not exist hold too. Single statements are transactions of their own, so this
/// is all there is to it.
///
/// Plans must go by the primary key: a plan that reads the whole table, which the planner prefers for a table that it knows
/// nothing of yet, is slow later and conflicts with every other commit.
fn set_up(settings: &PostgresSettings) -> String {
    format!(
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE;
         SET enable_seqscan = off;
         SET enable_hashjoin = off;
         SET enable_mergejoin = off;
         SET jit = off;
         SET statement_timeout = {};
         SELECT set_config('synchronous_commit', 'on', false)
             WHERE current_setting('synchronous_commit') IN ('off', 'local');",
        settings.patience.as_millis().clamp(1, 1 << 30)
    )
}

fn get_statement(schema: &str) -> String {
    format!("SELECT value FROM {schema}.entries WHERE table_name = $1 AND key = $2")
}

fn scan_statement(schema: &str, end: &str, direction: &str) -> String {
    format!(
        "SELECT key, value FROM {schema}.entries WHERE table_name = $1 AND key >= $2 {end} ORDER BY key {direction} LIMIT $3"
    )
}

/// Returns the number of the first check that does not hold, and then changes nothing. No key is both deleted and put.
fn commit_statement(schema: &str) -> String {
    format!(
        "WITH failed AS MATERIALIZED (
             SELECT checks.number
             FROM unnest($1::text[], $2::bytea[], $3::bytea[]) WITH ORDINALITY
                 AS checks (table_name, key, expected, number)
             LEFT JOIN {schema}.entries AS found USING (table_name, key)
             WHERE found.value IS DISTINCT FROM checks.expected
             ORDER BY checks.number
             LIMIT 1
         ), deleted AS (
             DELETE FROM {schema}.entries AS entries
             USING unnest($4::text[], $5::bytea[]) AS unwanted (table_name, key)
             WHERE entries.table_name = unwanted.table_name
                 AND entries.key = unwanted.key
                 AND NOT EXISTS (SELECT FROM failed)
         ), put AS (
             INSERT INTO {schema}.entries (table_name, key, value)
             SELECT table_name, key, value
             FROM unnest($6::text[], $7::bytea[], $8::bytea[]) AS wanted (table_name, key, value)
             WHERE NOT EXISTS (SELECT FROM failed)
             ON CONFLICT (table_name, key) DO UPDATE SET value = excluded.value
         )
         SELECT number FROM failed"
    )
}
