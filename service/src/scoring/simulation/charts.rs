//! Charts of a simulation, as SVG.

use plotters::prelude::*;

use super::report::{Sample, SimulationReport};

const SIZE: (u32, u32) = (1280, 720);

/// A chart that cannot be drawn.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw a chart: {0}")]
pub struct ChartError(String);

impl SimulationReport {
    /// Each miner's tier over time.
    ///
    /// # Errors
    /// [`ChartError`]
    pub fn tier_chart(&self) -> Result<String, ChartError> {
        let highest = self.tiers.len().saturating_sub(1).max(1) as f64;
        // Lines of miners in one tier lie beside each other, not on each other.
        let apart = 0.5 / self.miners.len().max(1) as f64;
        let value = |place: usize, sample: &Sample| sample.tier as f64 + place as f64 * apart - 0.25;
        let label = |tier: &f64| {
            let near = self.tiers.iter().enumerate().find(|(place, _)| (*place as f64 - tier).abs() < 0.01);
            near.map_or(String::new(), |(_, name)| name.clone())
        };
        self.chart("Tier", (-0.5, highest + 0.5), self.tiers.len(), label, value)
    }

    /// Each miner's share of weight over time.
    ///
    /// # Errors
    /// [`ChartError`]
    pub fn weight_chart(&self) -> Result<String, ChartError> {
        let shares = self.miners.iter().flat_map(|miner| &miner.samples).map(|sample| sample.share);
        let highest = shares.fold(0.01, f64::max) * 1.05;
        let label = |share: &f64| format!("{:.1} %", share * 100.0);
        self.chart("Share of weight", (0.0, highest), 10, label, |_, sample| sample.share)
    }

    fn chart(
        &self,
        title: &str,
        (lowest, highest): (f64, f64),
        labels: usize,
        label: impl Fn(&f64) -> String,
        value: impl Fn(usize, &Sample) -> f64,
    ) -> Result<String, ChartError> {
        let failed = |error: &dyn std::fmt::Display| ChartError(error.to_string());
        let days = self.miners.iter().flat_map(|miner| &miner.samples).map(|sample| sample.day);
        let (first, last) =
            days.fold((f64::MAX, 0.0_f64), |(first, last), day| (first.min(day), last.max(day)));
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
            area.fill(&WHITE).map_err(|error| failed(&error))?;
            let (plot, legend) = area.split_horizontally(SIZE.0 - 260);
            let mut chart = ChartBuilder::on(&plot)
                .caption(title, ("sans-serif", 24))
                .margin(12)
                .x_label_area_size(40)
                .y_label_area_size(110)
                .build_cartesian_2d(first.min(last)..last.max(first.min(last) + 0.01), lowest..highest)
                .map_err(|error| failed(&error))?;
            chart
                .configure_mesh()
                .x_desc("days")
                .y_labels(labels)
                .y_label_formatter(&label)
                .light_line_style(WHITE)
                .draw()
                .map_err(|error| failed(&error))?;
            for (place, miner) in self.miners.iter().enumerate() {
                let style = Palette99::pick(place).stroke_width(2);
                let points = miner.samples.iter().map(|sample| (sample.day, value(place, sample)));
                chart.draw_series(LineSeries::new(points, style)).map_err(|error| failed(&error))?;
                // Beside the chart, since there are more lines than a legend within it has room for.
                let y = 50 + 22 * i32::try_from(place).unwrap_or(i32::MAX / 44);
                let line = PathElement::new(vec![(0, y), (24, y)], style);
                legend.draw(&line).map_err(|error| failed(&error))?;
                let text = Text::new(miner.name.clone(), (32, y - 7), ("sans-serif", 14));
                legend.draw(&text).map_err(|error| failed(&error))?;
            }
            area.present().map_err(|error| failed(&error))?;
        }
        Ok(svg)
    }
}
