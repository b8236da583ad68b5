// Kernel field_test, variant columns_looped_64: assembled by the build.

const WORKGROUP: u32 = 64u;

// ---- shared/words_wide.wgsl

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

// ---- generated/reduce.wgsl

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
// −1/p mod 2^32.
const NEGATED_INVERSE: u32 = 0xfffcfffdu;

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
    let reduced = FieldElement(vec4<u32>(d0.x, d1.x, d2.x, d3.x), vec4<u32>(d4.x, d5.x, d6.x, d7.x), vec4<u32>(d8.x, d9.x, d10.x, d11.x));
    return FieldElement(
        select(reduced.a, x.a, keep),
        select(reduced.b, x.b, keep),
        select(reduced.c, x.c, keep),
    );
}

// ---- generated/columns.wgsl

// 64p, no limb of which is smaller than the sum of two settled ones.
fn minuend() -> Residue {
    return Residue(vec4<u32>(0x3feaaac0u, 0x3bfffffcu, 0x3fffee7cu, 0x3ffac54cu), vec4<u32>(0x3907aafcu, 0x33dac3d5u, 0x39cc34a5u, 0x3e144afau), vec4<u32>(0x3dd2e139u, 0x3eb35d8eu, 0x39ed90cfu, 0x3a692c6bu), vec2<u32>(0x3a8e5ff6u, 0x00680444u));
}

// 4p, no limb of which is smaller than the sum of two settled ones.
fn cross_minuend() -> Residue {
    return Residue(vec4<u32>(0x3ffeaaacu, 0x3fbffffcu, 0x3ffffee4u, 0x3fffac51u), vec4<u32>(0x38907aacu, 0x383dac3au, 0x3d9cc347u, 0x3ce144acu), vec4<u32>(0x31dd2e10u, 0x32eb35d6u, 0x3e9ed90au, 0x39a692c3u), vec2<u32>(0x37a8e5fcu, 0x00068041u));
}

// 512p, no limb of which is smaller than the sum of two settled ones.
fn entry_minuend() -> Residue {
    return Residue(vec4<u32>(0x3f555600u, 0x3ffffffcu, 0x3fff73fau, 0x3fd62a7cu), vec4<u32>(0x383d57fcu, 0x3ed61ec1u, 0x3e61a53eu, 0x30a257e9u), vec4<u32>(0x3e9709e4u, 0x359aec8bu, 0x3f6c8694u, 0x33496371u), vec2<u32>(0x3472ffcau, 0x0340223au));
}

// The element in residues' Montgomery form, (2^8·x) mod p or little more: below 1.03p.
fn load(x: FieldElement) -> Residue {
    let k0 = (x.a.x << 8u);
    let k1 = (x.a.y << 8u) | (x.a.x >> 24u);
    let k2 = (x.a.z << 8u) | (x.a.y >> 24u);
    let k3 = (x.a.w << 8u) | (x.a.z >> 24u);
    let k4 = (x.b.x << 8u) | (x.a.w >> 24u);
    let k5 = (x.b.y << 8u) | (x.b.x >> 24u);
    let k6 = (x.b.z << 8u) | (x.b.y >> 24u);
    let k7 = (x.b.w << 8u) | (x.b.z >> 24u);
    let k8 = (x.c.x << 8u) | (x.b.w >> 24u);
    let k9 = (x.c.y << 8u) | (x.c.x >> 24u);
    let k10 = (x.c.z << 8u) | (x.c.y >> 24u);
    let k11 = (x.c.w << 8u) | (x.c.z >> 24u);
    // 2^8·x / p, rounded down, or one less.
    let quotient = ((x.c.w >> 11u) * 5040u) >> 22u;
    let q0 = multiply_add(quotient, PRIME_0, 0u, 0u);
    let d0 = subtract_borrow(k0, q0.x, 0u);
    let q1 = multiply_add(quotient, PRIME_1, 0u, q0.y);
    let d1 = subtract_borrow(k1, q1.x, d0.y);
    let q2 = multiply_add(quotient, PRIME_2, 0u, q1.y);
    let d2 = subtract_borrow(k2, q2.x, d1.y);
    let q3 = multiply_add(quotient, PRIME_3, 0u, q2.y);
    let d3 = subtract_borrow(k3, q3.x, d2.y);
    let q4 = multiply_add(quotient, PRIME_4, 0u, q3.y);
    let d4 = subtract_borrow(k4, q4.x, d3.y);
    let q5 = multiply_add(quotient, PRIME_5, 0u, q4.y);
    let d5 = subtract_borrow(k5, q5.x, d4.y);
    let q6 = multiply_add(quotient, PRIME_6, 0u, q5.y);
    let d6 = subtract_borrow(k6, q6.x, d5.y);
    let q7 = multiply_add(quotient, PRIME_7, 0u, q6.y);
    let d7 = subtract_borrow(k7, q7.x, d6.y);
    let q8 = multiply_add(quotient, PRIME_8, 0u, q7.y);
    let d8 = subtract_borrow(k8, q8.x, d7.y);
    let q9 = multiply_add(quotient, PRIME_9, 0u, q8.y);
    let d9 = subtract_borrow(k9, q9.x, d8.y);
    let q10 = multiply_add(quotient, PRIME_10, 0u, q9.y);
    let d10 = subtract_borrow(k10, q10.x, d9.y);
    let q11 = multiply_add(quotient, PRIME_11, 0u, q10.y);
    let d11 = subtract_borrow(k11, q11.x, d10.y);
    return Residue(vec4<u32>(d0.x & LIMB_MASK_28, ((d0.x >> 28u) | (d1.x << 4u)) & LIMB_MASK_28, ((d1.x >> 24u) | (d2.x << 8u)) & LIMB_MASK_28, ((d2.x >> 20u) | (d3.x << 12u)) & LIMB_MASK_28), vec4<u32>(((d3.x >> 16u) | (d4.x << 16u)) & LIMB_MASK_28, ((d4.x >> 12u) | (d5.x << 20u)) & LIMB_MASK_28, ((d5.x >> 8u) | (d6.x << 24u)) & LIMB_MASK_28, (d6.x >> 4u) & LIMB_MASK_28), vec4<u32>(d7.x & LIMB_MASK_28, ((d7.x >> 28u) | (d8.x << 4u)) & LIMB_MASK_28, ((d8.x >> 24u) | (d9.x << 8u)) & LIMB_MASK_28, ((d9.x >> 20u) | (d10.x << 12u)) & LIMB_MASK_28), vec2<u32>(((d10.x >> 16u) | (d11.x << 16u)) & LIMB_MASK_28, (d11.x >> 12u) & LIMB_MASK_28));
}

