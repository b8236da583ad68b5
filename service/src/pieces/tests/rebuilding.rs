use holdfast_engine::rejection::Class;

use super::*;

struct Coded {
    policy: Policy,
    file: Vec<u8>,
    segments: Vec<EncodedSegment<Vec<u8>>>,
    roots: Vec<[u8; 32]>,
}

impl Coded {
    fn new(policy: Policy, length: usize) -> Coded {
        let file = bytes(length);
        let (segments, _) = encoded(policy, &file);
        let roots = segments[0].shards.iter().map(|shard| shard.shard_root).collect();
        Coded { policy, file, segments, roots }
    }

    fn rebuild(
        &self,
        target: PieceId,
        sources: Vec<PieceSource<&[u8]>>,
    ) -> Result<RebuiltPiece<Vec<u8>>, PieceError> {
        let (secret, layout) = (secret(), FileLayout::new(self.file.len() as u64, self.policy));
        let code = SegmentCode::new(&layout, self.policy, &secret, 0).unwrap();
        code.rebuild(target, sources, &self.roots, Vec::new())
    }
}

fn next(shard: u8) -> PieceId {
    PieceId { segment: 0, shard, generation: 1 }
}

/// Every shard, data and parity, from the last k others; then the file from pieces that were made anew.
#[test]
fn lost_pieces_are_made_anew_and_serve() {
    for (policy, length) in
        [(policy(1 << 20, 1, 3), 70_000), (policy(1 << 20, 3, 5), 300_001), (policy(1 << 20, 5, 16), 1 << 20)]
    {
        let mut coded = Coded::new(policy, length);
        let (k, n) = (policy.data_shards(), policy.shards());
        let rebuilt: Vec<_> = (0..n)
            .map(|shard| {
                let others: Vec<u8> = (0..n).rev().filter(|&other| other != shard).take(k.into()).collect();
                coded.rebuild(next(shard), sources(&coded.segments[0], &others)).unwrap()
            })
            .collect();
        for (old, new) in coded.segments[0].shards.iter_mut().zip(rebuilt) {
            assert_eq!(new.content.root, *blake3::hash(&new.sink).as_bytes());
            assert_ne!(new.content.root, old.content.root, "a new layer");
            assert_eq!(new.content.length_bytes, old.content.length_bytes);
            (old.piece, old.sink) = (new.piece, new.sink);
        }
        for choice in [(0..k).collect::<Vec<u8>>(), (n - k..n).collect()] {
            let found = decoded(policy, &coded.segments, length, |_| choice.clone());
            assert!(found == coded.file, "{policy}");
        }
    }
}

/// What is made anew is what the owner would have made under that generation.
#[test]
fn a_rebuilt_piece_of_the_same_generation_is_the_same_piece() {
    let coded = Coded::new(policy(1 << 20, 3, 5), 200_000);
    for shard in 0..5 {
        let others: Vec<u8> = (0..5).filter(|&other| other != shard).collect();
        let old = &coded.segments[0].shards[usize::from(shard)];
        let new = coded.rebuild(old.piece, sources(&coded.segments[0], &others)).unwrap();
        assert!(new.sink == old.sink);
    }
}

/// A move needs the piece alone, and no other miner.
#[test]
fn a_piece_is_moved_from_itself() {
    let coded = Coded::new(policy(1 << 20, 3, 5), 200_000);
    for shard in [0, 4] {
        let moved = coded.rebuild(next(shard), sources(&coded.segments[0], &[shard])).unwrap();
        let others: Vec<u8> = (0..5).filter(|&other| other != shard).take(3).collect();
        let rebuilt = coded.rebuild(next(shard), sources(&coded.segments[0], &others)).unwrap();
        assert!(moved.sink == rebuilt.sink);
    }
}

/// Whoever makes pieces anew need not believe anybody: a changed piece is named, and nothing is made of it.
#[test]
fn a_wrong_piece_is_found_and_named() {
    let mut coded = Coded::new(policy(1 << 20, 3, 5), 200_000);
    coded.segments[0].shards[3].sink[12_345] ^= 1;
    for (target, from) in [(0, [1, 2, 3]), (4, [0, 1, 3]), (3, [3, 0, 1])] {
        let error = coded.rebuild(next(target), sources(&coded.segments[0], &from)).unwrap_err();
        let PieceError::Rejected(rejection) = error else { panic!("{error}") };
        assert_eq!(rejection.class, Class::WrongRoot);
        assert!(rejection.detail.contains("shard 3, generation 0"), "{}", rejection.detail);
    }
    // Without it, all is well.
    coded.rebuild(next(0), sources(&coded.segments[0], &[1, 2, 4])).unwrap();
}

#[test]
fn a_rebuild_of_what_is_not_there_is_refused() {
    let coded = Coded::new(policy(1 << 20, 3, 5), 200_000);
    let all = || sources(&coded.segments[0], &[0, 1, 2]);
    for target in [next(5), PieceId { segment: 1, ..next(0) }] {
        let error = coded.rebuild(target, all()).unwrap_err();
        assert!(matches!(error, PieceError::Foreign { .. }), "{error}");
    }
    let error = coded.rebuild(next(4), sources(&coded.segments[0], &[0, 1])).unwrap_err();
    assert!(matches!(error, PieceError::TooFew { needed: 3, given: 2, .. }), "{error}");
}
