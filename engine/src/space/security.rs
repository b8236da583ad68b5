//! The security estimate: what a fake TiB costs, and what is honestly not promised (space-v1 §9, decision 0005).
//!
//! Everything here is computed with additions, multiplications and divisions only, in a fixed order, so printed figures
//! are the same on every machine.

use serde::Serialize;

mod cone;
mod detection;
mod devices;
mod inverse;
mod strategy;
mod table;

pub use cone::{
    COMPRESSIONS_PER_LABEL, ConeEstimate, NODES_PER_CHUNK, cone, cone_of_window, expected_cone,
    expected_cone_through,
};
pub use detection::{Detection, LACKING_FRACTIONS};
pub use devices::{DEVICES, Device, DeviceSpeed};
pub use inverse::InverseEdges;
pub use strategy::{Setting, Strategy, StrategyCost};

/// Bytes of a TiB.
pub const TIB_BYTES: f64 = 1_099_511_627_776.0;

/// What no parameter changes, in plain words. `plan` prints them below its tables.
pub const HONEST_LIMITS: [&str; 6] = [
    "Security is economic: faking must cost more than storing. Nothing here is impossible, only dear.",
    "Proven (by pebbling arguments) only far from full storage; near it the figures are heuristic.",
    "Without the deadline one GPU fakes hundreds or thousands of TiB: late answers must count as missed.",
    "A cheater may rent or share devices, or fetch the bytes elsewhere within the deadline; that is not prevented.",
    "A shared device works only while audits last: each fake TiB and round takes devices × deadline of its time.",
    "Faster hardware lowers every figure: the device table is dated, and the policy must follow it.",
];

/// One device against the setting.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeviceCost {
    /// The device.
    pub device: Device,
    /// t_w in seconds.
    pub window_seconds: f64,
    /// `q·φ·t_w/τ`: devices that must stand ready for each fake TiB.
    pub devices_per_fake_tib: f64,
    /// TiB that one device fakes if answers may take an hour.
    pub fake_tib_without_deadline: f64,
}

/// All figures of one choice of k, ℓ, q and τ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// k.
    pub log2_labels: u8,
    /// ℓ.
    pub layers: u8,
    /// q per claimed TiB.
    pub samples_per_tib: u32,
    /// τ.
    pub deadline_ms: u32,
    /// The cone of one missing chunk of 1 KiB.
    pub cone: ConeEstimate,
    /// φ: the smaller of the cone's shares.
    pub share_per_sample: f64,
    /// By device.
    pub devices: Vec<DeviceCost>,
    /// By what the cheater does, on the fastest device of the table.
    pub strategies: Vec<StrategyCost>,
    /// By lacking fraction, of one TiB.
    pub detection: Vec<Detection>,
    /// What no parameter changes.
    pub limits: [&'static str; 6],
}

impl Estimate {
    /// The figures for windows of 2^`log2_labels` labels and `layers` layers (space-v1 §1), q samples per TiB and a
    /// deadline, against the devices of [`DEVICES`].
    pub fn of(log2_labels: u8, layers: u8, samples_per_tib: u32, deadline_ms: u32) -> Estimate {
        let cone = expected_cone(log2_labels, layers, f64::from(NODES_PER_CHUNK));
        let share_per_sample = cone.share();
        let setting = |window_seconds| Setting {
            log2_labels,
            layers,
            samples_per_tib: f64::from(samples_per_tib),
            window_seconds,
            deadline_seconds: f64::from(deadline_ms) / 1000.0,
        };
        let devices: Vec<DeviceCost> = DEVICES
            .iter()
            .map(|&device| {
                let window_seconds = device.speed.window_seconds(log2_labels, layers);
                let busy_seconds = f64::from(samples_per_tib) * share_per_sample * window_seconds;
                DeviceCost {
                    device,
                    window_seconds,
                    devices_per_fake_tib: busy_seconds / setting(window_seconds).deadline_seconds,
                    fake_tib_without_deadline: 3600.0 / busy_seconds,
                }
            })
            .collect();
        let fastest = devices.iter().map(|cost| cost.window_seconds).fold(f64::INFINITY, f64::min);
        let strategies =
            Strategy::examples(layers).into_iter().map(|strategy| strategy.cost(&setting(fastest)));
        Estimate {
            log2_labels,
            layers,
            samples_per_tib,
            deadline_ms,
            share_per_sample,
            strategies: strategies.collect(),
            detection: LACKING_FRACTIONS.map(|fraction| Detection::of(fraction, samples_per_tib)).to_vec(),
            limits: HONEST_LIMITS,
            cone,
            devices,
        }
    }
}
