// Kernel commit_fold, variant wide_looped_64: assembled by the build.

const WORKGROUP: u32 = 64u;

// ---- shared/product_wide.wgsl

// Words with carries through 64-bit integers. Twin: src/twin/product.rs, `Wide`.

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

// ---- generated/field.wgsl

const PRIME_0: u32 = 0xffffaaabu;
const PRIME_1: u32 = 0xb9feffffu;
const PRIME_2: u32 = 0xb153ffffu;
const PRIME_3: u32 = 0x1eabfffeu;
const PRIME_4: u32 = 0xf6b0f624u;
const PRIME_5: u32 = 0x6730d2a0u;
const PRIME_6: u32 = 0xf38512bfu;
const PRIME_7: u32 = 0x64774b84u;
const PRIME_8: u32 = 0x434bacd7u;
const PRIME_9: u32 = 0x4b1ba7b6u;
const PRIME_10: u32 = 0x397fe69au;
const PRIME_11: u32 = 0x1a0111eau;
const TWICE_PRIME_0: u32 = 0xffff5556u;
const TWICE_PRIME_1: u32 = 0x73fdffffu;
const TWICE_PRIME_2: u32 = 0x62a7ffffu;
const TWICE_PRIME_3: u32 = 0x3d57fffdu;
const TWICE_PRIME_4: u32 = 0xed61ec48u;
const TWICE_PRIME_5: u32 = 0xce61a541u;
const TWICE_PRIME_6: u32 = 0xe70a257eu;
const TWICE_PRIME_7: u32 = 0xc8ee9709u;
const TWICE_PRIME_8: u32 = 0x869759aeu;
const TWICE_PRIME_9: u32 = 0x96374f6cu;
const TWICE_PRIME_10: u32 = 0x72ffcd34u;
const TWICE_PRIME_11: u32 = 0x340223d4u;
// −1/p mod 2^32.
const NEGATED_INVERSE: u32 = 0xfffcfffdu;

// x + y as integers; the sum must stay below 2^384.
fn add_unreduced(x: FieldElement, y: FieldElement) -> FieldElement {
    let s0 = add_carry(x.a.x, y.a.x, 0u);
    let s1 = add_carry(x.a.y, y.a.y, s0.y);
    let s2 = add_carry(x.a.z, y.a.z, s1.y);
    let s3 = add_carry(x.a.w, y.a.w, s2.y);
    let s4 = add_carry(x.b.x, y.b.x, s3.y);
    let s5 = add_carry(x.b.y, y.b.y, s4.y);
    let s6 = add_carry(x.b.z, y.b.z, s5.y);
    let s7 = add_carry(x.b.w, y.b.w, s6.y);
    let s8 = add_carry(x.c.x, y.c.x, s7.y);
    let s9 = add_carry(x.c.y, y.c.y, s8.y);
    let s10 = add_carry(x.c.z, y.c.z, s9.y);
    let s11 = add_carry(x.c.w, y.c.w, s10.y);
    return FieldElement(vec4<u32>(s0.x, s1.x, s2.x, s3.x), vec4<u32>(s4.x, s5.x, s6.x, s7.x), vec4<u32>(s8.x, s9.x, s10.x, s11.x));
}

// x + 2p − y as integers, for y up to 2p; x + 2p must stay below 2^384.
fn subtract_unreduced(x: FieldElement, y: FieldElement) -> FieldElement {
    let d0 = subtract_borrow(TWICE_PRIME_0, y.a.x, 0u);
    let s0 = add_carry(x.a.x, d0.x, 0u);
    let d1 = subtract_borrow(TWICE_PRIME_1, y.a.y, d0.y);
    let s1 = add_carry(x.a.y, d1.x, s0.y);
    let d2 = subtract_borrow(TWICE_PRIME_2, y.a.z, d1.y);
    let s2 = add_carry(x.a.z, d2.x, s1.y);
    let d3 = subtract_borrow(TWICE_PRIME_3, y.a.w, d2.y);
    let s3 = add_carry(x.a.w, d3.x, s2.y);
    let d4 = subtract_borrow(TWICE_PRIME_4, y.b.x, d3.y);
    let s4 = add_carry(x.b.x, d4.x, s3.y);
    let d5 = subtract_borrow(TWICE_PRIME_5, y.b.y, d4.y);
    let s5 = add_carry(x.b.y, d5.x, s4.y);
    let d6 = subtract_borrow(TWICE_PRIME_6, y.b.z, d5.y);
    let s6 = add_carry(x.b.z, d6.x, s5.y);
    let d7 = subtract_borrow(TWICE_PRIME_7, y.b.w, d6.y);
    let s7 = add_carry(x.b.w, d7.x, s6.y);
    let d8 = subtract_borrow(TWICE_PRIME_8, y.c.x, d7.y);
    let s8 = add_carry(x.c.x, d8.x, s7.y);
    let d9 = subtract_borrow(TWICE_PRIME_9, y.c.y, d8.y);
    let s9 = add_carry(x.c.y, d9.x, s8.y);
    let d10 = subtract_borrow(TWICE_PRIME_10, y.c.z, d9.y);
    let s10 = add_carry(x.c.z, d10.x, s9.y);
    let d11 = subtract_borrow(TWICE_PRIME_11, y.c.w, d10.y);
    let s11 = add_carry(x.c.w, d11.x, s10.y);
    return FieldElement(vec4<u32>(s0.x, s1.x, s2.x, s3.x), vec4<u32>(s4.x, s5.x, s6.x, s7.x), vec4<u32>(s8.x, s9.x, s10.x, s11.x));
}

