//! Workers that send what is not the window.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use holdfast_engine::accelerator::{
    Accelerator, AcceleratorReport, CommitSlots, Fault, Interruption, WindowTarget,
};
use holdfast_engine::challenge::SealNode;
use holdfast_engine::curve::{Fr, G1Projective};
use holdfast_engine::reference;
use holdfast_engine::registration::WindowShape;
use holdfast_engine::space::label::Layer;
use holdfast_engine::space::seal::answer_examiner;
use holdfast_engine::space::window::{MadeWindow, TILE_BYTES};
use holdfast_engine::tree::Outboard;
use holdfast_partition::io::AlignedBuffer;
use holdfast_service::workers::ExchangeSettings;
use holdfast_service::workers::worker::WorkerError;

use crate::partition::{WINDOWS, registration};
use crate::scene::{K, LAYERS, Scene, assert_as_by_the_processor, fill_with, processor};

/// A device that makes layers as it likes, answers from them, and sends bytes as it likes.
#[derive(Debug)]
pub(crate) struct Liar {
    cheat: fn(u8, &mut Vec<u8>),
    spoil: fn(&mut [u8]),
    /// The key that it uses instead of that of the order.
    key: Option<[u8; 32]>,
    /// It shows labels so many places from those that it was asked for.
    shift: u32,
    /// Parts handed over.
    pub(crate) parts: AtomicU64,
}

impl Liar {
    pub(crate) fn new(cheat: fn(u8, &mut Vec<u8>), spoil: fn(&mut [u8])) -> Liar {
        Liar { cheat, spoil, key: None, shift: 0, parts: AtomicU64::new(0) }
    }

    fn layers(&self, shape: WindowShape, key: &[u8; 32]) -> Vec<Vec<u8>> {
        let mut layers: Vec<Vec<u8>> = Vec::new();
        for number in 1..=shape.layers() {
            let layer = Layer::derive(key, number.into(), shape.log2_labels());
            let mut bytes = match layers.last() {
                None => reference::first_layer(&layer),
                Some(previous) => reference::next_layer(&layer, previous),
            };
            (self.cheat)(number, &mut bytes);
            layers.push(bytes);
        }
        layers
    }
}

impl Accelerator for Liar {
    fn id(&self) -> &str {
        "liar"
    }
    fn session(&self) -> u64 {
        1
    }
    fn window_slots(&self, _: WindowShape) -> Result<usize, String> {
        Ok(1)
    }
    fn make_window(
        &self,
        shape: WindowShape,
        window_key: &[u8; 32],
        target: &dyn WindowTarget,
    ) -> Result<MadeWindow, Interruption> {
        let layers = self.layers(shape, &self.key.unwrap_or(*window_key));
        let outboards: Vec<_> = layers.iter().map(|layer| Outboard::of(layer)).collect();
        let examiner = target.examiner().expect("workers are examined");
        for (number, outboard) in (1..).zip(&outboards) {
            let mut open = |nodes: &[SealNode]| {
                let open = |node: &SealNode| {
                    let layer = usize::from(node.layer) - 1;
                    let chunk = (node.chunk() + u64::from(self.shift)) % shape.chunks();
                    outboards[layer].open(&layers[layer], chunk)
                };
                Ok(nodes.iter().map(open).collect::<Vec<_>>().concat())
            };
            answer_examiner(examiner, (shape, window_key), (number, &outboard.root()), &mut open)?;
        }
        let (last, outboard) = layers.last().zip(outboards.last()).expect("two layers at least");
        for (tile, bytes) in last.chunks(TILE_BYTES).enumerate() {
            let mut buffer: AlignedBuffer = target.take(bytes.len()).ok_or(Interruption::Stopped)?;
            buffer.copy_from_slice(bytes);
            (self.spoil)(&mut buffer);
            target.put((tile * TILE_BYTES) as u64, buffer);
            self.parts.fetch_add(1, Ordering::Relaxed);
        }
        let layer_roots = outboards.iter().map(Outboard::root).collect();
        Ok(MadeWindow { layer_roots, outboard: outboard.clone() })
    }
    fn commit_slots(&self) -> Result<CommitSlots, String> {
        Err("it only makes windows".into())
    }
    fn commit(&self, _: &[&[u8]], _: &[Fr]) -> Result<Vec<G1Projective>, Fault> {
        Err(Fault::Refused { message: "it only makes windows".into() })
    }
    fn taint(&self, _: u64, _: Fault) {}
    fn recover(&self, _: &dyn Fn() -> bool) -> bool {
        true
    }
    fn report(&self) -> AcceleratorReport {
        AcceleratorReport::default()
    }
}