// The element in residues' Montgomery form, 2^8·x: below 256p.
fn load_entry(x: FieldElement) -> Residue {
    return Residue(vec4<u32>((x.a.x << 8u) & LIMB_MASK_28, ((x.a.x >> 20u) | (x.a.y << 12u)) & LIMB_MASK_28, ((x.a.y >> 16u) | (x.a.z << 16u)) & LIMB_MASK_28, ((x.a.z >> 12u) | (x.a.w << 20u)) & LIMB_MASK_28), vec4<u32>(((x.a.w >> 8u) | (x.b.x << 24u)) & LIMB_MASK_28, (x.b.x >> 4u) & LIMB_MASK_28, x.b.y & LIMB_MASK_28, ((x.b.y >> 28u) | (x.b.z << 4u)) & LIMB_MASK_28), vec4<u32>(((x.b.z >> 24u) | (x.b.w << 8u)) & LIMB_MASK_28, ((x.b.w >> 20u) | (x.c.x << 12u)) & LIMB_MASK_28, ((x.c.x >> 16u) | (x.c.y << 16u)) & LIMB_MASK_28, ((x.c.y >> 12u) | (x.c.z << 20u)) & LIMB_MASK_28), vec2<u32>(((x.c.z >> 8u) | (x.c.w << 24u)) & LIMB_MASK_28, (x.c.w >> 4u) & LIMB_MASK_28));
}

// The element below p of a residue below 128p.
fn store(x: Residue) -> FieldElement {
    let s0 = x.a.x;
    let s1 = x.a.y + (s0 >> LIMB_BITS_28);
    let s2 = x.a.z + (s1 >> LIMB_BITS_28);
    let s3 = x.a.w + (s2 >> LIMB_BITS_28);
    let s4 = x.b.x + (s3 >> LIMB_BITS_28);
    let s5 = x.b.y + (s4 >> LIMB_BITS_28);
    let s6 = x.b.z + (s5 >> LIMB_BITS_28);
    let s7 = x.b.w + (s6 >> LIMB_BITS_28);
    let s8 = x.c.x + (s7 >> LIMB_BITS_28);
    let s9 = x.c.y + (s8 >> LIMB_BITS_28);
    let s10 = x.c.z + (s9 >> LIMB_BITS_28);
    let s11 = x.c.w + (s10 >> LIMB_BITS_28);
    let s12 = x.d.x + (s11 >> LIMB_BITS_28);
    let s13 = x.d.y + (s12 >> LIMB_BITS_28);
    let w0 = ((s0 & LIMB_MASK_28) << 0u) | ((s1 & LIMB_MASK_28) << 28u);
    let w1 = ((s1 & LIMB_MASK_28) >> 4u) | ((s2 & LIMB_MASK_28) << 24u);
    let w2 = ((s2 & LIMB_MASK_28) >> 8u) | ((s3 & LIMB_MASK_28) << 20u);
    let w3 = ((s3 & LIMB_MASK_28) >> 12u) | ((s4 & LIMB_MASK_28) << 16u);
    let w4 = ((s4 & LIMB_MASK_28) >> 16u) | ((s5 & LIMB_MASK_28) << 12u);
    let w5 = ((s5 & LIMB_MASK_28) >> 20u) | ((s6 & LIMB_MASK_28) << 8u);
    let w6 = ((s6 & LIMB_MASK_28) >> 24u) | ((s7 & LIMB_MASK_28) << 4u);
    let w7 = ((s8 & LIMB_MASK_28) << 0u) | ((s9 & LIMB_MASK_28) << 28u);
    let w8 = ((s9 & LIMB_MASK_28) >> 4u) | ((s10 & LIMB_MASK_28) << 24u);
    let w9 = ((s10 & LIMB_MASK_28) >> 8u) | ((s11 & LIMB_MASK_28) << 20u);
    let w10 = ((s11 & LIMB_MASK_28) >> 12u) | ((s12 & LIMB_MASK_28) << 16u);
    let w11 = ((s12 & LIMB_MASK_28) >> 16u) | (s13 << 12u);
    let w12 = (s13 >> 20u);
    let m = (w0 * NEGATED_INVERSE) & 0xffu;
    let t0 = multiply_add(m, PRIME_0, w0, 0u);
    let t1 = multiply_add(m, PRIME_1, w1, t0.y);
    let t2 = multiply_add(m, PRIME_2, w2, t1.y);
    let t3 = multiply_add(m, PRIME_3, w3, t2.y);
    let t4 = multiply_add(m, PRIME_4, w4, t3.y);
    let t5 = multiply_add(m, PRIME_5, w5, t4.y);
    let t6 = multiply_add(m, PRIME_6, w6, t5.y);
    let t7 = multiply_add(m, PRIME_7, w7, t6.y);
    let t8 = multiply_add(m, PRIME_8, w8, t7.y);
    let t9 = multiply_add(m, PRIME_9, w9, t8.y);
    let t10 = multiply_add(m, PRIME_10, w10, t9.y);
    let t11 = multiply_add(m, PRIME_11, w11, t10.y);
    let t12 = vec2<u32>(w12 + t11.y, 0u);
    return reduce_once(FieldElement(vec4<u32>((t0.x >> 8u) | (t1.x << 24u), (t1.x >> 8u) | (t2.x << 24u), (t2.x >> 8u) | (t3.x << 24u), (t3.x >> 8u) | (t4.x << 24u)), vec4<u32>((t4.x >> 8u) | (t5.x << 24u), (t5.x >> 8u) | (t6.x << 24u), (t6.x >> 8u) | (t7.x << 24u), (t7.x >> 8u) | (t8.x << 24u)), vec4<u32>((t8.x >> 8u) | (t9.x << 24u), (t9.x >> 8u) | (t10.x << 24u), (t10.x >> 8u) | (t11.x << 24u), (t11.x >> 8u) | (t12.x << 24u))));
}