// x − p if that is not negative, else x.
fn reduce_once(x: FieldElement) -> FieldElement {
    let d0 = subtract_borrow(x.a.x, PRIME_0, 0u);
    let d1 = subtract_borrow(x.a.y, PRIME_1, d0.y);
    let d2 = subtract_borrow(x.a.z, PRIME_2, d1.y);
    let d3 = subtract_borrow(x.a.w, PRIME_3, d2.y);
    let d4 = subtract_borrow(x.b.x, PRIME_4, d3.y);
    let d5 = subtract_borrow(x.b.y, PRIME_5, d4.y);
    let d6 = subtract_borrow(x.b.z, PRIME_6, d5.y);
    let d7 = subtract_borrow(x.b.w, PRIME_7, d6.y);
    let d8 = subtract_borrow(x.c.x, PRIME_8, d7.y);
    let d9 = subtract_borrow(x.c.y, PRIME_9, d8.y);
    let d10 = subtract_borrow(x.c.z, PRIME_10, d9.y);
    let d11 = subtract_borrow(x.c.w, PRIME_11, d10.y);
    let keep = d11.y != 0u;
    return FieldElement(
        select(vec4<u32>(d0.x, d1.x, d2.x, d3.x), x.a, keep),
        select(vec4<u32>(d4.x, d5.x, d6.x, d7.x), x.b, keep),
        select(vec4<u32>(d8.x, d9.x, d10.x, d11.x), x.c, keep),
    );
}

