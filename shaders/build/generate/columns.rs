//! Writes the WGSL of residues in 14 limbs of 28 bits: products add up their columns in 64 bits, so that a step is one
//! multiplication and one addition and carries wait for the end. Twin of what is written: `src/twin/columns.rs`.

use super::field::{PRIME, WORDS, chained, component, element, line, structure};
use crate::catalogue::VariantDeclaration;

/// Limbs of a residue.
const LIMBS: usize = 14;
/// Bits of a limb.
const BITS: usize = 28;
const MASK: u32 = (1 << BITS) - 1;

/// The piece `generated/columns.wgsl`. The option `limb_loop` says how many limbs of an operand a product takes in one
/// iteration of its loop; `None` if it says nothing that is known.
pub(crate) fn functions(variant: &VariantDeclaration) -> Option<String> {
    let limbs_per_iteration = match variant.option("limb_loop")? {
        "looped" => 7,
        "unrolled" => LIMBS,
        _ => return None,
    };
    let pieces = [
        minuend("minuend", 64),
        minuend("cross_minuend", 4),
        minuend("entry_minuend", 512),
        load(),
        load_entry(),
        store(),
        product(&MULTIPLY, limbs_per_iteration),
        product(&SUM_OF_PRODUCTS, limbs_per_iteration),
    ];
    Some(pieces.join("\n"))
}

/// Limbs of n·p for n below 2^11; all 28 bits of each.
fn multiple_of_prime(n: u64) -> [u32; LIMBS] {
    let mut words = [0_u32; WORDS + 2];
    let mut carry = 0;
    for (word, prime) in words.iter_mut().zip(PRIME.into_iter().chain([0, 0])) {
        let sum = u64::from(prime) * n + carry;
        *word = u32::try_from(sum & 0xffff_ffff).expect("one word");
        carry = sum >> 32;
    }
    std::array::from_fn(|i| {
        let (word, shift) = (BITS * i / 32, BITS * i % 32);
        let pair = u64::from(words[word]) | u64::from(words[word + 1]) << 32;
        u32::try_from((pair >> shift) & u64::from(MASK)).expect("one limb")
    })
}

/// n·p with 3·2^28 lent to every limb but the last by the next, so that no limb falls below zero when another number's is
/// subtracted.
fn minuend(name: &str, n: u64) -> String {
    let limbs = multiple_of_prime(n);
    let lent = |i: usize| {
        let lent = if i + 1 < LIMBS { 3 << BITS } else { 0 };
        limbs[i] + lent - if i > 0 { 3 } else { 0 }
    };
    let value = structure("Residue", LIMBS, |i| format!("{:#010x}u", lent(i)));
    format!(
        "// {n}p, no limb of which is smaller than the sum of two settled ones.\nfn {name}() -> Residue {{\n    return {value};\n}}\n"
    )
}

/// 28 bits from bit `first` (which may be negative) of words `word(0)`, `word(1)`, …; `None` is zero.
fn bits_of_words(first: isize, word: impl Fn(isize) -> Option<String>) -> String {
    let (at, shift) = (first.div_euclid(32), first.rem_euclid(32));
    let low = word(at).map(|low| if shift == 0 { low } else { format!("({low} >> {shift}u)") });
    // Only what reaches into the next word.
    let high = word(at + 1).filter(|_| shift > 4).map(|high| format!("({high} << {}u)", 32 - shift));
    match (low, high) {
        (Some(low), Some(high)) => format!("({low} | {high}) & LIMB_MASK_28"),
        (Some(one), None) | (None, Some(one)) => format!("{one} & LIMB_MASK_28"),
        (None, None) => "0u".into(),
    }
}

/// Word of the element `x`, if there is one.
fn word_of_x(at: isize) -> Option<String> {
    usize::try_from(at).ok().filter(|at| *at < WORDS).map(|at| component("x", at))
}