// x·y / 2^392 mod p. If x < a·p and y < b·p, the result is below (1 + a·b / 2520)·p, in limbs of 28 bits.
fn multiply(x: Residue, y: Residue) -> Residue {
    var t0 = u64(0u);
    var t1 = u64(0u);
    var t2 = u64(0u);
    var t3 = u64(0u);
    var t4 = u64(0u);
    var t5 = u64(0u);
    var t6 = u64(0u);
    var t7 = u64(0u);
    var t8 = u64(0u);
    var t9 = u64(0u);
    var t10 = u64(0u);
    var t11 = u64(0u);
    var t12 = u64(0u);
    var t13 = u64(0u);
    var x_turning = x;
    for (var i = 0u; i < 2u; i += 1u) {
        {
            let f0 = u64(x_turning.a.x);
            let s0 = t0 + f0 * u64(y.a.x);
            let s1 = t1 + f0 * u64(y.a.y);
            let s2 = t2 + f0 * u64(y.a.z);
            let s3 = t3 + f0 * u64(y.a.w);
            let s4 = t4 + f0 * u64(y.b.x);
            let s5 = t5 + f0 * u64(y.b.y);
            let s6 = t6 + f0 * u64(y.b.z);
            let s7 = t7 + f0 * u64(y.b.w);
            let s8 = t8 + f0 * u64(y.c.x);
            let s9 = t9 + f0 * u64(y.c.y);
            let s10 = t10 + f0 * u64(y.c.z);
            let s11 = t11 + f0 * u64(y.c.w);
            let s12 = t12 + f0 * u64(y.d.x);
            let s13 = t13 + f0 * u64(y.d.y);
            let m = u64((u32(s0) * NEGATED_INVERSE) & LIMB_MASK_28);
            t0 = s1 + m * u64(0x0fefffffu) + ((s0 + m * u64(0x0fffaaabu)) >> LIMB_BITS_28);
            t1 = s2 + m * u64(0x03ffffb9u);
            t2 = s3 + m * u64(0x0fffeb15u);
            t3 = s4 + m * u64(0x06241eabu);
            t4 = s5 + m * u64(0x0a0f6b0fu);
            t5 = s6 + m * u64(0x0f6730d2u);
            t6 = s7 + m * u64(0x0f38512bu);
            t7 = s8 + m * u64(0x04774b84u);
            t8 = s9 + m * u64(0x04bacd76u);
            t9 = s10 + m * u64(0x0ba7b643u);
            t10 = s11 + m * u64(0x0e69a4b1u);
            t11 = s12 + m * u64(0x01ea397fu);
            t12 = s13 + m * u64(0x0001a011u);
            t13 = u64(0u);
        }
        {
            let f0 = u64(x_turning.a.y);
            let s0 = t0 + f0 * u64(y.a.x);
            let s1 = t1 + f0 * u64(y.a.y);
            let s2 = t2 + f0 * u64(y.a.z);
            let s3 = t3 + f0 * u64(y.a.w);
            let s4 = t4 + f0 * u64(y.b.x);
            let s5 = t5 + f0 * u64(y.b.y);
            let s6 = t6 + f0 * u64(y.b.z);
            let s7 = t7 + f0 * u64(y.b.w);
            let s8 = t8 + f0 * u64(y.c.x);
            let s9 = t9 + f0 * u64(y.c.y);
            let s10 = t10 + f0 * u64(y.c.z);
            let s11 = t11 + f0 * u64(y.c.w);
            let s12 = t12 + f0 * u64(y.d.x);
            let s13 = t13 + f0 * u64(y.d.y);
            let m = u64((u32(s0) * NEGATED_INVERSE) & LIMB_MASK_28);
            t0 = s1 + m * u64(0x0fefffffu) + ((s0 + m * u64(0x0fffaaabu)) >> LIMB_BITS_28);
            t1 = s2 + m * u64(0x03ffffb9u);
            t2 = s3 + m * u64(0x0fffeb15u);
            t3 = s4 + m * u64(0x06241eabu);
            t4 = s5 + m * u64(0x0a0f6b0fu);
            t5 = s6 + m * u64(0x0f6730d2u);
            t6 = s7 + m * u64(0x0f38512bu);
            t7 = s8 + m * u64(0x04774b84u);
            t8 = s9 + m * u64(0x04bacd76u);
            t9 = s10 + m * u64(0x0ba7b643u);
            t10 = s11 + m * u64(0x0e69a4b1u);
            t11 = s12 + m * u64(0x01ea397fu);
            t12 = s13 + m * u64(0x0001a011u);
            t13 = u64(0u);
        }
        {
            let f0 = u64(x_turning.a.z);
            let s0 = t0 + f0 * u64(y.a.x);
            let s1 = t1 + f0 * u64(y.a.y);
            let s2 = t2 + f0 * u64(y.a.z);
            let s3 = t3 + f0 * u64(y.a.w);
            let s4 = t4 + f0 * u64(y.b.x);
            let s5 = t5 + f0 * u64(y.b.y);
            let s6 = t6 + f0 * u64(y.b.z);
            let s7 = t7 + f0 * u64(y.b.w);
            let s8 = t8 + f0 * u64(y.c.x);
            let s9 = t9 + f0 * u64(y.c.y);
            let s10 = t10 + f0 * u64(y.c.z);
            let s11 = t11 + f0 * u64(y.c.w);
            let s12 = t12 + f0 * u64(y.d.x);
            let s13 = t13 + f0 * u64(y.d.y);
            let m = u64((u32(s0) * NEGATED_INVERSE) & LIMB_MASK_28);
            t0 = s1 + m * u64(0x0fefffffu) + ((s0 + m * u64(0x0fffaaabu)) >> LIMB_BITS_28);
            t1 = s2 + m * u64(0x03ffffb9u);
            t2 = s3 + m * u64(0x0fffeb15u);
            t3 = s4 + m * u64(0x06241eabu);
            t4 = s5 + m * u64(0x0a0f6b0fu);
            t5 = s6 + m * u64(0x0f6730d2u);
            t6 = s7 + m * u64(0x0f38512bu);
            t7 = s8 + m * u64(0x04774b84u);
            t8 = s9 + m * u64(0x04bacd76u);
            t9 = s10 + m * u64(0x0ba7b643u);
            t10 = s11 + m * u64(0x0e69a4b1u);
            t11 = s12 + m * u64(0x01ea397fu);
            t12 = s13 + m * u64(0x0001a011u);
            t13 = u64(0u);
        }
        {
            let f0 = u64(x_turning.a.w);
            let s0 = t0 + f0 * u64(y.a.x);
            let s1 = t1 + f0 * u64(y.a.y);
            let s2 = t2 + f0 * u64(y.a.z);
            let s3 = t3 + f0 * u64(y.a.w);
            let s4 = t4 + f0 * u64(y.b.x);
            let s5 = t5 + f0 * u64(y.b.y);
            let s6 = t6 + f0 * u64(y.b.z);
            let s7 = t7 + f0 * u64(y.b.w);
            let s8 = t8 + f0 * u64(y.c.x);
            let s9 = t9 + f0 * u64(y.c.y);
            let s10 = t10 + f0 * u64(y.c.z);
            let s11 = t11 + f0 * u64(y.c.w);
            let s12 = t12 + f0 * u64(y.d.x);
            let s13 = t13 + f0 * u64(y.d.y);
            let m = u64((u32(s0) * NEGATED_INVERSE) & LIMB_MASK_28);
            t0 = s1 + m * u64(0x0fefffffu) + ((s0 + m * u64(0x0fffaaabu)) >> LIMB_BITS_28);
            t1 = s2 + m * u64(0x03ffffb9u);
            t2 = s3 + m * u64(0x0fffeb15u);
            t3 = s4 + m * u64(0x06241eabu);
            t4 = s5 + m * u64(0x0a0f6b0fu);
            t5 = s6 + m * u64(0x0f6730d2u);
            t6 = s7 + m * u64(0x0f38512bu);
            t7 = s8 + m * u64(0x04774b84u);
            t8 = s9 + m * u64(0x04bacd76u);
            t9 = s10 + m * u64(0x0ba7b643u);
            t10 = s11 + m * u64(0x0e69a4b1u);
            t11 = s12 + m * u64(0x01ea397fu);
            t12 = s13 + m * u64(0x0001a011u);
            t13 = u64(0u);
        }
        {
            let f0 = u64(x_turning.b.x);
            let s0 = t0 + f0 * u64(y.a.x);
            let s1 = t1 + f0 * u64(y.a.y);
            let s2 = t2 + f0 * u64(y.a.z);
            let s3 = t3 + f0 * u64(y.a.w);
            let s4 = t4 + f0 * u64(y.b.x);
            let s5 = t5 + f0 * u64(y.b.y);
            let s6 = t6 + f0 * u64(y.b.z);
            let s7 = t7 + f0 * u64(y.b.w);
            let s8 = t8 + f0 * u64(y.c.x);
            let s9 = t9 + f0 * u64(y.c.y);
            let s10 = t10 + f0 * u64(y.c.z);
            let s11 = t11 + f0 * u64(y.c.w);
            let s12 = t12 + f0 * u64(y.d.x);
            let s13 = t13 + f0 * u64(y.d.y);
            let m = u64((u32(s0) * NEGATED_INVERSE) & LIMB_MASK_28);
            t0 = s1 + m * u64(0x0fefffffu) + ((s0 + m * u64(0x0fffaaabu)) >> LIMB_BITS_28);
            t1 = s2 + m * u64(0x03ffffb9u);
            t2 = s3 + m * u64(0x0fffeb15u);
            t3 = s4 + m * u64(0x06241eabu);
            t4 = s5 + m * u64(0x0a0f6b0fu);
            t5 = s6 + m * u64(0x0f6730d2u);
            t6 = s7 + m * u64(0x0f38512bu);
            t7 = s8 + m * u64(0x04774b84u);
            t8 = s9 + m * u64(0x04bacd76u);
            t9 = s10 + m * u64(0x0ba7b643u);
            t10 = s11 + m * u64(0x0e69a4b1u);
            t11 = s12 + m * u64(0x01ea397fu);
            t12 = s13 + m * u64(0x0001a011u);
            t13 = u64(0u);
        }
        {
            let f0 = u64(x_turning.b.y);
            let s0 = t0 + f0 * u64(y.a.x);
            let s1 = t1 + f0 * u64(y.a.y);
            let s2 = t2 + f0 * u64(y.a.z);
            let s3 = t3 + f0 * u64(y.a.w);
            let s4 = t4 + f0 * u64(y.b.x);
            let s5 = t5 + f0 * u64(y.b.y);
            let s6 = t6 + f0 * u64(y.b.z);
            let s7 = t7 + f0 * u64(y.b.w);
            let s8 = t8 + f0 * u64(y.c.x);
            let s9 = t9 + f0 * u64(y.c.y);
            let s10 = t10 + f0 * u64(y.c.z);
            let s11 = t11 + f0 * u64(y.c.w);
            let s12 = t12 + f0 * u64(y.d.x);
            let s13 = t13 + f0 * u64(y.d.y);
            let m = u64((u32(s0) * NEGATED_INVERSE) & LIMB_MASK_28);
            t0 = s1 + m * u64(0x0fefffffu) + ((s0 + m * u64(0x0fffaaabu)) >> LIMB_BITS_28);
            t1 = s2 + m * u64(0x03ffffb9u);
            t2 = s3 + m * u64(0x0fffeb15u);
            t3 = s4 + m * u64(0x06241eabu);
            t4 = s5 + m * u64(0x0a0f6b0fu);
            t5 = s6 + m * u64(0x0f6730d2u);
            t6 = s7 + m * u64(0x0f38512bu);
            t7 = s8 + m * u64(0x04774b84u);
            t8 = s9 + m * u64(0x04bacd76u);
            t9 = s10 + m * u64(0x0ba7b643u);
            t10 = s11 + m * u64(0x0e69a4b1u);
            t11 = s12 + m * u64(0x01ea397fu);
            t12 = s13 + m * u64(0x0001a011u);
            t13 = u64(0u);
        }
        {
            let f0 = u64(x_turning.b.z);
            let s0 = t0 + f0 * u64(y.a.x);
            let s1 = t1 + f0 * u64(y.a.y);
            let s2 = t2 + f0 * u64(y.a.z);
            let s3 = t3 + f0 * u64(y.a.w);
            let s4 = t4 + f0 * u64(y.b.x);
            let s5 = t5 + f0 * u64(y.b.y);
            let s6 = t6 + f0 * u64(y.b.z);
            let s7 = t7 + f0 * u64(y.b.w);
            let s8 = t8 + f0 * u64(y.c.x);
            let s9 = t9 + f0 * u64(y.c.y);
            let s10 = t10 + f0 * u64(y.c.z);
            let s11 = t11 + f0 * u64(y.c.w);
            let s12 = t12 + f0 * u64(y.d.x);
            let s13 = t13 + f0 * u64(y.d.y);
            let m = u64((u32(s0) * NEGATED_INVERSE) & LIMB_MASK_28);
            t0 = s1 + m * u64(0x0fefffffu) + ((s0 + m * u64(0x0fffaaabu)) >> LIMB_BITS_28);
            t1 = s2 + m * u64(0x03ffffb9u);
            t2 = s3 + m * u64(0x0fffeb15u);
            t3 = s4 + m * u64(0x06241eabu);
            t4 = s5 + m * u64(0x0a0f6b0fu);
            t5 = s6 + m * u64(0x0f6730d2u);
            t6 = s7 + m * u64(0x0f38512bu);
            t7 = s8 + m * u64(0x04774b84u);
            t8 = s9 + m * u64(0x04bacd76u);
            t9 = s10 + m * u64(0x0ba7b643u);
            t10 = s11 + m * u64(0x0e69a4b1u);
            t11 = s12 + m * u64(0x01ea397fu);
            t12 = s13 + m * u64(0x0001a011u);
            t13 = u64(0u);
        }
        x_turning = Residue(vec4<u32>(x_turning.b.w, x_turning.c.x, x_turning.c.y, x_turning.c.z), vec4<u32>(x_turning.c.w, x_turning.d.x, x_turning.d.y, x_turning.a.x), vec4<u32>(x_turning.a.y, x_turning.a.z, x_turning.a.w, x_turning.b.x), vec2<u32>(x_turning.b.y, x_turning.b.z));
    }
    t1 = t1 + (t0 >> LIMB_BITS_28);
    t2 = t2 + (t1 >> LIMB_BITS_28);
    t3 = t3 + (t2 >> LIMB_BITS_28);
    t4 = t4 + (t3 >> LIMB_BITS_28);
    t5 = t5 + (t4 >> LIMB_BITS_28);
    t6 = t6 + (t5 >> LIMB_BITS_28);
    t7 = t7 + (t6 >> LIMB_BITS_28);
    t8 = t8 + (t7 >> LIMB_BITS_28);
    t9 = t9 + (t8 >> LIMB_BITS_28);
    t10 = t10 + (t9 >> LIMB_BITS_28);
    t11 = t11 + (t10 >> LIMB_BITS_28);
    t12 = t12 + (t11 >> LIMB_BITS_28);
    t13 = t13 + (t12 >> LIMB_BITS_28);
    return Residue(vec4<u32>(u32(t0) & LIMB_MASK_28, u32(t1) & LIMB_MASK_28, u32(t2) & LIMB_MASK_28, u32(t3) & LIMB_MASK_28), vec4<u32>(u32(t4) & LIMB_MASK_28, u32(t5) & LIMB_MASK_28, u32(t6) & LIMB_MASK_28, u32(t7) & LIMB_MASK_28), vec4<u32>(u32(t8) & LIMB_MASK_28, u32(t9) & LIMB_MASK_28, u32(t10) & LIMB_MASK_28, u32(t11) & LIMB_MASK_28), vec2<u32>(u32(t12) & LIMB_MASK_28, u32(t13)));
}