// x·y / 2^384 mod p. If x < a·p and y < b·p, then a·b and b + 1 must not exceed 9.8; the result is below p.
fn multiply(x: FieldElement, y: FieldElement) -> FieldElement {
    var t0 = 0u;
    var t1 = 0u;
    var t2 = 0u;
    var t3 = 0u;
    var t4 = 0u;
    var t5 = 0u;
    var t6 = 0u;
    var t7 = 0u;
    var t8 = 0u;
    var t9 = 0u;
    var t10 = 0u;
    var t11 = 0u;
    var x_turning = x;
    for (var i = 0u; i < 3u; i += 1u) {
        {
            let f0 = x_turning.a.x;
            let p0_0 = multiply_add(f0, y.a.x, t0, 0u);
            let m = p0_0.x * NEGATED_INVERSE;
            let q0 = multiply_add(m, PRIME_0, p0_0.x, 0u);
            let p0_1 = multiply_add(f0, y.a.y, t1, p0_0.y);
            let q1 = multiply_add(m, PRIME_1, p0_1.x, q0.y);
            t0 = q1.x;
            let p0_2 = multiply_add(f0, y.a.z, t2, p0_1.y);
            let q2 = multiply_add(m, PRIME_2, p0_2.x, q1.y);
            t1 = q2.x;
            let p0_3 = multiply_add(f0, y.a.w, t3, p0_2.y);
            let q3 = multiply_add(m, PRIME_3, p0_3.x, q2.y);
            t2 = q3.x;
            let p0_4 = multiply_add(f0, y.b.x, t4, p0_3.y);
            let q4 = multiply_add(m, PRIME_4, p0_4.x, q3.y);
            t3 = q4.x;
            let p0_5 = multiply_add(f0, y.b.y, t5, p0_4.y);
            let q5 = multiply_add(m, PRIME_5, p0_5.x, q4.y);
            t4 = q5.x;
            let p0_6 = multiply_add(f0, y.b.z, t6, p0_5.y);
            let q6 = multiply_add(m, PRIME_6, p0_6.x, q5.y);
            t5 = q6.x;
            let p0_7 = multiply_add(f0, y.b.w, t7, p0_6.y);
            let q7 = multiply_add(m, PRIME_7, p0_7.x, q6.y);
            t6 = q7.x;
            let p0_8 = multiply_add(f0, y.c.x, t8, p0_7.y);
            let q8 = multiply_add(m, PRIME_8, p0_8.x, q7.y);
            t7 = q8.x;
            let p0_9 = multiply_add(f0, y.c.y, t9, p0_8.y);
            let q9 = multiply_add(m, PRIME_9, p0_9.x, q8.y);
            t8 = q9.x;
            let p0_10 = multiply_add(f0, y.c.z, t10, p0_9.y);
            let q10 = multiply_add(m, PRIME_10, p0_10.x, q9.y);
            t9 = q10.x;
            let p0_11 = multiply_add(f0, y.c.w, t11, p0_10.y);
            let q11 = multiply_add(m, PRIME_11, p0_11.x, q10.y);
            t10 = q11.x;
            t11 = p0_11.y + q11.y;
        }
        {
            let f0 = x_turning.a.y;
            let p0_0 = multiply_add(f0, y.a.x, t0, 0u);
            let m = p0_0.x * NEGATED_INVERSE;
            let q0 = multiply_add(m, PRIME_0, p0_0.x, 0u);
            let p0_1 = multiply_add(f0, y.a.y, t1, p0_0.y);
            let q1 = multiply_add(m, PRIME_1, p0_1.x, q0.y);
            t0 = q1.x;
            let p0_2 = multiply_add(f0, y.a.z, t2, p0_1.y);
            let q2 = multiply_add(m, PRIME_2, p0_2.x, q1.y);
            t1 = q2.x;
            let p0_3 = multiply_add(f0, y.a.w, t3, p0_2.y);
            let q3 = multiply_add(m, PRIME_3, p0_3.x, q2.y);
            t2 = q3.x;
            let p0_4 = multiply_add(f0, y.b.x, t4, p0_3.y);
            let q4 = multiply_add(m, PRIME_4, p0_4.x, q3.y);
            t3 = q4.x;
            let p0_5 = multiply_add(f0, y.b.y, t5, p0_4.y);
            let q5 = multiply_add(m, PRIME_5, p0_5.x, q4.y);
            t4 = q5.x;
            let p0_6 = multiply_add(f0, y.b.z, t6, p0_5.y);
            let q6 = multiply_add(m, PRIME_6, p0_6.x, q5.y);
            t5 = q6.x;
            let p0_7 = multiply_add(f0, y.b.w, t7, p0_6.y);
            let q7 = multiply_add(m, PRIME_7, p0_7.x, q6.y);
            t6 = q7.x;
            let p0_8 = multiply_add(f0, y.c.x, t8, p0_7.y);
            let q8 = multiply_add(m, PRIME_8, p0_8.x, q7.y);
            t7 = q8.x;
            let p0_9 = multiply_add(f0, y.c.y, t9, p0_8.y);
            let q9 = multiply_add(m, PRIME_9, p0_9.x, q8.y);
            t8 = q9.x;
            let p0_10 = multiply_add(f0, y.c.z, t10, p0_9.y);
            let q10 = multiply_add(m, PRIME_10, p0_10.x, q9.y);
            t9 = q10.x;
            let p0_11 = multiply_add(f0, y.c.w, t11, p0_10.y);
            let q11 = multiply_add(m, PRIME_11, p0_11.x, q10.y);
            t10 = q11.x;
            t11 = p0_11.y + q11.y;
        }
        {
            let f0 = x_turning.a.z;
            let p0_0 = multiply_add(f0, y.a.x, t0, 0u);
            let m = p0_0.x * NEGATED_INVERSE;
            let q0 = multiply_add(m, PRIME_0, p0_0.x, 0u);
            let p0_1 = multiply_add(f0, y.a.y, t1, p0_0.y);
            let q1 = multiply_add(m, PRIME_1, p0_1.x, q0.y);
            t0 = q1.x;
            let p0_2 = multiply_add(f0, y.a.z, t2, p0_1.y);
            let q2 = multiply_add(m, PRIME_2, p0_2.x, q1.y);
            t1 = q2.x;
            let p0_3 = multiply_add(f0, y.a.w, t3, p0_2.y);
            let q3 = multiply_add(m, PRIME_3, p0_3.x, q2.y);
            t2 = q3.x;
            let p0_4 = multiply_add(f0, y.b.x, t4, p0_3.y);
            let q4 = multiply_add(m, PRIME_4, p0_4.x, q3.y);
            t3 = q4.x;
            let p0_5 = multiply_add(f0, y.b.y, t5, p0_4.y);
            let q5 = multiply_add(m, PRIME_5, p0_5.x, q4.y);
            t4 = q5.x;
            let p0_6 = multiply_add(f0, y.b.z, t6, p0_5.y);
            let q6 = multiply_add(m, PRIME_6, p0_6.x, q5.y);
            t5 = q6.x;
            let p0_7 = multiply_add(f0, y.b.w, t7, p0_6.y);
            let q7 = multiply_add(m, PRIME_7, p0_7.x, q6.y);
            t6 = q7.x;
            let p0_8 = multiply_add(f0, y.c.x, t8, p0_7.y);
            let q8 = multiply_add(m, PRIME_8, p0_8.x, q7.y);
            t7 = q8.x;
            let p0_9 = multiply_add(f0, y.c.y, t9, p0_8.y);
            let q9 = multiply_add(m, PRIME_9, p0_9.x, q8.y);
            t8 = q9.x;
            let p0_10 = multiply_add(f0, y.c.z, t10, p0_9.y);
            let q10 = multiply_add(m, PRIME_10, p0_10.x, q9.y);
            t9 = q10.x;
            let p0_11 = multiply_add(f0, y.c.w, t11, p0_10.y);
            let q11 = multiply_add(m, PRIME_11, p0_11.x, q10.y);
            t10 = q11.x;
            t11 = p0_11.y + q11.y;
        }
        {
            let f0 = x_turning.a.w;
            let p0_0 = multiply_add(f0, y.a.x, t0, 0u);
            let m = p0_0.x * NEGATED_INVERSE;
            let q0 = multiply_add(m, PRIME_0, p0_0.x, 0u);
            let p0_1 = multiply_add(f0, y.a.y, t1, p0_0.y);
            let q1 = multiply_add(m, PRIME_1, p0_1.x, q0.y);
            t0 = q1.x;
            let p0_2 = multiply_add(f0, y.a.z, t2, p0_1.y);
            let q2 = multiply_add(m, PRIME_2, p0_2.x, q1.y);
            t1 = q2.x;
            let p0_3 = multiply_add(f0, y.a.w, t3, p0_2.y);
            let q3 = multiply_add(m, PRIME_3, p0_3.x, q2.y);
            t2 = q3.x;
            let p0_4 = multiply_add(f0, y.b.x, t4, p0_3.y);
            let q4 = multiply_add(m, PRIME_4, p0_4.x, q3.y);
            t3 = q4.x;
            let p0_5 = multiply_add(f0, y.b.y, t5, p0_4.y);
            let q5 = multiply_add(m, PRIME_5, p0_5.x, q4.y);
            t4 = q5.x;
            let p0_6 = multiply_add(f0, y.b.z, t6, p0_5.y);
            let q6 = multiply_add(m, PRIME_6, p0_6.x, q5.y);
            t5 = q6.x;
            let p0_7 = multiply_add(f0, y.b.w, t7, p0_6.y);
            let q7 = multiply_add(m, PRIME_7, p0_7.x, q6.y);
            t6 = q7.x;
            let p0_8 = multiply_add(f0, y.c.x, t8, p0_7.y);
            let q8 = multiply_add(m, PRIME_8, p0_8.x, q7.y);
            t7 = q8.x;
            let p0_9 = multiply_add(f0, y.c.y, t9, p0_8.y);
            let q9 = multiply_add(m, PRIME_9, p0_9.x, q8.y);
            t8 = q9.x;
            let p0_10 = multiply_add(f0, y.c.z, t10, p0_9.y);
            let q10 = multiply_add(m, PRIME_10, p0_10.x, q9.y);
            t9 = q10.x;
            let p0_11 = multiply_add(f0, y.c.w, t11, p0_10.y);
            let q11 = multiply_add(m, PRIME_11, p0_11.x, q10.y);
            t10 = q11.x;
            t11 = p0_11.y + q11.y;
        }
        x_turning = FieldElement(vec4<u32>(x_turning.b.x, x_turning.b.y, x_turning.b.z, x_turning.b.w), vec4<u32>(x_turning.c.x, x_turning.c.y, x_turning.c.z, x_turning.c.w), vec4<u32>(x_turning.a.x, x_turning.a.y, x_turning.a.z, x_turning.a.w));
    }
    return reduce_once(FieldElement(vec4<u32>(t0, t1, t2, t3), vec4<u32>(t4, t5, t6, t7), vec4<u32>(t8, t9, t10, t11)));
}

