use std::collections::HashSet;
use std::io::{Error, Read, Write};

use super::*;

/// Replicas have equal shards; if two pieces were equal bytes, one disk would answer for both.
#[test]
fn pieces_are_different_bytes_whatever_the_shards_are() {
    let file = vec![0; 300_000];
    let mut roots = HashSet::new();
    let policies =
        [policy(1 << 20, 1, 5), policy(1 << 20, 1, 6), policy(1 << 19, 1, 5), policy(1 << 20, 2, 4)];
    for (policy, pieces) in policies.into_iter().zip([5, 6, 5, 4]) {
        let (segments, _) = encoded(policy, &file);
        let [segment] = &segments[..] else { panic!("one segment") };
        assert_eq!(segment.shards.len(), pieces);
        for shard in &segment.shards {
            assert_eq!(shard.content.root, *blake3::hash(&shard.sink).as_bytes());
            assert_eq!(shard.content.length_bytes, shard.sink.len() as u64);
            assert!(roots.insert(shard.content.root), "{}", shard.piece);
            // Nor does a piece repeat itself where the file does.
            let blocks: HashSet<&[u8]> = shard.sink.chunks(64).collect();
            assert_eq!(blocks.len(), shard.sink.len().div_ceil(64));
        }
    }
    // Two segments of the same bytes, too.
    let (segments, _) = encoded(policy(150_000, 1, 2), &file);
    assert!(
        segments.iter().flat_map(|segment| &segment.shards).all(|shard| roots.insert(shard.content.root))
    );
}

/// Shards without their layers are what two encoders agree on, and pieces are not.
#[test]
fn another_secret_gives_other_pieces_of_the_same_shards() {
    let (file, policy, other) = (bytes(100_000), policy(1 << 20, 3, 5), PlacementSecret::generate().unwrap());
    let (ours, _) = encoded(policy, &file);
    let theirs = Encoder::new(&file[..], policy, &other).next_segment(|_| Ok(Vec::new())).unwrap().unwrap();
    for (ours, theirs) in ours[0].shards.iter().zip(&theirs.shards) {
        assert_eq!(ours.shard_root, theirs.shard_root);
        assert_ne!(ours.content.root, theirs.content.root);
    }
    // And another one again: the system's randomness is asked.
    assert_ne!(other.0, PlacementSecret::generate().unwrap().0);
}

/// Gives what it has in portions of odd lengths, and fails with `Interrupted` between.
struct Portions<'a> {
    left: &'a [u8],
    interrupted: bool,
}

impl Read for Portions<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.interrupted = !self.interrupted;
        if self.interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let bytes = buffer.len().min(7_919);
        self.left.read(&mut buffer[..bytes])
    }
}

/// A reader may give less than it is asked for; a coder that took that for the end would cut the file.
#[test]
fn portions_do_not_change_the_pieces() {
    let (file, policy, secret) = (bytes(500_000), policy(200_000, 3, 5), secret());
    let (whole, content) = encoded(policy, &file);
    let mut encoder = Encoder::new(Portions { left: &file, interrupted: false }, policy, &secret);
    for expected in &whole {
        let segment = encoder.next_segment(|_| Ok(Vec::new())).unwrap().unwrap();
        for (a, b) in segment.shards.iter().zip(&expected.shards) {
            assert_eq!((a.content, a.shard_root), (b.content, b.shard_root));
        }
    }
    assert!(encoder.next_segment(|_| Ok(Vec::new())).unwrap().is_none());
    assert_eq!(encoder.content(), content);
}

/// Fails once `left` bytes were read.
struct Failing {
    left: usize,
}

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = buffer.len().min(self.left);
        self.left -= bytes;
        if bytes == 0 { Err(Error::other("the disk is gone")) } else { Ok(bytes) }
    }
}

/// A source that breaks off is an error, never a shorter file.
#[test]
fn a_source_that_fails_is_not_a_file_that_ends() {
    let secret = secret();
    let mut encoder = Encoder::new(Failing { left: 250_000 }, policy(100_000, 2, 3), &secret);
    let mut segments = 0;
    let error = loop {
        match encoder.next_segment(|_| Ok(io::sink())) {
            Ok(segment) => segments += usize::from(segment.is_some()),
            Err(error) => break error,
        }
    };
    assert_eq!(segments, 2);
    assert!(matches!(error, PieceError::Source { read_bytes: 200_000, .. }), "{error}");
}

