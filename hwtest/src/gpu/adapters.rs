//! Which adapters there are, what their drivers grant, and in plain words what is missing.

use holdfast_engine::backend::gpu::adapter::{Adapter, absence};

use crate::report::{Figure, Outcome, Row, Section};

/// A row for each adapter and for each id that none has; a row that says why if there is none at all.
pub(crate) fn section(all: &[Adapter], unknown: &[&str]) -> Section {
    let mut rows: Vec<Row> = all.iter().map(row).collect();
    if all.is_empty() {
        rows.push(Row::absent("any adapter", none()));
    }
    let nobody = |id: &&str| Row {
        name: (*id).to_owned(),
        outcome: Outcome::Failed { why: "no adapter has this id; the ids are in this table".into() },
    };
    rows.extend(unknown.iter().map(nobody));
    Section { name: "graphics adapters".into(), rows }
}

fn row(adapter: &Adapter) -> Row {
    let Adapter { id, name, kind, driver, interface, .. } = adapter;
    let name = format!("{id}: {name}, {kind}, {interface}, driver {driver}");
    match &adapter.unused_because {
        Some(why) => Row::absent(name, format!("not used: {why}")),
        None => {
            let figures = adapter.limits().into_iter().map(|(name, value)| Figure::count(name, value, ""));
            Row { name, outcome: Outcome::Ran { figures: figures.collect() } }
        }
    }
}

fn none() -> String {
    let said = absence().unwrap_or_else(|| "none was listed, and one was found a moment later".into());
    format!(
        "{said}. A Vulkan adapter needs the loader, a driver and the driver's file (see the Vulkan rows above, and \
         \"What to bring\" in hwtest/README.md)"
    )
}
