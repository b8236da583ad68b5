// Words with carries in 32-bit integers: for devices without 64-bit ones. Twin: src/twin/words.rs, `Split`.

// x·y + z + carry as (low word, high word), from four products of halves; it never exceeds 2^64 − 1.
fn multiply_add(x: u32, y: u32, z: u32, carry: u32) -> vec2<u32> {
    let x_low = x & 0xffffu;
    let x_high = x >> 16u;
    let y_low = y & 0xffffu;
    let y_high = y >> 16u;
    // Each of these sums stays below 2^32: a product of halves is at most 2^32 − 2^17 + 1.
    let low = x_low * y_low + (z & 0xffffu) + (carry & 0xffffu);
    let middle = x_high * y_low + (z >> 16u) + (low >> 16u);
    let other = x_low * y_high + (carry >> 16u) + (middle & 0xffffu);
    let high = x_high * y_high + (middle >> 16u) + (other >> 16u);
    return vec2<u32>((low & 0xffffu) | (other << 16u), high);
}

// x + y + carry as (low word, carry).
fn add_carry(x: u32, y: u32, carry: u32) -> vec2<u32> {
    let sum = x + y;
    let total = sum + carry;
    return vec2<u32>(total, u32(sum < x) | u32(total < sum));
}

// x − y − borrow as (low word, borrow).
fn subtract_borrow(x: u32, y: u32, borrow: u32) -> vec2<u32> {
    let difference = x - y;
    return vec2<u32>(difference - borrow, u32(x < y) | u32(difference < borrow));
}
