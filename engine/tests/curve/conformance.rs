//! Sums of points by every back end, compared with plain doubling and adding.
//!
//! `HOLDFAST_REQUIRE=avx2,avx512` makes the absence of those back ends a failure.

use std::sync::LazyLock;

use holdfast_engine::backend::{Backend, State, survey};
use holdfast_engine::curve::{Fr, G1Affine, G1Projective, LIMB_BYTES, SCALAR_BITS, Table};
use holdfast_engine::reference;
use proptest::prelude::*;

use crate::faulty::{Fault, Faulty};
use crate::points::{bases, blst_sum, scalar, stream, torsion, truncated};

/// Where a back end first differed from the reference.
type Difference = String;

fn same(what: &str, expected: G1Projective, given: G1Projective) -> Result<(), Difference> {
    if expected == given { Ok(()) } else { Err(format!("{what} differs")) }
}

/// Tables of different shapes: windows that divide the 8 bits of a byte, that divide the 248 of a limb, that divide 256 but
/// not 255, and that divide nothing; one base, a few, more than are built side by side.
static TABLES: LazyLock<Vec<(Vec<G1Affine>, Table)>> = LazyLock::new(|| {
    let table = |(count, width_bits)| {
        let bases = bases(count);
        let table = Table::build(&bases, width_bits).expect("bases of G1");
        (bases, table)
    };
    [(2, 8), (9, 4), (5, 7), (3, 12), (10, 2), (4, 5)].map(table).into()
});

/// Bytes that make all digits the same, or the two digits of smallest and largest magnitude; all digits the same make all sums
/// of windows the same, which then meet when they are joined.
const CONSTANT_BYTES: [u8; 8] = [0x00, 0xFF, 0x80, 0x7F, 0x01, 0xFE, 0x55, 0xAA];

fn commits(
    backend: &dyn Backend,
    blocks: &[Vec<u8>],
    blindings: &[Fr],
    what: &str,
) -> Result<(), Difference> {
    for (bases, table) in TABLES.iter() {
        let limit = (bases.len() - 1) * LIMB_BYTES;
        let blocks: Vec<&[u8]> = blocks.iter().map(|block| &block[..block.len().min(limit)]).collect();
        let given = backend.commit(table, &blocks, blindings);
        if given.len() != blocks.len() {
            return Err(format!("{what}: {} commitments to {} blocks", given.len(), blocks.len()));
        }
        for (i, ((block, blinding), given)) in blocks.iter().zip(blindings).zip(given).enumerate() {
            let what = format!("{what}, {table:?}: commitment {i} of {}", blocks.len());
            same(&what, reference::commitment(bases, block, blinding), given)?;
        }
    }
    Ok(())
}

/// Scalars where recoding goes wrong: the ends of the field, and the one that makes the joined sum infinity *before* the
/// correction is added: (2^(wW) − 1) / 2.
fn edge_scalars(width_bits: u32) -> Vec<Fr> {
    use ark_ff::{AdditiveGroup, Field};
    let power = |bits: u32| Fr::from(2u8).pow([u64::from(bits)]);
    let half = Fr::from(2u8).inverse().expect("not zero");
    let vanishing = |bits: u32| (power(bits.div_ceil(width_bits) * width_bits) - Fr::ONE) * half;
    vec![
        Fr::ZERO,
        Fr::ONE,
        -Fr::ONE,
        half,
        -half,
        power(248) - Fr::ONE,
        power(254),
        vanishing(255),
        vanishing(248),
    ]
}

fn commitments_conform(backend: &dyn Backend) -> Result<(), Difference> {
    for byte in CONSTANT_BYTES {
        for blinding in edge_scalars(4) {
            commits(backend, &[vec![byte; 400]], &[blinding], &format!("bytes {byte:#x}"))?;
        }
    }
    // Counts around what is processed side by side, and lengths that end inside a limb, at one, and at nothing.
    for count in [0, 1, 7, 8, 9, 17] {
        let lengths = (0..count).map(|i| i * 13 % 300);
        let blocks: Vec<Vec<u8>> = (0..).zip(lengths).map(|(seed, bytes)| stream(seed, bytes)).collect();
        let blindings: Vec<Fr> = (0..).map(scalar).take(count).collect();
        commits(backend, &blocks, &blindings, "lengths")?;
    }
    Ok(())
}

fn fixed_bases_conform(backend: &dyn Backend) -> Result<(), Difference> {
    for (bases, table) in TABLES.iter() {
        for scalar in edge_scalars(table.width_bits()) {
            let scalars = vec![scalar; bases.len()];
            let expected = reference::linear_combination(bases, &scalars);
            same(&format!("{table:?}, all {scalar}"), expected, backend.fixed_base(table, &scalars))?;
        }
        let scalars: Vec<Fr> = (0..bases.len() as u64).map(scalar).collect();
        let expected = reference::linear_combination(bases, &scalars);
        same(&format!("{table:?}, random"), expected, backend.fixed_base(table, &scalars))?;
    }
    Ok(())
}

