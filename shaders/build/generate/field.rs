//! Writes the WGSL of the base field of BLS12-381, limb by limb: arrays indexed at run time would live in slow memory on
//! real devices, so every limb is a component of its own and the text is long. Twin of what is written: `src/twin/field.rs`.
//!
//! The text calls `multiply_add`, `add_carry` and `subtract_borrow`, which `wgsl/shared/product_wide.wgsl` and
//! `wgsl/shared/product_split.wgsl` supply, each in its way.

use crate::catalogue::VariantDeclaration;
use std::fmt::Write;

/// Limbs of 32 bits; the Montgomery factor is 2^384.
const LIMBS: usize = 12;

/// The field's prime p, least significant limb first.
const PRIME: [u32; LIMBS] = [
    0xffff_aaab,
    0xb9fe_ffff,
    0xb153_ffff,
    0x1eab_fffe,
    0xf6b0_f624,
    0x6730_d2a0,
    0xf385_12bf,
    0x6477_4b84,
    0x434b_acd7,
    0x4b1b_a7b6,
    0x397f_e69a,
    0x1a01_11ea,
];

/// −1/p mod 2^32.
const NEGATED_INVERSE: u32 = 0xfffc_fffd;

/// The whole field. The option `limb_loop` says how many limbs of an operand a product takes in one iteration of its loop;
/// `None` if it says nothing that is known.
pub(crate) fn functions(variant: &VariantDeclaration) -> Option<String> {
    let limbs_per_iteration = match variant.option("limb_loop")? {
        "limbwise" => 1,
        "looped" => 4,
        "unrolled" => LIMBS,
        _ => return None,
    };
    let pieces = [
        constants(),
        add_unreduced(),
        subtract_unreduced(),
        reduce_once(),
        product(&MULTIPLY, limbs_per_iteration),
        product(&SUM_OF_PRODUCTS, limbs_per_iteration),
        times_twelve(),
    ];
    Some(pieces.join("\n"))
}

/// Limb `limb` of the element `name`.
fn limb(name: &str, limb: usize) -> String {
    let row = ["a", "b", "c"][limb / 4];
    let column = ["x", "y", "z", "w"][limb % 4];
    format!("{name}.{row}.{column}")
}

/// An element made of `name0` … `name11`.
fn element(part: impl Fn(usize) -> String) -> String {
    let row = |first: usize| (first..first + 4).map(&part).collect::<Vec<_>>().join(", ");
    format!("FieldElement(vec4<u32>({}), vec4<u32>({}), vec4<u32>({}))", row(0), row(4), row(8))
}

fn line(text: &mut String, indent: usize, statement: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{:indent$}{statement}", "");
}

fn constants() -> String {
    let mut text = String::new();
    for (i, word) in PRIME.iter().enumerate() {
        line(&mut text, 0, &format!("const PRIME_{i}: u32 = {word:#010x}u;"));
    }
    for (i, word) in twice(PRIME).iter().enumerate() {
        line(&mut text, 0, &format!("const TWICE_PRIME_{i}: u32 = {word:#010x}u;"));
    }
    line(&mut text, 0, "// −1/p mod 2^32.");
    line(&mut text, 0, &format!("const NEGATED_INVERSE: u32 = {NEGATED_INVERSE:#010x}u;"));
    text
}

fn twice(limbs: [u32; LIMBS]) -> [u32; LIMBS] {
    std::array::from_fn(|i| (limbs[i] << 1) | if i > 0 { limbs[i - 1] >> 31 } else { 0 })
}

fn add_unreduced() -> String {
    let mut text = String::from(
        "// x + y as integers; the sum must stay below 2^384.\n\
         fn add_unreduced(x: FieldElement, y: FieldElement) -> FieldElement {\n",
    );
    for i in 0..LIMBS {
        let carry = if i == 0 { "0u".into() } else { format!("s{}.y", i - 1) };
        let sum = format!("let s{i} = add_carry({}, {}, {carry});", limb("x", i), limb("y", i));
        line(&mut text, 4, &sum);
    }
    line(&mut text, 4, &format!("return {};", element(|i| format!("s{i}.x"))));
    text + "}\n"
}

fn subtract_unreduced() -> String {
    let mut text = String::from(
        "// x + 2p − y as integers, for y up to 2p; x + 2p must stay below 2^384.\n\
         fn subtract_unreduced(x: FieldElement, y: FieldElement) -> FieldElement {\n",
    );
    for i in 0..LIMBS {
        let chained = |name: &str| if i == 0 { "0u".into() } else { format!("{name}{}.y", i - 1) };
        let difference =
            format!("let d{i} = subtract_borrow(TWICE_PRIME_{i}, {}, {});", limb("y", i), chained("d"));
        line(&mut text, 4, &difference);
        line(&mut text, 4, &format!("let s{i} = add_carry({}, d{i}.x, {});", limb("x", i), chained("s")));
    }
    line(&mut text, 4, &format!("return {};", element(|i| format!("s{i}.x"))));
    text + "}\n"
}

