//! A module is valid with exactly the capabilities that its variant declares, and has the entry point, workgroup,
//! bindings and struct layouts that the host code assumes.

use crate::catalogue::{Access, Declaration, VariantDeclaration};
use crate::layout::STRUCTS;
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, GlobalVariable, Module, ResourceBinding, StorageAccess, TypeInner};
use std::error::Error;
use std::fmt::{self, Debug, Display, Formatter};

/// Why a module is refused.
#[derive(Debug)]
pub(crate) enum CheckError {
    /// naga refuses it; its own words, with the place.
    Invalid(String),
    /// Something is not what the catalogue or the host structs say.
    Differs { what: String, declared: String, found: String },
}

impl Display for CheckError {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(why) => write!(out, "{why}"),
            Self::Differs { what, declared, found } => {
                write!(out, "{what}: declared is {declared}, the module has {found}")
            }
        }
    }
}

impl Error for CheckError {}

/// What is declared is what was found.
fn same<T: PartialEq + Debug>(what: impl Into<String>, declared: T, found: T) -> Result<(), CheckError> {
    if declared == found {
        return Ok(());
    }
    let (declared, found) = (format!("{declared:?}"), format!("{found:?}"));
    Err(CheckError::Differs { what: what.into(), declared, found })
}

/// Parses and validates with these optional capabilities and no others.
pub(crate) fn validate(wgsl: &str, capabilities: Capabilities) -> Result<(Module, ModuleInfo), CheckError> {
    let module = naga::front::wgsl::parse_str(wgsl)
        .map_err(|error| CheckError::Invalid(error.emit_to_string(wgsl)))?;
    let info = Validator::new(ValidationFlags::all(), capabilities)
        .validate(&module)
        .map_err(|error| CheckError::Invalid(error.emit_to_string(wgsl)))?;
    Ok((module, info))
}

/// The optional capabilities of a variant: no subgroups, no atomics on 64 bits, and 64-bit integers only if declared.
pub(crate) fn capabilities(needs_int64: bool) -> Capabilities {
    if needs_int64 { Capabilities::SHADER_INT64 } else { Capabilities::empty() }
}

/// Validates a module and compares it with its declaration.
pub(crate) fn check(
    kernel: &Declaration,
    variant: &VariantDeclaration,
    wgsl: &str,
) -> Result<(Module, ModuleInfo), CheckError> {
    let (module, info) = validate(wgsl, capabilities(variant.needs_int64))?;
    let entries: Vec<_> = module.entry_points.iter().map(|e| (e.name.as_str(), e.workgroup_size)).collect();
    same("entry points", vec![(kernel.name, [variant.workgroup, 1, 1])], entries)?;
    bindings(kernel, &module)?;
    Ok((module, info))
}

fn bindings(kernel: &Declaration, module: &Module) -> Result<(), CheckError> {
    let mut found: Vec<_> =
        module.global_variables.iter().filter_map(|(_, v)| v.binding.map(|binding| (binding, v))).collect();
    found.sort_by_key(|(binding, _)| (binding.group, binding.binding));
    let places: Vec<_> =
        found.iter().map(|(ResourceBinding { group, binding }, _)| (*group, *binding)).collect();
    let declared: Vec<_> = (0..).map(|number| (0, number)).take(kernel.bindings.len()).collect();
    same("groups and bindings", declared, places)?;
    for (binding, (_, variable)) in kernel.bindings.iter().zip(found) {
        same("name of a binding", Some(binding.name), variable.name.as_deref())?;
        let reflected = access(module, variable);
        same(
            format!("access and bytes of {}", binding.name),
            Some((binding.access, binding.unit_bytes)),
            reflected,
        )?;
        layout(module, variable)?;
    }
    Ok(())
}

/// How a buffer is seen, and the bytes of the uniform or of one element.
fn access(module: &Module, variable: &GlobalVariable) -> Option<(Access, usize)> {
    let (access, bytes) = match (variable.space, &module.types[variable.ty].inner) {
        (AddressSpace::Uniform, TypeInner::Struct { span, .. }) => (Access::Uniform, *span),
        (AddressSpace::Storage { access }, TypeInner::Array { stride, .. }) => match access {
            StorageAccess::LOAD => (Access::Read, *stride),
            both if both == StorageAccess::LOAD | StorageAccess::STORE => (Access::ReadWrite, *stride),
            _ => return None,
        },
        _ => return None,
    };
    Some((access, bytes as usize))
}

/// The struct of a buffer, and every struct inside it, lies as the host's struct of the same name does.
fn layout(module: &Module, variable: &GlobalVariable) -> Result<(), CheckError> {
    let mut types = vec![variable.ty];
    while let Some(handle) = types.pop() {
        match &module.types[handle].inner {
            TypeInner::Array { base, .. } => types.push(*base),
            TypeInner::Struct { members, span } => {
                let name = module.types[handle].name.as_deref().unwrap_or_default();
                let host = STRUCTS.iter().find(|host| host.name == name);
                let declared = host.map(|host| (host.bytes, host.members.to_vec()));
                let reflected =
                    members.iter().map(|m| (m.name.as_deref().unwrap_or_default(), m.offset as usize));
                same(format!("layout of {name}"), declared, Some((*span as usize, reflected.collect())))?;
                types.extend(members.iter().map(|m| m.ty));
            }
            _ => {}
        }
    }
    Ok(())
}