/// Fails when it is written to for the second time.
#[derive(Debug)]
struct FullDisk(bool);

impl Write for FullDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if std::mem::replace(&mut self.0, true) {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(bytes.len())
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_sink_that_fails_is_named() {
    let (secret, file) = (secret(), bytes(9 << 20));
    let mut encoder = Encoder::new(&file[..], policy(16 << 20, 1, 3), &secret);
    let error = encoder.next_segment(|_| Ok(FullDisk(false))).unwrap_err();
    assert!(matches!(&error, PieceError::Sink { what, .. } if what.contains("shard 0")), "{error}");
    let mut encoder = Encoder::new(&file[..], policy(16 << 20, 1, 3), &secret);
    let opened = encoder.next_segment(|piece| match piece.shard {
        2 => Err(Error::other("no such miner")),
        _ => Ok(io::sink()),
    });
    let error = opened.unwrap_err();
    assert!(matches!(&error, PieceError::Sink { what, .. } if what.contains("shard 2")), "{error}");
}

/// What the encoder holds does not depend on how much passes through it.
#[test]
fn memory_does_not_grow_with_the_segment() {
    let secret = secret();
    for (k, n) in [(1, 3), (10, 16)] {
        let held = [32u64 << 20, 96 << 20].map(|length_bytes| {
            let mut encoder = Encoder::new(io::repeat(3).take(length_bytes), policy(1 << 30, k, n), &secret);
            let segment = encoder.next_segment(|_| Ok(io::sink())).unwrap().unwrap();
            assert_eq!(segment.length_bytes, length_bytes);
            encoder.buffer_bytes()
        });
        assert_eq!(held[0], held[1]);
        assert!(held[0] < 16 << 20, "{} bytes for {k} of {n}", held[0]);
    }
}

/// A file above 768 MiB, where FileTAO lost the tail, without its bytes in memory: what comes back is hashed.
#[test]
#[ignore = "writes 1.3 GB of pieces"]
fn a_file_of_800_mib_keeps_its_tail() {
    keeps_its_tail(800 << 20, Policy::CODED_3_OF_5.with_segments_of(256 << 20).unwrap());
}

/// The same at a hundredth of the size: three segments and a tail of an eighth.
#[test]
fn a_file_of_more_than_three_segments_keeps_its_tail() {
    keeps_its_tail(8 << 20, policy((8 << 20) * 8 / 25, 3, 5));
}

fn keeps_its_tail(length_bytes: u64, policy: Policy) {
    let (secret, directory) = (secret(), tempfile::tempdir().unwrap());
    let path = |piece: PieceId| directory.path().join(format!("{}-{}", piece.segment, piece.shard));
    let source = || blake3::Hasher::new().update(b"long").finalize_xof().take(length_bytes);
    let mut encoder = Encoder::new(source(), policy, &secret);
    while encoder.next_segment(|piece| std::fs::File::create(path(piece))).unwrap().is_some() {}
    let layout = FileLayout::new(length_bytes, policy);
    assert_eq!(encoder.content().length_bytes, length_bytes);
    let mut hasher = blake3::Hasher::new();
    for (segment, range) in layout.segments_over(&(0..u64::MAX)) {
        let code = SegmentCode::new(&layout, policy, &secret, segment as u32).unwrap();
        let shards = policy.tolerance()..policy.shards();
        let sources = shards.map(|shard| {
            let piece = PieceId { segment: code.segment, shard, generation: 0 };
            PieceSource { piece, reader: std::fs::File::open(path(piece)).unwrap() }
        });
        code.decode(range, sources.collect(), &mut hasher).unwrap();
    }
    assert_eq!(*hasher.finalize().as_bytes(), encoder.content().root);
    let mut plain = blake3::Hasher::new();
    io::copy(&mut source(), &mut plain).unwrap();
    assert_eq!(hasher.finalize(), plain.finalize());
}
