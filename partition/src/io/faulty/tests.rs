use super::*;
use crate::io::conformance::noise;

const PAGE: u64 = PAGE_BYTES as u64;

fn after(faults: Faults) -> FaultyIo {
    let io = FaultyIo::new(faults);
    io.write_at(0, &noise(1, 4 * PAGE_BYTES)).unwrap();
    io.sync().unwrap();
    io
}

#[test]
fn what_was_synced_survives_every_cut() {
    let io = after(Faults::default());
    for seed in 0..100 {
        assert_eq!(io.power_cut(seed), &noise(1, 4 * PAGE_BYTES)[..]);
    }
}

/// How many sectors of `image` equal those of `first`, of `second`, of neither.
fn sectors(image: &[u8], first: &[u8], second: &[u8]) -> (usize, usize, usize) {
    let mut counts = (0, 0, 0);
    let [image, first, second] = [image, first, second].map(|bytes| bytes.chunks(SECTOR_BYTES));
    for ((image, first), second) in image.zip(first).zip(second) {
        match () {
            () if image == first => counts.0 += 1,
            () if image == second => counts.1 += 1,
            () => counts.2 += 1,
        }
    }
    counts
}

#[test]
fn a_cut_leaves_sectors_old_new_and_garbage_and_only_where_written() {
    let io = after(Faults::default());
    let (old, new) = (noise(1, 4 * PAGE_BYTES), noise(2, 2 * PAGE_BYTES));
    io.write_at(PAGE, &new).unwrap();
    let (mut all_old, mut all_new, mut torn, mut garbage) = (0, 0, 0, 0);
    for seed in 0..400 {
        let image = io.power_cut(seed);
        assert_eq!(image, io.power_cut(seed), "not deterministic");
        assert_eq!(image[..PAGE_BYTES], old[..PAGE_BYTES]);
        assert_eq!(image[3 * PAGE_BYTES..], old[3 * PAGE_BYTES..]);
        let written = PAGE_BYTES..3 * PAGE_BYTES;
        match sectors(&image[written.clone()], &old[written], &new) {
            (16, 0, 0) => all_old += 1,
            (0, 16, 0) => all_new += 1,
            (_, _, 0) => torn += 1,
            _ => garbage += 1,
        }
    }
    // Each kind must be common, or a crash test would pass for want of the case.
    for count in [all_old, all_new, torn, garbage] {
        assert!(count > 40, "{:?}", (all_old, all_new, torn, garbage));
    }
}

#[test]
fn unsynced_writes_are_reordered() {
    // Two writes to one page: a cut may leave the first although the second landed too, because neither was synced.
    let io = after(Faults::default());
    io.write_at(0, &noise(5, PAGE_BYTES)).unwrap();
    io.write_at(0, &noise(6, PAGE_BYTES)).unwrap();
    let left = |bytes: &[u8]| (0..200).filter(|&seed| io.power_cut(seed)[..PAGE_BYTES] == *bytes).count();
    assert!(left(&noise(5, PAGE_BYTES)) > 10 && left(&noise(6, PAGE_BYTES)) > 10);
    // And one write may land without an earlier one elsewhere.
    let io = after(Faults::default());
    io.write_at(0, &noise(5, PAGE_BYTES)).unwrap();
    io.write_at(PAGE, &noise(6, PAGE_BYTES)).unwrap();
    let later_alone = (0..200).filter(|&seed| {
        let image = io.power_cut(seed);
        image[..PAGE_BYTES] == noise(1, PAGE_BYTES)[..]
            && image[PAGE_BYTES..2 * PAGE_BYTES] == noise(6, PAGE_BYTES)[..]
    });
    assert!(later_alone.count() > 5);
}

#[test]
fn an_unsynced_length_may_be_lost_and_a_synced_one_not() {
    let io = after(Faults::default());
    io.set_len(8 * PAGE).unwrap();
    let lengths: BTreeSet<_> = (0..50).map(|seed| io.power_cut(seed).len()).collect();
    assert_eq!(lengths, BTreeSet::from([4 * PAGE_BYTES, 8 * PAGE_BYTES]));
    io.sync().unwrap();
    assert!((0..50).all(|seed| io.power_cut(seed).len() == 8 * PAGE_BYTES));
}

#[test]
fn a_cut_at_an_operation_fails_it_and_all_later_ones() {
    let io = FaultyIo::new(Faults { cut_at: Some(2), ..Faults::default() });
    io.write_at(0, &noise(1, 4 * PAGE_BYTES)).unwrap();
    io.sync().unwrap();
    assert_eq!(io.operations(), 2);
    assert!(matches!(io.write_at(0, &noise(2, 4 * PAGE_BYTES)), Err(IoError::Os { number: Some(5), .. })));
    assert!(io.read_at(0, &mut noise(0, PAGE_BYTES)).is_err());
    assert!(io.write_at(0, &noise(3, 4 * PAGE_BYTES)).is_err());
    assert!(io.sync().is_err());
    for seed in 0..50 {
        let image = io.power_cut(seed);
        let (_, second, _) = sectors(&image, &noise(1, 4 * PAGE_BYTES), &noise(3, 4 * PAGE_BYTES));
        assert_eq!(second, 0, "a write after the cut landed");
    }
}

#[test]
fn a_failed_sync_closes_for_good_and_keeps_nothing() {
    let io = FaultyIo::new(Faults::default());
    io.write_at(0, &noise(1, PAGE_BYTES)).unwrap();
    io.sync().unwrap();
    io.write_at(0, &noise(2, PAGE_BYTES)).unwrap();
    io.set_faults(Faults { fail_sync: true, ..Faults::default() });
    assert!(matches!(io.sync(), Err(IoError::Os { .. })));
    assert!(matches!(io.sync(), Err(IoError::Closed)));
    assert!(matches!(io.read_at(0, &mut noise(0, PAGE_BYTES)), Err(IoError::Closed)));
    assert!(matches!(io.len_bytes(), Err(IoError::Closed)));
    assert!((0..50).any(|seed| io.power_cut(seed) == noise(1, PAGE_BYTES)[..]));
}

