//! What miners have of a put that is under way: a line for each ticket and each acknowledgement, durable before it is relied on.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use holdfast_engine::account::Account;
use holdfast_engine::message::Ticket;
use prost::Message;
use serde::{Deserialize, Serialize};

use crate::client::ClientError;
use crate::proto::{self, StoreResponse};
use crate::validator::peers::Peer;

const FILE: &str = "acknowledged.jsonl";

/// Segment and shard.
type Place = (u32, u8);

/// The journal of a put.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    placed: BTreeMap<Place, Placed>,
    /// Where a piece was last placed.
    peers: BTreeMap<Place, Peer>,
    acknowledged: BTreeMap<Place, Acknowledged>,
    /// Roots of commitment tables that were checked.
    tables: BTreeMap<Place, [u8; 32]>,
    /// Miners that had a piece and did not commit to it rightly.
    refused: BTreeMap<Place, Vec<Account>>,
}

/// A piece for which there is a ticket.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) peer: Peer,
    pub(super) ticket: proto::Ticket,
    /// Whether an upload was begun, so that the miner may have a part of it.
    pub(super) is_begun: bool,
}

/// A piece that a miner has.
#[derive(Clone, Debug)]
pub(super) struct Acknowledged {
    pub(super) miner: Account,
    pub(super) response: StoreResponse,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "what")]
enum Line {
    Placed {
        segment: u32,
        shard: u8,
        miner: Account,
        endpoint: SocketAddr,
        ticket: String,
        signature: String,
    },
    Acknowledged {
        segment: u32,
        shard: u8,
        miner: Account,
        response: String,
    },
    Committed {
        segment: u32,
        shard: u8,
        #[serde(with = "hex::serde")]
        table_root: [u8; 32],
    },
    Refused {
        segment: u32,
        shard: u8,
        miner: Account,
    },
}

impl Journal {
    /// Reads what there is, and goes on behind it. Tickets that can no longer be used are left out.
    pub(super) fn open(put: &Path, now: u64) -> Result<Journal, ClientError> {
        let path = put.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            read => read.map_err(ClientError::file("read", &path))?,
        };
        // A line without an end was being written when the process was killed; nobody has relied on it.
        let whole_bytes = text.rfind('\n').map_or(0, |end| end + 1);
        let open = || {
            let options = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
            let mut file = options?;
            file.set_len(whole_bytes as u64)?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        let file = open().map_err(ClientError::file("open", &path))?;
        let mut journal = Journal {
            path,
            file,
            placed: BTreeMap::new(),
            peers: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            tables: BTreeMap::new(),
            refused: BTreeMap::new(),
        };
        for line in text[..whole_bytes].lines() {
            journal
                .read(line)
                .map_err(|reason| ClientError::Damaged { path: journal.path.clone(), reason })?;
        }
        journal.placed.retain(|_, placed| {
            Ticket::decode(&placed.ticket.ticket).is_ok_and(|ticket| ticket.use_until > now)
        });
        Ok(journal)
    }

    fn read(&mut self, line: &str) -> Result<(), String> {
        let bytes = |text: &str| hex::decode(text).map_err(|error| error.to_string());
        match serde_json::from_str(line).map_err(|error| error.to_string())? {
            Line::Placed { segment, shard, miner, endpoint, ticket, signature } => {
                let ticket =
                    proto::Ticket { ticket: bytes(&ticket)?.into(), signature: bytes(&signature)?.into() };
                let peer = Peer { account: miner, endpoint };
                self.add_placed((segment, shard), Placed { peer, ticket, is_begun: true });
            }
            Line::Acknowledged { segment, shard, miner, response } => {
                let response = StoreResponse::decode(&bytes(&response)?[..]);
                let response = response.map_err(|error| error.to_string())?;
                self.acknowledged.insert((segment, shard), Acknowledged { miner, response });
            }
            Line::Committed { segment, shard, table_root } => {
                self.tables.insert((segment, shard), table_root);
            }
            Line::Refused { segment, shard, miner } => self.take_back((segment, shard), miner),
        }
        Ok(())
    }

