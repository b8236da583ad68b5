// Every lane loads its own chunk, 64 bytes at a time. A lane beyond the range loads nothing.
fn chunk_value(chunk: u32, counter: vec2<u32>, lane: u32, in_range: bool) -> Digest {
    var value = Digest(IV_LOW, IV_HIGH);
    if in_range {
        for (var block = 0u; block < 16u; block += 1u) {
            let at = 64u * chunk + 4u * block;
            let message = Message(blocks[at], blocks[at + 1u], blocks[at + 2u], blocks[at + 3u]);
            let start = select(0u, CHUNK_START, block == 0u);
            let end = select(0u, CHUNK_END, block == 15u);
            value = compress(value, message, counter, 64u, start | end);
        }
    }
    return value;
}
