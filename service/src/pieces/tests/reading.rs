use std::io::Read;
use std::mem::discriminant;

use holdfast_engine::rejection::Class;

use super::*;

const LENGTH: usize = 300_000;

fn coded() -> (Policy, Vec<u8>, EncodedSegment<Vec<u8>>) {
    let (policy, file) = (policy(1 << 20, 3, 5), bytes(LENGTH));
    let segment = encoded(policy, &file).0.remove(0);
    (policy, file, segment)
}

fn read(
    policy: Policy,
    range: std::ops::Range<u64>,
    sources: Vec<PieceSource<impl Read>>,
) -> (Result<(), PieceError>, Vec<u8>) {
    let (secret, mut found) = (secret(), Vec::new());
    let code = SegmentCode::new(&FileLayout::new(LENGTH as u64, policy), policy, &secret, 0).unwrap();
    let mut at_hand = Vec::new();
    for mut source in sources {
        let mut bytes = Vec::new();
        source.reader.read_to_end(&mut bytes).unwrap();
        at_hand.push(PieceSource { piece: source.piece, reader: bytes });
    }
    let readers = at_hand.iter().map(|source| PieceSource { piece: source.piece, reader: &*source.reader });
    let result = code.decode(range.clone(), readers.collect(), &mut found);
    // Whatever way they come.
    match (&result, code.decode_parts(range, at_hand)) {
        (Ok(()), Ok(bytes)) => assert!(bytes == found),
        (Err(one), Err(other)) => assert_eq!(discriminant(one), discriminant(&other)),
        (one, other) => panic!("{one:?}, {other:?}"),
    }
    (result, found)
}

const ALL: std::ops::Range<u64> = 0..LENGTH as u64;

fn class(result: Result<(), PieceError>) -> Class {
    match result {
        Err(PieceError::Rejected(rejection)) => rejection.class,
        other => panic!("{other:?}"),
    }
}

#[test]
fn pieces_of_other_lengths_are_refused() {
    let (policy, _, segment) = coded();
    let good = segment.shards[1].sink.clone();
    let short = &good[..good.len() - 1];
    let long = [&good[..], &[0]].concat();
    let with = |reader: &[u8]| {
        let mut all = sources(&segment, &[0, 1, 2]);
        all[1].reader = reader;
        read(policy, ALL, all).0
    };
    let error = with(short).unwrap_err();
    assert!(matches!(error, PieceError::Piece { piece, .. } if piece.shard == 1), "{error}");
    assert_eq!(class(with(&long)), Class::WrongLength);
    with(&good).unwrap();
}

/// A replica is read in another way than shards that are coded: every check must be there, too.
#[test]
fn replicas_of_other_lengths_segments_and_paddings_are_refused() {
    let (policy, file) = (policy(1 << 20, 1, 3), bytes(LENGTH));
    let segment = encoded(policy, &file).0.remove(0);
    let good = segment.shards[1].sink.clone();
    assert_eq!(good.len() - LENGTH, 32, "so there is padding");
    let with = |reader: &[u8], change: &dyn Fn(&mut PieceId)| {
        let mut source = PieceSource { piece: segment.shards[1].piece, reader };
        change(&mut source.piece);
        read(policy, ALL, vec![source])
    };
    let as_it_is = |_: &mut PieceId| {};
    let (result, found) = with(&good, &as_it_is);
    result.unwrap();
    assert!(found == file);
    let error = with(&good[1..], &as_it_is).0.unwrap_err();
    assert!(matches!(error, PieceError::Piece { piece, .. } if piece.shard == 1), "{error}");
    assert_eq!(class(with(&[&good[..], &[0]].concat(), &as_it_is).0), Class::WrongLength);
    let mut padded = good.clone();
    padded[LENGTH] ^= 1;
    assert_eq!(class(with(&padded, &as_it_is).0), Class::Malformed);
    let foreign: [&dyn Fn(&mut PieceId); 2] = [&|piece| piece.segment = 1, &|piece| piece.shard = 3];
    for change in foreign {
        assert!(matches!(with(&good, change).0, Err(PieceError::Foreign { shards: 3, .. })));
    }
    assert!(matches!(read(policy, ALL, sources(&segment, &[])).0, Err(PieceError::TooFew { .. })));
}

#[test]
fn too_few_and_foreign_pieces_are_refused_before_anything_is_read() {
    let (policy, _, segment) = coded();
    // The same shard twice does not make three.
    for shards in [&[][..], &[0, 1], &[0, 1, 1, 1]] {
        let error = read(policy, ALL, sources(&segment, shards)).0.unwrap_err();
        assert!(matches!(error, PieceError::TooFew { needed: 3, .. }), "{error}");
    }
    for piece in
        [PieceId { segment: 1, shard: 2, generation: 0 }, PieceId { segment: 0, shard: 5, generation: 0 }]
    {
        let mut all = sources(&segment, &[0, 1, 2]);
        all[2].piece = piece;
        let error = read(policy, ALL, all).0.unwrap_err();
        assert!(matches!(error, PieceError::Foreign { shards: 5, .. }), "{error}");
    }
}

