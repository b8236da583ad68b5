//! Checking an outboard page against the root. After it, the values of its blocks are as good as the root itself.

use super::layout::{PATH_AT, blocks_of, path_of};
use super::{ChainingValue, Page, level_above, page_count, parent_value, root_over, root_value};
use crate::rejection::{Class, Rejection};

/// Checks page `number` of the outboard of the string of `length` bytes with this root, and returns the values of the blocks
/// under it.
///
/// Refused: `malformed` (no such page, or a zero field that is not zero), `wrong-root`.
pub fn verify_page<'a>(
    page: &'a Page,
    number: u64,
    length: u64,
    expected: &[u8; 32],
) -> Result<&'a [ChainingValue], Rejection> {
    let pages = page_count(length);
    if number >= pages {
        return Err(Class::Malformed.because(format!("page {number} of an outboard of {pages} pages")));
    }
    let (blocks, path) = (blocks_of(page, number, length), path_of(page, number, length));
    let (values, _) = page.as_chunks::<32>();
    let mut unused = values[blocks.len()..PATH_AT].iter().chain(&values[PATH_AT + path.len()..]);
    if unused.any(|value| *value != [0; 32]) {
        return Err(Class::Malformed.because(format!("a zero field of outboard page {number} is not zero")));
    }
    if root_of(blocks, path, number, pages) != *expected {
        return Err(Class::WrongRoot.because(format!("outboard page {number} is not under the root")));
    }
    Ok(blocks)
}

/// The root that the blocks under page `number` of `pages` and the siblings above them lead to.
fn root_of(blocks: &[ChainingValue], path: &[ChainingValue], number: u64, pages: u64) -> [u8; 32] {
    let mut level = blocks.to_vec();
    while level.len() > 2 {
        level = level_above(&level);
    }
    match (level.as_slice(), path) {
        // The only page: its top is the root.
        ([left, right], []) => root_value(left, right),
        ([left, right], _) => root_over(parent_value(left, right), number, pages, path),
        // A lone block under the last page.
        ([lone], _) => root_over(*lone, number, pages, path),
        _ => [0; 32],
    }
}