// (x·y + z·w) / 2^384 mod p. If x < a·p, y < b·p, z < c·p and w < d·p, then a·b + c·d and b + d + 1 must not exceed
// 9.8; the result is below p.
fn sum_of_products(x: FieldElement, y: FieldElement, z: FieldElement, w: FieldElement) -> FieldElement {
    var t0 = 0u;
    var t1 = 0u;
    var t2 = 0u;
    var t3 = 0u;
    var t4 = 0u;
    var t5 = 0u;
    var t6 = 0u;
    var t7 = 0u;
    var t8 = 0u;
    var t9 = 0u;
    var t10 = 0u;
    var t11 = 0u;
    var x_turning = x;
    var z_turning = z;
    for (var i = 0u; i < 3u; i += 1u) {
        {
            let f0 = x_turning.a.x;
            let f1 = z_turning.a.x;
            let p0_0 = multiply_add(f0, y.a.x, t0, 0u);
            let p1_0 = multiply_add(f1, w.a.x, p0_0.x, 0u);
            let m = p1_0.x * NEGATED_INVERSE;
            let q0 = multiply_add(m, PRIME_0, p1_0.x, 0u);
            let p0_1 = multiply_add(f0, y.a.y, t1, p0_0.y);
            let p1_1 = multiply_add(f1, w.a.y, p0_1.x, p1_0.y);
            let q1 = multiply_add(m, PRIME_1, p1_1.x, q0.y);
            t0 = q1.x;
            let p0_2 = multiply_add(f0, y.a.z, t2, p0_1.y);
            let p1_2 = multiply_add(f1, w.a.z, p0_2.x, p1_1.y);
            let q2 = multiply_add(m, PRIME_2, p1_2.x, q1.y);
            t1 = q2.x;
            let p0_3 = multiply_add(f0, y.a.w, t3, p0_2.y);
            let p1_3 = multiply_add(f1, w.a.w, p0_3.x, p1_2.y);
            let q3 = multiply_add(m, PRIME_3, p1_3.x, q2.y);
            t2 = q3.x;
            let p0_4 = multiply_add(f0, y.b.x, t4, p0_3.y);
            let p1_4 = multiply_add(f1, w.b.x, p0_4.x, p1_3.y);
            let q4 = multiply_add(m, PRIME_4, p1_4.x, q3.y);
            t3 = q4.x;
            let p0_5 = multiply_add(f0, y.b.y, t5, p0_4.y);
            let p1_5 = multiply_add(f1, w.b.y, p0_5.x, p1_4.y);
            let q5 = multiply_add(m, PRIME_5, p1_5.x, q4.y);
            t4 = q5.x;
            let p0_6 = multiply_add(f0, y.b.z, t6, p0_5.y);
            let p1_6 = multiply_add(f1, w.b.z, p0_6.x, p1_5.y);
            let q6 = multiply_add(m, PRIME_6, p1_6.x, q5.y);
            t5 = q6.x;
            let p0_7 = multiply_add(f0, y.b.w, t7, p0_6.y);
            let p1_7 = multiply_add(f1, w.b.w, p0_7.x, p1_6.y);
            let q7 = multiply_add(m, PRIME_7, p1_7.x, q6.y);
            t6 = q7.x;
            let p0_8 = multiply_add(f0, y.c.x, t8, p0_7.y);
            let p1_8 = multiply_add(f1, w.c.x, p0_8.x, p1_7.y);
            let q8 = multiply_add(m, PRIME_8, p1_8.x, q7.y);
            t7 = q8.x;
            let p0_9 = multiply_add(f0, y.c.y, t9, p0_8.y);
            let p1_9 = multiply_add(f1, w.c.y, p0_9.x, p1_8.y);
            let q9 = multiply_add(m, PRIME_9, p1_9.x, q8.y);
            t8 = q9.x;
            let p0_10 = multiply_add(f0, y.c.z, t10, p0_9.y);
            let p1_10 = multiply_add(f1, w.c.z, p0_10.x, p1_9.y);
            let q10 = multiply_add(m, PRIME_10, p1_10.x, q9.y);
            t9 = q10.x;
            let p0_11 = multiply_add(f0, y.c.w, t11, p0_10.y);
            let p1_11 = multiply_add(f1, w.c.w, p0_11.x, p1_10.y);
            let q11 = multiply_add(m, PRIME_11, p1_11.x, q10.y);
            t10 = q11.x;
            t11 = p0_11.y + p1_11.y + q11.y;
        }
        {
            let f0 = x_turning.a.y;
            let f1 = z_turning.a.y;
            let p0_0 = multiply_add(f0, y.a.x, t0, 0u);
            let p1_0 = multiply_add(f1, w.a.x, p0_0.x, 0u);
            let m = p1_0.x * NEGATED_INVERSE;
            let q0 = multiply_add(m, PRIME_0, p1_0.x, 0u);
            let p0_1 = multiply_add(f0, y.a.y, t1, p0_0.y);
            let p1_1 = multiply_add(f1, w.a.y, p0_1.x, p1_0.y);
            let q1 = multiply_add(m, PRIME_1, p1_1.x, q0.y);
            t0 = q1.x;
            let p0_2 = multiply_add(f0, y.a.z, t2, p0_1.y);
            let p1_2 = multiply_add(f1, w.a.z, p0_2.x, p1_1.y);
            let q2 = multiply_add(m, PRIME_2, p1_2.x, q1.y);
            t1 = q2.x;
            let p0_3 = multiply_add(f0, y.a.w, t3, p0_2.y);
            let p1_3 = multiply_add(f1, w.a.w, p0_3.x, p1_2.y);
            let q3 = multiply_add(m, PRIME_3, p1_3.x, q2.y);
            t2 = q3.x;
            let p0_4 = multiply_add(f0, y.b.x, t4, p0_3.y);
            let p1_4 = multiply_add(f1, w.b.x, p0_4.x, p1_3.y);
            let q4 = multiply_add(m, PRIME_4, p1_4.x, q3.y);
            t3 = q4.x;
            let p0_5 = multiply_add(f0, y.b.y, t5, p0_4.y);
            let p1_5 = multiply_add(f1, w.b.y, p0_5.x, p1_4.y);
            let q5 = multiply_add(m, PRIME_5, p1_5.x, q4.y);
            t4 = q5.x;
            let p0_6 = multiply_add(f0, y.b.z, t6, p0_5.y);
            let p1_6 = multiply_add(f1, w.b.z, p0_6.x, p1_5.y);
            let q6 = multiply_add(m, PRIME_6, p1_6.x, q5.y);
            t5 = q6.x;
            let p0_7 = multiply_add(f0, y.b.w, t7, p0_6.y);
            let p1_7 = multiply_add(f1, w.b.w, p0_7.x, p1_6.y);
            let q7 = multiply_add(m, PRIME_7, p1_7.x, q6.y);
            t6 = q7.x;
            let p0_8 = multiply_add(f0, y.c.x, t8, p0_7.y);
            let p1_8 = multiply_add(f1, w.c.x, p0_8.x, p1_7.y);
            let q8 = multiply_add(m, PRIME_8, p1_8.x, q7.y);
            t7 = q8.x;
            let p0_9 = multiply_add(f0, y.c.y, t9, p0_8.y);
            let p1_9 = multiply_add(f1, w.c.y, p0_9.x, p1_8.y);
            let q9 = multiply_add(m, PRIME_9, p1_9.x, q8.y);
            t8 = q9.x;
            let p0_10 = multiply_add(f0, y.c.z, t10, p0_9.y);
            let p1_10 = multiply_add(f1, w.c.z, p0_10.x, p1_9.y);
            let q10 = multiply_add(m, PRIME_10, p1_10.x, q9.y);
            t9 = q10.x;
            let p0_11 = multiply_add(f0, y.c.w, t11, p0_10.y);
            let p1_11 = multiply_add(f1, w.c.w, p0_11.x, p1_10.y);
            let q11 = multiply_add(m, PRIME_11, p1_11.x, q10.y);
            t10 = q11.x;
            t11 = p0_11.y + p1_11.y + q11.y;
        }
        {
            let f0 = x_turning.a.z;
            let f1 = z_turning.a.z;
            let p0_0 = multiply_add(f0, y.a.x, t0, 0u);
            let p1_0 = multiply_add(f1, w.a.x, p0_0.x, 0u);
            let m = p1_0.x * NEGATED_INVERSE;
            let q0 = multiply_add(m, PRIME_0, p1_0.x, 0u);
            let p0_1 = multiply_add(f0, y.a.y, t1, p0_0.y);
            let p1_1 = multiply_add(f1, w.a.y, p0_1.x, p1_0.y);
            let q1 = multiply_add(m, PRIME_1, p1_1.x, q0.y);
            t0 = q1.x;
            let p0_2 = multiply_add(f0, y.a.z, t2, p0_1.y);
            let p1_2 = multiply_add(f1, w.a.z, p0_2.x, p1_1.y);
            let q2 = multiply_add(m, PRIME_2, p1_2.x, q1.y);
            t1 = q2.x;
            let p0_3 = multiply_add(f0, y.a.w, t3, p0_2.y);
            let p1_3 = multiply_add(f1, w.a.w, p0_3.x, p1_2.y);
            let q3 = multiply_add(m, PRIME_3, p1_3.x, q2.y);
            t2 = q3.x;
            let p0_4 = multiply_add(f0, y.b.x, t4, p0_3.y);
            let p1_4 = multiply_add(f1, w.b.x, p0_4.x, p1_3.y);
            let q4 = multiply_add(m, PRIME_4, p1_4.x, q3.y);
            t3 = q4.x;
            let p0_5 = multiply_add(f0, y.b.y, t5, p0_4.y);
            let p1_5 = multiply_add(f1, w.b.y, p0_5.x, p1_4.y);
            let q5 = multiply_add(m, PRIME_5, p1_5.x, q4.y);
            t4 = q5.x;
            let p0_6 = multiply_add(f0, y.b.z, t6, p0_5.y);
            let p1_6 = multiply_add(f1, w.b.z, p0_6.x, p1_5.y);
            let q6 = multiply_add(m, PRIME_6, p1_6.x, q5.y);
            t5 = q6.x;
            let p0_7 = multiply_add(f0, y.b.w, t7, p0_6.y);
            let p1_7 = multiply_add(f1, w.b.w, p0_7.x, p1_6.y);
            let q7 = multiply_add(m, PRIME_7, p1_7.x, q6.y);
            t6 = q7.x;
            let p0_8 = multiply_add(f0, y.c.x, t8, p0_7.y);
            let p1_8 = multiply_add(f1, w.c.x, p0_8.x, p1_7.y);
            let q8 = multiply_add(m, PRIME_8, p1_8.x, q7.y);
            t7 = q8.x;
            let p0_9 = multiply_add(f0, y.c.y, t9, p0_8.y);
            let p1_9 = multiply_add(f1, w.c.y, p0_9.x, p1_8.y);
            let q9 = multiply_add(m, PRIME_9, p1_9.x, q8.y);
            t8 = q9.x;
            let p0_10 = multiply_add(f0, y.c.z, t10, p0_9.y);
            let p1_10 = multiply_add(f1, w.c.z, p0_10.x, p1_9.y);
            let q10 = multiply_add(m, PRIME_10, p1_10.x, q9.y);
            t9 = q10.x;
            let p0_11 = multiply_add(f0, y.c.w, t11, p0_10.y);
            let p1_11 = multiply_add(f1, w.c.w, p0_11.x, p1_10.y);
            let q11 = multiply_add(m, PRIME_11, p1_11.x, q10.y);
            t10 = q11.x;
            t11 = p0_11.y + p1_11.y + q11.y;
        }
        {
            let f0 = x_turning.a.w;
            let f1 = z_turning.a.w;
            let p0_0 = multiply_add(f0, y.a.x, t0, 0u);
            let p1_0 = multiply_add(f1, w.a.x, p0_0.x, 0u);
            let m = p1_0.x * NEGATED_INVERSE;
            let q0 = multiply_add(m, PRIME_0, p1_0.x, 0u);
            let p0_1 = multiply_add(f0, y.a.y, t1, p0_0.y);
            let p1_1 = multiply_add(f1, w.a.y, p0_1.x, p1_0.y);
            let q1 = multiply_add(m, PRIME_1, p1_1.x, q0.y);
            t0 = q1.x;
            let p0_2 = multiply_add(f0, y.a.z, t2, p0_1.y);
            let p1_2 = multiply_add(f1, w.a.z, p0_2.x, p1_1.y);
            let q2 = multiply_add(m, PRIME_2, p1_2.x, q1.y);
            t1 = q2.x;
            let p0_3 = multiply_add(f0, y.a.w, t3, p0_2.y);
            let p1_3 = multiply_add(f1, w.a.w, p0_3.x, p1_2.y);
            let q3 = multiply_add(m, PRIME_3, p1_3.x, q2.y);
            t2 = q3.x;
            let p0_4 = multiply_add(f0, y.b.x, t4, p0_3.y);
            let p1_4 = multiply_add(f1, w.b.x, p0_4.x, p1_3.y);
            let q4 = multiply_add(m, PRIME_4, p1_4.x, q3.y);
            t3 = q4.x;
            let p0_5 = multiply_add(f0, y.b.y, t5, p0_4.y);
            let p1_5 = multiply_add(f1, w.b.y, p0_5.x, p1_4.y);
            let q5 = multiply_add(m, PRIME_5, p1_5.x, q4.y);
            t4 = q5.x;
            let p0_6 = multiply_add(f0, y.b.z, t6, p0_5.y);
            let p1_6 = multiply_add(f1, w.b.z, p0_6.x, p1_5.y);
            let q6 = multiply_add(m, PRIME_6, p1_6.x, q5.y);
            t5 = q6.x;
            let p0_7 = multiply_add(f0, y.b.w, t7, p0_6.y);
            let p1_7 = multiply_add(f1, w.b.w, p0_7.x, p1_6.y);
            let q7 = multiply_add(m, PRIME_7, p1_7.x, q6.y);
            t6 = q7.x;
            let p0_8 = multiply_add(f0, y.c.x, t8, p0_7.y);
            let p1_8 = multiply_add(f1, w.c.x, p0_8.x, p1_7.y);
            let q8 = multiply_add(m, PRIME_8, p1_8.x, q7.y);
            t7 = q8.x;
            let p0_9 = multiply_add(f0, y.c.y, t9, p0_8.y);
            let p1_9 = multiply_add(f1, w.c.y, p0_9.x, p1_8.y);
            let q9 = multiply_add(m, PRIME_9, p1_9.x, q8.y);
            t8 = q9.x;
            let p0_10 = multiply_add(f0, y.c.z, t10, p0_9.y);
            let p1_10 = multiply_add(f1, w.c.z, p0_10.x, p1_9.y);
            let q10 = multiply_add(m, PRIME_10, p1_10.x, q9.y);
            t9 = q10.x;
            let p0_11 = multiply_add(f0, y.c.w, t11, p0_10.y);
            let p1_11 = multiply_add(f1, w.c.w, p0_11.x, p1_10.y);
            let q11 = multiply_add(m, PRIME_11, p1_11.x, q10.y);
            t10 = q11.x;
            t11 = p0_11.y + p1_11.y + q11.y;
        }
        x_turning = FieldElement(vec4<u32>(x_turning.b.x, x_turning.b.y, x_turning.b.z, x_turning.b.w), vec4<u32>(x_turning.c.x, x_turning.c.y, x_turning.c.z, x_turning.c.w), vec4<u32>(x_turning.a.x, x_turning.a.y, x_turning.a.z, x_turning.a.w));
        z_turning = FieldElement(vec4<u32>(z_turning.b.x, z_turning.b.y, z_turning.b.z, z_turning.b.w), vec4<u32>(z_turning.c.x, z_turning.c.y, z_turning.c.z, z_turning.c.w), vec4<u32>(z_turning.a.x, z_turning.a.y, z_turning.a.z, z_turning.a.w));
    }
    return reduce_once(FieldElement(vec4<u32>(t0, t1, t2, t3), vec4<u32>(t4, t5, t6, t7), vec4<u32>(t8, t9, t10, t11)));
}

