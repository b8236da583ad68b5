//! Placing: miners for pieces, and a ticket for each.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use holdfast_engine::account::Account;
use holdfast_engine::message::Ticket;
use holdfast_engine::rejection::{Class, Rejection};
use tonic::Code;

use super::candidates::Coming;
use super::{CareError, Keeper};
use crate::local::objects::object_disk_bytes;
use crate::pieces::{Content, Policy};
use crate::placement::{Need, PlacementError, SegmentKey, choose};
use crate::proto::{self, PlaceRequest, PlaceResponse, Placement};
use crate::wire::bytes32;

/// Pieces of one request.
const PIECES_MAX: usize = 4096;
/// Miners to avoid of one request.
const AVOIDED_MAX: usize = 4096;

/// A piece that is to be placed.
struct Wanted {
    sent: proto::PlacedPiece,
    shard: u32,
    object: Content,
}

impl Keeper {
    pub(super) async fn place_pieces(
        &self,
        owner: Account,
        request: &PlaceRequest,
    ) -> Result<PlaceResponse, CareError> {
        let file = bytes32("file root", &request.file_root)?;
        let segments = wanted(request)?;
        self.check_keep_seconds(request.keep_seconds)?;
        let avoid = avoided(request)?;
        let metagraph = self.chain.metagraph().await?;
        let endpoints: HashMap<Account, _> =
            metagraph.neurons.iter().filter_map(|neuron| Some((neuron.hotkey, neuron.endpoint?))).collect();
        // Whoever holds another piece of the segment is among those to avoid, with its operator.
        let with_operator =
            |miner: &Account| (*miner, metagraph.neuron_of(miner).map_or(*miner, |neuron| neuron.coldkey));
        let holders: Vec<_> = avoid.iter().map(with_operator).collect();
        let need = |(segment, pieces): (&u32, &Vec<Wanted>)| Need {
            segment: SegmentKey { file, segment: *segment },
            pieces: u8::try_from(pieces.len()).unwrap_or(u8::MAX),
            piece_bytes: pieces.first().map_or(0, |piece| object_disk_bytes(piece.object.length_bytes)),
            holders: holders.clone(),
        };
        let needs: Vec<Need> = segments.iter().map(need).collect();
        let mut seed = [0; 32];
        // Without randomness the same miners are drawn for the same pieces, which is no harm.
        let _ = getrandom::fill(&mut seed);
        let rules = &self.settings.repair.placement;
        let chosen = match choose(&self.candidates(Coming::FromAll).await?, &needs, rules, &seed) {
            Err(PlacementError::TooFewOperators { .. }) => {
                choose(&self.candidates(Coming::From(owner)).await?, &needs, rules, &seed)?
            }
            chosen => chosen?,
        };
        let mut placements = Vec::new();
        for (pieces, miners) in segments.into_values().zip(chosen) {
            for (wanted, miner) in pieces.into_iter().zip(miners) {
                let endpoint = endpoints.get(&miner).map(ToString::to_string).unwrap_or_default();
                let ticket = self.ticket(owner, miner, wanted.object, request.keep_seconds);
                placements.push(Placement {
                    piece: Some(wanted.sent),
                    miner: miner.0.to_vec().into(),
                    endpoint,
                    ticket: Some(ticket),
                });
            }
        }
        Ok(PlaceResponse { placements, seal: None })
    }

    /// A ticket for an object, whose room on the miner is taken from now on.
    pub(super) fn ticket(
        &self,
        owner: Account,
        miner: Account,
        object: Content,
        keep_seconds: u64,
    ) -> proto::Ticket {
        let correspondent = self.peers.correspondent();
        let now = self.now_seconds();
        let use_until = now.saturating_add(self.settings.ticket_seconds.min(keep_seconds));
        let ticket = Ticket {
            network: correspondent.network(),
            validator: self.account(),
            owner,
            miner,
            root: object.root,
            length_bytes: object.length_bytes,
            use_until,
            keep_until: now.saturating_add(keep_seconds),
        };
        self.miners.promise(miner, &ticket, object_disk_bytes(object.length_bytes));
        let signature = correspondent.signer().sign(&ticket.signing_digest());
        proto::Ticket { ticket: ticket.encode().to_vec().into(), signature: signature.0.to_vec().into() }
    }

    fn check_keep_seconds(&self, keep_seconds: u64) -> Result<(), CareError> {
        let most = self.settings.keep_seconds_max;
        if (1..=most).contains(&keep_seconds) {
            return Ok(());
        }
        Err(CareError::Refused {
            code: Code::InvalidArgument,
            reason: "keep-seconds",
            message: format!("to be kept for {keep_seconds} s; 1 to {most} s are offered here"),
            advice: "ask for a time in this range, and store again before it ends",
        })
    }
}

/// The pieces by segment, all of one length, each once.
fn wanted(request: &PlaceRequest) -> Result<BTreeMap<u32, Vec<Wanted>>, Rejection> {
    let count = request.pieces.len();
    if count == 0 || count > PIECES_MAX {
        return Err(Class::Malformed.because(format!("{count} pieces in one request, not 1 to {PIECES_MAX}")));
    }
    let mut segments: BTreeMap<u32, Vec<Wanted>> = BTreeMap::new();
    let mut roots = BTreeSet::new();
    for sent in &request.pieces {
        let (segment, object) = checked(sent)?;
        let of_segment = segments.entry(segment).or_default();
        if of_segment.iter().any(|other| other.shard == sent.shard) || !roots.insert(object.root) {
            let shard = sent.shard;
            return Err(Class::Malformed.because(format!("segment {segment}, shard {shard} stands twice")));
        }
        if of_segment.iter().any(|other| other.object.length_bytes != object.length_bytes) {
            return Err(Class::Malformed.because(format!("pieces of segment {segment} differ in length")));
        }
        of_segment.push(Wanted { sent: sent.clone(), shard: sent.shard, object });
    }
    Ok(segments)
}

/// Segment and bytes of a piece that an owner made.
fn checked(piece: &proto::PlacedPiece) -> Result<(u32, Content), Rejection> {
    let proto::PlacedPiece { segment, shard, generation, object } = piece;
    let malformed = |detail: String| Class::Malformed.because(detail);
    let number = u32::try_from(*segment).map_err(|_| malformed(format!("segment {segment}, above 2^32")))?;
    if *shard > 254 || *generation != 0 {
        return Err(malformed(format!("shard {shard} of generation {generation}, not 0 to 254 of 0")));
    }
    let object = object.as_ref().ok_or_else(|| malformed("a piece without its object".to_owned()))?;
    let length_bytes = object.length_bytes;
    if length_bytes == 0 || length_bytes > Policy::SEGMENT_BYTES_MAX {
        return Err(malformed(format!("a piece of {length_bytes} bytes, not 1 to 2^36")));
    }
    Ok((number, Content { root: bytes32("object root", &object.root)?, length_bytes }))
}

fn avoided(request: &PlaceRequest) -> Result<Vec<Account>, Rejection> {
    let count = request.avoid.len();
    if count > AVOIDED_MAX {
        return Err(Class::Malformed.because(format!("{count} miners to avoid, more than {AVOIDED_MAX}")));
    }
    request.avoid.iter().map(|miner| bytes32("miner", miner).map(Account)).collect()
}
