//! How much space each validator gets.
//!
//! A disk offers `threshold × (free bytes + bytes already allocated)`, at most `max_bytes`. Validator `i` gets the share
//! `(stake_i + 1) / Σ (stake_j + 1)` of the windows that fit into it. Windows are whole, so shares are rounded by largest
//! remainder (Hamilton's method): everybody gets the whole part of the exact share, and the windows left over go to the
//! largest remainders, ties to the hotkey that sorts first. All arithmetic is on integers, so every machine makes the
//! same plan, whatever the order of the table.
//!
//! A validator whose exact share is below the minimum gets nothing, and its share goes to the others: the smallest are
//! left out one after another until everybody left has the minimum.
//!
//! Each disk is planned by itself with the same stakes.

mod stakes;

pub use stakes::{STAKE_MAXIMUM, Stake, StakeError, StakeTable};

use crate::format::{FormatError, Geometry, fixed_bytes};

/// Parts of a threshold that are told apart.
const THRESHOLD_PARTS: u64 = 1_000_000_000;

/// What one disk offers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DiskSpace {
    /// Bytes that the file system reports as available.
    pub free_bytes: u64,
    /// Bytes that our own partitions take on this disk already. They count as free, so that a plan made again on a
    /// half-filled disk is the same plan.
    pub already_allocated_bytes: u64,
    /// Share of the disk to use, above 0 and at most 1.
    pub threshold: f64,
    /// Never use more than this.
    pub max_bytes: Option<u64>,
}

/// The windows to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowShape {
    /// A window has `2^k` labels of 32 bytes.
    pub k: u8,
    /// Layers of the profile.
    pub layers: u8,
    /// Smallest partition worth making, in windows; at least 1.
    pub minimum_windows: u64,
}

/// What one validator gets on one disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// The validator.
    pub validator: Stake,
    /// Windows of its partition; 0 when it gets none.
    pub windows: u64,
    /// Disk space of its partition, headers, journal and tables included; 0 when it gets none.
    pub size_bytes: u64,
    /// It gets no partition because its exact share is below the minimum.
    pub below_minimum: bool,
}

/// The plan of one disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// One for each validator, in the order of the stake table.
    pub shares: Vec<Share>,
    /// Free bytes and bytes already allocated.
    pub available_bytes: u64,
    /// Bytes that may be used: the threshold's part of what is available, at most the maximum.
    pub threshold_bytes: u64,
    /// Bytes that the plan uses; never more than `threshold_bytes`.
    pub planned_bytes: u64,
    /// Window cap to register every partition of this plan with, see [`window_cap`].
    pub window_cap: u64,
}

/// Why no plan could be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AllocateError {
    /// The threshold is not a share.
    #[error("threshold {0} is not a share of the disk: give a number above 0 and at most 1, such as 0.8")]
    Threshold(f64),
    /// A partition of no windows is none.
    #[error("the smallest partition must have at least 1 window")]
    MinimumWindows,
    /// Nobody to allocate for.
    #[error("the stake table is empty: there is nobody to allocate space for")]
    NoValidators,
    /// Not one partition of the minimum size fits.
    #[error(
        "no partition fits: {threshold_bytes} bytes may be used, the smallest partition takes {needed_bytes}: free some space, raise the threshold or choose smaller windows"
    )]
    NothingFits {
        /// Bytes that may be used.
        threshold_bytes: u64,
        /// Bytes of the smallest partition.
        needed_bytes: u64,
    },
    /// Windows of this shape cannot be.
    #[error(transparent)]
    Shape(#[from] FormatError),
}

/// Plans one disk. Costs O(n log n) for n validators.
///
/// # Errors
/// [`AllocateError`]; a validator left out is no error, unless nobody is left.
pub fn plan(stakes: &StakeTable, disk: &DiskSpace, shape: &WindowShape) -> Result<Plan, AllocateError> {
    if shape.minimum_windows == 0 {
        return Err(AllocateError::MinimumWindows);
    }
    if stakes.is_empty() {
        return Err(AllocateError::NoValidators);
    }
    let (available_bytes, threshold_bytes) = budget(disk)?;
    let window_cap = window_cap(shape, threshold_bytes)?;
    let geometry = Geometry::new(shape.k, shape.layers, window_cap)?;
    let ranked = rank(stakes);
    let kept = keep(&ranked, &geometry, threshold_bytes, shape.minimum_windows);
    if kept.is_empty() {
        let needed_bytes = smallest_bytes(&geometry, shape.minimum_windows);
        return Err(AllocateError::NothingFits { threshold_bytes, needed_bytes });
    }

    let total_windows = windows_for(&geometry, threshold_bytes, kept.len());
    let mut windows_at = vec![0; stakes.len()];
    for (ranked, windows) in kept.iter().zip(largest_remainder(kept, total_windows)) {
        windows_at[ranked.place] = windows;
    }
    let shares: Vec<Share> = stakes
        .iter()
        .zip(windows_at)
        .map(|(validator, windows)| Share {
            validator: validator.clone(),
            windows,
            size_bytes: if windows == 0 { 0 } else { geometry.allocated_bytes(windows).unwrap_or(u64::MAX) },
            below_minimum: windows == 0,
        })
        .collect();
    let planned_bytes = shares.iter().map(|share| share.size_bytes).sum();
    Ok(Plan { shares, available_bytes, threshold_bytes, planned_bytes, window_cap })
}