fn sums_conform(
    backend: &dyn Backend,
    points: &[G1Affine],
    scalars: &[Fr],
    scalar_bits: u32,
    what: &str,
) -> Result<(), Difference> {
    let expected = reference::linear_combination(points, scalars);
    same(&format!("{} {what}", points.len()), expected, backend.msm(points, scalars, scalar_bits))
}

fn any_points_conform(backend: &dyn Backend) -> Result<(), Difference> {
    let base = bases(1)[0];
    let scalars: Vec<Fr> = (0..70).map(scalar).collect();
    let edges: Vec<Fr> = edge_scalars(4).into_iter().cycle().take(70).collect();
    for count in [0, 1, 2, 3, 8, 9, 33, 70] {
        let distinct = bases(count);
        let alternating =
            |a: G1Affine, b: G1Affine| [a, b].into_iter().cycle().take(count).collect::<Vec<_>>();
        let kinds = [
            ("distinct points", distinct.clone()),
            // In every bucket the sums double; a formula for different points divides by zero.
            ("equal points", vec![base; count]),
            ("opposite points", alternating(base, -base)),
            ("points at infinity", vec![G1Affine::identity(); count]),
            ("points and infinity", alternating(base, G1Affine::identity())),
            // x = 0, as the point at infinity is stored.
            ("points of order three", alternating(torsion(3, 0), torsion(3, 1))),
            ("order three and infinity", alternating(torsion(3, 0), G1Affine::identity())),
            ("points of order eleven", (0..count).map(|i| torsion(11, i)).collect()),
            ("points outside G1", distinct.iter().map(|point| (*point + torsion(11, 1)).into()).collect()),
        ];
        for (what, points) in kinds {
            sums_conform(backend, &points, &scalars[..count], SCALAR_BITS, what)?;
            sums_conform(backend, &points, &edges[..count], SCALAR_BITS, what)?;
            // Equal scalars put everything into one bucket.
            sums_conform(backend, &points, &vec![scalar(5); count], SCALAR_BITS, what)?;
        }
        for bits in [1, 2, 64, 127, 128] {
            let short: Vec<Fr> = scalars[..count].iter().map(|scalar| truncated(scalar, bits)).collect();
            sums_conform(backend, &distinct, &short, bits, &format!("scalars of {bits} bits"))?;
        }
    }
    Ok(())
}

/// Enough points that additions are made in several batches.
fn many_points_conform(backend: &dyn Backend) -> Result<(), Difference> {
    let few = bases(40);
    let points: Vec<G1Affine> = few.iter().copied().cycle().take(6000).collect();
    let scalars: Vec<Fr> = (0..6000).map(|i| truncated(&scalar(i), 100)).collect();
    let mut collected = vec![Fr::from(0u8); few.len()];
    for (i, scalar) in scalars.iter().enumerate() {
        collected[i % few.len()] += scalar;
    }
    let expected = reference::linear_combination(&few, &collected);
    same("many points", expected, backend.msm(&points, &scalars, 100))
}

/// The suite.
fn conforms(backend: &dyn Backend) -> Result<(), Difference> {
    fixed_bases_conform(backend)?;
    commitments_conform(backend)?;
    any_points_conform(backend)?;
    many_points_conform(backend)
}

fn present() -> impl Iterator<Item = &'static dyn Backend> {
    survey().into_iter().filter_map(|presence| match presence.state {
        State::Present(backend) => Some(backend),
        State::Absent(_) => None,
    })
}

#[test]
fn every_back_end_equals_the_reference() {
    let required = std::env::var("HOLDFAST_REQUIRE").unwrap_or_default();
    for presence in survey() {
        let name = presence.name;
        match presence.state {
            State::Present(backend) => {
                conforms(backend).unwrap_or_else(|difference| panic!("{name}: {difference}"));
                println!("RAN {name}");
            }
            State::Absent(why) => {
                assert!(required.split(',').all(|required| required != name), "{name} is required: {why}");
                println!("ABSENT({why}) {name}");
            }
        }
    }
}

/// Negative control: the suite sees every fault.
#[test]
fn a_faulty_back_end_is_caught() {
    let inner = present().next().expect("the portable back end is always present");
    for fault in Fault::ALL {
        assert!(conforms(&Faulty { inner, fault }).is_err(), "{fault:?} not caught");
    }
}

