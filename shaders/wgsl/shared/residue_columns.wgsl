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

// import generated/columns.wgsl

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
