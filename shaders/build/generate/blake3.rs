//! BLAKE3's seven rounds with the message permutation resolved: each round takes its words where they lie.

/// Word i of the next round's message is word `PERMUTATION[i]` of this round's (the BLAKE3 paper, §2.2, table 2).
const PERMUTATION: [usize; 16] = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];

const ROUNDS: usize = 7;

/// `fn seven_rounds(s: State, m: Message) -> State`.
pub(crate) fn rounds() -> String {
    let mut words: [usize; 16] = std::array::from_fn(|i| i);
    let mut text = String::from(
        "// The seven rounds, each with its message words where they lie (build/generate/blake3.rs).\n\
         fn seven_rounds(s0: State, m: Message) -> State {\n",
    );
    for round in 0..ROUNDS {
        // Quarter round i takes words 2i and 2i + 1: columns are 0 … 3, diagonals 4 … 7.
        let row = |first: usize| {
            let names: Vec<String> = (0..4).map(|i| word(words[first + 2 * i])).collect();
            format!("vec4<u32>({})", names.join(", "))
        };
        text += &format!(
            "    let s{} = full_round(\n        s{round},\n        {},\n        {},\n        {},\n        {},\n    );\n",
            round + 1,
            row(0),
            row(1),
            row(8),
            row(9),
        );
        words = PERMUTATION.map(|from| words[from]);
    }
    text + &format!("    return s{ROUNDS};\n}}\n")
}

/// Word i of a message of four rows.
fn word(i: usize) -> String {
    format!("m.{}.{}", ["a", "b", "c", "d"][i / 4], ["x", "y", "z", "w"][i % 4])
}
