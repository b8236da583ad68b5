//! The connections of a node, and which of them carried an answer.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tonic::Status;
use tonic::transport::Channel;

use crate::connect::{Connector, Stage};

/// Connections that are kept; more are made anew each time.
const CHANNELS_MAX: usize = 4096;

#[derive(Debug)]
pub(super) struct Channels {
    connector: Connector,
    known: Mutex<HashMap<SocketAddr, Known>>,
}

#[derive(Debug)]
struct Known {
    channel: Channel,
    has_answered: bool,
}

impl Channels {
    pub(super) fn new(connector: Connector) -> Channels {
        Channels { connector, known: Mutex::default() }
    }

    /// A connection, made when it is first used and again when it broke.
    pub(super) fn to(&self, endpoint: SocketAddr) -> Channel {
        let mut known = self.lock();
        if let Some(known) = known.get(&endpoint) {
            return known.channel.clone();
        }
        if known.len() >= CHANNELS_MAX {
            known.clear();
        }
        let channel = self.connector.channel(endpoint);
        known.insert(endpoint, Known { channel: channel.clone(), has_answered: false });
        channel
    }

    /// What was asked there, with what is to be known of a connection that failed.
    pub(super) fn note<T>(&self, endpoint: SocketAddr, answer: Result<T, Status>) -> Result<T, Status> {
        let mut has_answered = answer.is_ok();
        if let Some(known) = self.lock().get_mut(&endpoint) {
            known.has_answered |= has_answered;
            has_answered = known.has_answered;
        }
        let stage = if has_answered { Stage::Answered } else { Stage::Fresh };
        answer.map_err(|status| self.connector.explain(endpoint, status, stage))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SocketAddr, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
