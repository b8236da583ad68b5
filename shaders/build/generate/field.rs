//! What the generators of both forms of residues share, and the piece on field elements in words.

use std::fmt::Write;

/// Words of a field element.
pub(crate) const WORDS: usize = 12;

/// The field's prime p, least significant word first.
pub(crate) const PRIME: [u32; WORDS] = [
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

/// −1/p mod 2^32, and so modulo every smaller power of two.
pub(crate) const NEGATED_INVERSE: u32 = 0xfffc_fffd;

/// Adds a line to the text.
pub(crate) fn line(text: &mut String, indent: usize, statement: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{:indent$}{statement}", "");
}

/// Component `place` of the structure of rows `name`.
pub(crate) fn component(name: &str, place: usize) -> String {
    let row = ["a", "b", "c", "d"][place / 4];
    let column = ["x", "y", "z", "w"][place % 4];
    format!("{name}.{row}.{column}")
}

/// A structure of rows made of components; the last row may be shorter.
pub(crate) fn structure(name: &str, count: usize, part: impl Fn(usize) -> String) -> String {
    let parts: Vec<String> = (0..count).map(part).collect();
    let rows = parts.chunks(4).map(|row| format!("vec{}<u32>({})", row.len(), row.join(", ")));
    format!("{name}({})", rows.collect::<Vec<_>>().join(", "))
}

/// A field element made of words.
pub(crate) fn element(part: impl Fn(usize) -> String) -> String {
    structure("FieldElement", WORDS, part)
}

/// What comes from the component before: `0u` for the first.
pub(crate) fn chained(name: &str, place: usize) -> String {
    if place == 0 { "0u".into() } else { format!("{name}{}.y", place - 1) }
}

/// Words of 12·p and the like do not fit; 2p does.
pub(crate) fn twice(words: [u32; WORDS]) -> [u32; WORDS] {
    std::array::from_fn(|i| (words[i] << 1) | if i > 0 { words[i - 1] >> 31 } else { 0 })
}

/// The piece `generated/reduce.wgsl`.
pub(crate) fn reduce() -> String {
    let mut text = String::new();
    for (i, word) in PRIME.iter().enumerate() {
        line(&mut text, 0, &format!("const PRIME_{i}: u32 = {word:#010x}u;"));
    }
    text += "// −1/p mod 2^32.\n";
    line(&mut text, 0, &format!("const NEGATED_INVERSE: u32 = {NEGATED_INVERSE:#010x}u;"));
    text +=
        "\n// x − p if that is not negative, else x.\nfn reduce_once(x: FieldElement) -> FieldElement {\n";
    for i in 0..WORDS {
        let (word, borrow) = (component("x", i), chained("d", i));
        line(&mut text, 4, &format!("let d{i} = subtract_borrow({word}, PRIME_{i}, {borrow});"));
    }
    line(&mut text, 4, &format!("let keep = d{}.y != 0u;", WORDS - 1));
    line(&mut text, 4, &format!("let reduced = {};", element(|i| format!("d{i}.x"))));
    line(&mut text, 4, "return FieldElement(");
    for row in ["a", "b", "c"] {
        line(&mut text, 8, &format!("select(reduced.{row}, x.{row}, keep),"));
    }
    text + "    );\n}\n"
}
