//! Tables of multiples: what they refuse, and the file that keeps them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use holdfast_engine::backend::{Choice, select};
use holdfast_engine::curve::{Fr, G1Affine, Table, TableError};
use holdfast_engine::reference;

use crate::points::{bases, scalar, torsion};

const WIDTH_BITS: u32 = 5;

/// The table computes what its bases say.
fn works(table: &Table, bases: &[G1Affine]) -> bool {
    let scalars: Vec<Fr> = (0..bases.len() as u64).map(scalar).collect();
    let portable = select(Choice::Portable).expect("always present");
    portable.fixed_base(table, &scalars) == reference::linear_combination(bases, &scalars)
}

fn open(path: &Path, bases: &[G1Affine]) -> Table {
    let table = Table::open_or_build(path, bases, WIDTH_BITS).expect("writable");
    assert!(works(&table, bases));
    table
}

/// A directory with a table in it, and its file.
fn kept(bases: &[G1Affine]) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("table");
    open(&path, bases);
    (directory, path)
}

#[test]
fn memory_is_what_the_documentation_says() {
    let table = Table::build(&bases(3), WIDTH_BITS).expect("bases of G1");
    assert_eq!(table.bytes(), 3 * 16 * 96);
    assert_eq!((table.base_count(), table.width_bits()), (3, WIDTH_BITS));
    assert_eq!(table.additions_per_block(), 2 * 50);
}

#[test]
fn a_kept_table_is_read_and_not_written_again() {
    let bases = bases(3);
    let (directory, path) = kept(&bases);
    let written = fs::read(&path).expect("a file");
    // Replacing the file would change its inode.
    let inode = || fs::metadata(&path).expect("a file").ino();
    let before = inode();
    open(&path, &bases);
    assert_eq!(inode(), before);
    assert_eq!(fs::read(&path).expect("a file"), written);
    assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 1, "no temporary file is left");
}

/// Every byte counts: the entries, every field of the header and its zeros.
#[test]
fn a_damaged_file_is_rebuilt() {
    let bases = bases(2);
    let (_directory, path) = kept(&bases);
    let whole = fs::read(&path).expect("a file");
    let damaged = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let positions = (0..128).chain([128, 128 + 95, whole.len() - 1]);
    let cut = [0, 1, 127, 128, whole.len() - 1].map(|length| whole[..length].to_vec());
    let longer = [whole.as_slice(), &[0]].concat();
    for bytes in positions.map(damaged).chain(cut).chain([longer]) {
        fs::write(&path, &bytes).expect("writable");
        open(&path, &bases);
        assert_eq!(fs::read(&path).expect("a file"), whole);
    }
}

#[test]
fn a_table_of_other_bases_or_another_width_is_rebuilt() {
    let (_directory, path) = kept(&bases(3));
    let others: Vec<G1Affine> = bases(4)[1..].to_vec();
    open(&path, &others);
    // The same bases in another order, and one less.
    let swapped = [others[1], others[0], others[2]];
    open(&path, &swapped);
    open(&path, &swapped[..2]);
    let wider = Table::open_or_build(&path, &swapped, WIDTH_BITS + 1).expect("writable");
    assert!(wider.width_bits() == WIDTH_BITS + 1 && works(&wider, &swapped));
}

#[test]
fn a_file_that_cannot_be_written_is_an_error() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("nowhere").join("table");
    let result = Table::open_or_build(&path, &bases(2), WIDTH_BITS);
    assert!(matches!(result, Err(TableError::Write { .. })), "{result:?}");
}

#[test]
fn wrong_bases_and_widths_are_refused() {
    let good = bases(2);
    for wrong in [G1Affine::identity(), torsion(3, 0), (good[0] + torsion(11, 0)).into()] {
        let result = Table::build(&[good[0], wrong, good[1]], WIDTH_BITS);
        assert!(matches!(result, Err(TableError::Base { index: 1 })), "{result:?}");
    }
    for width_bits in [0, 1, 17, u32::MAX] {
        let result = Table::build(&good, width_bits);
        assert!(matches!(result, Err(TableError::Width { .. })), "{result:?}");
    }
}