// (x·y + z·w) / 2^392 mod p. If x < a·p, y < b·p, z < c·p and w < d·p, the result is below (1 + (a·b + c·d) / 2520)·p,
// in limbs of 28 bits.
fn sum_of_products(x: Residue, y: Residue, z: Residue, w: Residue) -> Residue {
    var t0 = u64(0u);
    var t1 = u64(0u);
    var t2 = u64(0u);
    var t3 = u64(0u);
    var t4 = u64(0u);
    var t5 = u64(0u);
    var t6 = u64(0u);
    var t7 = u64(0u);
    var t8 = u64(0u);
    var t9 = u64(0u);
    var t10 = u64(0u);
    var t11 = u64(0u);
    var t12 = u64(0u);
    var t13 = u64(0u);
    var x_turning = x;
    var z_turning = z;
    for (var i = 0u; i < 2u; i += 1u) {
        {
            let f0 = u64(x_turning.a.x);
            let f1 = u64(z_turning.a.x);
            let s0 = t0 + f0 * u64(y.a.x) + f1 * u64(w.a.x);
            let s1 = t1 + f0 * u64(y.a.y) + f1 * u64(w.a.y);
            let s2 = t2 + f0 * u64(y.a.z) + f1 * u64(w.a.z);
            let s3 = t3 + f0 * u64(y.a.w) + f1 * u64(w.a.w);
            let s4 = t4 + f0 * u64(y.b.x) + f1 * u64(w.b.x);
            let s5 = t5 + f0 * u64(y.b.y) + f1 * u64(w.b.y);
            let s6 = t6 + f0 * u64(y.b.z) + f1 * u64(w.b.z);
            let s7 = t7 + f0 * u64(y.b.w) + f1 * u64(w.b.w);
            let s8 = t8 + f0 * u64(y.c.x) + f1 * u64(w.c.x);
            let s9 = t9 + f0 * u64(y.c.y) + f1 * u64(w.c.y);
            let s10 = t10 + f0 * u64(y.c.z) + f1 * u64(w.c.z);
            let s11 = t11 + f0 * u64(y.c.w) + f1 * u64(w.c.w);
            let s12 = t12 + f0 * u64(y.d.x) + f1 * u64(w.d.x);
            let s13 = t13 + f0 * u64(y.d.y) + f1 * u64(w.d.y);
            let m = u64((u32(s0) * NEGATED_INVERSE) & LIMB_MASK_28);
            t0 = s1 + m * u64(0x0fefffffu) + ((s0 + m * u64(0x0fffaaabu)) >> LIMB_BITS_28);
            t1 = s2 + m * u64(0x03ffffb9u);
            t2 = s3 + m * u64(0x0fffeb15u);
            t3 = s4 + m * u64(0x06241eabu);
            t4 = s5 + m * u64(0x0a0f6b0fu);
            t5 = s6 + m * u64(0x0f6730d2u);
            t6 = s7 + m * u64(0x0f38512bu);
            t7 = s8 + m * u64(0x04774b84u);
            t8 = s9 + m * u64(0x04bacd76u);
            t9 = s10 + m * u64(0x0ba7b643u);
            t10 = s11 + m * u64(0x0e69a4b1u);
            t11 = s12 + m * u64(0x01ea397fu);
            t12 = s13 + m * u64(0x0001a011u);
            t13 = u64(0u);
        }
        {
            let f0 = u64(x_turning.a.y);
            let f1 = u64(z_turning.a.y);
            let s0 = t0 + f0 * u64(y.a.x) + f1 * u64(w.a.x);
            let s1 = t1 + f0 * u64(y.a.y) + f1 * u64(w.a.y);
            let s2 = t2 + f0 * u64(y.a.z) + f1 * u64(w.a.z);
            let s3 = t3 + f0 * u64(y.a.w) + f1 * u64(w.a.w);
            let s4 = t4 + f0 * u64(y.b.x) + f1 * u64(w.b.x);
            let s5 = t5 + f0 * u64(y.b.y) + f1 * u64(w.b.y);
            let s6 = t6 + f0 * u64(y.b.z) + f1 * u64(w.b.z);
            let s7 = t7 + f0 * u64(y.b.w) + f1 * u64(w.b.w);
            let s8 = t8 + f0 * u64(y.c.x) + f1 * u64(w.c.x);
            let s9 = t9 + f0 * u64(y.c.y) + f1 * u64(w.c.y);
            let s10 = t10 + f0 * u64(y.c.z) + f1 * u64(w.c.z);
            let s11 = t11 + f0 * u64(y.c.w) + f1 * u64(w.c.w);
            let s12 = t12 + f0 * u64(y.d.x) + f1 * u64(w.d.x);
            let s13 = t13 + f0 * u64(y.d.y) + f1 * u64(w.d.y);
            let m = u64((u32(s0) * NEGATED_INVERSE) & LIMB_MASK_28);
            t0 = s1 + m * u64(0x0fefffffu) + ((s0 + m * u64(0x0fffaaabu)) >> LIMB_BITS_28);
            t1 = s2 + m * u64(0x03ffffb9u);
            t2 = s3 + m * u64(0x0fffeb15u);
            t3 = s4 + m * u64(0x06241eabu);
            t4 = s5 + m * u64(0x0a0f6b0fu);
            t5 = s6 + m * u64(0x0f6730d2u);
            t6 = s7 + m * u64(0x0f38512bu);
            t7 = s8 + m * u64(0x04774b84u);
            t8 = s9 + m * u64(0x04bacd76u);
            t9 = s10 + m * u64(0x0ba7b643u);
            t10 = s11 + m * u64(0x0e69a4b1u);
            t11 = s12 + m * u64(0x01ea397fu);
            t12 = s13 + m * u64(0x0001a011u);
            t13 = u64(0u);
        }
        {
            let f0 = u64(x_turning.a.z);
            let f1 = u64(z_turning.a.z);
            let s0 = t0 + f0 * u64(y.a.x) + f1 * u64(w.a.x);
            let s1 = t1 + f0 * u64(y.a.y) + f1 * u64(w.a.y);
            let s2 = t2 + f0 * u64(y.a.z) + f1 * u64(w.a.z);
            let s3 = t3 + f0 * u64(y.a.w) + f1 * u64(w.a.w);
            let s4 = t4 + f0 * u64(y.b.x) + f1 * u64(w.b.x);
            let s5 = t5 + f0 * u64(y.b.y) + f1 * u64(w.b.y);
            let s6 = t6 + f0 * u64(y.b.z) + f1 * u64(w.b.z);
            let s7 = t7 + f0 * u64(y.b.w) + f1 * u64(w.b.w);
            let s8 = t8 + f0 * u64(y.c.x) + f1 * u64(w.c.x);
            let s9 = t9 + f0 * u64(y.c.y) + f1 * u64(w.c.y);
            let s10 = t10 + f0 * u64(y.c.z) + f1 * u64(w.c.z);
            let s11 = t11 + f0 * u64(y.c.w) + f1 * u64(w.c.w);
            let s12 = t12 + f0 * u64(y.d.x) + f1 * u64(w.d.x);
            let s13 = t13 + f0 * u64(y.d.y) + f1 * u64(w.d.y);
            let m = u64((u32(s0) * NEGATED_INVERSE) & LIMB_MASK_28);
            t0 = s1 + m * u64(0x0fefffffu) + ((s0 + m * u64(0x0fffaaabu)) >> LIMB_BITS_28);
            t1 = s2 + m * u64(0x03ffffb9u);
            t2 = s3 + m * u64(0x0fffeb15u);
            t3 = s4 + m * u64(0x06241eabu);
            t4 = s5 + m * u64(0x0a0f6b0fu);
            t5 = s6 + m * u64(0x0f6730d2u);
            t6 = s7 + m * u64(0x0f38512bu);
            t7 = s8 + m * u64(0x04774b84u);
            t8 = s9 + m * u64(0x04bacd76u);
            t9 = s10 + m * u64(0x0ba7b643u);
            t10 = s11 + m * u64(0x0e69a4b1u);
            t11 = s12 + m * u64(0x01ea397fu);
            t12 = s13 + m * u64(0x0001a011u);
            t13 = u64(0u);
        }
        {
            let f0 = u64(x_turning.a.w);
            let f1 = u64(z_turning.a.w);
            let s0 = t0 + f0 * u64(y.a.x) + f1 * u64(w.a.x);
            let s1 = t1 + f0 * u64(y.a.y) + f1 * u64(w.a.y);
            let s2 = t2 + f0 * u64(y.a.z) + f1 * u64(w.a.z);
            let s3 = t3 + f0 * u64(y.a.w) + f1 * u64(w.a.w);
            let s4 = t4 + f0 * u64(y.b.x) + f1 * u64(w.b.x);
            let s5 = t5 + f0 * u64(y.b.y) + f1 * u64(w.b.y);
            let s6 = t6 + f0 * u64(y.b.z) + f1 * u64(w.b.z);
            let s7 = t7 + f0 * u64(y.b.w) + f1 * u64(w.b.w);
            let s8 = t8 + f0 * u64(y.c.x) + f1 * u64(w.c.x);
            let s9 = t9 + f0 * u64(y.c.y) + f1 * u64(w.c.y);
            let s10 = t10 + f0 * u64(y.c.z) + f1 * u64(w.c.z);
            let s11 = t11 + f0 * u64(y.c.w) + f1 * u64(w.c.w);
            let s12 = t12 + f0 * u64(y.d.x) + f1 * u64(w.d.x);
            let s13 = t13 + f0 * u64(y.d.y) + f1 * u64(w.d.y);
            let m = u64((u32(s0) * NEGATED_INVERSE) & LIMB_MASK_28);
            t0 = s1 + m * u64(0x0fefffffu) + ((s0 + m * u64(0x0fffaaabu)) >> LIMB_BITS_28);
            t1 = s2 + m * u64(0x03ffffb9u);
            t2 = s3 + m * u64(0x0fffeb15u);
            t3 = s4 + m * u64(0x06241eabu);
            t4 = s5 + m * u64(0x0a0f6b0fu);
            t5 = s6 + m * u64(0x0f6730d2u);
            t6 = s7 + m * u64(0x0f38512bu);
            t7 = s8 + m * u64(0x04774b84u);
            t8 = s9 + m * u64(0x04bacd76u);
            t9 = s10 + m * u64(0x0ba7b643u);
            t10 = s11 + m * u64(0x0e69a4b1u);
            t11 = s12 + m * u64(0x01ea397fu);
            t12 = s13 + m * u64(0x0001a011u);
            t13 = u64(0u);
        }
        {
            let f0 = u64(x_turning.b.x);
            let f1 = u64(z_turning.b.x);
            let s0 = t0 + f0 * u64(y.a.x) + f1 * u64(w.a.x);
            let s1 = t1 + f0 * u64(y.a.y) + f1 * u64(w.a.y);
            let s2 = t2 + f0 * u64(y.a.z) + f1 * u64(w.a.z);
            let s3 = t3 + f0 * u64(y.a.w) + f1 * u64(w.a.w);
            let s4 = t4 + f0 * u64(y.b.x) + f1 * u64(w.b.x);
            let s5 = t5 + f0 * u64(y.b.y) + f1 * u64(w.b.y);
            let s6 = t6 + f0 * u64(y.b.z) + f1 * u64(w.b.z);
            let s7 = t7 + f0 * u64(y.b.w) + f1 * u64(w.b.w);
            let s8 = t8 + f0 * u64(y.c.x) + f1 * u64(w.c.x);
            let s9 = t9 + f0 * u64(y.c.y) + f1 * u64(w.c.y);
            let s10 = t10 + f0 * u64(y.c.z) + f1 * u64(w.c.z);
            let s11 = t11 + f0 * u64(y.c.w) + f1 * u64(w.c.w);
            let s12 = t12 + f0 * u64(y.d.x) + f1 * u64(w.d.x);
            let s13 = t13 + f0 * u64(y.d.y) + f1 * u64(w.d.y);
            let m = u64((u32(s0) * NEGATED_INVERSE) & LIMB_MASK_28);
            t0 = s1 + m * u64(0x0fefffffu) + ((s0 + m * u64(0x0fffaaabu)) >> LIMB_BITS_28);
            t1 = s2 + m * u64(0x03ffffb9u);
            t2 = s3 + m * u64(0x0fffeb15u);
            t3 = s4 + m * u64(0x06241eabu);
            t4 = s5 + m * u64(0x0a0f6b0fu);
            t5 = s6 + m * u64(0x0f6730d2u);
            t6 = s7 + m * u64(0x0f38512bu);
            t7 = s8 + m * u64(0x04774b84u);
            t8 = s9 + m * u64(0x04bacd76u);
            t9 = s10 + m * u64(0x0ba7b643u);
            t10 = s11 + m * u64(0x0e69a4b1u);
            t11 = s12 + m * u64(0x01ea397fu);
            t12 = s13 + m * u64(0x0001a011u);
            t13 = u64(0u);
        }
        {
            let f0 = u64(x_turning.b.y);
            let f1 = u64(z_turning.b.y);
            let s0 = t0 + f0 * u64(y.a.x) + f1 * u64(w.a.x);
            let s1 = t1 + f0 * u64(y.a.y) + f1 * u64(w.a.y);
            let s2 = t2 + f0 * u64(y.a.z) + f1 * u64(w.a.z);
            let s3 = t3 + f0 * u64(y.a.w) + f1 * u64(w.a.w);
            let s4 = t4 + f0 * u64(y.b.x) + f1 * u64(w.b.x);
            let s5 = t5 + f0 * u64(y.b.y) + f1 * u64(w.b.y);
            let s6 = t6 + f0 * u64(y.b.z) + f1 * u64(w.b.z);
            let s7 = t7 + f0 * u64(y.b.w) + f1 * u64(w.b.w);
            let s8 = t8 + f0 * u64(y.c.x) + f1 * u64(w.c.x);
            let s9 = t9 + f0 * u64(y.c.y) + f1 * u64(w.c.y);
            let s10 = t10 + f0 * u64(y.c.z) + f1 * u64(w.c.z);
            let s11 = t11 + f0 * u64(y.c.w) + f1 * u64(w.c.w);
            let s12 = t12 + f0 * u64(y.d.x) + f1 * u64(w.d.x);
            let s13 = t13 + f0 * u64(y.d.y) + f1 * u64(w.d.y);
            let m = u64((u32(s0) * NEGATED_INVERSE) & LIMB_MASK_28);
            t0 = s1 + m * u64(0x0fefffffu) + ((s0 + m * u64(0x0fffaaabu)) >> LIMB_BITS_28);
            t1 = s2 + m * u64(0x03ffffb9u);
            t2 = s3 + m * u64(0x0fffeb15u);
            t3 = s4 + m * u64(0x06241eabu);
            t4 = s5 + m * u64(0x0a0f6b0fu);
            t5 = s6 + m * u64(0x0f6730d2u);
            t6 = s7 + m * u64(0x0f38512bu);
            t7 = s8 + m * u64(0x04774b84u);
            t8 = s9 + m * u64(0x04bacd76u);
            t9 = s10 + m * u64(0x0ba7b643u);
            t10 = s11 + m * u64(0x0e69a4b1u);
            t11 = s12 + m * u64(0x01ea397fu);
            t12 = s13 + m * u64(0x0001a011u);
            t13 = u64(0u);
        }
        {
            let f0 = u64(x_turning.b.z);
            let f1 = u64(z_turning.b.z);
            let s0 = t0 + f0 * u64(y.a.x) + f1 * u64(w.a.x);
            let s1 = t1 + f0 * u64(y.a.y) + f1 * u64(w.a.y);
            let s2 = t2 + f0 * u64(y.a.z) + f1 * u64(w.a.z);
            let s3 = t3 + f0 * u64(y.a.w) + f1 * u64(w.a.w);
            let s4 = t4 + f0 * u64(y.b.x) + f1 * u64(w.b.x);
            let s5 = t5 + f0 * u64(y.b.y) + f1 * u64(w.b.y);
            let s6 = t6 + f0 * u64(y.b.z) + f1 * u64(w.b.z);
            let s7 = t7 + f0 * u64(y.b.w) + f1 * u64(w.b.w);
            let s8 = t8 + f0 * u64(y.c.x) + f1 * u64(w.c.x);
            let s9 = t9 + f0 * u64(y.c.y) + f1 * u64(w.c.y);
            let s10 = t10 + f0 * u64(y.c.z) + f1 * u64(w.c.z);
            let s11 = t11 + f0 * u64(y.c.w) + f1 * u64(w.c.w);
            let s12 = t12 + f0 * u64(y.d.x) + f1 * u64(w.d.x);
            let s13 = t13 + f0 * u64(y.d.y) + f1 * u64(w.d.y);
            let m = u64((u32(s0) * NEGATED_INVERSE) & LIMB_MASK_28);
            t0 = s1 + m * u64(0x0fefffffu) + ((s0 + m * u64(0x0fffaaabu)) >> LIMB_BITS_28);
            t1 = s2 + m * u64(0x03ffffb9u);
            t2 = s3 + m * u64(0x0fffeb15u);
            t3 = s4 + m * u64(0x06241eabu);
            t4 = s5 + m * u64(0x0a0f6b0fu);
            t5 = s6 + m * u64(0x0f6730d2u);
            t6 = s7 + m * u64(0x0f38512bu);
            t7 = s8 + m * u64(0x04774b84u);
            t8 = s9 + m * u64(0x04bacd76u);
            t9 = s10 + m * u64(0x0ba7b643u);
            t10 = s11 + m * u64(0x0e69a4b1u);
            t11 = s12 + m * u64(0x01ea397fu);
            t12 = s13 + m * u64(0x0001a011u);
            t13 = u64(0u);
        }
        x_turning = Residue(vec4<u32>(x_turning.b.w, x_turning.c.x, x_turning.c.y, x_turning.c.z), vec4<u32>(x_turning.c.w, x_turning.d.x, x_turning.d.y, x_turning.a.x), vec4<u32>(x_turning.a.y, x_turning.a.z, x_turning.a.w, x_turning.b.x), vec2<u32>(x_turning.b.y, x_turning.b.z));
        z_turning = Residue(vec4<u32>(z_turning.b.w, z_turning.c.x, z_turning.c.y, z_turning.c.z), vec4<u32>(z_turning.c.w, z_turning.d.x, z_turning.d.y, z_turning.a.x), vec4<u32>(z_turning.a.y, z_turning.a.z, z_turning.a.w, z_turning.b.x), vec2<u32>(z_turning.b.y, z_turning.b.z));
    }
    t1 = t1 + (t0 >> LIMB_BITS_28);
    t2 = t2 + (t1 >> LIMB_BITS_28);
    t3 = t3 + (t2 >> LIMB_BITS_28);
    t4 = t4 + (t3 >> LIMB_BITS_28);
    t5 = t5 + (t4 >> LIMB_BITS_28);
    t6 = t6 + (t5 >> LIMB_BITS_28);
    t7 = t7 + (t6 >> LIMB_BITS_28);
    t8 = t8 + (t7 >> LIMB_BITS_28);
    t9 = t9 + (t8 >> LIMB_BITS_28);
    t10 = t10 + (t9 >> LIMB_BITS_28);
    t11 = t11 + (t10 >> LIMB_BITS_28);
    t12 = t12 + (t11 >> LIMB_BITS_28);
    t13 = t13 + (t12 >> LIMB_BITS_28);
    return Residue(vec4<u32>(u32(t0) & LIMB_MASK_28, u32(t1) & LIMB_MASK_28, u32(t2) & LIMB_MASK_28, u32(t3) & LIMB_MASK_28), vec4<u32>(u32(t4) & LIMB_MASK_28, u32(t5) & LIMB_MASK_28, u32(t6) & LIMB_MASK_28, u32(t7) & LIMB_MASK_28), vec4<u32>(u32(t8) & LIMB_MASK_28, u32(t9) & LIMB_MASK_28, u32(t10) & LIMB_MASK_28, u32(t11) & LIMB_MASK_28), vec2<u32>(u32(t12) & LIMB_MASK_28, u32(t13)));
}

