//! Leases: of several processes that share an index, one at a time does a thing.
//!
//! A lease has a name ("rounds"), an owner (a process) and a time at which it ends unless it is renewed. The time is by the
//! clocks of the processes, which may differ, and a process may sleep through the end of its lease; so a lease alone
//! protects nothing. [`Lease::guard`] and [`Lease::is_held`] do: they make a commit depend on the lease being held when it
//! is made. For the world outside of the index there is the [fencing number](Lease::fencing), which grows with each
//! take-over: who remembers the largest that he saw knows an order of a former owner when he gets one.

use serde::{Deserialize, Serialize};

use super::{Changes, Index, IndexError, Table, TypedTable, Work, transact};

/// The holder and the time are two rows, so that a renewal does not disturb guarded commits under way.
const HOLDERS: TypedTable<(String, u8), Holder> = TypedTable::new(Table::Leases);
const EXPIRIES: TypedTable<(String, u8), Expiry> = TypedTable::new(Table::Leases);

/// Who has a lease. A released one keeps its fencing number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Holder {
    owner: Option<String>,
    fencing: u64,
}

/// Until when, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expiry {
    expires_at_ms: u64,
}

/// A lease that was acquired. Whether it is still held, only the index knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    name: String,
    owner: String,
    fencing: u64,
    expires_at_ms: u64,
}

/// What came of asking for a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acquisition {
    /// It is ours.
    Acquired(Lease),
    /// Somebody else has it.
    Held {
        /// Who.
        owner: String,
        /// Until when unless they renew it, in milliseconds since 1970.
        expires_at_ms: u64,
    },
}

/// Acquires a lease if nobody else has it at `now_ms` (milliseconds since 1970), until `duration_ms` later. An owner who has
/// it gets it anew, with a larger fencing number: a process that was restarted under its old name need not wait for
/// itself. So no two processes may have one name.
///
/// # Errors
/// As [`transact`].
pub async fn acquire(
    index: &dyn Index,
    name: &str,
    owner: &str,
    now_ms: u64,
    duration_ms: u64,
) -> Result<Acquisition, IndexError> {
    let expires_at_ms = now_ms.saturating_add(duration_ms);
    transact(index, |work| async move {
        let holder = HOLDERS.read(&work, &holder_key(name)).await?;
        let expiry = EXPIRIES.read(&work, &expiry_key(name)).await?;
        let fencing = holder.as_ref().map_or(0, |holder| holder.fencing) + 1;
        if let (Some(Holder { owner: Some(other), .. }), Some(expiry)) = (holder, expiry)
            && other != owner
            && now_ms < expiry.expires_at_ms
        {
            return Ok(Acquisition::Held { owner: other, expires_at_ms: expiry.expires_at_ms });
        }
        let lease = Lease { name: name.to_owned(), owner: owner.to_owned(), fencing, expires_at_ms };
        HOLDERS.write(&work, &holder_key(name), &lease.holder())?;
        EXPIRIES.write(&work, &expiry_key(name), &Expiry { expires_at_ms })?;
        Ok(Acquisition::Acquired(lease))
    })
    .await
}

impl Lease {
    /// What it is for.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who acquired it.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// 1 for the first acquisition of this name, and one more for each after it.
    pub fn fencing(&self) -> u64 {
        self.fencing
    }

    /// Until when, as far as this process knows, in milliseconds since 1970.
    pub fn expires_at_ms(&self) -> u64 {
        self.expires_at_ms
    }

    /// Prolongs it until `duration_ms` after `now_ms`, never shortens it. False if it is lost: somebody else took it, or it
    /// was released. One that ended is prolonged too, if nobody took it.
    ///
    /// # Errors
    /// As [`transact`].
    pub async fn renew(
        &mut self,
        index: &dyn Index,
        now_ms: u64,
        duration_ms: u64,
    ) -> Result<bool, IndexError> {
        let expires_at_ms = now_ms.saturating_add(duration_ms).max(self.expires_at_ms);
        let lease = &*self;
        let held = transact(index, |work| async move {
            let held = lease.is_held(&work).await?;
            if held {
                EXPIRIES.write(&work, &expiry_key(&lease.name), &Expiry { expires_at_ms })?;
            }
            Ok::<bool, IndexError>(held)
        });
        let held = held.await?;
        if held {
            self.expires_at_ms = expires_at_ms;
        }
        Ok(held)
    }

    /// Gives it up, so that others need not wait. Nothing happens if it is lost.
    ///
    /// # Errors
    /// As [`transact`].
    pub async fn release(self, index: &dyn Index) -> Result<(), IndexError> {
        let lease = &self;
        transact(index, |work| async move {
            if lease.is_held(&work).await? {
                let released = Holder { owner: None, fencing: lease.fencing };
                HOLDERS.write(&work, &holder_key(&lease.name), &released)?;
                EXPIRIES.remove(&work, &expiry_key(&lease.name));
            }
            Ok(())
        })
        .await
    }

    /// Whether nobody took it since. The work's commit is refused if somebody does until then.
    ///
    /// # Errors
    /// As [`Index::get`].
    pub async fn is_held(&self, work: &Work<'_>) -> Result<bool, IndexError> {
        Ok(HOLDERS.read(work, &holder_key(&self.name)).await?.as_ref() == Some(&self.holder()))
    }

    /// Makes a commit depend on the lease: it is refused with [`IndexError::Conflict`] if the lease is lost.
    ///
    /// # Errors
    /// [`IndexError::Unencodable`], which cannot happen.
    pub fn guard(&self, changes: &mut Changes) -> Result<(), IndexError> {
        HOLDERS.expect(changes, &holder_key(&self.name), Some(&self.holder()))
    }

    fn holder(&self) -> Holder {
        Holder { owner: Some(self.owner.clone()), fencing: self.fencing }
    }
}

fn holder_key(name: &str) -> (String, u8) {
    (name.to_owned(), 0)
}

fn expiry_key(name: &str) -> (String, u8) {
    (name.to_owned(), 1)
}

#[cfg(test)]
mod tests;
