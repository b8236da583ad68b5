// All eight parents are asked for before the first compression, so that their latencies pass together; the four blocks
// wait in 64 registers.
fn chain(node: u32) -> Digest {
    let block0 = label_pair(node, parent(0u, node));
    let block1 = label_pair(parent(1u, node), parent(2u, node));
    let block2 = label_pair(parent(3u, node), parent(4u, node));
    let block3 = label_pair(parent(5u, node), parent(6u, node));
    let value0 = compress(parameters.key, block0, vec2<u32>(node, 0u), 64u, KEYED_HASH | CHUNK_START);
    let value1 = compress(value0, block1, vec2<u32>(node, 0u), 64u, KEYED_HASH);
    let value2 = compress(value1, block2, vec2<u32>(node, 0u), 64u, KEYED_HASH);
    return compress(value2, block3, vec2<u32>(node, 0u), 64u, KEYED_HASH | CHUNK_END);
}