// ---- shared/residue_columns.wgsl

// Residues in 14 limbs of 28 bits with room for more: sums leave the limbs as they come, and products add up their columns in 64
// bits, without a carry before the end. The Montgomery factor is 2^392, so products of large multiples of p come out small.
// Twin: src/twin/columns.rs.
//
// Bounds, by exact intervals over all formulas of shared/curve.wgsl and both kernels of commitments: a limb is "settled" below
// 2^28 + 16; of the two operands of a product one has limbs below 2^29 + 32 where the other's come near 2^31, so that the largest
// column is 2^63.03; the largest sum of residues is 768 p.

// Limbs 0 … 3, 4 … 7, 8 … 11, 12 and 13.
struct Residue {
    a: vec4<u32>,
    b: vec4<u32>,
    c: vec4<u32>,
    d: vec2<u32>,
}

const LIMB_BITS_28: u32 = 28u;
const LIMB_MASK_28: u32 = 0x0fffffffu;

fn add_unreduced(x: Residue, y: Residue) -> Residue {
    return Residue(x.a + y.a, x.b + y.b, x.c + y.c, x.d + y.d);
}

// x + 64p − y, for y up to 64p whose limbs are sums of two settled ones.
fn subtract_unreduced(x: Residue, y: Residue) -> Residue {
    let m = minuend();
    return Residue(x.a + (m.a - y.a), x.b + (m.b - y.b), x.c + (m.c - y.c), x.d + (m.d - y.d));
}

