use std::path::Path;

use super::*;

const GUIDE: &str = "docs/guide/metrics.md";
const BEGIN: &str = "<!-- generated: metrics -->\n";
const END: &str = "<!-- end of metrics -->";

#[test]
fn the_guide_lists_every_metric() {
    let mut table = "| name | type | kept by | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for Declared { name, kind, kept_by, meaning } in DECLARED {
        table.push_str(&format!("| `{PREFIX}_{name}` | {kind} | {kept_by} | {meaning} |\n"));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(GUIDE);
    let guide = std::fs::read_to_string(&path).expect("the guide");
    let (before, rest) = guide.split_once(BEGIN).expect("a generated part");
    let (found, after) = rest.split_once(END).expect("its end");
    if found != table && std::env::var_os("HOLDFAST_BLESS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}")).expect("written");
    } else {
        assert_eq!(found, table, "HOLDFAST_BLESS=1 writes {GUIDE} anew");
    }
}

#[test]
fn names_and_units_follow_the_conventions_of_prometheus() {
    let metrics = Metrics::new();
    metrics.calls.get_or_create(&CallLabels { method: "holdfast.v1.Miner/Ping", code: "ok" }).inc();
    metrics.note_round("space", Outcome::Rejected);
    metrics.note_round("space", Outcome::Rejected);
    metrics.verify_seconds.observe(0.01);
    let text = metrics.text();
    for line in [
        "holdfast_calls_total{method=\"holdfast.v1.Miner/Ping\",code=\"ok\"} 1",
        "holdfast_rounds_total{kind=\"space\",outcome=\"rejected\"} 2",
        "holdfast_verify_seconds_count 1",
        "# TYPE holdfast_object_bytes gauge",
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in:\n{text}");
    }
    for Declared { name, .. } in DECLARED {
        // The format appends _total to counters itself; a name that has it would have it twice.
        assert!(!name.ends_with("_total") && !name.ends_with("_ms"), "{name}");
    }
}
