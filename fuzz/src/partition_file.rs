//! Pages of the partition file: what is accepted is canonical. Their checksums are made right first, since no fuzzer
//! would find one; the fuzzer's bytes are the front of a page, the rest is zero.

use holdfast_partition::format::{
    Event, Header, JournalPage, Page, REGISTRATION_BYTES, RawHeader, Seal, StoredState, Structure, TablePage,
    WindowEntry,
};
use holdfast_tests::partition::{registration, shape};
use std::sync::Arc;

const LAYERS: u8 = 3;
const HEADER_CHECKSUM: &str = "holdfast v1 partition header checksum";
const TABLE_CHECKSUM: &str = "holdfast v1 partition table checksum";
const JOURNAL_CHECKSUM: &str = "holdfast v1 partition journal checksum";

fn page(bytes: &[u8], checksum: &str) -> Page {
    let mut page = [0; 4096];
    let length = bytes.len().min(4064);
    page[..length].copy_from_slice(&bytes[..length]);
    let digest = blake3::derive_key(checksum, &page[..4064]);
    page[4064..].copy_from_slice(&digest);
    page
}

/// A seed: a page that is what [`page`] makes of its own front.
fn seed(encoded: &Page, checksum: &str) -> Vec<u8> {
    assert_eq!(page(encoded, checksum), *encoded, "another checksum than the format's");
    encoded[..4064].to_vec()
}

/// What was accepted is what would have been written.
fn same(encoded: &Page, page: &Page) -> bool {
    assert_eq!(encoded, page);
    true
}

pub(crate) fn header(bytes: &[u8]) -> bool {
    let page = page(bytes, HEADER_CHECKSUM);
    let checked = RawHeader::new(&page, Structure::HeaderA, 0).check();
    checked.is_ok_and(|header| same(&header.encode(), &page))
}

pub(crate) fn header_seeds() -> Vec<Vec<u8>> {
    let bytes: [u8; REGISTRATION_BYTES] = registration(shape(12, LAYERS), 5).encode();
    let header = Header::first(bytes).expect("a registration within the ranges");
    vec![seed(&header.encode(), HEADER_CHECKSUM)]
}

/// The window index and first sequence that the page itself states, so that only the rest can be wrong.
pub(crate) fn table_page(bytes: &[u8]) -> bool {
    let page = page(bytes, TABLE_CHECKSUM);
    let word = |at: usize| page[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
    let decoded = TablePage::decode(&page, 0, LAYERS, word(16), word(8));
    decoded.is_ok_and(|decoded| same(&decoded.encode(), &page))
}

pub(crate) fn table_page_seeds() -> Vec<Vec<u8>> {
    let page = |entry| TablePage { index: 4, first_sequence: 11, entry };
    entries().map(|entry| seed(&page(entry).encode(), TABLE_CHECKSUM)).into()
}

pub(crate) fn journal_page(bytes: &[u8]) -> bool {
    let page = page(bytes, JOURNAL_CHECKSUM);
    let decoded = JournalPage::decode(&page, 0, LAYERS);
    decoded.is_ok_and(|decoded| same(&decoded.encode(), &page))
}

pub(crate) fn journal_page_seeds() -> Vec<Vec<u8>> {
    let windows = entries().map(|entry| Event::Window { index: 4, entry });
    let events = windows.into_iter().chain([Event::Resize { windows: 9 }, Event::Scrub { next: 3 }]);
    events.map(|event| seed(&JournalPage { sequence: 77, event }.encode(), JOURNAL_CHECKSUM)).collect()
}

fn entries() -> [WindowEntry; 3] {
    let layer_roots = vec![[1; 32], [2; 32], [3; 32]];
    let seal = Some(Arc::new(Seal { record: [5; 1024], layer_roots }));
    [
        WindowEntry::EMPTY,
        WindowEntry { state: StoredState::Sealed, seal: seal.clone() },
        WindowEntry { state: StoredState::Bad, seal },
    ]
}