// s − a − b + 4p in settled limbs, for products s, a, b with a + b up to 4p.
fn cross_term(s: Residue, a: Residue, b: Residue) -> Residue {
    let m = cross_minuend();
    return settle(
        Residue(s.a + (m.a - a.a - b.a), s.b + (m.b - a.b - b.b), s.c + (m.c - a.c - b.c), s.d + (m.d - a.d - b.d)),
    );
}

// 512p − x, for a loaded entry.
fn negate_entry(x: Residue) -> Residue {
    let m = entry_minuend();
    return Residue(m.a - x.a, m.b - x.b, m.c - x.c, m.d - x.d);
}

// The same number in settled limbs: every limb keeps 28 bits and hands the others on, all at once.
fn settle(x: Residue) -> Residue {
    let mask = vec4<u32>(LIMB_MASK_28);
    let shift = vec4<u32>(LIMB_BITS_28);
    let a = x.a >> shift;
    let b = x.b >> shift;
    let c = x.c >> shift;
    return Residue(
        (x.a & mask) + vec4<u32>(0u, a.xyz),
        (x.b & mask) + vec4<u32>(a.w, b.xyz),
        (x.c & mask) + vec4<u32>(b.w, c.xyz),
        // The last limb keeps all that it has.
        vec2<u32>(x.d.x & LIMB_MASK_28, x.d.y) + vec2<u32>(c.w, x.d.x >> LIMB_BITS_28),
    );
}

