use proptest::prelude::*;

use super::*;

const GIB: u64 = 1 << 30;
const SHAPE: WindowShape = WindowShape { k: 21, layers: 16, minimum_windows: 1 };

fn table(stakes: &[f64]) -> StakeTable {
    let rows = (0..).zip(stakes).map(|(uid, &stake)| Stake { uid, hotkey: format!("key-{uid:04}"), stake });
    StakeTable::new(rows.collect()).unwrap()
}

fn disk(free_bytes: u64) -> DiskSpace {
    DiskSpace { free_bytes, already_allocated_bytes: 0, threshold: 1.0, max_bytes: None }
}

fn windows(plan: &Plan) -> Vec<u64> {
    plan.shares.iter().map(|share| share.windows).collect()
}

#[test]
fn shares_are_stake_plus_one() {
    // 1 : 3 : 4 of 80 windows
    let per_window = Geometry::new(SHAPE.k, SHAPE.layers, 1).unwrap().bytes_per_window();
    let plan =
        plan(&table(&[0.0, 2.0, 3.0]), &disk(3 * fixed_bytes() + 80 * per_window + 5), &SHAPE).unwrap();
    assert_eq!(windows(&plan), [10, 30, 40]);
    assert_eq!(plan.planned_bytes, plan.threshold_bytes - 5);
    assert_eq!(plan.shares[0].size_bytes, fixed_bytes() + 10 * per_window);
    assert_eq!(plan.window_cap, 160, "the journals of two partitions are less than a window");
}

#[test]
fn windows_left_over_go_to_the_largest_remainders_and_then_by_hotkey() {
    let per_window = Geometry::new(SHAPE.k, SHAPE.layers, 1).unwrap().bytes_per_window();
    let shares = |stakes: &[f64], count: u64| {
        let bytes = stakes.len() as u64 * fixed_bytes() + count * per_window;
        windows(&plan(&table(stakes), &disk(bytes), &SHAPE).unwrap())
    };
    assert_eq!(shares(&[4.0, 4.0, 4.0], 11), [4, 4, 3], "three equal remainders, two windows");
    assert_eq!(shares(&[46.0, 15.0, 15.0, 11.0, 5.0, 0.0], 100).iter().sum::<u64>(), 100);
    // Hamilton's textbook example: 47, 16, 15.8, 12, 6.1, 3.1 thousand voters, 10 seats.
    assert_eq!(shares(&[46_999.0, 15_999.0, 15_799.0, 11_999.0, 6_099.0, 3_099.0], 10)[..4], [5, 2, 2, 1]);
}

#[test]
fn a_validator_below_the_minimum_gets_nothing_and_the_others_its_share() {
    let shape = WindowShape { minimum_windows: 10, ..SHAPE };
    let plan = plan(&table(&[99.0, 0.0, 99.0]), &disk(4 * GIB), &shape).unwrap();
    assert_eq!(plan.shares[1].windows, 0);
    assert!(plan.shares[1].below_minimum && !plan.shares[0].below_minimum);
    let without = super::plan(&table(&[99.0, 99.0]), &disk(4 * GIB), &shape).unwrap();
    assert_eq!(plan.shares[0].windows, without.shares[0].windows);
    assert_eq!(plan.planned_bytes, without.planned_bytes);
}

#[test]
fn what_cannot_be_planned_says_why() {
    let table = table(&[1.0]);
    let with = |disk: DiskSpace, shape: WindowShape| plan(&table, &disk, &shape).unwrap_err();
    for threshold in [0.0, -0.5, 1.1, f64::NAN, f64::INFINITY] {
        let error = with(DiskSpace { threshold, ..disk(GIB) }, SHAPE);
        assert!(matches!(error, AllocateError::Threshold(_)), "{threshold}: {error}");
    }
    let error = with(disk(GIB / 16), SHAPE);
    assert!(matches!(error, AllocateError::NothingFits { threshold_bytes, needed_bytes }
        if threshold_bytes == GIB / 16 && needed_bytes > GIB / 16));
    assert_eq!(with(disk(GIB), WindowShape { minimum_windows: 0, ..SHAPE }), AllocateError::MinimumWindows);
    assert!(matches!(with(disk(GIB), WindowShape { k: 9, ..SHAPE }), AllocateError::Shape(_)));
    assert!(matches!(with(disk(u64::MAX), SHAPE), AllocateError::Shape(FormatError::TooLarge { .. })));
    let empty = StakeTable::default();
    assert_eq!(plan(&empty, &disk(GIB), &SHAPE).unwrap_err(), AllocateError::NoValidators);
}

#[test]
fn five_thousand_validators_are_planned() {
    let stakes: Vec<f64> = (0..5000).map(|uid| f64::from(uid) * 3.7).collect();
    let plan = plan(&table(&stakes), &disk(400 << 40), &SHAPE).unwrap();
    assert!(plan.planned_bytes <= plan.threshold_bytes);
    assert!(windows(&plan).is_sorted(), "more stake is never fewer windows");
    assert_eq!(
        plan.shares.iter().filter(|share| share.below_minimum).count(),
        2,
        "weights 1 and 4.7 of 7.1 for a window"
    );
}

