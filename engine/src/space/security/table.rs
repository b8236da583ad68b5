//! The estimate as plain text, for `holdfast plan`.

use std::fmt;

use super::Estimate;

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let window_mib = (1u64 << self.log2_labels) as f64 * 32.0 / 1_048_576.0;
        writeln!(f, "Windows of {window_mib} MiB (k = {}), {} layers", self.log2_labels, self.layers)?;
        writeln!(
            f,
            "{} samples of 1 KiB per TiB and round, deadline {:.1} s",
            self.samples_per_tib,
            f64::from(self.deadline_ms) / 1000.0
        )?;
        writeln!(
            f,
            "One missing sample drags in {:.3} of a window's work (compressions {:.3}, gathers {:.3})",
            self.share_per_sample, self.cone.compressions_share, self.cone.gathers_share
        )?;
        self.write_devices(f)?;
        self.write_strategies(f)?;
        self.write_detection(f)?;
        writeln!(f, "\nWhat this does not promise")?;
        self.limits.iter().try_for_each(|limit| writeln!(f, "  - {limit}"))
    }
}

impl Estimate {
    fn write_devices(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nDevices a cheater keeps ready for each TiB it claims and does not store")?;
        writeln!(
            f,
            "  {:<28} {:>10} {:>16} {:>22}",
            "device", "s/window", "devices/fake TiB", "fake TiB in an hour*"
        )?;
        for cost in &self.devices {
            writeln!(
                f,
                "  {:<28} {:>10.4} {:>16.2} {:>22.0}",
                cost.device.name,
                cost.window_seconds,
                cost.devices_per_fake_tib,
                cost.fake_tib_without_deadline
            )?;
        }
        writeln!(f, "  * one device, if there were no deadline")?;
        for cost in &self.devices {
            let device = &cost.device;
            let mark = if device.estimate { "estimate, not measured" } else { "measured" };
            writeln!(f, "  {}, {}, {mark}: {}", device.name, device.date, device.source)?;
        }
        Ok(())
    }

    fn write_strategies(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nWhat a cheater may do instead of storing (fastest device)")?;
        writeln!(
            f,
            "  {:<36} {:>8} {:>15} {:>17}",
            "strategy", "saved", "work per sample", "devices/fake TiB"
        )?;
        for cost in &self.strategies {
            let devices = cost
                .devices_per_fake_tib
                .map_or("saves nothing".to_owned(), |devices| format!("{devices:.2}"));
            writeln!(
                f,
                "  {:<36} {:>6.1} % {:>15.6} {devices:>17}",
                cost.strategy.to_string(),
                cost.saved_fraction * 100.0,
                cost.share_per_sample
            )?;
        }
        Ok(())
    }

    fn write_detection(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nWho lacks bytes and cannot recompute them in time is found (one TiB)")?;
        writeln!(f, "  {:>8} {:>12} {:>15}", "lacking", "each round", "99 % after")?;
        for row in &self.detection {
            let rounds =
                row.rounds_to_99_percent.map_or("never".to_owned(), |rounds| format!("{rounds} rounds"));
            let (lacking, found) = (row.lacking_fraction * 100.0, row.per_round * 100.0);
            writeln!(f, "  {lacking:>6.1} % {found:>10.2} % {rounds:>15}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The figures of decision 0005, as printed.
    #[test]
    fn shares_of_the_profiles() {
        let shares = [8, 12, 16, 32]
            .map(|layers| format!("{:.3}", Estimate::of(25, layers, 64, 5000).share_per_sample));
        assert_eq!(shares, ["0.037", "0.375", "0.541", "0.778"]);
    }

    #[test]
    fn text_names_figures_and_limits() {
        let text = Estimate::of(25, 16, 92, 5000).to_string();
        for part in ["Windows of 1024 MiB (k = 25), 16 layers", "drags in 0.541", "not measured", "60.33 %"]
            .into_iter()
            .chain(super::super::HONEST_LIMITS)
        {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    }

    #[test]
    fn json_has_the_same_figures() -> Result<(), serde_json::Error> {
        let estimate = Estimate::of(21, 12, 64, 5000);
        let json = serde_json::to_value(&estimate)?;
        assert_eq!(json["share_per_sample"].as_f64(), Some(estimate.share_per_sample));
        assert_eq!(json["strategies"][1]["strategy"]["kind"], "drop_scattered");
        Ok(())
    }
}
