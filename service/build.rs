//! Compiles the .proto files without protoc, keeps their descriptors for the reflection service, and writes the canonical
//! encoding of every message that is signed.

#[path = "build/canonical.rs"]
mod canonical;

use std::env;
use std::error::Error;
use std::path::PathBuf;

use protox::prost::Message;

const FILES: [&str; 3] = ["holdfast/v1/types.proto", "holdfast/v1/node.proto", "holdfast/v1/engine.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    std::fs::write(out.join("canonical.rs"), canonical::generate(&descriptors)?)?;
    std::fs::write(out.join("holdfast_v1.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}
