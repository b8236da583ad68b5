// Inner nodes of BLAKE3's tree (tree-v1 §2). Twin: src/twin/tree.rs.

// import shared/blake3.wgsl

// `flags` is 0 or ROOT.
fn parent_value(left: Digest, right: Digest, flags: u32) -> Digest {
    let children = Message(left.low, left.high, right.low, right.high);
    return compress(Digest(IV_LOW, IV_HIGH), children, vec2<u32>(0u, 0u), 64u, PARENT | flags);
}
