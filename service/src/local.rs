//! What commands and services do on this machine: directories, jobs, devices, and how outcomes are said to people.

pub mod allocation;
pub mod answering;
pub mod audits;
pub mod commit;
pub mod committing;
pub mod console;
pub mod devices;
pub mod disks;
pub mod failure;
pub mod files;
#[cfg(test)]
pub(crate) mod fixture;
pub mod gpus;
pub mod identity;
pub mod interrupt;
pub mod jobs;
pub mod judging;
pub mod machine;
pub mod medium;
pub mod moving;
pub mod objects;
pub mod progress;
pub mod recording;
pub mod settings;
pub mod side_by_side;
pub mod table;

/// A byte count such as `500GB` or `16MiB`, for argument parsers.
pub fn size(word: &str) -> Result<u64, String> {
    holdfast_partition::size::parse_bytes(word).map_err(|error| error.to_string())
}