// 12·x in settled limbs, for x in sums of two settled ones.
fn times_twelve(x: Residue) -> Residue {
    let triple = settle(add_unreduced(add_unreduced(x, x), x));
    let double = add_unreduced(triple, triple);
    return settle(add_unreduced(double, double));
}

// ---- shared/field.wgsl

// The base field of BLS12-381: integers mod p in Montgomery form with factor 2^384, in 12 words, as tables and buffers hold
// them. Kernels compute with residues, which a variant has in its own form (shared/residue_….wgsl): all of them have the same
// functions, and leave the same bytes. Twin: src/twin/field.rs.

// Words 0 … 3, 4 … 7 and 8 … 11, least significant first.
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

// ---- shared/grid.wgsl

// A grid has at most 65,535 workgroups a dimension, so large ranges take two dimensions; invocations are numbered row by
// row. Twin: Invocation::index in src/twin.rs.
fn flat_index(invocation: vec3<u32>, workgroups: vec3<u32>) -> u32 {
    return invocation.y * (workgroups.x * WORKGROUP) + invocation.x;
}

// ---- field_test.wgsl

// The field alone: known answers and the speed of products. Element i takes left[i], then `rounds` times the operation with
// right[i]; a chain, so that no product can be left out. Twin: src/twin/field_test.rs.

