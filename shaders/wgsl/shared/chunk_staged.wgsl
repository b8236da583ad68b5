// The lanes load together, four neighbours the 64 bytes of one chunk, and each takes its own chunk's from workgroup memory:
// whole sectors a load, for two barriers a block. A lane of a chunk beyond the range loads nothing.

var<workgroup> staged: array<vec4<u32>, 4u * WORKGROUP>;

// Rows are turned within their chunk, so that eight lanes that read the same row of their chunks meet no bank twice.
fn staged_at(chunk_lane: u32, row: u32) -> u32 {
    return 4u * chunk_lane + (row ^ ((chunk_lane >> 1u) & 3u));
}

fn stage(part: u32, chunk: u32, lane: u32, block: u32) {
    let place = part * WORKGROUP + lane;
    let chunk_lane = place / 4u;
    let row = place % 4u;
    let source = chunk - lane + chunk_lane;
    if source / CHUNKS - parameters.first < parameters.count {
        staged[staged_at(chunk_lane, row)] = blocks[64u * source + 4u * block + row];
    }
}

fn chunk_value(chunk: u32, counter: vec2<u32>, lane: u32, in_range: bool) -> Digest {
    var value = Digest(IV_LOW, IV_HIGH);
    for (var block = 0u; block < 16u; block += 1u) {
        stage(0u, chunk, lane, block);
        stage(1u, chunk, lane, block);
        stage(2u, chunk, lane, block);
        stage(3u, chunk, lane, block);
        workgroupBarrier();
        let message = Message(
            staged[staged_at(lane, 0u)],
            staged[staged_at(lane, 1u)],
            staged[staged_at(lane, 2u)],
            staged[staged_at(lane, 3u)],
        );
        workgroupBarrier();
        let start = select(0u, CHUNK_START, block == 0u);
        let end = select(0u, CHUNK_END, block == 15u);
        value = compress(value, message, counter, 64u, start | end);
    }
    return value;
}
