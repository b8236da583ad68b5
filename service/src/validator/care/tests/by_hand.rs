//! An owner who does by hand what the client does.

use std::sync::Arc;

use bytes::Bytes;
use holdfast_engine::account::Account;
use holdfast_engine::possession::Replica;
use holdfast_engine::possession::record::{ObjectRecord, SignedRecord};
use holdfast_engine::rejection::Class;
use holdfast_engine::signature::Signer;

use crate::client::fixture::{Ground, Running, VALIDATOR, bytes_of};
use crate::pieces::{Content, Encoder, Holder, Manifest, PlacementSecret, Policy, Segment};
use crate::proto::{
    Acknowledgement, ObjectName, PlaceRequest, PlacedPiece, Placement, RegisterRequest, StoreResponse,
};
use crate::validator::care::Keeper;
use crate::validator::peers::{Peer, PeerError, Peers, parts};
use crate::wire::bytes32;
use crate::wire::clock::Clock;
use crate::wire::status::class_of;

const KEEP_SECONDS: u64 = 1_000;

/// An owner who does every step by hand.
pub(super) struct ByHand {
    pub(super) peers: Peers,
    pub(super) validator: Peer,
    pieces: Vec<Vec<u8>>,
    placements: Vec<Placement>,
    pub(super) manifest: Manifest,
}

impl ByHand {
    /// Codes some bytes into two replicas, and gets tickets for them.
    pub(super) async fn place(ground: &Ground, validator: &Running<Keeper>) -> ByHand {
        let peers = Peers::new(Arc::new(ground.correspondent("owner")), ground.connector());
        let account = Signer::development(VALIDATOR).account();
        let validator = Peer { account, endpoint: validator.address };
        let (policy, secret) =
            (Policy::new(1 << 20, 1, 2).expect("fine"), PlacementSecret::of_bytes([5; 32]));
        let bytes = bytes_of(30_000, 1);
        let mut encoder = Encoder::new(&bytes[..], policy, &secret);
        let encoded = encoder.next_segment(|_| Ok(Vec::new())).expect("codes").expect("a segment");
        assert!(encoder.next_segment(|_| Ok(Vec::new())).expect("codes").is_none());
        let ciphertext = encoder.content();
        let mut request = PlaceRequest {
            file_root: ciphertext.root.to_vec().into(),
            keep_seconds: KEEP_SECONDS + 1,
            ..PlaceRequest::default()
        };
        for (shard, number) in encoded.shards.iter().zip(0..) {
            let Content { root, length_bytes } = shard.content;
            let object = Some(ObjectName { root: root.to_vec().into(), length_bytes });
            request.pieces.push(PlacedPiece { segment: 0, shard: number, generation: 0, object });
        }
        let placements = peers.place(validator, request).await.expect("places").placements;
        let miners: Vec<_> = placements.iter().map(|placement| Some(peer_of(placement).account)).collect();
        let segments = vec![Segment::of(&encoded, &miners)];
        let expires_at = Some(ground.clock.now_seconds() + KEEP_SECONDS);
        let manifest = Manifest::new(None, ciphertext, policy, secret, expires_at, segments).expect("fine");
        let pieces = encoded.shards.into_iter().map(|shard| shard.sink).collect();
        ByHand { peers, validator, pieces, placements, manifest }
    }

    /// Does all of it; with what was sent, and the height before that of the records.
    pub(super) async fn registered(
        ground: &Ground,
        validator: &Running<Keeper>,
    ) -> (ByHand, RegisterRequest, u64) {
        let by_hand = ByHand::place(ground, validator).await;
        let height = ground.driver.step().expect("a block").height;
        let good = by_hand.request(height + 1).await;
        by_hand.peers.register(by_hand.validator, good.clone()).await.expect("is good");
        (by_hand, good, height)
    }

    async fn store(&self, shard: usize) -> StoreResponse {
        let placement = &self.placements[shard];
        let (sender, receiver) = parts();
        sender.send(Bytes::from(self.pieces[shard].clone())).await.expect("there is room");
        drop(sender);
        let ticket = placement.ticket.as_ref().expect("a ticket");
        self.peers.store(peer_of(placement), ticket, 0, receiver).await.expect("stores")
    }

    pub(super) fn record(&self, shard: usize, height: u64) -> SignedRecord {
        let Holder { miner, root } = self.manifest.segments()[0].pieces[shard].holder.expect("placed");
        let correspondent = self.peers.correspondent();
        let record = ObjectRecord {
            replica: Replica::new(root, self.pieces[shard].len() as u64, 0).expect("short"),
            height,
            network: correspondent.network(),
            miner,
            checker: correspondent.account(),
            table_root: None,
            tokens: None,
        };
        record.sign(correspondent.signer())
    }

    /// What a good owner sends once both pieces are stored.
    pub(super) async fn request(&self, height: u64) -> RegisterRequest {
        let mut request = RegisterRequest {
            manifest: self.manifest.for_repair().encode().to_vec().into(),
            ..RegisterRequest::default()
        };
        for shard in 0..2 {
            let response = Some(self.store(shard).await);
            request.acknowledgements.push(Acknowledgement {
                miner: peer_of(&self.placements[shard]).account.0.to_vec().into(),
                response,
            });
            request.records.push(self.record(shard, height).encode().to_vec().into());
        }
        request
    }

    pub(super) async fn refused(&self, request: &RegisterRequest) -> Option<Class> {
        match self.peers.register(self.validator, request.clone()).await {
            Err(PeerError::Status { status, .. }) => class_of(&status),
            other => panic!("{other:?}"),
        }
    }
}

fn peer_of(placement: &Placement) -> Peer {
    let account = bytes32("miner", &placement.miner).expect("an account");
    Peer { account: Account(account), endpoint: placement.endpoint.parse().expect("an endpoint") }
}
