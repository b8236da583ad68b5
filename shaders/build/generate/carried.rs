//! Writes the WGSL of residues in 12 words with carries, word by word: arrays indexed at run time would live in slow memory on
//! real devices, so every word is a component of its own and the text is long. Twin of what is written: `src/twin/carried.rs`.
//!
//! The text calls `multiply_add`, `add_carry` and `subtract_borrow`, which `wgsl/shared/words_wide.wgsl` and
//! `wgsl/shared/words_split.wgsl` supply, each in its way.

use super::field::{PRIME, WORDS, chained, component, element, line, twice};
use crate::catalogue::VariantDeclaration;

/// The piece `generated/carried.wgsl`. The option `limb_loop` says how many words of an operand a product takes in one iteration
/// of its loop; `None` if it says nothing that is known.
pub(crate) fn functions(variant: &VariantDeclaration) -> Option<String> {
    let words_per_iteration = match variant.option("limb_loop")? {
        "limbwise" => 1,
        "looped" => 4,
        "unrolled" => WORDS,
        _ => return None,
    };
    let pieces = [
        constants(),
        add_unreduced(),
        subtract_unreduced(),
        product(&MULTIPLY, words_per_iteration),
        product(&SUM_OF_PRODUCTS, words_per_iteration),
        times_twelve(),
    ];
    Some(pieces.join("\n"))
}

fn constants() -> String {
    let mut text = String::new();
    for (i, word) in twice(PRIME).iter().enumerate() {
        line(&mut text, 0, &format!("const TWICE_PRIME_{i}: u32 = {word:#010x}u;"));
    }
    text
}

fn add_unreduced() -> String {
    let mut text = String::from(
        "// x + y as integers; the sum must stay below 2^384.\n\
         fn add_unreduced(x: Residue, y: Residue) -> Residue {\n",
    );
    for i in 0..WORDS {
        let carry = chained("s", i);
        let sum = format!("let s{i} = add_carry({}, {}, {carry});", component("x", i), component("y", i));
        line(&mut text, 4, &sum);
    }
    line(&mut text, 4, &format!("return {};", element(|i| format!("s{i}.x"))));
    text + "}\n"
}

fn subtract_unreduced() -> String {
    let mut text = String::from(
        "// x + 2p − y as integers, for y up to 2p; x + 2p must stay below 2^384.\n\
         fn subtract_unreduced(x: Residue, y: Residue) -> Residue {\n",
    );
    for i in 0..WORDS {
        let difference = format!(
            "let d{i} = subtract_borrow(TWICE_PRIME_{i}, {}, {});",
            component("y", i),
            chained("d", i)
        );
        line(&mut text, 4, &difference);
        line(
            &mut text,
            4,
            &format!("let s{i} = add_carry({}, d{i}.x, {});", component("x", i), chained("s", i)),
        );
    }
    line(&mut text, 4, &format!("return {};", element(|i| format!("s{i}.x"))));
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
fn product(product: &Product, words_per_iteration: usize) -> String {
    let parameters = product.pairs.iter().flatten().map(|name| format!("{name}: Residue"));
    let parameters = parameters.collect::<Vec<_>>().join(", ");
    let mut text = format!("{}\nfn {}({parameters}) -> Residue {{\n", product.comment, product.name);
    let looped = words_per_iteration < WORDS;
    for i in 0..WORDS {
        line(&mut text, 4, &format!("var t{i} = 0u;"));
    }
    let indent = if looped { 8 } else { 4 };
    if looped {
        for [first, _] in product.pairs {
            line(&mut text, 4, &format!("var {first}_turning = {first};"));
        }
        line(&mut text, 4, &format!("for (var i = 0u; i < {}u; i += 1u) {{", WORDS / words_per_iteration));
    }
    for step in 0..words_per_iteration {
        row(&mut text, product, step, looped, indent);
    }
    if looped {
        for [first, _] in product.pairs {
            let name = format!("{first}_turning");
            let turned = element(|i| component(&name, (i + words_per_iteration) % WORDS));
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
        line(text, inner, &format!("let f{pair} = {};", component(&name, step)));
    }
    for i in 0..WORDS {
        let mut sum = format!("t{i}");
        for (pair, [_, second]) in product.pairs.iter().enumerate() {
            let carry = if i == 0 { "0u".into() } else { format!("p{pair}_{}.y", i - 1) };
            let second = component(second, i);
            line(text, inner, &format!("let p{pair}_{i} = multiply_add(f{pair}, {second}, {sum}, {carry});"));
            sum = format!("p{pair}_{i}.x");
        }
        if i == 0 {
            line(text, inner, &format!("let m = {sum} * NEGATED_INVERSE;"));
        }
        let carry = chained("q", i);
        line(text, inner, &format!("let q{i} = multiply_add(m, PRIME_{i}, {sum}, {carry});"));
        if i > 0 {
            line(text, inner, &format!("t{} = q{i}.x;", i - 1));
        }
    }
    let last = WORDS - 1;
    let carries = (0..product.pairs.len()).map(|pair| format!("p{pair}_{last}.y + ")).collect::<String>();
    line(text, inner, &format!("t{last} = {carries}q{last}.y;"));
    line(text, indent, "}");
}

/// The quotient comes from the 15 bits of 12·x above 2^371, where p has 832.13: 78 / 2^16 is just below 1/833.
fn times_twelve() -> String {
    let mut text = String::from(
        "// 12·x mod p for x < 2p; the result is below p.\n\
         fn times_twelve(x: Residue) -> Residue {\n",
    );
    for i in 0..WORDS {
        let carry = chained("k", i);
        line(&mut text, 4, &format!("let k{i} = multiply_add({}, 12u, 0u, {carry});", component("x", i)));
    }
    line(&mut text, 4, "// 12·x / p, rounded down, or one less: what remains is below 1.3·p.");
    line(&mut text, 4, "let quotient = (((k11.x >> 19u) | (k11.y << 13u)) * 78u) >> 16u;");
    for i in 0..WORDS {
        line(
            &mut text,
            4,
            &format!("let q{i} = multiply_add(quotient, PRIME_{i}, 0u, {});", chained("q", i)),
        );
        line(&mut text, 4, &format!("let d{i} = subtract_borrow(k{i}.x, q{i}.x, {});", chained("d", i)));
    }
    line(&mut text, 4, &format!("return reduce_once({});", element(|i| format!("d{i}.x"))));
    text + "}\n"
}
