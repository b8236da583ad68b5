//! Places drawn at random, one in each of equal parts, so that nothing that is wrong in a whole part gets past.

/// One number in each of `count` parts of 0 … `bound`, whose lengths differ by one at most; all of them, where `bound` is no more
/// than `count`. Draws under one seed are told apart by their purpose.
pub fn one_in_each(seed: &[u8; 32], purpose: [u32; 2], bound: u32, count: u32) -> Vec<u32> {
    let count = count.min(bound);
    let mut hasher = blake3::Hasher::new_keyed(seed);
    for word in purpose {
        hasher.update(&word.to_le_bytes());
    }
    let mut stream = hasher.finalize_xof();
    let start = |part: u32| u64::from(part) * u64::from(bound) / u64::from(count);
    let mut draw = |part: u32| {
        let mut bytes = [0; 8];
        stream.fill(&mut bytes);
        // A part has fewer than 2^32 numbers, so that what the remainder favours is below 2^-32 of it.
        let place = start(part) + u64::from_le_bytes(bytes) % (start(part + 1) - start(part));
        u32::try_from(place).unwrap_or(bound - 1)
    };
    (0..count).map(&mut draw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_in_every_part_and_another_every_time() {
        let first = one_in_each(&[1; 32], [1, 0], 1 << 22, 64);
        assert_eq!(first.len(), 64);
        assert!(first.iter().enumerate().all(|(part, &place)| place as usize >> 16 == part), "{first:?}");
        assert_ne!(first, one_in_each(&[2; 32], [1, 0], 1 << 22, 64));
        assert_ne!(first, one_in_each(&[1; 32], [2, 0], 1 << 22, 64));
    }

    #[test]
    fn parts_need_not_divide_and_few_are_all_drawn() {
        let uneven = one_in_each(&[1; 32], [0, 0], 1024, 704);
        assert!(uneven.windows(2).all(|pair| pair[0] < pair[1]), "distinct and in order: {uneven:?}");
        assert_eq!(one_in_each(&[1; 32], [0, 0], 5, 704), [0, 1, 2, 3, 4]);
        assert_eq!(one_in_each(&[1; 32], [0, 0], 0, 704), Vec::<u32>::new());
    }
}