const MULTIPLY: u32 = 0u;
const ADD: u32 = 1u;
const SUBTRACT: u32 = 2u;
const SUM_OF_PRODUCTS: u32 = 3u;
const TIMES_TWELVE: u32 = 4u;
// Element n takes operation n mod 5.
const IN_TURN: u32 = 5u;

struct FieldTest {
    // First element of this dispatch and number of elements.
    first: u32,
    count: u32,
    rounds: u32,
    operation: u32,
}

@group(0) @binding(0) var<uniform> parameters: FieldTest;
// Every element is below p.
@group(0) @binding(1) var<storage, read> left: array<FieldElement>;
@group(0) @binding(2) var<storage, read> right: array<FieldElement>;
@group(0) @binding(3) var<storage, read_write> result: array<FieldElement>;

fn operate(operation: u32, x: Residue, start: Residue, y: Residue) -> Residue {
    switch operation {
        case ADD: {
            return load(store(add_unreduced(x, y)));
        }
        case SUBTRACT: {
            return load(store(subtract_unreduced(x, y)));
        }
        // x·y + left·x
        case SUM_OF_PRODUCTS: {
            return sum_of_products(x, y, start, x);
        }
        case TIMES_TWELVE: {
            return load(store(times_twelve(x)));
        }
        default: {
            return multiply(x, y);
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn field_test(
    @builtin(global_invocation_id) invocation: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(invocation, workgroups);
    if i < parameters.count {
        let n = parameters.first + i;
        let start = load(left[n]);
        let y = load(right[n]);
        let in_turn = parameters.operation == IN_TURN;
        let operation = select(parameters.operation, n % IN_TURN, in_turn);
        var x = start;
        for (var round = 0u; round < parameters.rounds; round += 1u) {
            x = operate(operation, x, start, y);
        }
        result[n] = store(x);
    }
}