/// The window cap to register: twice the windows that fit into the whole threshold.
///
/// The cap is part of the registration, so it can never change, and a partition that outgrew it would have to be
/// registered and filled anew. Twice the whole threshold leaves room for every shift of stakes between validators (up to
/// one of them holding everything) and for the space offered to double. Its only cost is address space: two table pages
/// for each window of the cap, which stay holes in the file until the windows exist.
///
/// # Errors
/// [`AllocateError::Shape`].
pub fn window_cap(shape: &WindowShape, threshold_bytes: u64) -> Result<u64, AllocateError> {
    let single = Geometry::new(shape.k, shape.layers, 1)?;
    Ok(2 * windows_for(&single, threshold_bytes, 1).max(1))
}

fn budget(disk: &DiskSpace) -> Result<(u64, u64), AllocateError> {
    if !(disk.threshold > 0.0 && disk.threshold <= 1.0) {
        return Err(AllocateError::Threshold(disk.threshold));
    }
    #[expect(clippy::cast_possible_truncation, reason = "between 0 and THRESHOLD_PARTS")]
    let parts = (disk.threshold * THRESHOLD_PARTS as f64).round() as u64;
    let available_bytes = disk.free_bytes.saturating_add(disk.already_allocated_bytes);
    let share = u128::from(available_bytes) * u128::from(parts) / u128::from(THRESHOLD_PARTS);
    let threshold_bytes = u64::try_from(share).unwrap_or(u64::MAX).min(disk.max_bytes.unwrap_or(u64::MAX));
    Ok((available_bytes, threshold_bytes))
}

/// Windows that fit into `bytes` beside the headers and journals of `partitions` partitions.
fn windows_for(geometry: &Geometry, bytes: u64, partitions: usize) -> u64 {
    let fixed = fixed_bytes().saturating_mul(partitions as u64);
    bytes.saturating_sub(fixed) / geometry.bytes_per_window()
}

fn smallest_bytes(geometry: &Geometry, minimum_windows: u64) -> u64 {
    minimum_windows.saturating_mul(geometry.bytes_per_window()).saturating_add(fixed_bytes())
}

struct Ranked<'a> {
    /// Row in the stake table.
    place: usize,
    hotkey: &'a str,
    weight: u128,
}

/// Largest stake first, ties by hotkey: an order that does not depend on the table's.
fn rank(stakes: &StakeTable) -> Vec<Ranked<'_>> {
    let mut ranked: Vec<_> = stakes
        .iter()
        .enumerate()
        .map(|(place, stake)| Ranked { place, hotkey: &stake.hotkey, weight: stake.weight() })
        .collect();
    ranked.sort_by(|a, b| b.weight.cmp(&a.weight).then_with(|| a.hotkey.cmp(b.hotkey)));
    ranked
}

/// The longest head of `ranked` in which the last, so everybody, has an exact share of at least the minimum. (One more
/// validator makes both that share and the windows to share out smaller, so the first that fails ends it.)
fn keep<'a, 'b>(
    ranked: &'b [Ranked<'a>],
    geometry: &Geometry,
    threshold_bytes: u64,
    minimum_windows: u64,
) -> &'b [Ranked<'a>] {
    let mut total_weight = 0;
    let kept = ranked.iter().enumerate().take_while(|(place, last)| {
        total_weight += last.weight;
        let windows = windows_for(geometry, threshold_bytes, place + 1);
        last.weight * u128::from(windows) >= u128::from(minimum_windows) * total_weight
    });
    let kept = kept.count();
    &ranked[..kept]
}

/// Shares out `windows` in proportion to the weights; the result sums to `windows` (unless `ranked` is empty).
fn largest_remainder(ranked: &[Ranked<'_>], windows: u64) -> Vec<u64> {
    let total_weight: u128 = ranked.iter().map(|ranked| ranked.weight).sum();
    let exact = |ranked: &Ranked<'_>| ranked.weight * u128::from(windows);
    let mut shares: Vec<u64> =
        ranked.iter().map(|ranked| u64::try_from(exact(ranked) / total_weight).unwrap_or(windows)).collect();
    let mut by_remainder: Vec<usize> = (0..ranked.len()).collect();
    by_remainder.sort_by(|&a, &b| {
        let remainder = |place: usize| exact(&ranked[place]) % total_weight;
        remainder(b).cmp(&remainder(a)).then_with(|| ranked[a].hotkey.cmp(ranked[b].hotkey))
    });
    let left_over = windows - shares.iter().sum::<u64>();
    for place in by_remainder.into_iter().zip(0..left_over).map(|(place, _)| place) {
        shares[place] += 1;
    }
    shares
}

#[cfg(test)]
mod tests;