// 12·x mod p for x < 2p; the result is below p.
fn times_twelve(x: FieldElement) -> FieldElement {
    let k0 = multiply_add(x.a.x, 12u, 0u, 0u);
    let k1 = multiply_add(x.a.y, 12u, 0u, k0.y);
    let k2 = multiply_add(x.a.z, 12u, 0u, k1.y);
    let k3 = multiply_add(x.a.w, 12u, 0u, k2.y);
    let k4 = multiply_add(x.b.x, 12u, 0u, k3.y);
    let k5 = multiply_add(x.b.y, 12u, 0u, k4.y);
    let k6 = multiply_add(x.b.z, 12u, 0u, k5.y);
    let k7 = multiply_add(x.b.w, 12u, 0u, k6.y);
    let k8 = multiply_add(x.c.x, 12u, 0u, k7.y);
    let k9 = multiply_add(x.c.y, 12u, 0u, k8.y);
    let k10 = multiply_add(x.c.z, 12u, 0u, k9.y);
    let k11 = multiply_add(x.c.w, 12u, 0u, k10.y);
    // 12·x / p, rounded down, or one less: what remains is below 1.3·p.
    let quotient = (((k11.x >> 19u) | (k11.y << 13u)) * 78u) >> 16u;
    let q0 = multiply_add(quotient, PRIME_0, 0u, 0u);
    let d0 = subtract_borrow(k0.x, q0.x, 0u);
    let q1 = multiply_add(quotient, PRIME_1, 0u, q0.y);
    let d1 = subtract_borrow(k1.x, q1.x, d0.y);
    let q2 = multiply_add(quotient, PRIME_2, 0u, q1.y);
    let d2 = subtract_borrow(k2.x, q2.x, d1.y);
    let q3 = multiply_add(quotient, PRIME_3, 0u, q2.y);
    let d3 = subtract_borrow(k3.x, q3.x, d2.y);
    let q4 = multiply_add(quotient, PRIME_4, 0u, q3.y);
    let d4 = subtract_borrow(k4.x, q4.x, d3.y);
    let q5 = multiply_add(quotient, PRIME_5, 0u, q4.y);
    let d5 = subtract_borrow(k5.x, q5.x, d4.y);
    let q6 = multiply_add(quotient, PRIME_6, 0u, q5.y);
    let d6 = subtract_borrow(k6.x, q6.x, d5.y);
    let q7 = multiply_add(quotient, PRIME_7, 0u, q6.y);
    let d7 = subtract_borrow(k7.x, q7.x, d6.y);
    let q8 = multiply_add(quotient, PRIME_8, 0u, q7.y);
    let d8 = subtract_borrow(k8.x, q8.x, d7.y);
    let q9 = multiply_add(quotient, PRIME_9, 0u, q8.y);
    let d9 = subtract_borrow(k9.x, q9.x, d8.y);
    let q10 = multiply_add(quotient, PRIME_10, 0u, q9.y);
    let d10 = subtract_borrow(k10.x, q10.x, d9.y);
    let q11 = multiply_add(quotient, PRIME_11, 0u, q10.y);
    let d11 = subtract_borrow(k11.x, q11.x, d10.y);
    return reduce_once(FieldElement(vec4<u32>(d0.x, d1.x, d2.x, d3.x), vec4<u32>(d4.x, d5.x, d6.x, d7.x), vec4<u32>(d8.x, d9.x, d10.x, d11.x)));
}