fn load_entry() -> String {
    let value = structure("Residue", LIMBS, |i| {
        bits_of_words(isize::try_from(BITS * i).expect("few bits") - 8, word_of_x)
    });
    format!(
        "// The element in residues' Montgomery form, 2^8·x: below 256p.\n\
         fn load_entry(x: FieldElement) -> Residue {{\n    return {value};\n}}\n"
    )
}

/// The quotient comes from the 18 bits of 2^8·x above 2^371, where p has 832.13: 5040 / 2^22 is just below 1 / 832.13.
fn load() -> String {
    let mut text = String::from(
        "// The element in residues' Montgomery form, (2^8·x) mod p or little more: below 1.03p.\n\
         fn load(x: FieldElement) -> Residue {\n",
    );
    for i in 0..WORDS {
        let low = if i == 0 { String::new() } else { format!(" | ({} >> 24u)", component("x", i - 1)) };
        line(&mut text, 4, &format!("let k{i} = ({} << 8u){low};", component("x", i)));
    }
    line(&mut text, 4, "// 2^8·x / p, rounded down, or one less.");
    line(&mut text, 4, "let quotient = ((x.c.w >> 11u) * 5040u) >> 22u;");
    for i in 0..WORDS {
        let (product, borrow) = (chained("q", i), chained("d", i));
        line(&mut text, 4, &format!("let q{i} = multiply_add(quotient, PRIME_{i}, 0u, {product});"));
        line(&mut text, 4, &format!("let d{i} = subtract_borrow(k{i}, q{i}.x, {borrow});"));
    }
    let word = |at: isize| usize::try_from(at).ok().filter(|at| *at < WORDS).map(|at| format!("d{at}.x"));
    let value =
        structure("Residue", LIMBS, |i| bits_of_words(isize::try_from(BITS * i).expect("few bits"), word));
    line(&mut text, 4, &format!("return {value};"));
    text + "}\n"
}

/// In settled limbs first, exactly; then one step of eight bits of Montgomery's reduction, in words.
fn store() -> String {
    let mut text = String::from(
        "// The element below p of a residue below 128p.\n\
         fn store(x: Residue) -> FieldElement {\n",
    );
    line(&mut text, 4, &format!("let s0 = {};", component("x", 0)));
    for i in 1..LIMBS {
        line(&mut text, 4, &format!("let s{i} = {} + (s{} >> LIMB_BITS_28);", component("x", i), i - 1));
    }
    // Limb i lies at bit 28·i; word w takes parts of two of them, or of three.
    let limb = |i: usize| {
        if i + 1 < LIMBS { format!("(s{i} & LIMB_MASK_28)") } else { format!("s{i}") }
    };
    for w in 0..=WORDS {
        let parts = (0..LIMBS).filter_map(|i| {
            let (begin, word) = (BITS * i, 32 * w);
            if begin >= word + 32 || begin + BITS <= word && i + 1 < LIMBS {
                None
            } else if begin >= word {
                Some(format!("({} << {}u)", limb(i), begin - word))
            } else {
                (word - begin < 32).then(|| format!("({} >> {}u)", limb(i), word - begin))
            }
        });
        let value = parts.collect::<Vec<_>>().join(" | ");
        line(&mut text, 4, &format!("let w{w} = {value};"));
    }
    line(&mut text, 4, "let m = (w0 * NEGATED_INVERSE) & 0xffu;");
    for i in 0..WORDS {
        let carry = chained("t", i);
        line(&mut text, 4, &format!("let t{i} = multiply_add(m, PRIME_{i}, w{i}, {carry});"));
    }
    line(&mut text, 4, &format!("let t{WORDS} = vec2<u32>(w{WORDS} + t{}.y, 0u);", WORDS - 1));
    let value = element(|i| format!("(t{i}.x >> 8u) | (t{}.x << 24u)", i + 1));
    line(&mut text, 4, &format!("return reduce_once({value});"));
    text + "}\n"
}

/// A product, or a sum of products, with one reduction.
struct Product {
    comment: &'static str,
    name: &'static str,
    /// Pairs of operands; the limbs of the first of a pair are taken one after another.
    pairs: &'static [[&'static str; 2]],
}