/// Stakes from very small to very large, with ties.
fn stakes() -> impl Strategy<Value = Vec<f64>> {
    let stake =
        prop_oneof![Just(0.0), Just(1000.0), 0.0..10.0, 0.0..1e6_f64, Just(STAKE_MAXIMUM), Just(5e-10)];
    prop::collection::vec(stake, 1..60)
}

fn disks() -> impl Strategy<Value = DiskSpace> {
    (GIB / 4..1 << 44, 0..1_u64 << 40, 0.01..=1.0_f64, prop::option::of(GIB / 8..1 << 42)).prop_map(
        |(free_bytes, already_allocated_bytes, threshold, max_bytes)| DiskSpace {
            free_bytes,
            already_allocated_bytes,
            threshold,
            max_bytes,
        },
    )
}

fn shapes() -> impl Strategy<Value = WindowShape> {
    (10_u8..=25, 1_u64..20).prop_map(|(k, minimum_windows)| WindowShape { k, layers: 16, minimum_windows })
}

proptest! {
    #[test]
    fn the_total_is_within_the_threshold_and_wastes_less_than_a_window(
        stakes in stakes(), disk in disks(), shape in shapes(),
    ) {
        let Ok(plan) = plan(&table(&stakes), &disk, &shape) else { return Ok(()) };
        let limit = (disk.free_bytes + disk.already_allocated_bytes) as f64 * disk.threshold;
        prop_assert!(plan.threshold_bytes as f64 <= limit * (1.0 + 1e-6));
        prop_assert!(plan.threshold_bytes <= disk.max_bytes.unwrap_or(u64::MAX));
        prop_assert!(plan.planned_bytes <= plan.threshold_bytes);
        let per_window = Geometry::new(shape.k, shape.layers, 1).unwrap().bytes_per_window();
        prop_assert!(plan.threshold_bytes - plan.planned_bytes < per_window, "all remainders are given away");
        for share in &plan.shares {
            prop_assert!(share.windows == 0 || share.windows >= shape.minimum_windows);
            prop_assert_eq!(share.below_minimum, share.windows == 0);
            prop_assert!(share.windows <= plan.window_cap / 2);
        }
    }

    /// Quota rule: nobody is a whole window away from the exact share among those who got something.
    #[test]
    fn nobody_is_a_window_away_from_the_exact_share(stakes in stakes(), disk in disks(), shape in shapes()) {
        let Ok(plan) = plan(&table(&stakes), &disk, &shape) else { return Ok(()) };
        let kept: Vec<&Share> = plan.shares.iter().filter(|share| share.windows > 0).collect();
        let windows: u128 = kept.iter().map(|share| u128::from(share.windows)).sum();
        let weight: u128 = kept.iter().map(|share| share.validator.weight()).sum();
        for share in kept {
            let exact = share.validator.weight() * windows;
            prop_assert!((u128::from(share.windows) * weight).abs_diff(exact) < weight);
        }
    }

    #[test]
    fn the_order_of_the_table_does_not_matter(
        stakes in stakes(), disk in disks(), shape in shapes(), turn in 0_usize..60,
    ) {
        let rows: Vec<Stake> = table(&stakes).iter().cloned().collect();
        let mut turned = rows.clone();
        turned.rotate_left(turn % rows.len());
        turned.reverse();
        let plans = [rows, turned].map(|rows| plan(&StakeTable::new(rows).unwrap(), &disk, &shape));
        match plans {
            [Ok(one), Ok(other)] => for share in one.shares {
                let found = other.shares.iter().find(|found| found.validator == share.validator);
                prop_assert_eq!(found, Some(&share));
            },
            [one, other] => prop_assert_eq!(one, other),
        }
    }

    #[test]
    fn more_stake_is_never_fewer_windows(
        stakes in stakes(), disk in disks(), shape in shapes(), place in 0_usize..60, more in 0.0..1e5_f64,
    ) {
        let Ok(before) = plan(&table(&stakes), &disk, &shape) else { return Ok(()) };
        for a in &before.shares {
            for b in &before.shares {
                prop_assert!(a.validator.stake <= b.validator.stake || a.windows >= b.windows);
            }
        }
        let place = place % stakes.len();
        let mut raised = stakes.clone();
        raised[place] = (raised[place] + more).min(STAKE_MAXIMUM);
        let after = plan(&table(&raised), &disk, &shape).unwrap();
        prop_assert!(after.shares[place].windows >= before.shares[place].windows);
    }

    /// On the disk as it is after any part of the plan was carried out, the plan is the same.
    #[test]
    fn a_plan_made_again_on_a_half_filled_disk_is_the_same(
        stakes in stakes(), disk in disks(), shape in shapes(), percent in 0_u64..=100,
    ) {
        let Ok(first) = plan(&table(&stakes), &disk, &shape) else { return Ok(()) };
        let used = first.planned_bytes.min(disk.free_bytes) / 100 * percent;
        let half_filled = DiskSpace {
            free_bytes: disk.free_bytes - used,
            already_allocated_bytes: disk.already_allocated_bytes + used,
            ..disk
        };
        prop_assert_eq!(plan(&table(&stakes), &half_filled, &shape).unwrap(), first);
    }
}