    /// Notes a ticket, so that another process can go on with the upload.
    pub(super) fn place(&mut self, place: Place, placed: Placed) -> Result<(), ClientError> {
        let ((segment, shard), Peer { account: miner, endpoint }) = (place, placed.peer);
        let (ticket, signature) = (hex::encode(&placed.ticket.ticket), hex::encode(&placed.ticket.signature));
        self.append(&Line::Placed { segment, shard, miner, endpoint, ticket, signature })?;
        self.add_placed(place, placed);
        Ok(())
    }

    fn add_placed(&mut self, place: Place, placed: Placed) {
        self.peers.insert(place, placed.peer);
        self.placed.insert(place, placed);
    }

    fn take_back(&mut self, place: Place, miner: Account) {
        self.placed.remove(&place);
        self.acknowledged.remove(&place);
        self.refused.entry(place).or_default().push(miner);
    }

    /// Notes an acknowledgement.
    pub(super) fn acknowledge(
        &mut self,
        place: Place,
        acknowledged: Acknowledged,
    ) -> Result<(), ClientError> {
        let (segment, shard) = place;
        let response = hex::encode(acknowledged.response.encode_to_vec());
        self.append(&Line::Acknowledged { segment, shard, miner: acknowledged.miner, response })?;
        self.acknowledged.insert(place, acknowledged);
        Ok(())
    }

    /// Notes that a miner committed to its piece, as was checked.
    pub(super) fn commit(&mut self, place: Place, table_root: [u8; 32]) -> Result<(), ClientError> {
        let (segment, shard) = place;
        self.append(&Line::Committed { segment, shard, table_root })?;
        self.tables.insert(place, table_root);
        Ok(())
    }

    /// Notes that who has a piece does not commit to it rightly: somebody else is to have it.
    pub(super) fn refuse(&mut self, place: Place, miner: Account) -> Result<(), ClientError> {
        let (segment, shard) = place;
        self.append(&Line::Refused { segment, shard, miner })?;
        self.take_back(place, miner);
        Ok(())
    }

    /// The table of a piece that was checked.
    pub(super) fn table_root(&self, place: Place) -> Option<[u8; 32]> {
        self.tables.get(&place).copied()
    }

    /// Where the holder of a piece is.
    pub(super) fn holder_peer(&self, place: Place) -> Option<Peer> {
        let miner = self.acknowledged.get(&place)?.miner;
        self.peers.get(&place).copied().filter(|peer| peer.account == miner)
    }

    /// Miners that are not to have a piece of a segment again.
    pub(super) fn refused_of(&self, segment: u32) -> impl Iterator<Item = Account> {
        self.refused.range((segment, 0)..=(segment, u8::MAX)).flat_map(|(_, miners)| miners.iter().copied())
    }

    /// An upload is begun.
    pub(super) fn begin(&mut self, place: Place) {
        if let Some(placed) = self.placed.get_mut(&place) {
            placed.is_begun = true;
        }
    }

    /// The ticket of a piece is of no use.
    pub(super) fn forget_ticket(&mut self, place: Place) {
        self.placed.remove(&place);
    }

    /// The ticket of a piece that is not stored yet.
    pub(super) fn placed(&self, place: Place) -> Option<&Placed> {
        self.placed.get(&place).filter(|_| !self.acknowledged.contains_key(&place))
    }

    /// Who has a piece.
    pub(super) fn holder(&self, segment: u32, shard: u8) -> Option<Account> {
        self.acknowledged.get(&(segment, shard)).map(|acknowledged| acknowledged.miner)
    }

    /// All that miners have.
    pub(super) fn acknowledged(&self) -> impl Iterator<Item = &Acknowledged> {
        self.acknowledged.values()
    }

    /// Miners that have pieces of a segment, or are to have them.
    pub(super) fn miners_of(&self, segment: u32) -> Vec<Account> {
        let of_segment = (segment, 0)..=(segment, u8::MAX);
        let placed = self.placed.range(of_segment.clone()).map(|(_, placed)| placed.peer.account);
        let acknowledged = self.acknowledged.range(of_segment).map(|(_, acknowledged)| acknowledged.miner);
        placed.chain(acknowledged).collect()
    }

    fn append(&mut self, line: &Line) -> Result<(), ClientError> {
        let mut text = serde_json::to_string(line).expect("texts and numbers make JSON");
        text.push('\n');
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(ClientError::file("write to", &self.path))
    }
}
