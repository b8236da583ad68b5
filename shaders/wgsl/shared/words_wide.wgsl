// Words with carries through 64-bit integers. Twin: src/twin/words.rs, `Wide`.

// x·y + z + carry as (low word, high word); it never exceeds 2^64 − 1.
fn multiply_add(x: u32, y: u32, z: u32, carry: u32) -> vec2<u32> {
    let sum = u64(x) * u64(y) + u64(z) + u64(carry);
    return vec2<u32>(u32(sum), u32(sum >> 32u));
}

// x + y + carry as (low word, carry).
fn add_carry(x: u32, y: u32, carry: u32) -> vec2<u32> {
    let sum = u64(x) + u64(y) + u64(carry);
    return vec2<u32>(u32(sum), u32(sum >> 32u));
}

// x − y − borrow as (low word, borrow).
fn subtract_borrow(x: u32, y: u32, borrow: u32) -> vec2<u32> {
    let difference = u64(x) - u64(y) - u64(borrow);
    return vec2<u32>(u32(difference), u32(difference >> 63u));
}
