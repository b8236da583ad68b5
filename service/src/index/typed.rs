//! Tables whose keys and values have types.

use std::marker::PhantomData;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Changes, Index, IndexError, Key, KeyPrefix, KeyRange, Pages, Table, Work};

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<K, V> {
    /// The key.
    pub key: K,
    /// The value.
    pub value: V,
}

/// Says what is kept in a table: keys as [`Key`] writes them, values as JSON. A constant:
///
/// ```
/// use holdfast_service::index::{Table, TypedTable};
///
/// const HEIGHTS: TypedTable<String, u64> = TypedTable::new(Table::Settings);
/// ```
#[derive(Debug)]
pub struct TypedTable<K, V> {
    table: Table,
    types: PhantomData<fn(K) -> V>,
}

impl<K: Key, V: Serialize + DeserializeOwned> TypedTable<K, V> {
    /// Types for a table.
    pub const fn new(table: Table) -> TypedTable<K, V> {
        TypedTable { table, types: PhantomData }
    }

    /// The value of a key.
    ///
    /// # Errors
    /// As [`Index::get`], and [`IndexError::Damaged`].
    pub async fn get(&self, index: &dyn Index, key: &K) -> Result<Option<V>, IndexError> {
        let key = key.to_bytes();
        let found = index.get(self.table, &key).await?;
        found.map(|value| self.decode(&key, &value)).transpose()
    }

    /// The first `limit` rows of a range.
    ///
    /// # Errors
    /// As [`Index::scan`], and [`IndexError::Damaged`].
    pub async fn scan(
        &self,
        index: &dyn Index,
        range: &KeyRange,
        limit: usize,
    ) -> Result<Vec<Row<K, V>>, IndexError> {
        self.rows(&index.scan(self.table, range, limit).await?)
    }

    /// All rows of a range, so many at a time; for [`TypedTable::rows`].
    pub fn pages<'i>(&self, index: &'i dyn Index, range: KeyRange, entries: usize) -> Pages<'i> {
        Pages::new(index, self.table, range, entries)
    }

    /// Rows of entries.
    ///
    /// # Errors
    /// [`IndexError::Damaged`].
    pub fn rows(&self, entries: &[(Bytes, Bytes)]) -> Result<Vec<Row<K, V>>, IndexError> {
        let row = |(key, value): &(Bytes, Bytes)| {
            let damaged = |error| self.damaged(key, format!("it is no key of this table: {error}"));
            Ok(Row { key: K::from_bytes(key).map_err(damaged)?, value: self.decode(key, value)? })
        };
        entries.iter().map(row).collect()
    }

    /// Sets a value, whatever it was.
    ///
    /// # Errors
    /// [`IndexError::Unencodable`].
    pub fn put(&self, changes: &mut Changes, key: &K, value: &V) -> Result<(), IndexError> {
        changes.put(self.table, key.to_bytes(), self.encode(value)?);
        Ok(())
    }

    /// Removes a value, if there is one.
    pub fn delete(&self, changes: &mut Changes, key: &K) {
        changes.delete(self.table, key.to_bytes());
    }

    /// Makes a commit depend on a value, or on there being none. Only for values that are always encoded alike: no unordered
    /// maps.
    ///
    /// # Errors
    /// [`IndexError::Unencodable`].
    pub fn expect(&self, changes: &mut Changes, key: &K, value: Option<&V>) -> Result<(), IndexError> {
        let expected = value.map(|value| self.encode(value)).transpose()?;
        changes.check(self.table, key.to_bytes(), expected.map(Bytes::from));
        Ok(())
    }

    /// The value of a key as a [`Work`] sees it. The work's commit is refused if it has changed until then.
    ///
    /// # Errors
    /// As [`TypedTable::get`].
    pub async fn read(&self, work: &Work<'_>, key: &K) -> Result<Option<V>, IndexError> {
        let key = key.to_bytes();
        let found = work.get(self.table, &key).await?;
        found.map(|value| self.decode(&key, &value)).transpose()
    }

    /// Sets a value when a [`Work`] is committed.
    ///
    /// # Errors
    /// [`IndexError::Unencodable`].
    pub fn write(&self, work: &Work<'_>, key: &K, value: &V) -> Result<(), IndexError> {
        work.put(self.table, key.to_bytes(), self.encode(value)?);
        Ok(())
    }

    /// Removes a value when a [`Work`] is committed.
    pub fn remove(&self, work: &Work<'_>, key: &K) {
        work.delete(self.table, key.to_bytes());
    }

    /// The keys that begin with a first part.
    pub fn prefix<P: KeyPrefix<K>>(&self, prefix: &P) -> KeyRange {
        KeyRange::prefix(prefix.to_bytes())
    }

    /// The keys from one (inclusive) on.
    pub fn from(&self, start: &K) -> KeyRange {
        KeyRange::from(start.to_bytes())
    }

    /// The keys from one (inclusive) on and below another.
    pub fn between(&self, start: &K, end: &K) -> KeyRange {
        KeyRange::new(start.to_bytes(), end.to_bytes())
    }

    fn encode(&self, value: &V) -> Result<Vec<u8>, IndexError> {
        serde_json::to_vec(value)
            .map_err(|error| IndexError::Unencodable { table: self.table, reason: error.to_string() })
    }

    fn decode(&self, key: &[u8], value: &[u8]) -> Result<V, IndexError> {
        let damaged = |error| self.damaged(key, format!("the value is not one of this table: {error}"));
        serde_json::from_slice(value).map_err(damaged)
    }

    fn damaged(&self, key: &[u8], reason: String) -> IndexError {
        IndexError::Damaged { table: self.table, key: Bytes::copy_from_slice(key), reason }
    }
}