// ---- shared/field.wgsl

// The base field of BLS12-381: integers mod p in Montgomery form with factor 2^384, in 12 limbs of 32 bits. Arithmetic
// stands in generated/field.wgsl. Twin: src/twin/field.rs.

// Limbs 0 … 3, 4 … 7 and 8 … 11, least significant first.
struct FieldElement {
    a: vec4<u32>,
    b: vec4<u32>,
    c: vec4<u32>,
}

fn field_zero() -> FieldElement {
    return FieldElement(vec4<u32>(), vec4<u32>(), vec4<u32>());
}

// 2^384 mod p.
fn field_one() -> FieldElement {
    return FieldElement(
        vec4<u32>(0x0002fffdu, 0x76090000u, 0xc40c0002u, 0xebf4000bu),
        vec4<u32>(0x53c758bau, 0x5f489857u, 0x70525745u, 0x77ce5853u),
        vec4<u32>(0xa256ec6du, 0x5c071a97u, 0xfa80e493u, 0x15f65ec3u),
    );
}

fn field_select(no: FieldElement, yes: FieldElement, condition: bool) -> FieldElement {
    return FieldElement(
        select(no.a, yes.a, condition),
        select(no.b, yes.b, condition),
        select(no.c, yes.c, condition),
    );
}

// ---- shared/curve.wgsl

