//! What is known of miners: how much they have free for us, how fast they answer, and what is on its way to them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use holdfast_engine::account::Account;
use holdfast_engine::message::Ticket;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{CareError, Keeper};
use crate::index::KeyRange;
use crate::placement::{Candidate, Miner, Standing};
use crate::validator::peers::Peer;
use crate::validator::store::SCORES;

/// Miners that are asked at the same time.
const ASKED_AT_ONCE: usize = 64;

/// Pieces on their way to one miner that are counted; tickets for more are given all the same.
const PROMISED_MAX: usize = 1 << 16;

/// Whoever is back for less long has not had the time to answer audits.
const BACK_SECONDS: u64 = 600;

/// What miners said last, and what was given to them since.
#[derive(Debug, Default)]
pub(super) struct Miners(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    seen: HashMap<Account, Seen>,
    /// Bytes of pieces that tickets were given for, by miner and root, and until when they can be used.
    promised: HashMap<Account, BTreeMap<[u8; 32], Promised>>,
}

#[derive(Clone, Copy, Debug)]
struct Promised {
    owner: Account,
    disk_bytes: u64,
    use_until: u64,
}

/// Whose pieces that are on their way take room.
#[derive(Clone, Copy, Debug)]
pub(super) enum Coming {
    /// All owners', so that miners do not fill up at once.
    FromAll,
    /// This owner's alone: what others were given tickets for and do not send keeps nobody out. Should they all send, the miners
    /// say so.
    From(Account),
}

/// What a miner said last.
#[derive(Clone, Copy, Debug)]
struct Seen {
    asked_at_ms: u64,
    /// `None` if it did not answer.
    room: Option<Room>,
    /// Since when it has not answered, in seconds since 1970.
    absent_since: Option<u64>,
    /// When it answered again after it had not, in seconds since 1970.
    back_at: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Room {
    used_bytes: u64,
    free_bytes: u64,
    latency_ms: u32,
}

impl Miners {
    /// An owner was given a ticket for a piece that takes so many bytes of disk.
    pub(super) fn promise(&self, miner: Account, ticket: &Ticket, disk_bytes: u64) {
        let promised = Promised { owner: ticket.owner, disk_bytes, use_until: ticket.use_until };
        let mut state = self.lock();
        let of_miner = state.promised.entry(miner).or_default();
        if of_miner.len() < PROMISED_MAX {
            of_miner.insert(ticket.root, promised);
        }
    }

    /// The piece is there: the miner's next answer counts it.
    pub(super) fn arrived(&self, miner: &Account, root: &[u8; 32]) {
        let mut state = self.lock();
        if let Some(promised) = state.promised.get_mut(miner) {
            promised.remove(root);
        }
        if let Some(seen) = state.seen.get_mut(miner) {
            seen.asked_at_ms = 0;
        }
    }

    /// Whether audits that a miner missed say nothing of its pieces: it is away, or has been until now.
    pub(super) fn is_excused(&self, miner: &Account, now: u64) -> bool {
        let state = self.lock();
        let is_back = |at: u64| now.saturating_sub(at) < BACK_SECONDS;
        let excused = |seen: &Seen| seen.absent_since.is_some() || seen.back_at.is_some_and(is_back);
        state.seen.get(miner).is_some_and(excused)
    }

