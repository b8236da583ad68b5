//! What the types cannot say: fields that must agree, paths that must stay in the directory.

use std::collections::HashSet;
use std::fmt::Display;
use std::path::{Component, Path};

use super::{MANIFEST_VERSION, Manifest, ManifestError, Partition, Registration, Space};
use crate::format::{FORMAT_VERSION, FormatError, Geometry, REGISTRATION_BYTES};
use crate::size::format_bytes;

const DIGEST_BYTES: usize = 32;

impl Manifest {
    /// Refuses a manifest that contradicts itself or names files outside its directory.
    ///
    /// # Errors
    /// [`ManifestError::Field`] for the first field that is wrong.
    pub fn check(&self) -> Result<(), ManifestError> {
        equal("version", self.version, MANIFEST_VERSION)?;
        equal("partition_file_version", self.partition_file_version, FORMAT_VERSION)?;
        check_space(&self.space)?;
        let geometry = Geometry::new(self.window.k, self.window.layers, 1)
            .map_err(|error: FormatError| wrong("window", "a shape that exists", error))?;
        equal("window.window_bytes", self.window.window_bytes, geometry.window_bytes())?;
        let mut paths = HashSet::new();
        for (place, partition) in (0_u64..).zip(&self.partitions) {
            let field = |name: &str| format!("partitions[{place}].{name}");
            equal(&field("index"), partition.index, place)?;
            equal(&field("owner"), &partition.owner, &self.miner.hotkey)?;
            if !paths.insert(partition.path.as_str()) {
                return Err(wrong(&field("path"), "a file of its own", &partition.path));
            }
            check_partition(partition, (self.window.k, self.window.layers), &field)?;
        }
        Ok(())
    }
}

fn check_space(space: &Space) -> Result<(), ManifestError> {
    equal("space.available", space.available.as_str(), &format_bytes(space.available_bytes))?;
    equal("space.threshold", space.threshold.as_str(), &format_bytes(space.threshold_bytes))
}

fn check_partition(
    partition: &Partition,
    (k, layers): (u8, u8),
    field: &dyn Fn(&str) -> String,
) -> Result<(), ManifestError> {
    let mut components = Path::new(&partition.path).components();
    let plain_name = matches!((components.next(), components.next()), (Some(Component::Normal(_)), None));
    if !plain_name || partition.path.contains(['/', '\\']) {
        return Err(wrong(&field("path"), "a file name in the manifest's directory", &partition.path));
    }
    let geometry = Geometry::new(k, layers, partition.window_cap)
        .map_err(|error| wrong(&field("window_cap"), "a cap that fits into a file", error))?;
    let size_bytes = geometry
        .allocated_bytes(partition.windows)
        .ok_or_else(|| wrong(&field("windows"), "at most window_cap", partition.windows))?;
    equal(&field("size_bytes"), partition.size_bytes, size_bytes)?;
    equal(&field("size"), partition.size.as_str(), &format_bytes(partition.size_bytes))?;
    match &partition.registration {
        Some(registration) => check_registration(registration, &geometry, field),
        None => Ok(()),
    }
}

fn check_registration(
    registration: &Registration,
    geometry: &Geometry,
    field: &dyn Fn(&str) -> String,
) -> Result<(), ManifestError> {
    let _: [u8; DIGEST_BYTES] = digits(&registration.beacon, &field("registration.beacon"))?;
    let _: [u8; DIGEST_BYTES] = digits(&registration.digest, &field("registration.digest"))?;
    let name = field("registration.bytes");
    let bytes: [u8; REGISTRATION_BYTES] = digits(&registration.bytes, &name)?;
    match Geometry::of_registration(&bytes) {
        Ok(found) if found == *geometry => Ok(()),
        _ => Err(wrong(&name, "the manifest's k, layers and window_cap", &registration.bytes)),
    }
}

impl Registration {
    /// The registration as it stands in the partition file's header.
    ///
    /// # Errors
    /// [`ManifestError::Field`] if it is not 336 hexadecimal digits.
    pub fn decode(&self) -> Result<[u8; REGISTRATION_BYTES], ManifestError> {
        digits(&self.bytes, "registration.bytes")
    }
}

fn digits<const N: usize>(text: &str, field: &str) -> Result<[u8; N], ManifestError> {
    let mut bytes = [0; N];
    match hex::decode_to_slice(text, &mut bytes) {
        Ok(()) => Ok(bytes),
        Err(_) => Err(wrong(field, format!("{} hexadecimal digits", 2 * N), text)),
    }
}

fn equal<T: PartialEq + Display>(field: &str, found: T, expected: T) -> Result<(), ManifestError> {
    if found == expected { Ok(()) } else { Err(wrong(field, expected, found)) }
}

fn wrong(field: &str, expected: impl Display, found: impl Display) -> ManifestError {
    ManifestError::Field { field: field.to_owned(), expected: expected.to_string(), found: found.to_string() }
}