/// Every twentieth label of a layer.
fn five_percent(bytes: &mut [u8]) {
    bytes.chunks_mut(32).step_by(20).for_each(|label| label[31] ^= 0x80);
}

/// Each is found, named by its class, and its worker dismissed in all its slots; the fill ends with the right bytes.
#[test]
fn every_lie_is_found_and_its_worker_dismissed() {
    let honest = |_: u8, _: &mut Vec<u8>| ();
    let plain = Liar::new(honest, |_| ());
    let lies = [
        ("a wrong bit in the bytes", "wrong-root", Liar::new(honest, |bytes| bytes[70_000] ^= 1)),
        (
            "labels of the first layer that follow from nothing",
            "wrong-label",
            Liar::new(
                |layer, bytes| {
                    if layer == 1 {
                        five_percent(bytes)
                    }
                },
                |_| (),
            ),
        ),
        (
            "labels of the last layer that follow from nothing, with their own tree",
            "wrong-label",
            Liar::new(
                |layer, bytes| {
                    if layer == LAYERS {
                        five_percent(bytes)
                    }
                },
                |_| (),
            ),
        ),
        ("all zeros, with their own tree", "wrong-label", Liar::new(|_, bytes| bytes.fill(0), |_| ())),
        ("another window", "wrong-label", Liar { key: Some([9; 32]), ..Liar::new(honest, |_| ()) }),
        ("other labels than those asked for", "wrong-root", Liar { shift: 5, ..plain }),
    ];
    for (what, class, liar) in lies {
        let scene = Scene::new(ExchangeSettings::default());
        let liar: Arc<dyn Accelerator> = Arc::new(liar);
        let lying = scene.worker("liar", vec![Arc::clone(&liar), liar]);
        scene.await_slots("liar", 2);
        let registration = registration(K, LAYERS);
        let filled = std::thread::scope(|threads| {
            let fill = threads.spawn(|| fill_with(&registration, scene.devices()));
            let (_, ended) = scene.ended(lying);
            match ended.expect_err("it is sent away") {
                WorkerError::Refused { class: found, .. } => assert_eq!(found, Some(class), "{what}"),
                other => panic!("{what}: {other:?}"),
            }
            // What the liar did not get to is made by somebody else.
            let good = scene.worker("good", vec![processor()]);
            let filled = fill.join().expect("no panic");
            scene.end(good).1.expect("told to stop");
            filled
        });
        assert_as_by_the_processor(&filled, &registration);
        assert_eq!(filled.report.windows_accelerated + filled.report.windows_redone, WINDOWS, "{what}");
        assert!((1..=2).contains(&filled.report.windows_redone), "{what}: {:?}", filled.report);
        let named =
            filled.notices.iter().any(|notice| notice.contains("worker liar") && notice.contains(class));
        assert!(named, "{what}: {:?}", filled.notices);
        let report = scene.report_of("liar").expect("is known");
        assert_eq!(report.dismissed_because.map(|why| why.class), Some(class), "{what}");
        assert_eq!(report.windows, 0, "{what}");
        // It does not come back under its name.
        let again = scene.worker("liar", vec![processor()]);
        let refused = scene.ended(again).1.expect_err("it was dismissed");
        assert!(refused.to_string().contains("was dismissed"), "{what}: {refused}");
    }
}

#[test]
fn honest_workers_keep_their_name_beside_liars() {
    let scene = Scene::new(ExchangeSettings::default());
    let good = scene.worker("good", vec![processor()]);
    let lying = scene.worker("liar", vec![Arc::new(Liar::new(|_, bytes| bytes.fill(7), |_| ()))]);
    scene.await_slots("good", 1);
    scene.await_slots("liar", 1);
    let registration = registration(K, LAYERS);
    let filled = fill_with(&registration, scene.devices());
    assert_as_by_the_processor(&filled, &registration);
    assert_eq!((filled.report.windows_accelerated, filled.report.windows_redone), (WINDOWS - 1, 1));
    assert_eq!(scene.report_of("good").expect("is known").dismissed_because, None);
    assert!(scene.ended(lying).1.is_err());
    scene.end(good).1.expect("told to stop");
}
