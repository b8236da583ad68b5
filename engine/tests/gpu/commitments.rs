//! Commitments of a device are those of the processor, and none counts before it is checked.

use std::sync::Arc;

use ark_ff::PrimeField;
use holdfast_engine::accelerator::{Accelerator, Devices, ProcessorRole};
use holdfast_engine::backend::gpu::{DeviceOptions, Gpu, GpuOptions, Sabotage, Trick};
use holdfast_engine::backend::{Choice, select};
use holdfast_engine::curve::{Fr, G1Projective, Table};
use holdfast_engine::possession::Replica;
use holdfast_engine::possession::blinding::BlindingKey;
use holdfast_engine::possession::commit::Committer;
use holdfast_engine::possession::generators::Generators;
use holdfast_engine::registration::WindowShape;
use holdfast_engine::tree::BLOCK_BYTES;

use crate::support::{adapter, gpu};
use crate::windows::Keep;

fn stream(seed: &[u8], bytes: usize) -> Vec<u8> {
    let mut out = vec![0; bytes];
    blake3::Hasher::new().update(seed).finalize_xof().fill(&mut out);
    out
}

fn on_processor(blocks: &[&[u8]], blindings: &[Fr]) -> Vec<G1Projective> {
    let table = Table::build(Generators::standard().all(), 8).expect("memory");
    select(Choice::Auto).expect("portable exists").commit(&table, blocks, blindings)
}

/// Constant bytes make every digit of a window the same: signs at the border, the ends of table rows, equal addends. Lengths around
/// a limb: a top window that is cut off, a limb of one byte. More blocks than a batch has, and the blinding's extreme scalars.
#[test]
fn commitments_of_a_device_are_the_processor_s() {
    let Some(gpu) = gpu() else { return };
    if let Err(why) = gpu.commit_slots() {
        eprintln!("commitments ABSENT({why})");
        return;
    }
    let mut blocks: Vec<Vec<u8>> =
        [0x00, 0xFF, 0x80, 0x7F, 0x01, 0xFE].map(|byte| vec![byte; BLOCK_BYTES]).to_vec();
    blocks.extend([0, 1, 30, 31, 32, 62, 16_368, 16_383].map(|length| stream(b"short", length)));
    blocks.extend((0..12u8).map(|seed| stream(&[seed], BLOCK_BYTES)));
    let blinding = |block: &Vec<u8>| Fr::from_le_bytes_mod_order(&stream(block, 48));
    let mut blindings: Vec<Fr> = blocks.iter().map(blinding).collect();
    blindings[..4].copy_from_slice(&[Fr::from(0_u64), Fr::from(1_u64), -Fr::from(1_u64), Fr::from(2_u64)]);
    let blocks: Vec<&[u8]> = blocks.iter().map(Vec::as_slice).collect();
    let given = gpu.commit(&blocks, &blindings).expect("commits");
    let expected = on_processor(&blocks, &blindings);
    for (place, (given, expected)) in given.iter().zip(&expected).enumerate() {
        assert_eq!(given, expected, "block {place}");
    }
    // Negative control: another blinding, another byte.
    let mut changed = blindings[0];
    changed += Fr::from(1_u64);
    assert_ne!(gpu.commit(&blocks[..1], &[changed]).expect("commits"), expected[..1]);
    let mut block = blocks[6 + 8].to_vec();
    block[BLOCK_BYTES - 1] ^= 1;
    assert_ne!(gpu.commit(&[&block], &blindings[14..15]).expect("commits"), expected[14..15]);
}

fn committed(devices: Devices, bytes: &[u8]) -> (Vec<[u8; 96]>, holdfast_engine::possession::commit::Shares) {
    let committer = Committer::for_blocks(select(Choice::Auto).expect("portable exists"), 1).expect("memory");
    let committer = committer.with_devices(devices);
    let replica = Replica::new([5; 32], bytes.len() as u64, 1).expect("a replica");
    let points = committer.points(&BlindingKey::from_bytes([9; 32]), &replica, 0, bytes);
    (points, committer.take_shares())
}

/// 70 blocks and a short one: several batches of a software device, one of a real one.
fn object() -> Vec<u8> {
    stream(b"object", 70 * BLOCK_BYTES + 100)
}

#[test]
fn an_object_by_a_device_by_the_processor_and_by_both_is_the_same() {
    let Some(gpu) = gpu() else { return };
    let bytes = object();
    let (expected, _) = committed(Devices::default(), &bytes);
    for processor in [ProcessorRole::TakesOver, ProcessorRole::Shares] {
        let devices = Devices { accelerators: vec![gpu.clone()], processor };
        let (points, shares) = committed(devices, &bytes);
        assert!(points == expected, "{processor:?}");
        assert_eq!((shares.redone_blocks, shares.notices.len()), (0, 0), "{shares:?}");
        if processor == ProcessorRole::TakesOver {
            assert_eq!(shares.accelerated_blocks, 71);
        }
    }
}

#[test]
fn commitments_that_come_back_wrong_or_not_at_all_are_made_again() {
    let Some(adapter) = adapter() else { return };
    let bytes = object();
    let (expected, _) = committed(Devices::default(), &bytes);
    // Of a lost device, one thread may hear that it refuses before another has been told that it is lost.
    let tricks: [(Trick, &[&str]); 3] =
        [(Trick::Corrupt, &["wrong"]), (Trick::Destroy, &["lost", "refused"]), (Trick::Hang, &["timed-out"])];
    for (trick, kinds) in tricks {
        let sabotage = Sabotage::new(trick);
        let device = DeviceOptions { sabotage: Some(sabotage.clone()), ..DeviceOptions::default() };
        let gpu = Gpu::open(adapter.clone(), GpuOptions { device, ..GpuOptions::default() }).expect("opens");
        // Tables and known answers are behind it.
        gpu.commit(&[&bytes[..BLOCK_BYTES]], &[Fr::from(1_u64)]).expect("commits");
        sabotage.strike_after(1);
        let gpu = Arc::new(gpu);
        let devices = Devices { accelerators: vec![gpu.clone()], processor: ProcessorRole::TakesOver };
        let (points, shares) = committed(devices, &bytes);
        assert!(points == expected, "{trick:?}");
        assert!(sabotage.has_struck() && shares.redone_blocks > 0, "{trick:?}: {shares:?}");
        assert!(kinds.contains(&gpu.report().faults[0].kind), "{:?}", gpu.report());
        assert!(shares.notices[0].contains("the processor commits"), "{shares:?}");
    }
}

/// Such a device fills, and leaves commitments to the processor.
#[test]
fn a_device_without_64_bit_integers_makes_windows_and_no_commitments() {
    let Some(mut adapter) = adapter() else { return };
    adapter.has_64_bit_integers = false;
    let gpu = Arc::new(Gpu::open(adapter, GpuOptions::default()).expect("opens"));
    let shape = WindowShape::new(12, 2).expect("in range");
    gpu.make_window(shape, &[1; 32], &Keep::new(shape)).expect("makes");
    let bytes = object();
    let devices = Devices { accelerators: vec![gpu], processor: ProcessorRole::TakesOver };
    let (points, shares) = committed(devices, &bytes);
    assert!(points == committed(Devices::default(), &bytes).0);
    assert_eq!(shares.accelerated_blocks, 0);
    assert!(shares.notices[0].contains("no 64-bit integers"), "{shares:?}");
}
