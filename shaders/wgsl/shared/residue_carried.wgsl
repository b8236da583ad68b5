// Residues as the 12 words of a field element, perhaps not reduced: a sum below 2^384 = 9.8·p. Carries run through every sum and
// product. Twin: src/twin/carried.rs.

alias Residue = FieldElement;

// import generated/carried.wgsl

// Below p.
fn load(x: FieldElement) -> Residue {
    return x;
}

// Below p; for a table's coordinate.
fn load_entry(x: FieldElement) -> Residue {
    return x;
}

// The negative of a loaded entry, below 2p.
fn negate_entry(x: Residue) -> Residue {
    return subtract_unreduced(field_zero(), x);
}

// The element below p, for x < 3p.
fn store(x: Residue) -> FieldElement {
    return reduce_once(reduce_once(x));
}

// (s − a − b) mod p for s, a, b below p; the result is below 2p.
fn cross_term(s: Residue, a: Residue, b: Residue) -> Residue {
    return reduce_once(subtract_unreduced(s, add_unreduced(a, b)));
}

fn settle(x: Residue) -> Residue {
    return reduce_once(x);
}
