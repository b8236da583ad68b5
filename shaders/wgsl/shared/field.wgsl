// The base field of BLS12-381: integers mod p in Montgomery form with factor 2^384, in 12 words, as tables and buffers hold
// them. Kernels compute with residues, which a variant has in its own form (shared/residue_….wgsl): all of them have the same
// functions, and leave the same bytes. Twin: src/twin/field.rs.

// Words 0 … 3, 4 … 7 and 8 … 11, least significant first.
struct FieldElement {
    a: vec4<u32>,
    b: vec4<u32>,
    c: vec4<u32>,
}

// import shared/words_{words}.wgsl
// import generated/reduce.wgsl
// import shared/residue_{residue}.wgsl

fn field_zero() -> FieldElement {
    return FieldElement(vec4<u32>(), vec4<u32>(), vec4<u32>());
}

// 2^384 mod p.
fn field_one() -> FieldElement {
    return FieldElement(
        vec4<u32>(0x0002fffdu, 0x76090000u, 0xc40c0002u, 0xebf4000bu),
        vec4<u32>(0x53c758bau, 0x5f489857u, 0x70525745u, 0x77ce5853u),
        vec4<u32>(0xa256ec6du, 0x5c071a97u, 0xfa80e493u, 0x15f65ec3u),
    );
}
