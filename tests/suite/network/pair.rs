//! An honest miner and one that cheats in audits, side by side.

use std::collections::HashMap;

use holdfast_engine::receipt::Outcome;
use holdfast_engine::rejection::Class;
use holdfast_service::client::PutOptions;
use holdfast_service::pieces::Content;
use holdfast_service::validator::holdings::Holdings;
use holdfast_service::validator::peers::Peer;

use super::disk::RealMiner;
use super::files::{SEGMENT_BYTES, options, try_put};
use super::scene::{ACCEPTED, Found, Scene, bytes_of};
use super::station::{Conduct, Honest, Station};

pub(crate) const SPACE: &str = "space";
pub(crate) const CHUNKS: &str = "chunks";
pub(crate) const POSSESSION: &str = "possession";
/// Of a replica: more than the windows have, so that every round asks about both.
const OBJECT_BYTES: usize = 2_000_000;

/// Two miners that have earned by being honest, one of which cheats from now on.
pub(crate) struct Pair {
    pub(crate) scene: Scene,
    pub(crate) honest: RealMiner,
    pub(crate) cheat: Station,
    /// How both are asked about their replicas.
    objects: &'static str,
}

impl Pair {
    /// Each has a replica that nobody has committed to.
    pub(crate) async fn new() -> Pair {
        Pair::of(options("replicate-2", SEGMENT_BYTES), CHUNKS).await
    }

    /// Each has a replica that it has committed to.
    pub(crate) async fn committed() -> Pair {
        Pair::of(PutOptions { commit: true, ..options("replicate-2", SEGMENT_BYTES) }, POSSESSION).await
    }

    async fn of(options: PutOptions, objects: &'static str) -> Pair {
        let scene = Scene::new().await;
        let (honest, cheat) = (scene.honest("honest").await, scene.hostile("cheat").await);
        scene.step().await;
        try_put(&scene.owner("owner"), &bytes_of(OBJECT_BYTES, 1), options).await.expect("stores");
        scene.pass_record_heights();
        scene.settle().await;
        let pair = Pair { scene, honest, cheat, objects };
        assert!(pair.scores().await.1 > 0.0, "it has earned something so far");
        pair
    }

    async fn scores(&self) -> (f64, f64) {
        (self.scene.score(self.honest.account()).await, self.scene.score(self.cheat.account()).await)
    }

    /// One round under a conduct; how the cheat's questions came out, by kind. Whoever is honest passed all.
    pub(crate) async fn round(&self, conduct: impl Conduct + 'static) -> HashMap<&'static str, Found> {
        self.cheat.behave(conduct);
        let height = self.scene.step().await;
        self.cheat.behave(Honest);
        self.scene.close_all().await;
        let honest = self.scene.found(self.honest.account(), height).await;
        for kind in [SPACE, self.objects] {
            assert_eq!(honest[kind], [ACCEPTED], "the honest miner, {kind}");
        }
        let found = self.scene.found(self.cheat.account(), height).await;
        found.into_iter().map(|(kind, found)| (kind, found[0])).collect()
    }

    /// The bytes of the honest miner's replica.
    pub(crate) async fn honest_piece(&self) -> Vec<u8> {
        let miner = self.honest.account();
        let records = self.scene.keeper.records_of(&miner).await.expect("reads");
        let replica = &records[0].record.replica;
        let object = Content { root: *replica.object_root(), length_bytes: replica.length() };
        let peer = Peer { account: miner, endpoint: self.honest.server.address };
        let got = self.scene.peers("owner").retrieve(peer, object, 0..object.length_bytes).await;
        got.expect("comes back")
    }

    /// A round under a conduct in which all questions come out as `expected`, and what it does to the score.
    pub(crate) async fn caught(&self, conduct: impl Conduct + 'static, expected: Found) {
        let found = self.round(conduct).await;
        assert_eq!((found[SPACE], found[self.objects]), (expected, expected));
        self.fell().await;
    }

    /// The cheat is worth far less than the honest miner, which has as much and was as honest before.
    pub(crate) async fn fell(&self) {
        let (honest, cheat) = self.scores().await;
        assert!(cheat < 0.8 * honest, "{cheat}, and {honest} of the honest miner");
        self.is_worth_less().await;
    }

    /// The cheat is worth less than the honest miner, also on the chain.
    pub(crate) async fn is_worth_less(&self) {
        let (honest, cheat) = self.scores().await;
        assert!(cheat < honest, "{cheat}, and {honest} of the honest miner");
        let weight = |miner| self.scene.weight(miner);
        assert!(weight(self.cheat.account()).await < weight(self.honest.account()).await);
    }
}

pub(crate) fn rejected(class: Class) -> Found {
    (Outcome::Rejected, Some(class))
}
