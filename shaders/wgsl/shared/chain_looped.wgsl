// One block at a time: a quarter of the code and of the waiting registers, so more nodes are in flight at once, each
// with fewer loads.
fn chain(node: u32) -> Digest {
    var value = parameters.key;
    var left = node;
    for (var block = 0u; block < 4u; block += 1u) {
        let right = parent(2u * block, node);
        let start = select(0u, CHUNK_START, block == 0u);
        let end = select(0u, CHUNK_END, block == 3u);
        value = compress(value, label_pair(left, right), vec2<u32>(node, 0u), 64u, KEYED_HASH | start | end);
        // Edges are 0 … 6: after the last block there is none, and the sixth is as good as any.
        left = parent(min(2u * block + 1u, 6u), node);
    }
    return value;
}