#[test]
fn a_lying_sync_makes_nothing_durable() {
    let io = FaultyIo::new(Faults { syncs_lie: true, ..Faults::default() });
    io.write_at(0, &noise(1, PAGE_BYTES)).unwrap();
    io.sync().unwrap();
    assert!((0..50).any(|seed| io.power_cut(seed).is_empty()));
}

#[test]
fn a_full_disk_refuses_new_space_only_and_goes_on_when_there_is_some() {
    let faults = Faults { capacity_bytes: Some(4 * PAGE), ..Faults::default() };
    let io = after(faults);
    io.write_at(0, &noise(2, 4 * PAGE_BYTES)).unwrap();
    assert!(io.write_at(4 * PAGE, &noise(3, PAGE_BYTES)).unwrap_err().is_disk_full());
    assert!(io.preallocate(0, 5 * PAGE, &mut |_| true).unwrap_err().is_disk_full());
    io.punch_hole(0, PAGE).unwrap();
    io.write_at(4 * PAGE, &noise(3, PAGE_BYTES)).unwrap();
    assert!(io.write_at(0, &noise(3, PAGE_BYTES)).unwrap_err().is_disk_full());
    io.set_faults(Faults::default());
    io.write_at(0, &noise(3, PAGE_BYTES)).unwrap();
}

#[test]
fn bad_sectors_fail_alone_and_heal_by_writing() {
    let io = after(Faults::default());
    io.spoil(PAGE + 600, 1);
    let mut buffers = [noise(0, PAGE_BYTES), noise(0, PAGE_BYTES)];
    let mut requests: Vec<_> =
        (0..).zip(&mut buffers).map(|(page, buffer)| ReadRequest::new(page * PAGE, buffer)).collect();
    io.read_batch(&mut requests, 2);
    assert!(requests[0].result.is_ok());
    assert!(matches!(requests[1].result, Err(IoError::Os { number: Some(5), .. })));
    io.write_at(PAGE, &noise(9, PAGE_BYTES)).unwrap();
    io.read_at(PAGE, &mut buffers[1]).unwrap();
    assert_eq!(buffers[1][..], noise(9, PAGE_BYTES)[..]);
}

#[test]
fn rot_is_silent_and_survives() {
    let io = after(Faults::default());
    io.rot(100, 8);
    let mut expected = noise(1, 4 * PAGE_BYTES);
    expected[100] ^= 8;
    assert_eq!(io.to_bytes(), &expected[..]);
    assert_eq!(io.power_cut(0), &expected[..]);
}

#[test]
fn chosen_operations_fail_alone_and_a_failed_write_may_land_in_part() {
    let landed = |seed| {
        let io = FaultyIo::new(Faults { seed, fail_at: BTreeSet::from([1]), ..Faults::default() });
        io.write_at(0, &noise(1, 4 * PAGE_BYTES)).unwrap();
        assert!(matches!(io.write_at(0, &noise(2, 4 * PAGE_BYTES)), Err(IoError::Os { .. })));
        let bytes = io.to_bytes();
        io.write_at(0, &noise(3, 4 * PAGE_BYTES)).unwrap();
        sectors(&bytes, &noise(1, 4 * PAGE_BYTES), &noise(2, 4 * PAGE_BYTES))
    };
    let parts: BTreeSet<_> = (0..100).map(landed).collect();
    assert_eq!(parts, BTreeSet::from([(32, 0, 0), (24, 8, 0), (16, 16, 0), (8, 24, 0), (0, 32, 0)]));
}

#[test]
fn a_pump_completes_in_an_order_of_its_own_and_the_seed_decides_it() {
    struct Ordered(Mutex<(Vec<crate::io::WriteRequest>, Vec<u64>)>);
    impl WriteSource for Ordered {
        fn next(&self, _: bool) -> NextWrite {
            self.0.lock().unwrap().0.pop().map_or(NextWrite::Closed, NextWrite::Ready)
        }
        fn done(&self, request: crate::io::WriteRequest, result: Result<(), IoError>) {
            result.unwrap();
            self.0.lock().unwrap().1.push(request.tag);
        }
    }
    let order = |seed| {
        let io = FaultyIo::new(Faults { seed, ..Faults::default() });
        let request = |tag| {
            let buffer = crate::io::AlignedBuffer::zeroed(PAGE_BYTES).unwrap();
            crate::io::WriteRequest { offset: tag * PAGE, buffer, tag }
        };
        let source = Ordered(Mutex::new(((0..8).map(request).collect(), Vec::new())));
        io.pump(&BufferPool::new(1, PAGE_BYTES).unwrap(), &source, 8);
        source.0.into_inner().unwrap().1
    };
    assert_eq!(order(1), order(1));
    assert_ne!(order(1), order(2));
    assert_eq!(BTreeSet::from_iter(order(1)), (0..8).collect());
}

#[test]
fn an_image_opened_for_reading_refuses_writes() {
    let io = FaultyIo::read_only(noise(1, PAGE_BYTES).to_vec());
    io.read_at(0, &mut noise(0, PAGE_BYTES)).unwrap();
    assert!(matches!(io.write_at(0, &noise(0, PAGE_BYTES)), Err(IoError::ReadOnly { .. })));
    assert!(matches!(io.set_len(0), Err(IoError::ReadOnly { .. })));
    assert!(matches!(io.punch_hole(0, PAGE), Err(IoError::ReadOnly { .. })));
}
