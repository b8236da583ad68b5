//! The generated text under golden test: whoever changes a piece or a generator sees in the diff what a device will get.
//! Default variants as text, the others by digest. `HOLDFAST_BLESS=1 cargo test -p holdfast-shaders` writes all anew.

use crate::variants;
use holdfast_shaders::registry::KERNELS;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const DIGESTS: &str = "digests.txt";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// What the folder should hold: file name to text.
fn golden() -> BTreeMap<String, String> {
    let line = |name: String, wgsl: &str| format!("{} {name}\n", blake3::hash(wgsl.as_bytes()));
    let others = variants().filter(|(kernel, variant)| kernel.variants[0].name != variant.name);
    let digests =
        others.map(|(kernel, variant)| line(format!("{}.{}", kernel.name, variant.name), variant.wgsl));
    let defaults = KERNELS.iter().map(|k| (format!("{}.wgsl", k.name), k.variants[0].wgsl.to_owned()));
    defaults.chain([(DIGESTS.to_owned(), digests.collect())]).collect()
}

/// What it holds.
fn found() -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder()).expect("shaders/golden");
    let paths = entries.map(|entry| entry.expect("a readable entry").path());
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    paths.map(|path| (name(&path), fs::read_to_string(&path).expect("a readable file"))).collect()
}

#[test]
fn generated_text_is_the_golden_text() {
    let golden = golden();
    if std::env::var_os("HOLDFAST_BLESS").is_some() {
        found().keys().for_each(|name| fs::remove_file(folder().join(name)).unwrap());
        golden.iter().for_each(|(name, text)| fs::write(folder().join(name), text).unwrap());
    }
    let found = found();
    let differing: Vec<_> = golden.iter().filter(|&(name, text)| found.get(name) != Some(text)).collect();
    let differing: Vec<_> = differing.into_iter().map(|(name, _)| name).collect();
    assert!(
        differing.is_empty(),
        "{differing:?}: HOLDFAST_BLESS=1 cargo test -p holdfast-shaders writes them anew"
    );
    assert!(found.keys().eq(golden.keys()), "shaders/golden holds files of kernels that there are not");
}
