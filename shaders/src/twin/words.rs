//! Twins of `wgsl/shared/words_wide.wgsl` and `wgsl/shared/words_split.wgsl`: words with carries.

/// A way of computing with carries. Every function returns the low word and what goes into the next one.
pub trait Words {
    /// x·y + z + carry; it never exceeds 2^64 − 1.
    fn multiply_add(x: u32, y: u32, z: u32, carry: u32) -> [u32; 2];

    /// x + y + carry.
    fn add_carry(x: u32, y: u32, carry: u32) -> [u32; 2];

    /// x − y − borrow.
    fn subtract_borrow(x: u32, y: u32, borrow: u32) -> [u32; 2];
}

/// Through 64-bit integers.
#[derive(Clone, Copy, Debug)]
pub struct Wide;

/// In 32-bit integers.
#[derive(Clone, Copy, Debug)]
pub struct Split;

/// Low and high word.
#[allow(clippy::cast_possible_truncation)]
fn halves(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

impl Words for Wide {
    fn multiply_add(x: u32, y: u32, z: u32, carry: u32) -> [u32; 2] {
        halves(u64::from(x) * u64::from(y) + u64::from(z) + u64::from(carry))
    }

    fn add_carry(x: u32, y: u32, carry: u32) -> [u32; 2] {
        halves(u64::from(x) + u64::from(y) + u64::from(carry))
    }

    fn subtract_borrow(x: u32, y: u32, borrow: u32) -> [u32; 2] {
        let [low, high] = halves(u64::from(x).wrapping_sub(u64::from(y)).wrapping_sub(u64::from(borrow)));
        [low, high >> 31]
    }
}

impl Words for Split {
    fn multiply_add(x: u32, y: u32, z: u32, carry: u32) -> [u32; 2] {
        let [x_low, x_high] = [x & 0xffff, x >> 16];
        let [y_low, y_high] = [y & 0xffff, y >> 16];
        // None of these sums overflows: a product of halves is at most 2^32 − 2^17 + 1. Debug builds would see it.
        let low = x_low * y_low + (z & 0xffff) + (carry & 0xffff);
        let middle = x_high * y_low + (z >> 16) + (low >> 16);
        let other = x_low * y_high + (carry >> 16) + (middle & 0xffff);
        let high = x_high * y_high + (middle >> 16) + (other >> 16);
        [(low & 0xffff) | (other << 16), high]
    }

    fn add_carry(x: u32, y: u32, carry: u32) -> [u32; 2] {
        let sum = x.wrapping_add(y);
        let total = sum.wrapping_add(carry);
        [total, u32::from(sum < x) | u32::from(total < sum)]
    }

    fn subtract_borrow(x: u32, y: u32, borrow: u32) -> [u32; 2] {
        let difference = x.wrapping_sub(y);
        [difference.wrapping_sub(borrow), u32::from(x < y) | u32::from(difference < borrow)]
    }
}
