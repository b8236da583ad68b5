//! libFuzzer around all targets. `FUZZ_TARGET` names one; `FUZZ_SEEDS=FOLDER` writes every target's seeds to
//! `FOLDER/TARGET/` instead and ends. Use `run.sh`.

#![no_main]

use holdfast_fuzz::TARGETS;
use libfuzzer_sys::fuzz_target;
use std::path::Path;
use std::sync::OnceLock;

static CHOSEN: OnceLock<fn(&[u8])> = OnceLock::new();

fuzz_target!(
    init: {
        if let Some(folder) = std::env::var_os("FUZZ_SEEDS") {
            write_seeds(folder.as_ref()).expect("writable seed folder");
            std::process::exit(0);
        }
        let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
        let target = TARGETS.iter().find(|target| target.name == name).expect("FUZZ_TARGET names a target");
        CHOSEN.get_or_init(|| target.run);
    },
    |bytes: &[u8]| if let Some(run) = CHOSEN.get() { run(bytes) }
);

fn write_seeds(folder: &Path) -> std::io::Result<()> {
    for target in TARGETS {
        let folder = folder.join(target.name);
        std::fs::create_dir_all(&folder)?;
        for (i, seed) in (target.seeds)().into_iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{i}")), seed)?;
        }
    }
    Ok(())
}
