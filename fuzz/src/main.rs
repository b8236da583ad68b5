//! libFuzzer around all targets. `FUZZ_TARGET` names one; `FUZZ_SEEDS=FOLDER` writes every target's seeds to
//! `FOLDER/TARGET/` instead and ends. `FUZZ_TARGET=planted_fault` fails on four bytes that only a fuzzer with working
//! coverage finds. Use `run.sh`.

#![no_main]

use holdfast_fuzz::targets;
use libfuzzer_sys::fuzz_target;
use std::path::Path;
use std::sync::OnceLock;

static CHOSEN: OnceLock<fn(&[u8]) -> bool> = OnceLock::new();

fuzz_target!(
    init: {
        if let Some(folder) = std::env::var_os("FUZZ_SEEDS") {
            write_seeds(folder.as_ref()).expect("writable seed folder");
            std::process::exit(0);
        }
        let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
        let named = targets().find(|target| target.name == name).map(|target| target.run);
        let planted = (name == "planted_fault").then_some(planted_fault as fn(&[u8]) -> bool);
        CHOSEN.get_or_init(|| named.or(planted).expect("FUZZ_TARGET names a target"));
    },
    |bytes: &[u8]| {
        let _accepted = CHOSEN.get().is_some_and(|run| run(bytes));
    }
);

fn planted_fault(bytes: &[u8]) -> bool {
    // A comparison of words: one of byte strings would be a call, which the coverage pass does not see into.
    let word = bytes.first_chunk().map(|word| u32::from_le_bytes(*word));
    assert!(word != Some(0x3158_4648), "the planted fault");
    true
}

fn write_seeds(folder: &Path) -> std::io::Result<()> {
    for target in targets() {
        let folder = folder.join(target.name);
        std::fs::create_dir_all(&folder)?;
        for (i, seed) in (target.seeds)().into_iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{i}")), seed)?;
        }
    }
    Ok(())
}