#[test]
fn ranges_outside_the_segment_are_refused() {
    let (policy, _, segment) = coded();
    #[expect(clippy::reversed_empty_ranges, reason = "that is what is refused")]
    for range in [0..LENGTH as u64 + 1, u64::MAX - 1..u64::MAX, 2..1] {
        let (result, found) = read(policy, range, sources(&segment, &[0, 1, 2]));
        assert!(matches!(result, Err(PieceError::OutOfRange { length_bytes: 300_000, .. })), "{result:?}");
        assert!(found.is_empty());
    }
    // An empty one needs no pieces.
    assert!(read(policy, 7..7, sources(&segment, &[])).0.is_ok());
}

/// Half of the file from some miners, and the rest from others.
#[test]
fn reading_goes_on_from_other_pieces() {
    let (policy, file, segment) = coded();
    let mut first = sources(&segment, &[0, 2, 4]);
    let half = LENGTH as u64 / 2;
    let needed = FileLayout::new(LENGTH as u64, policy).segment(0).unwrap().piece_range(&(0..half));
    first.iter_mut().for_each(|source| source.reader = &source.reader[..needed.end as usize]);
    let (result, mut found) = read(policy, 0..half, first);
    result.unwrap();
    let rest = found.len() as u64..LENGTH as u64;
    let needed = FileLayout::new(LENGTH as u64, policy).segment(0).unwrap().piece_range(&rest);
    let mut second = sources(&segment, &[1, 2, 3]);
    second.iter_mut().for_each(|source| source.reader = &source.reader[needed.start as usize..]);
    let (result, tail) = read(policy, rest, second);
    result.unwrap();
    found.extend(tail);
    assert!(found == file);
}

/// A miner dies in the middle: what was written is right, and another piece goes on behind it.
#[test]
fn what_is_written_before_a_piece_ends_early_is_right() {
    let (policy, file) = (policy(64 << 20, 1, 2), bytes(12 << 20));
    let segment = encoded(policy, &file).0.remove(0);
    let secret = secret();
    let code = SegmentCode::new(&FileLayout::new(12 << 20, policy), policy, &secret, 0).unwrap();
    let broken =
        vec![PieceSource { piece: segment.shards[1].piece, reader: &segment.shards[1].sink[..9 << 20] }];
    let mut found = Vec::new();
    let error = code.decode(0..12 << 20, broken, &mut found).unwrap_err();
    assert!(matches!(error, PieceError::Piece { .. }), "{error}");
    assert!(!found.is_empty() && file.starts_with(&found));
    let rest = found.len() as u64..12 << 20;
    let needed = code.layout().piece_range(&rest);
    let reader = &segment.shards[0].sink[needed.start as usize..];
    code.decode(rest, vec![PieceSource { piece: segment.shards[0].piece, reader }], &mut found).unwrap();
    assert!(found == file);
}

/// The last stripe's padding is zero without its layer; anything else is not what the owner's coder writes.
#[test]
fn padding_that_is_not_zero_is_refused() {
    let (policy, file, mut segment) = coded();
    assert_eq!(LENGTH as u64 % (3 * PART_BYTES) % 64, 32, "so there is padding, at the end of shard 2");
    let (result, found) = read(policy, ALL, sources(&segment, &[0, 1, 2]));
    result.unwrap();
    assert!(found == file);
    *segment.shards[2].sink.last_mut().unwrap() ^= 1;
    assert_eq!(class(read(policy, ALL, sources(&segment, &[0, 1, 2])).0), Class::Malformed);
    // The same damage in a parity shard shows in all that is made from it.
    *segment.shards[4].sink.last_mut().unwrap() ^= 1;
    assert_eq!(class(read(policy, ALL, sources(&segment, &[0, 1, 4])).0), Class::Malformed);
}

/// A wrong secret or generation is noticed at the end at the latest, by the root; here already by the padding.
#[test]
fn another_generation_gives_other_bytes() {
    let (policy, file, segment) = coded();
    let mut all = sources(&segment, &[0, 1, 2]);
    all[0].piece.generation = 1;
    let (result, found) = read(policy, ALL, all);
    assert!(result.is_ok(), "shard 0 has no padding: {result:?}");
    assert_eq!(found.len(), file.len());
    assert_ne!(blake3::hash(&found), blake3::hash(&file));
}

/// Data pieces are preferred, so nothing has to be computed: a bad parity piece beside them does no harm.
#[test]
fn data_shards_are_read_first() {
    let (policy, file, mut segment) = coded();
    segment.shards[3].sink.fill(0);
    segment.shards[4].sink.clear();
    let (result, found) = read(policy, ALL, sources(&segment, &[4, 2, 3, 1, 0]));
    result.unwrap();
    assert!(found == file);
}
