use holdfast_engine::tree::{Outboard, root};
use proptest::prelude::*;

use super::super::fixture::bytes;
use super::*;

/// What an honest miner sends of these blocks.
fn event(object: &[u8], blocks: &Range<u64>) -> RetrieveEvent {
    let group = blocks.start / PAGE_BLOCKS as u64;
    let range = |number: u64| (usize::try_from(number).unwrap() * BLOCK_BYTES).min(object.len());
    let outboard = Outboard::of(object);
    let page = outboard.pages().nth(usize::try_from(group).unwrap());
    RetrieveEvent {
        group,
        page: page.map(|page| page.to_vec()).unwrap_or_default().into(),
        offset_bytes: blocks.start * BLOCK_BYTES as u64,
        blocks: object[range(blocks.start)..range(blocks.end)].to_vec().into(),
    }
}

#[test]
fn honest_blocks_pass_and_changed_ones_do_not() {
    for length in [1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 65 * BLOCK_BYTES + 7] {
        let object = bytes(1, length);
        let (root, length) = (root(&object), length as u64);
        for random in [0, 1, 63, 64, 65, u64::MAX] {
            let blocks = draw_blocks(length, random);
            let honest = event(&object, &blocks);
            assert_eq!(check_blocks(&honest, &root, length, &blocks), Ok(()), "{blocks:?} of {length}");
            let changed = |change: fn(&mut Vec<u8>)| {
                let mut bytes = honest.blocks.to_vec();
                change(&mut bytes);
                let wrong = RetrieveEvent { blocks: bytes.into(), ..honest.clone() };
                check_blocks(&wrong, &root, length, &blocks).map_err(|refused| refused.class)
            };
            assert_eq!(changed(|bytes| *bytes.last_mut().unwrap() ^= 1), Err(Class::WrongRoot));
            assert_eq!(changed(|bytes| bytes.push(0)), Err(Class::WrongLength));
            assert_eq!(
                changed(|bytes| {
                    bytes.pop();
                }),
                Err(Class::WrongLength)
            );
            // Right blocks of another place.
            let elsewhere = RetrieveEvent { offset_bytes: honest.offset_bytes + 1, ..honest.clone() };
            assert!(check_blocks(&elsewhere, &root, length, &blocks).is_err());
        }
    }
    assert_eq!(draw_blocks(0, 5), 0..0, "an empty object has nothing to fetch");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn hostile_events_are_refused(
        group in any::<u64>(),
        page in proptest::collection::vec(any::<u8>(), 0..5000),
        offset_bytes in any::<u64>(),
        blocks in proptest::collection::vec(any::<u8>(), 0..100),
        length in any::<u64>(),
        random in any::<u64>(),
    ) {
        let length = length >> 14;
        let event = RetrieveEvent { group, page: page.into(), offset_bytes, blocks: blocks.into() };
        let drawn = draw_blocks(length, random);
        prop_assert!(drawn.is_empty() || check_blocks(&event, &[7; 32], length, &drawn).is_err());
    }
}
