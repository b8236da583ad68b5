//! Every module is valid without optional capabilities, keeps the rules, and has the layout the host code assumes.

use crate::{module, rules};
use holdfast_shaders::layout::{Digest, LabelFirstLayer};
use holdfast_shaders::registry::{Access, KERNELS, Kernel};
use naga::{AddressSpace, Module, StorageAccess, TypeInner};
use std::mem::offset_of;

fn valid(kernel: &Kernel) -> (Module, naga::valid::ModuleInfo) {
    module(kernel.wgsl).unwrap_or_else(|error| panic!("{}: {error}", kernel.name))
}

#[test]
fn every_module_is_valid_and_keeps_the_rules() {
    assert!(!KERNELS.is_empty());
    for kernel in KERNELS {
        let (module, info) = valid(kernel);
        rules::no_dynamic_private_index(&module, &info).unwrap();
        rules::loops_are_bounded(&module).unwrap();
    }
}

#[test]
fn entry_point_and_workgroup_are_the_registered_ones() {
    for kernel in KERNELS {
        let (module, _) = valid(kernel);
        let [entry] = &module.entry_points[..] else { panic!("{}: not one entry point", kernel.name) };
        assert_eq!((entry.name.as_str(), entry.workgroup_size), (kernel.name, kernel.workgroup));
    }
}

#[test]
fn bindings_are_the_registered_ones() {
    for kernel in KERNELS {
        let (module, _) = valid(kernel);
        let bound = module.global_variables.iter().filter_map(|(_, v)| v.binding.map(|binding| (binding, v)));
        let mut seen = 0;
        for (binding, variable) in bound {
            let registered = kernel.bindings[binding.binding as usize];
            assert_eq!(binding.group, 0);
            assert_eq!(variable.name.as_deref(), Some(registered.name));
            let inner = &module.types[variable.ty].inner;
            let (access, unit_bytes) = match (variable.space, inner) {
                (AddressSpace::Uniform, TypeInner::Struct { span, .. }) => (Access::Uniform, *span),
                (AddressSpace::Storage { access }, TypeInner::Array { stride, .. })
                    if access == StorageAccess::LOAD | StorageAccess::STORE =>
                {
                    (Access::ReadWrite, *stride)
                }
                other => panic!("{}: {other:?}", registered.name),
            };
            assert_eq!((access, unit_bytes as usize), (registered.access, registered.unit_bytes));
            seen += 1;
        }
        assert_eq!(seen, kernel.bindings.len(), "{}", kernel.name);
    }
}

/// Size and member offsets of a WGSL struct.
fn reflected(module: &Module, name: &str) -> (usize, Vec<(String, usize)>) {
    let found = module.types.iter().find_map(|(_, ty)| match &ty.inner {
        TypeInner::Struct { members, span } if ty.name.as_deref() == Some(name) => Some((members, *span)),
        _ => None,
    });
    let (members, span) = found.unwrap_or_else(|| panic!("no struct {name}"));
    let member = |m: &naga::StructMember| (m.name.clone().unwrap_or_default(), m.offset as usize);
    (span as usize, members.iter().map(member).collect())
}

macro_rules! assert_layout {
    ($module:expr, $host:ident: $($field:ident),*) => {
        let host = vec![$((stringify!($field).to_owned(), offset_of!($host, $field))),*];
        assert_eq!(reflected($module, stringify!($host)), (size_of::<$host>(), host));
    };
}

#[test]
fn host_structs_have_the_reflected_layout() {
    let (module, _) = valid(&KERNELS[0]);
    assert_layout!(&module, Digest: low, high);
    assert_layout!(&module, LabelFirstLayer: key, first, count, reserved);
}

#[test]
fn the_checks_refuse_what_they_should() {
    let body = |text: &str| {
        format!(
            "@compute @workgroup_size(1) fn main(@builtin(global_invocation_id) id: vec3<u32>) {{ {text} }}"
        )
    };

    let (dynamic, info) =
        module(&body("var words: array<u32, 4>; let i = id.x & 3u; words[i] = 1u;")).unwrap();
    rules::no_dynamic_private_index(&dynamic, &info).unwrap_err();
    let (fixed, info) = module(&body("var words: array<u32, 4>; words[3] = 1u;")).unwrap();
    rules::no_dynamic_private_index(&fixed, &info).unwrap();

    for endless in [
        "loop { }",
        "for (var i = 0u; i < 7u; i += 0u) { }",
        "for (var i = 0u; i < 7u; i += 1u) { i = 0u; }",
        "var n = 7u; for (var i = 0u; i < n; i += 1u) { n += 1u; }",
    ] {
        // naga itself refuses some of them.
        let offence = module(&body(endless)).and_then(|(module, _)| rules::loops_are_bounded(&module));
        assert!(offence.is_err(), "{endless}");
    }
    let (bounded, _) = module(&body("for (var i = 0u; i < 7u; i += 1u) { }")).unwrap();
    rules::loops_are_bounded(&bounded).unwrap();

    module(&body("let sum = subgroupAdd(id.x);")).unwrap_err();
    module(&body("let wide = u64(id.x);")).unwrap_err();
}
