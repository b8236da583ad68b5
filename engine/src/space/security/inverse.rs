//! The edges backwards: which node of layer j has a given node of layer j−1 as its parent.

use crate::space::label::{EDGE_COUNT, EDGE_ROUNDS, Edges};

/// The inverses of the seven bijections of [`Edges`].
#[derive(Clone, Debug)]
pub struct InverseEdges {
    /// `(a⁻¹ mod 2^32, c)` by edge and round.
    constants: [[(u32, u32); EDGE_ROUNDS]; EDGE_COUNT],
    mask: u32,
    shift: u32,
}

impl InverseEdges {
    /// The inverses of these edges.
    pub fn of(edges: &Edges) -> InverseEdges {
        let constants = edges.constants.map(|rounds| rounds.map(|(a, c)| (inverse_of_odd(a), c)));
        InverseEdges { constants, mask: edges.mask(), shift: edges.shift() }
    }

    /// The node whose parent over `edge` is `parent`. `edge` is below 7, `parent` below 2^k.
    pub fn child(&self, edge: usize, parent: u32) -> u32 {
        self.constants[edge].iter().rev().fold(parent, |x, &(inverse, c)| {
            // y = x xor (x >> s) is undone by x = y xor (y >> s) xor (y >> 2s): three shifts leave nothing of k bits.
            let x = x ^ (x >> self.shift) ^ (x >> (2 * self.shift));
            x.wrapping_sub(c).wrapping_mul(inverse) & self.mask
        })
    }
}

/// Newton's iteration: every step doubles the number of right bits, and `a·a ≡ 1 (mod 8)`.
fn inverse_of_odd(a: u32) -> u32 {
    (0..4).fold(a, |x, _| x.wrapping_mul(2u32.wrapping_sub(a.wrapping_mul(x))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An inverse on both sides is the proof that every edge is a bijection: all nodes of small windows (every residue of
    /// k modulo 3, where the shift rounds differently), samples of large ones.
    #[test]
    fn children_and_parents_undo_each_other() {
        for k in 1..=30u8 {
            let edges = Edges::derive(&[k; 32], k);
            let inverse = InverseEdges::of(&edges);
            let step = if k <= 14 { 1 } else { ((1usize << k) / 5000) | 1 };
            for node in (0..=edges.mask()).step_by(step) {
                for edge in 0..EDGE_COUNT {
                    assert!(edges.parent(edge, node) <= edges.mask());
                    assert_eq!(inverse.child(edge, edges.parent(edge, node)), node, "k {k}, edge {edge}");
                    assert_eq!(edges.parent(edge, inverse.child(edge, node)), node, "k {k}, edge {edge}");
                }
            }
        }
    }
}
