// Sums of table entries for commitments of blocks (commitment-v1 §4). One invocation is one block, one segment of the bases and
// one window of the digits: it adds, for every base of its segment, the entry that the digit names, or its negative.
// Neighbouring invocations are the windows of one block and segment, so they read the same few words of the block. Additions
// are complete: no block, however chosen, meets an exceptional case. Twin: src/twin/commit.rs.

// import shared/curve.wgsl
// import shared/grid.wgsl

// Bits of a limb of a block; bits of a blinding scalar as it is stored.
const LIMB_BITS: u32 = 248u;
const BLINDING_WORDS: u32 = 8u;

struct Commit {
    // First invocation of this dispatch and number of invocations; in all there are blocks · segments · windows.
    first: u32,
    count: u32,
    // Windows of a blinding scalar; the first `limb_windows` of them, ⌈248 / w⌉, are also windows of a limb.
    windows: u32,
    limb_windows: u32,
    // w.
    width_bits: u32,
    // The last base belongs to the blinding scalar, the others to the limbs of a block.
    bases: u32,
    // Segment s covers the bases from s · segment_bases on, segment_bases of them or what is left.
    segments: u32,
    segment_bases: u32,
    // Words from one block to the next. What lies beyond is read as zero.
    block_words: u32,
    reserved_word: u32,
    reserved: vec2<u32>,
}

@group(0) @binding(0) var<uniform> parameters: Commit;
// 2^(w − 1) entries a base: the odd multiples 1, 3, 5, … of its half.
@group(0) @binding(1) var<storage, read> table: array<AffinePoint>;
// Bytes of the blocks, little-endian.
@group(0) @binding(2) var<storage, read> blocks: array<u32>;
// Eight words a block, little-endian.
@group(0) @binding(3) var<storage, read> blindings: array<u32>;
// sums[((block · segments) + segment) · windows + window].
@group(0) @binding(4) var<storage, read_write> sums: array<Point>;

fn block_word(block: u32, word: u32) -> u32 {
    var value = 0u;
    if word < parameters.block_words {
        value = blocks[block * parameters.block_words + word];
    }
    return value;
}

fn blinding_word(block: u32, word: u32) -> u32 {
    var value = 0u;
    if word < BLINDING_WORDS {
        value = blindings[block * BLINDING_WORDS + word];
    }
    return value;
}

// `width_bits` bits from bit `shift` (below 32) of the two words on; the upper word is shifted in two steps, as no shift may
// be as wide as a word.
fn bits(low: u32, high: u32, shift: u32) -> u32 {
    let word = (low >> shift) | ((high << 1u) << (31u - shift));
    return word & ((1u << parameters.width_bits) - 1u);
}

// The window of a limb. In the last window the bits beyond the limb are the next limb's, and are cut off.
fn limb_digit(block: u32, base: u32, window: u32) -> u32 {
    let within = window * parameters.width_bits;
    let bit = LIMB_BITS * base + within;
    let word = bit >> 5u;
    let digit = bits(block_word(block, word), block_word(block, word + 1u), bit & 31u);
    return digit & ((1u << min(parameters.width_bits, LIMB_BITS - within)) - 1u);
}

fn blinding_digit(block: u32, window: u32) -> u32 {
    let bit = window * parameters.width_bits;
    let word = bit >> 5u;
    return bits(blinding_word(block, word), blinding_word(block, word + 1u), bit & 31u);
}

// The entry of a base's row that the digit stands for, or its negative: the digit r is the odd number 2r − (2^w − 1).
fn entry(base: u32, digit: u32) -> Addend {
    let half = 1u << (parameters.width_bits - 1u);
    let negative = digit < half;
    let place = select(digit, ~digit, negative) & (half - 1u);
    let point = table[base * half + place];
    var addend = Addend(load_entry(point.x), load_entry(point.y));
    if negative {
        addend.y = negate_entry(addend.y);
    }
    return addend;
}

@compute @workgroup_size(WORKGROUP)
fn commit(
    @builtin(global_invocation_id) invocation: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(invocation, workgroups);
    if i < parameters.count {
        let place = parameters.first + i;
        let window = place % parameters.windows;
        let row = place / parameters.windows;
        let block = row / parameters.segments;
        let first_base = (row % parameters.segments) * parameters.segment_bases;
        let last_base = parameters.bases - 1u;
        var sum = infinity();
        for (var k = 0u; k < parameters.segment_bases; k += 1u) {
            let base = first_base + k;
            let is_limb = base < last_base && window < parameters.limb_windows;
            if is_limb || base == last_base {
                var digit = 0u;
                if is_limb {
                    digit = limb_digit(block, base, window);
                } else {
                    digit = blinding_digit(block, window);
                }
                sum = add_mixed(sum, entry(base, digit));
            }
        }
        sums[place] = store_point(sum);
    }
}