    /// Whether a miner answered when it was asked last.
    pub(super) fn is_present(&self, miner: &Account) -> bool {
        self.lock().seen.get(miner).is_some_and(|seen| seen.absent_since.is_none())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Bytes that are on their way to a miner.
    fn coming_bytes(&mut self, miner: &Account, now: u64, coming: Coming) -> u64 {
        let Some(promised) = self.promised.get_mut(miner) else { return 0 };
        promised.retain(|_, promised| promised.use_until >= now);
        let counts = |promised: &&Promised| match coming {
            Coming::FromAll => true,
            Coming::From(owner) => promised.owner == owner,
        };
        promised.values().filter(counts).map(|promised| promised.disk_bytes).sum()
    }
}

impl Keeper {
    /// All miners of the network, those that do not answer included.
    pub(super) async fn look_at_miners(&self, coming: Coming) -> Result<Vec<Miner>, CareError> {
        let metagraph = self.chain.metagraph().await?;
        let clock = self.peers.correspondent().clock();
        let oldest_ms = clock.now_ms().saturating_sub(self.settings.allocation_age_ms);
        let mut asking = JoinSet::new();
        for neuron in metagraph.neurons.iter().filter(|neuron| neuron.hotkey != self.account()) {
            let account = neuron.hotkey;
            let known =
                self.miners.lock().seen.get(&account).is_some_and(|seen| seen.asked_at_ms > oldest_ms);
            let Some(endpoint) = neuron.endpoint.filter(|_| !known) else { continue };
            if asking.len() >= ASKED_AT_ONCE
                && let Some(Ok((account, room))) = asking.join_next().await
            {
                self.note(account, room);
            }
            let (peers, peer) = (std::sync::Arc::clone(&self.peers), Peer { account, endpoint });
            let limit = Duration::from_millis(self.settings.allocation_timeout_ms);
            asking.spawn(async move {
                let started = Instant::now();
                let answer = peers.allocation(peer, limit).await;
                let latency_ms = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
                let room = answer.ok().map(|answer| Room {
                    used_bytes: answer.object_bytes,
                    free_bytes: answer.free_object_bytes,
                    latency_ms,
                });
                (account, room)
            });
        }
        while let Some(asked) = asking.join_next().await {
            if let Ok((account, room)) = asked {
                self.note(account, room);
            }
        }
        let (tiers, now) = (self.tiers().await?, clock.now_seconds());
        let mut state = self.miners.lock();
        let miner = |neuron: &crate::chain::Neuron| {
            let seen = state.seen.get(&neuron.hotkey).copied();
            let coming_bytes = state.coming_bytes(&neuron.hotkey, now, coming);
            let room = seen.and_then(|seen| seen.room);
            let candidate = Candidate {
                miner: neuron.hotkey,
                operator: neuron.coldkey,
                used_bytes: room.map_or(0, |room| room.used_bytes).saturating_add(coming_bytes),
                free_bytes: room.map_or(0, |room| room.free_bytes).saturating_sub(coming_bytes),
                tier: tiers.get(&neuron.hotkey).copied().unwrap_or_default(),
                latency_ms: room.map_or(u32::MAX, |room| room.latency_ms),
                load_percent: 0,
            };
            let standing = match seen {
                Some(Seen { absent_since: Some(since), .. }) => Standing::Absent { since },
                Some(_) => Standing::Present,
                None => Standing::Absent { since: now },
            };
            Miner { candidate, standing }
        };
        let us = self.account();
        Ok(metagraph.neurons.iter().filter(|neuron| neuron.hotkey != us).map(miner).collect())
    }

    /// Those that may take pieces now.
    pub(super) async fn candidates(&self, coming: Coming) -> Result<Vec<Candidate>, CareError> {
        let miners = self.look_at_miners(coming).await?;
        let present = miners.into_iter().filter(|miner| miner.standing == Standing::Present);
        Ok(present.map(|miner| miner.candidate).collect())
    }

    fn note(&self, miner: Account, room: Option<Room>) {
        let clock = self.peers.correspondent().clock();
        let mut state = self.miners.lock();
        let (now, before) = (clock.now_seconds(), state.seen.get(&miner).copied());
        let was_absent_since = before.and_then(|seen| seen.absent_since);
        let absent_since = room.is_none().then(|| was_absent_since.unwrap_or(now));
        let back_at = match was_absent_since {
            Some(_) if room.is_some() => Some(now),
            _ => before.and_then(|seen| seen.back_at),
        };
        state.seen.insert(miner, Seen { asked_at_ms: clock.now_ms(), room, absent_since, back_at });
    }

    /// Tiers as the rounds have left them, 0 for the lowest.
    async fn tiers(&self) -> Result<HashMap<Account, u8>, CareError> {
        let config = &self.settings.scoring;
        let mut tiers = HashMap::new();
        for row in SCORES.scan(&*self.index, &KeyRange::all(), usize::MAX).await? {
            for miner in &row.value.miners {
                let place =
                    config.tiers.iter().position(|tier| tier.name == miner.tier()).unwrap_or_default();
                tiers.insert(miner.registration().miner, u8::try_from(place).unwrap_or(u8::MAX));
            }
        }
        Ok(tiers)
    }
}
