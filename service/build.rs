//! Compiles the .proto files without protoc, and keeps their descriptors for the reflection service.

use std::env;
use std::error::Error;
use std::path::PathBuf;

const FILES: [&str; 1] = ["holdfast/v1/types.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    tonic_prost_build::configure()
        .bytes(".")
        .file_descriptor_set_path(out.join("holdfast_v1.bin"))
        .compile_fds(descriptors)?;
    Ok(())
}