fn reduce_once() -> String {
    let mut text = String::from(
        "// x − p if that is not negative, else x.\n\
         fn reduce_once(x: FieldElement) -> FieldElement {\n",
    );
    for i in 0..LIMBS {
        let borrow = if i == 0 { "0u".into() } else { format!("d{}.y", i - 1) };
        line(&mut text, 4, &format!("let d{i} = subtract_borrow({}, PRIME_{i}, {borrow});", limb("x", i)));
    }
    line(&mut text, 4, &format!("let keep = d{}.y != 0u;", LIMBS - 1));
    line(&mut text, 4, "return FieldElement(");
    for (row, name) in ["a", "b", "c"].iter().enumerate() {
        let words = (4 * row..4 * row + 4).map(|i| format!("d{i}.x")).collect::<Vec<_>>().join(", ");
        line(&mut text, 8, &format!("select(vec4<u32>({words}), x.{name}, keep),"));
    }
    line(&mut text, 4, ");");
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
    comment: "// x·y / 2^384 mod p. If x < a·p and y < b·p, then a·b and b + 1 must not exceed 9.8; the result is below p.",
    name: "multiply",
    pairs: &[["x", "y"]],
};

const SUM_OF_PRODUCTS: Product = Product {
    comment: "// (x·y + z·w) / 2^384 mod p. If x < a·p, y < b·p, z < c·p and w < d·p, then a·b + c·d and b + d + 1 must not exceed\n\
              // 9.8; the result is below p.",
    name: "sum_of_products",
    pairs: &[["x", "y"], ["z", "w"]],
};

/// Coarsely integrated operand scanning: for each limb of the first operand add its product with the second, then a multiple
/// of p that clears the lowest limb, and move one limb down. The limbs of the first operand turn past one place, so that the
/// loop needs no index.
fn product(product: &Product, limbs_per_iteration: usize) -> String {
    let parameters = product.pairs.iter().flatten().map(|name| format!("{name}: FieldElement"));
    let parameters = parameters.collect::<Vec<_>>().join(", ");
    let mut text = format!("{}\nfn {}({parameters}) -> FieldElement {{\n", product.comment, product.name);
    let looped = limbs_per_iteration < LIMBS;
    for i in 0..LIMBS {
        line(&mut text, 4, &format!("var t{i} = 0u;"));
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
            let turned = element(|i| limb(&name, (i + limbs_per_iteration) % LIMBS));
            line(&mut text, 8, &format!("{name} = {turned};"));
        }
        line(&mut text, 4, "}");
    }
    line(&mut text, 4, &format!("return reduce_once({});", element(|i| format!("t{i}"))));
    text + "}\n"
}

/// One limb of the first operands, in a block of its own.
fn row(text: &mut String, product: &Product, step: usize, looped: bool, indent: usize) {
    line(text, indent, "{");
    let inner = indent + 4;
    for (pair, [first, _]) in product.pairs.iter().enumerate() {
        let name = if looped { format!("{first}_turning") } else { (*first).into() };
        line(text, inner, &format!("let f{pair} = {};", limb(&name, step)));
    }
    for i in 0..LIMBS {
        let mut sum = format!("t{i}");
        for (pair, [_, second]) in product.pairs.iter().enumerate() {
            let carry = if i == 0 { "0u".into() } else { format!("p{pair}_{}.y", i - 1) };
            let second = limb(second, i);
            line(text, inner, &format!("let p{pair}_{i} = multiply_add(f{pair}, {second}, {sum}, {carry});"));
            sum = format!("p{pair}_{i}.x");
        }
        if i == 0 {
            line(text, inner, &format!("let m = {sum} * NEGATED_INVERSE;"));
        }
        let carry = if i == 0 { "0u".into() } else { format!("q{}.y", i - 1) };
        line(text, inner, &format!("let q{i} = multiply_add(m, PRIME_{i}, {sum}, {carry});"));
        if i > 0 {
            line(text, inner, &format!("t{} = q{i}.x;", i - 1));
        }
    }
    let last = LIMBS - 1;
    let carries = (0..product.pairs.len()).map(|pair| format!("p{pair}_{last}.y + ")).collect::<String>();
    line(text, inner, &format!("t{last} = {carries}q{last}.y;"));
    line(text, indent, "}");
}

/// The quotient comes from the 15 bits of 12·x above 2^371, where p has 832.13: 78 / 2^16 is just below 1/833.
fn times_twelve() -> String {
    let mut text = String::from(
        "// 12·x mod p for x < 2p; the result is below p.\n\
         fn times_twelve(x: FieldElement) -> FieldElement {\n",
    );
    for i in 0..LIMBS {
        let carry = if i == 0 { "0u".into() } else { format!("k{}.y", i - 1) };
        line(&mut text, 4, &format!("let k{i} = multiply_add({}, 12u, 0u, {carry});", limb("x", i)));
    }
    line(&mut text, 4, "// 12·x / p, rounded down, or one less: what remains is below 1.3·p.");
    line(&mut text, 4, "let quotient = (((k11.x >> 19u) | (k11.y << 13u)) * 78u) >> 16u;");
    for i in 0..LIMBS {
        let chained = |name: &str| if i == 0 { "0u".into() } else { format!("{name}{}.y", i - 1) };
        line(&mut text, 4, &format!("let q{i} = multiply_add(quotient, PRIME_{i}, 0u, {});", chained("q")));
        line(&mut text, 4, &format!("let d{i} = subtract_borrow(k{i}.x, q{i}.x, {});", chained("d")));
    }
    line(&mut text, 4, &format!("return reduce_once({});", element(|i| format!("d{i}.x"))));
    text + "}\n"
}