const MULTIPLY: Product = Product {
    comment: "// x·y / 2^392 mod p. If x < a·p and y < b·p, the result is below (1 + a·b / 2520)·p, in limbs of 28 bits.",
    name: "multiply",
    pairs: &[["x", "y"]],
};

const SUM_OF_PRODUCTS: Product = Product {
    comment: "// (x·y + z·w) / 2^392 mod p. If x < a·p, y < b·p, z < c·p and w < d·p, the result is below (1 + (a·b + c·d) / 2520)·p,\n\
              // in limbs of 28 bits.",
    name: "sum_of_products",
    pairs: &[["x", "y"], ["z", "w"]],
};

/// Coarsely integrated operand scanning: for each limb of the first operands add its products with the second ones to the
/// columns, then a multiple of p that clears the lowest limb, and move one limb down.
fn product(product: &Product, limbs_per_iteration: usize) -> String {
    let parameters = product.pairs.iter().flatten().map(|name| format!("{name}: Residue"));
    let parameters = parameters.collect::<Vec<_>>().join(", ");
    let mut text = format!("{}\nfn {}({parameters}) -> Residue {{\n", product.comment, product.name);
    let looped = limbs_per_iteration < LIMBS;
    for i in 0..LIMBS {
        line(&mut text, 4, &format!("var t{i} = u64(0u);"));
    }
    let indent = if looped { 8 } else { 4 };
    if looped {
        for [first, _] in product.pairs {
            line(&mut text, 4, &format!("var {first}_turning = {first};"));
        }
        line(&mut text, 4, &format!("for (var i = 0u; i < {}u; i += 1u) {{", LIMBS / limbs_per_iteration));
    }
    for step in 0..limbs_per_iteration {
        row(&mut text, product, step, looped, indent);
    }
    if looped {
        for [first, _] in product.pairs {
            let name = format!("{first}_turning");
            let turned = structure("Residue", LIMBS, |i| component(&name, (i + limbs_per_iteration) % LIMBS));
            line(&mut text, 8, &format!("{name} = {turned};"));
        }
        line(&mut text, 4, "}");
    }
    for i in 1..LIMBS {
        line(&mut text, 4, &format!("t{i} = t{i} + (t{} >> LIMB_BITS_28);", i - 1));
    }
    let limb =
        |i: usize| if i + 1 < LIMBS { format!("u32(t{i}) & LIMB_MASK_28") } else { format!("u32(t{i})") };
    line(&mut text, 4, &format!("return {};", structure("Residue", LIMBS, limb)));
    text + "}\n"
}

/// One limb of the first operands, in a block of its own.
fn row(text: &mut String, product: &Product, step: usize, looped: bool, indent: usize) {
    line(text, indent, "{");
    let inner = indent + 4;
    for (pair, [first, _]) in product.pairs.iter().enumerate() {
        let name = if looped { format!("{first}_turning") } else { (*first).into() };
        line(text, inner, &format!("let f{pair} = u64({});", component(&name, step)));
    }
    for i in 0..LIMBS {
        let products = product.pairs.iter().enumerate();
        let products =
            products.map(|(pair, [_, second])| format!(" + f{pair} * u64({})", component(second, i)));
        line(text, inner, &format!("let s{i} = t{i}{};", products.collect::<String>()));
    }
    let prime = multiple_of_prime(1);
    line(text, inner, "let m = u64((u32(s0) * NEGATED_INVERSE) & LIMB_MASK_28);");
    let limb = |i: usize| format!("s{i} + m * u64({:#010x}u)", prime[i]);
    line(text, inner, &format!("t0 = {} + (({}) >> LIMB_BITS_28);", limb(1), limb(0)));
    for i in 2..LIMBS {
        line(text, inner, &format!("t{} = {};", i - 1, limb(i)));
    }
    line(text, inner, &format!("t{} = u64(0u);", LIMBS - 1));
    line(text, indent, "}");
}
