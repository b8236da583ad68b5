//! The build refuses what it should: each case is one slip in a kernel that is accepted without it.

use crate::assemble::{AssembleError, module, read};
use crate::catalogue::{Access, Binding, CATALOGUE, Declaration, VariantDeclaration};
use crate::check::{CheckError, check};
use crate::layout::{Digest, LabelFirstLayer};
use crate::variants;

const PIECES: [(&str, &str); 5] = [
    (
        "double.wgsl",
        "// import shared/b.wgsl\n// import shared/c.wgsl\n// import shared/{flavour}.wgsl\nkernel text",
    ),
    ("shared/b.wgsl", "// import shared/c.wgsl\ntext of b"),
    ("shared/c.wgsl", "// import shared/b.wgsl\ntext of c"),
    ("shared/sweet.wgsl", "sweet text"),
    ("label_first_layer.wgsl", "// import shared/nowhere.wgsl"),
];

fn piece(name: &str) -> Option<String> {
    PIECES.iter().find(|(piece, _)| *piece == name).map(|(_, text)| (*text).to_owned())
}

const DOUBLE: Declaration = Declaration {
    name: "double",
    summary: "",
    bindings: &[
        Binding { name: "parameters", access: Access::Uniform, unit_bytes: size_of::<LabelFirstLayer>() },
        Binding { name: "source", access: Access::Read, unit_bytes: size_of::<Digest>() },
        Binding { name: "target_words", access: Access::ReadWrite, unit_bytes: 16 },
    ],
    variants: &[VARIANT],
};
const VARIANT: VariantDeclaration = VariantDeclaration {
    constants: &[("LEVELS", 4)],
    options: &[("flavour", "sweet")],
    ..VariantDeclaration::plain("one", 64)
};

#[test]
fn pieces_come_once_and_before_what_imports_them() {
    let text = module(&DOUBLE, &VARIANT, &piece).unwrap();
    let at = |wanted: &str| {
        assert_eq!(text.matches(wanted).count(), 1, "{wanted} in {text}");
        text.find(wanted).unwrap()
    };
    // b and c import each other: whoever comes first is imported once, and the build ends.
    let order =
        ["const WORKGROUP: u32 = 64u;", "const LEVELS: u32 = 4u;", "text of b", "sweet text", "kernel text"];
    assert!(order.map(at).is_sorted() && at("text of c") < at("kernel text"));
    assert!(!text.contains("import"));
}

#[test]
fn missing_pieces_and_options_are_named() {
    let absent = module(&CATALOGUE[0], &VARIANT, &piece).unwrap_err();
    assert!(
        matches!(&absent, AssembleError::NoPiece { name, .. } if name == "shared/nowhere.wgsl"),
        "{absent}"
    );
    let plain = module(&DOUBLE, &VariantDeclaration::plain("plain", 64), &piece).unwrap_err();
    assert!(matches!(&plain, AssembleError::NoOption { .. }), "{plain}");
}

/// In the order of the catalogue, each with the text that its pieces give now.
#[test]
fn the_registry_is_what_the_catalogue_declares() {
    let registered: Vec<_> =
        variants().map(|(k, v)| (k.name, v.name, v.workgroup, v.lanes, v.wgsl)).collect();
    let assembled: Vec<_> = CATALOGUE
        .iter()
        .flat_map(|kernel| kernel.variants.iter().map(move |variant| (kernel, variant)))
        .map(|(kernel, variant)| (kernel, variant, module(kernel, variant, &read).unwrap()))
        .collect();
    let declared: Vec<_> = assembled
        .iter()
        .map(|(k, v, text)| (k.name, v.name, [v.workgroup, 1, 1], v.lanes, text.as_str()))
        .collect();
    assert_eq!(registered, declared);
}

/// A module that agrees with `DOUBLE`.
const AGREES: &str = "
    struct Digest { low: vec4<u32>, high: vec4<u32> }
    struct LabelFirstLayer { key: Digest, first: u32, count: u32, reserved: vec2<u32> }
    @group(0) @binding(0) var<uniform> parameters: LabelFirstLayer;
    @group(0) @binding(1) var<storage, read> source: array<Digest>;
    @group(0) @binding(2) var<storage, read_write> target_words: array<vec4<u32>>;
    @compute @workgroup_size(64)
    fn double(@builtin(global_invocation_id) id: vec3<u32>) {
        target_words[id.x] = source[id.x].low * parameters.count;
    }
";

#[test]
fn a_module_that_differs_from_its_declaration_is_refused() {
    check(&DOUBLE, &VARIANT, AGREES).unwrap();
    let slips = [
        ("workgroup", "@workgroup_size(64)", "@workgroup_size(32)"),
        ("entry point", "fn double", "fn twice"),
        ("place of a binding", "@binding(2)", "@binding(3)"),
        ("group", "@group(0) @binding(2)", "@group(1) @binding(2)"),
        ("name of a binding", "source", "origin"),
        ("access", "var<storage, read>", "var<storage, read_write>"),
        ("bytes of an element", "array<vec4<u32>>", "array<vec2<u32>>"),
        ("bytes of the uniform", "reserved: vec2<u32>", "reserved: vec4<u32>"),
        ("order of members", "first: u32, count: u32", "count: u32, first: u32"),
        (
            "order inside an inner struct",
            "low: vec4<u32>, high: vec4<u32>",
            "high: vec4<u32>, low: vec4<u32>",
        ),
        ("a struct that the host does not know", "LabelFirstLayer", "LabelOtherLayer"),
    ];
    for (what, right, wrong) in slips {
        let text = AGREES.replace(right, wrong).replace(".xy * parameters", " * parameters");
        let text = if what == "bytes of an element" { text.replace(".low *", ".low.xy *") } else { text };
        let refused = check(&DOUBLE, &VARIANT, &text).expect_err(what);
        assert!(matches!(refused, CheckError::Differs { .. }), "{what}: {refused}");
    }
}

#[test]
fn what_needs_a_capability_is_refused_unless_declared() {
    for expression in ["subgroupAdd(id.x)", "u32(u64(id.x) >> 3u)", "id.z.w"] {
        let text = AGREES.replace("parameters.count", expression);
        let refused = check(&DOUBLE, &VARIANT, &text).expect_err(expression);
        assert!(matches!(refused, CheckError::Invalid(_)), "{expression}: {refused}");
    }
    let wide = VariantDeclaration { needs_int64: true, ..VARIANT };
    check(&DOUBLE, &wide, &AGREES.replace("parameters.count", "u32(u64(id.x) >> 3u)")).unwrap();
}