/// All 530 bases and whole blocks, as they are used. Against arkworks' own sum.
#[test]
fn whole_blocks_are_committed_to() {
    use ark_ec::VariableBaseMSM;
    use ark_ff::PrimeField;
    let bases = bases(530);
    let table = Table::build(&bases, 8).expect("bases of G1");
    let blocks: Vec<Vec<u8>> = (0..3).map(|i| stream(i, 16_384)).collect();
    let blocks: Vec<&[u8]> = blocks.iter().map(Vec::as_slice).collect();
    let blindings: Vec<Fr> = (0..3).map(scalar).collect();
    let expected = |block: &&[u8], blinding: &Fr| {
        let mut scalars: Vec<Fr> = block.chunks(LIMB_BYTES).map(Fr::from_le_bytes_mod_order).collect();
        scalars.push(*blinding);
        G1Projective::msm(&bases, &scalars).expect("as many scalars as bases")
    };
    let expected: Vec<G1Projective> =
        blocks.iter().zip(&blindings).map(|(block, blinding)| expected(block, blinding)).collect();
    for backend in present() {
        assert_eq!(backend.commit(&table, &blocks, &blindings), expected, "{}", backend.name());
    }
}

/// More blocks than share an inversion, in a pool whose threads share them unevenly: none is lost, doubled or out of place.
#[test]
fn many_blocks_are_shared_between_threads() {
    let (bases, table) = &TABLES[0];
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("threads");
    let blocks: Vec<Vec<u8>> = (0..1700).map(|seed| stream(seed, LIMB_BYTES)).collect();
    let blocks: Vec<&[u8]> = blocks.iter().map(Vec::as_slice).collect();
    let blindings: Vec<Fr> = (0..1700).map(|seed| truncated(&scalar(seed), 20)).collect();
    let expected: Vec<G1Projective> = blocks
        .iter()
        .zip(&blindings)
        .map(|(block, blinding)| reference::commitment(bases, block, blinding))
        .collect();
    for backend in present() {
        let given = pool.install(|| backend.commit(table, &blocks, &blindings));
        assert_eq!(given, expected, "{}", backend.name());
    }
}

/// The commitment is that of the other implementation of the curve too.
#[test]
fn sums_are_those_of_blst() {
    let points = bases(33);
    let scalars: Vec<Fr> = (0..33).map(scalar).collect();
    let expected = blst_sum(&points, &scalars);
    for backend in present() {
        assert_eq!(
            G1Affine::from(backend.msm(&points, &scalars, SCALAR_BITS)),
            expected,
            "{}",
            backend.name()
        );
    }
}

/// Wrong calls are refused before a kernel sees them.
#[test]
fn wrong_lengths_panic() {
    let refuses = |call: &dyn Fn()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_err();
    let (bases, table) = &TABLES[0];
    let scalar = scalar(1);
    for backend in present() {
        let name = backend.name();
        let refuses_block = |bytes, blindings| {
            refuses(&|| drop(backend.commit(table, &[&vec![0; bytes]], &vec![scalar; blindings])))
        };
        assert!(!refuses_block(LIMB_BYTES, 1), "{name}");
        assert!(refuses_block(LIMB_BYTES + 1, 1), "{name}: a block too long");
        assert!(refuses_block(LIMB_BYTES, 2), "{name}: too many blindings");
        assert!(refuses(&|| _ = backend.fixed_base(table, &[scalar])), "{name}: too few scalars");
        let refuses_sum =
            |points: &[G1Affine], scalar_bits| refuses(&|| _ = backend.msm(points, &[scalar], scalar_bits));
        assert!(!refuses_sum(&bases[..1], SCALAR_BITS), "{name}");
        assert!(refuses_sum(bases, SCALAR_BITS), "{name}: too few scalars");
        assert!(refuses_sum(&bases[..1], 128), "{name}: a longer scalar");
        assert!(refuses_sum(&bases[..1], 256), "{name}: longer than scalars are");
        assert!(refuses_sum(&bases[..1], 0), "{name}: no bits");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn random_blocks_equal_the_reference(
        blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..12),
        seed in any::<u64>(),
    ) {
        let blindings: Vec<Fr> = (0..blocks.len() as u64).map(|i| scalar(seed ^ i)).collect();
        for backend in present() {
            prop_assert_eq!(commits(backend, &blocks, &blindings, "random"), Ok(()), "{}", backend.name());
        }
    }

    /// Few different points with signs, so that they meet often.
    #[test]
    fn random_sums_equal_the_reference(
        picks in prop::collection::vec((0usize..6, any::<bool>(), any::<u64>()), 0..40),
        bits in 1u32..=255,
    ) {
        let mut few = bases(2);
        few.extend([torsion(3, 0), torsion(11, 1), (bases(1)[0] + torsion(11, 2)).into(), G1Affine::identity()]);
        let points: Vec<G1Affine> =
            picks.iter().map(|(i, negative, _)| if *negative { -few[*i] } else { few[*i] }).collect();
        let scalars: Vec<Fr> =
            picks.iter().map(|(_, _, seed)| truncated(&scalar(*seed), bits)).collect();
        for backend in present() {
            prop_assert_eq!(sums_conform(backend, &points, &scalars, bits, "random"), Ok(()), "{}", backend.name());
        }
    }
}