// Points of E: y² = x³ + 4 over the base field, in homogeneous coordinates: (X : Y : Z) is x = X/Z, y = Y/Z, and (0 : 1 : 0)
// the point at infinity. Twin: src/twin/curve.rs.
//
// The additions are the complete ones of Renes, Costello and Batina (2016) for a = 0, b3 = 3·4 = 12, algorithms 7 and 8. E(Fp)
// has odd order, so they are right for every pair of points, also P + P, P − P and infinity. As polynomials, with
//
//   A = X1·X2, B = Y1·Y2, C = 12·Z1·Z2, D = X1·Y2 + X2·Y1, E = Y1·Z2 + Y2·Z1, F = 12·(X1·Z2 + X2·Z1),
//
//   X3 = D·(B − C) − E·F,  Y3 = 3·A·F + (B − C)·(B + C),  Z3 = E·(B + C) + 3·A·D.
//
// Each coordinate of the sum is a sum of two products that share one reduction. Sums inside are left unreduced where the
// bounds of `multiply` and `sum_of_products` allow it; the comments give x < n·p as "n p".

struct Point {
    x: FieldElement,
    y: FieldElement,
    z: FieldElement,
}

struct AffinePoint {
    x: FieldElement,
    y: FieldElement,
}

fn infinity() -> Point {
    return Point(field_zero(), field_one(), field_zero());
}

