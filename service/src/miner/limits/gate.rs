//! Who comes in, and how fast.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use holdfast_engine::account::Account;
use tokio::time::Instant;
use tonic::Code;

use super::Limits;
use super::bucket::Bucket;
use crate::listen::network_of;
use crate::miner::MinerError;

/// Bad signatures from one address that are looked at in a second.
const BAD_SIGNATURES_PER_SECOND: u64 = 20;
/// Callers and addresses that are remembered; those that do nothing are forgotten first.
const REMEMBERED: usize = 16_384;

/// Counts what callers ask for. Times are given by the caller.
#[derive(Debug)]
pub(in crate::miner) struct Gate {
    limits: Limits,
    /// The miner itself, which asks for its status.
    operator: Account,
    requests: Mutex<HashMap<Account, Bucket>>,
    bytes: Mutex<HashMap<Account, Bucket>>,
    bad_signatures: Mutex<HashMap<IpAddr, Bucket>>,
    strangers: Mutex<Bucket>,
}

impl Gate {
    pub(in crate::miner) fn new(limits: Limits, operator: Account) -> Gate {
        let strangers = Bucket::new(limits.strangers_per_second.into(), Instant::now());
        Gate {
            limits,
            operator,
            requests: Mutex::default(),
            bytes: Mutex::default(),
            bad_signatures: Mutex::default(),
            strangers: Mutex::new(strangers),
        }
    }

    /// Before a signature is looked at: who it is said to be is not known to be true, so nothing is counted against the
    /// caller yet. `known` callers validate, or have objects here.
    pub(in crate::miner) fn look(
        &self,
        said: &Account,
        known: bool,
        from: Option<IpAddr>,
        now: Instant,
    ) -> Result<(), MinerError> {
        if let Some(from) = from
            && lock(&self.bad_signatures).get_mut(&network_of(from)).is_some_and(|bucket| !bucket.has(now))
        {
            return Err(MinerError::busy("too many messages with wrong signatures came from this address"));
        }
        let Limits { allow, deny, .. } = &self.limits;
        let is_served = *said == self.operator || allow.is_empty() || allow.contains(said);
        if deny.contains(said) || !is_served {
            return Err(MinerError::Refused {
                code: Code::PermissionDenied,
                reason: "not-served",
                message: format!("{said} is not served here"),
                advice: "ask another miner",
            });
        }
        if !known && !lock(&self.strangers).take(now) {
            return Err(MinerError::busy("too many requests of callers that are not known here"));
        }
        Ok(())
    }

    /// A signature was wrong.
    pub(in crate::miner) fn bad_signature(&self, from: Option<IpAddr>, now: Instant) {
        if let Some(from) = from {
            with(&self.bad_signatures, network_of(from), BAD_SIGNATURES_PER_SECOND, now, |bucket| {
                bucket.take(now)
            });
        }
    }

    /// Counts one request of a caller whose signature is right.
    pub(in crate::miner) fn admit(&self, caller: &Account, now: Instant) -> Result<(), MinerError> {
        let rate = self.limits.requests_per_second;
        if with(&self.requests, *caller, rate.into(), now, |bucket| bucket.take(now)) {
            return Ok(());
        }
        Err(MinerError::busy(format!("more than {rate} requests a second")))
    }

    /// Counts bytes from or to a caller, and waits until more of them may follow. A timer counts milliseconds, in which a quarter of a MiB
    /// has long been sent, so whoever need not wait sets none.
    pub(in crate::miner) async fn pace(&self, caller: &Account, bytes: usize) {
        let rest = self.bytes(caller, bytes, Instant::now());
        if !rest.is_zero() {
            tokio::time::sleep(rest).await;
        }
    }

    /// Counts bytes from or to a caller; says how long to wait before more of them.
    fn bytes(&self, caller: &Account, bytes: usize, now: Instant) -> Duration {
        let (rate, bytes) = (self.limits.bytes_per_second, bytes as u64);
        with(&self.bytes, *caller, rate, now, |bucket| bucket.charge(bytes, now))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn with<K: Eq + Hash, T>(
    buckets: &Mutex<HashMap<K, Bucket>>,
    key: K,
    per_second: u64,
    now: Instant,
    work: impl FnOnce(&mut Bucket) -> T,
) -> T {
    let mut buckets = lock(buckets);
    if buckets.len() >= REMEMBERED && !buckets.contains_key(&key) {
        buckets.retain(|_, bucket| !bucket.is_full(now));
        if buckets.len() >= REMEMBERED {
            // All of them are busy: forgetting is the lesser evil.
            buckets.clear();
        }
    }
    work(buckets.entry(key).or_insert_with(|| Bucket::new(per_second, now)))
}
