//! How fast the fastest known devices compute windows: a dated table. New hardware means a new row, and a new policy.

use serde::{Deserialize, Serialize};

/// Bytes of a label: what a gather reads.
const LABEL_BYTES: f64 = 32.0;

/// What bounds a device that computes windows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceSpeed {
    /// Compressions per second when all operands are near.
    pub compressions_per_second: f64,
    /// Random 32-byte reads per second from memory.
    pub gathers_per_second: f64,
    /// Cache in bytes: a layer that fits in it is gathered at no cost (the cautious side).
    pub cache_bytes: f64,
}

impl DeviceSpeed {
    /// 4090 class: 0.28 s for k = 25, ℓ = 16.
    pub const CONSUMER_GPU: DeviceSpeed = DeviceSpeed {
        compressions_per_second: 20e9,
        gathers_per_second: 12.6e9,
        cache_bytes: 72.0 * 1_048_576.0,
    };
    /// HBM class: 0.15 s for k = 25, ℓ = 16.
    pub const DATACENTRE_GPU: DeviceSpeed = DeviceSpeed {
        compressions_per_second: 20e9,
        gathers_per_second: 23.5e9,
        cache_bytes: 64.0 * 1_048_576.0,
    };

    /// t_w in seconds for a window with 2^`log2_labels` labels and this many layers: the slower of computing and
    /// gathering, everything overlapped.
    pub fn window_seconds(&self, log2_labels: u8, layers: u8) -> f64 {
        let labels = (1u64 << log2_labels) as f64;
        let above = labels * (f64::from(layers) - 1.0);
        let compute = (labels + 4.0 * above) / self.compressions_per_second;
        let gather = if labels * LABEL_BYTES <= self.cache_bytes {
            0.0
        } else {
            7.0 * above / self.gathers_per_second
        };
        compute.max(gather)
    }
}

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Device {
    /// What it is.
    pub name: &'static str,
    /// When the figure was taken, ISO 8601 month.
    pub date: &'static str,
    /// Where the figure is from.
    pub source: &'static str,
    /// Nobody has measured it.
    pub estimate: bool,
    /// The figure.
    pub speed: DeviceSpeed,
}

/// The table.
pub const DEVICES: &[Device] = &[
    Device {
        name: "consumer GPU (4090 class)",
        date: "2026-11",
        source: "40 % of the 32-byte sector rate, half the integer peak",
        estimate: true,
        speed: DeviceSpeed::CONSUMER_GPU,
    },
    Device {
        name: "datacentre GPU (HBM class)",
        date: "2026-11",
        source: "20 % of the 32-byte sector rate, 90 % of the integer peak",
        estimate: true,
        speed: DeviceSpeed::DATACENTRE_GPU,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_say_what_the_design_says() {
        let seconds = |device: usize| DEVICES[device].speed.window_seconds(25, 16);
        assert!((seconds(0) - 0.28).abs() < 0.005);
        assert!((seconds(1) - 0.15).abs() < 0.005);
    }

    #[test]
    fn a_window_in_cache_is_bound_by_compressions_alone() {
        let labels = f64::from(1u32 << 21);
        assert_eq!(DeviceSpeed::DATACENTRE_GPU.window_seconds(21, 16), labels * 61.0 / 20e9);
        assert!(
            DeviceSpeed::DATACENTRE_GPU.window_seconds(22, 16)
                > 2.0 * DeviceSpeed::DATACENTRE_GPU.window_seconds(21, 16)
        );
    }
}
