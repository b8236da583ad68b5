//! What a cheater may do instead of storing, and what a fake TiB costs it.
//!
//! A strategy saves a fraction of the bytes of every window (or all bytes of a fraction of the windows, which costs the
//! same) and pays with recomputation for its samples. The cost is in devices of a given speed that must stand ready to
//! answer within the deadline, for each TiB that is claimed and not stored.

use serde::{Deserialize, Serialize};

use super::cone::{NODES_PER_CHUNK, expected_cone, expected_cone_through};

/// A way not to store.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Strategy {
    /// Whole windows, or whole chunks of every window, are not stored: only the samples that meet them cost.
    DropWhole,
    /// A fraction of the labels of every chunk is dropped: every sample costs.
    DropScattered {
        /// The fraction of a window's bytes that is saved.
        saved: f64,
    },
    /// Of the stored bytes' worth, labels of an intermediate layer are kept instead of the last one's.
    KeepLayer {
        /// The layer that is kept, 1 … ℓ − 1.
        layer: u8,
        /// The fraction of that layer that is not kept.
        saved: f64,
    },
}

/// What a strategy costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StrategyCost {
    /// The strategy.
    pub strategy: Strategy,
    /// Fraction of the claimed bytes that is not stored.
    pub saved_fraction: f64,
    /// Fraction of the samples that must be recomputed.
    pub costly_samples: f64,
    /// Share of a window's work for each of those.
    pub share_per_sample: f64,
    /// Devices that must stand ready for each fake TiB; none if nothing is saved.
    pub devices_per_fake_tib: Option<f64>,
}

/// What strategies are weighed against.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// k.
    pub log2_labels: u8,
    /// ℓ.
    pub layers: u8,
    /// q per claimed TiB.
    pub samples_per_tib: f64,
    /// t_w in seconds.
    pub window_seconds: f64,
    /// τ in seconds.
    pub deadline_seconds: f64,
}

impl Strategy {
    /// The strategies that tables show for windows of this many layers.
    pub fn examples(layers: u8) -> Vec<Strategy> {
        let one_label = 1.0 / f64::from(NODES_PER_CHUNK);
        let scattered = [one_label, 0.1, 0.25, 0.5].map(|saved| Strategy::DropScattered { saved });
        let kept =
            [(layers / 2, 0.0), (layers - 1, 0.0), (layers / 2, 0.1), (layers - 1, 0.1), (layers - 1, 0.5)]
                .map(|(layer, saved)| Strategy::KeepLayer { layer: layer.max(1), saved });
        [vec![Strategy::DropWhole], scattered.to_vec(), kept.to_vec()].concat()
    }

    /// What it costs.
    pub fn cost(self, setting: &Setting) -> StrategyCost {
        let (k, layers) = (setting.log2_labels, setting.layers);
        let chunk = f64::from(NODES_PER_CHUNK);
        let (saved_fraction, costly_samples, share) = match self {
            Strategy::DropWhole => (1.0, 1.0, expected_cone(k, layers, chunk).share()),
            Strategy::DropScattered { saved } => {
                // A sample with no dropped label costs nothing, so less than a label a chunk is fewer samples.
                let dropped = saved * chunk;
                (saved, dropped.min(1.0), expected_cone(k, layers, dropped.max(1.0)).share())
            }
            Strategy::KeepLayer { layer, saved } => {
                (saved, 1.0, expected_cone_through(k, layers, chunk, layer, saved).share())
            }
        };
        let seconds_per_tib = setting.samples_per_tib * costly_samples * share * setting.window_seconds;
        let devices = seconds_per_tib / setting.deadline_seconds / saved_fraction;
        StrategyCost {
            strategy: self,
            saved_fraction,
            costly_samples,
            share_per_sample: share,
            devices_per_fake_tib: (saved_fraction > 0.0).then_some(devices),
        }
    }
}

impl std::fmt::Display for Strategy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Strategy::DropWhole => write!(f, "drop whole windows or chunks"),
            Strategy::DropScattered { saved } => write!(f, "drop {:.1} % of every chunk", saved * 100.0),
            Strategy::KeepLayer { layer, saved } if *saved == 0.0 => {
                write!(f, "keep layer {layer} instead of the last")
            }
            Strategy::KeepLayer { layer, saved } => {
                write!(f, "keep {:.0} % of layer {layer} instead", (1.0 - saved) * 100.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTING: Setting = Setting {
        log2_labels: 25,
        layers: 16,
        samples_per_tib: 92.0,
        window_seconds: 0.15,
        deadline_seconds: 5.0,
    };

    #[test]
    fn dropping_whole_windows_costs_q_phi_t_over_tau() {
        let cost = Strategy::DropWhole.cost(&SETTING);
        let expected = 92.0 * cost.share_per_sample * 0.15 / 5.0;
        assert_eq!(cost.devices_per_fake_tib, Some(expected));
    }

    /// No strategy of the table is cheaper than dropping whole windows, which is what policies count with.
    #[test]
    fn dropping_whole_windows_is_the_cheapest() {
        for (log2_labels, layers) in [(21, 12), (25, 12), (25, 16), (25, 32), (21, 16), (30, 12)] {
            let setting = Setting { log2_labels, layers, ..SETTING };
            let whole = Strategy::DropWhole.cost(&setting).devices_per_fake_tib;
            for strategy in Strategy::examples(layers) {
                let cost = strategy.cost(&setting);
                assert!(
                    cost.devices_per_fake_tib.is_none_or(|devices| Some(devices * 1.0001) >= whole),
                    "{cost:?}"
                );
            }
        }
    }

    #[test]
    fn a_kept_layer_saves_no_byte() {
        let cost = Strategy::KeepLayer { layer: 15, saved: 0.0 }.cost(&SETTING);
        assert_eq!(cost.devices_per_fake_tib, None);
        // The 4 compressions of 32 labels, of the 61·2^25 of a window.
        assert_eq!(cost.share_per_sample, 128.0 / (61.0 * 33_554_432.0));
    }
}