// (s − a − b) mod p for s, a, b below p; the result is below 2 p.
fn cross_term(s: FieldElement, a: FieldElement, b: FieldElement) -> FieldElement {
    return reduce_once(subtract_unreduced(s, add_unreduced(a, b)));
}

// The sum of the polynomials above. A, B, C and F are below p, D and E below 2 p.
fn join_terms(
    a: FieldElement,
    b: FieldElement,
    c: FieldElement,
    d: FieldElement,
    e: FieldElement,
    f: FieldElement,
) -> Point {
    let triple_a = add_unreduced(add_unreduced(a, a), a); // 3 p
    let minus = subtract_unreduced(b, c); // 3 p
    let plus = reduce_once(add_unreduced(b, c)); // 1 p
    let negated_e = subtract_unreduced(field_zero(), e); // 2 p
    return Point(
        sum_of_products(d, minus, negated_e, f), // 2·3 + 2·1 = 8
        sum_of_products(triple_a, f, minus, plus), // 3·1 + 3·1 = 6
        sum_of_products(e, plus, triple_a, d), // 2·1 + 3·2 = 8
    );
}

// P + Q for an affine Q. P's coordinates and Q's x are below p, Q's y below 2 p (2p − y is −y); the result is below p.
fn add_mixed(p: Point, q: AffinePoint) -> Point {
    let a = multiply(p.x, q.x);
    let b = multiply(p.y, q.y);
    let d = cross_term(multiply(add_unreduced(p.x, p.y), add_unreduced(q.x, q.y)), a, b); // 2·3 = 6
    let e = add_unreduced(multiply(p.z, q.y), p.y); // 2 p
    let f = times_twelve(add_unreduced(multiply(p.z, q.x), p.x));
    return join_terms(a, b, times_twelve(p.z), d, e, f);
}

// P + Q; all coordinates are below p.
fn add_full(p: Point, q: Point) -> Point {
    let a = multiply(p.x, q.x);
    let b = multiply(p.y, q.y);
    let c = multiply(p.z, q.z);
    let d = cross_term(multiply(add_unreduced(p.x, p.y), add_unreduced(q.x, q.y)), a, b); // 2·2 = 4
    let e = cross_term(multiply(add_unreduced(p.y, p.z), add_unreduced(q.y, q.z)), b, c);
    let f = cross_term(multiply(add_unreduced(p.x, p.z), add_unreduced(q.x, q.z)), a, c);
    return join_terms(a, b, times_twelve(c), d, e, times_twelve(f));
}

// ---- shared/grid.wgsl

// A grid has at most 65,535 workgroups a dimension, so large ranges take two dimensions; invocations are numbered row by
// row. Twin: Invocation::index in src/twin.rs.
fn flat_index(invocation: vec3<u32>, workgroups: vec3<u32>) -> u32 {
    return invocation.y * (workgroups.x * WORKGROUP) + invocation.x;
}

// ---- commit_fold.wgsl

// Joins the sums of kernel `commit` to one point a block, by Horner's rule from the top window down: w doublings, then the sums
// of all segments, window after window; at the end the correction that the odd digits leave. Every step is the same complete
// addition (a doubling adds the point to itself), so that its text stands here once. Twin: src/twin/commit_fold.rs.

struct CommitFold {
    // First block of this dispatch and number of blocks.
    first: u32,
    count: u32,
    windows: u32,
    segments: u32,
    width_bits: u32,
    // windows · (width_bits + segments) − width_bits + 1.
    steps: u32,
    reserved: vec2<u32>,
    // What the odd digits leave out.
    correction: AffinePoint,
}

@group(0) @binding(0) var<uniform> parameters: CommitFold;
// sums[((block · segments) + segment) · windows + window].
@group(0) @binding(1) var<storage, read> sums: array<Point>;
// By block.
@group(0) @binding(2) var<storage, read_write> points: array<Point>;

@compute @workgroup_size(WORKGROUP)
fn commit_fold(
    @builtin(global_invocation_id) invocation: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(invocation, workgroups);
    if i < parameters.count {
        let block = parameters.first + i;
        var window = parameters.windows - 1u;
        // Doublings of the window are its phases 0 … w − 1, then come the segments. The top window needs no doublings.
        var phase = parameters.width_bits;
        var sum = infinity();
        for (var step = 0u; step < parameters.steps; step += 1u) {
            var addend = sum;
            if step + 1u == parameters.steps {
                addend = Point(parameters.correction.x, parameters.correction.y, field_one());
            } else if phase >= parameters.width_bits {
                let segment = phase - parameters.width_bits;
                addend = sums[(block * parameters.segments + segment) * parameters.windows + window];
            }
            sum = add_full(sum, addend);
            phase += 1u;
            if phase == parameters.width_bits + parameters.segments {
                phase = 0u;
                window -= 1u;
            }
        }
        points[block] = sum;
    }
}
