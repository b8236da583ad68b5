//! Rules for kernels that validation does not know. Each returns the first offence.

use crate::limits::WORKGROUP_MEMORY_BYTES_MAX;
use naga::{
    AddressSpace, BinaryOperator, Block, Expression, Function, Handle, LocalVariable, Module, Statement,
    TypeInner,
};

/// Every rule.
pub(crate) fn all(module: &Module, info: &naga::valid::ModuleInfo) -> Result<(), String> {
    no_dynamic_private_index(module, info)?;
    loops_are_bounded(module)?;
    no_subgroups_no_atomics(module)?;
    workgroup_memory_is_small(module)
}

/// All functions of a module, entry points included, with their names.
fn functions(module: &Module) -> impl Iterator<Item = (&str, &Function)> {
    let named = module.functions.iter().map(|(_, f)| (f.name.as_deref().unwrap_or("?"), f));
    named.chain(module.entry_points.iter().map(|entry| (entry.name.as_str(), &entry.function)))
}

/// An array in private or function memory that is indexed at run time lives in slow scratch memory on real devices.
pub(crate) fn no_dynamic_private_index(
    module: &Module,
    info: &naga::valid::ModuleInfo,
) -> Result<(), String> {
    let dynamic = |name: &str, function: &Function, info: &naga::valid::FunctionInfo| {
        for (_, expression) in function.expressions.iter() {
            let Expression::Access { base, .. } = *expression else { continue };
            let space = match *info[base].ty.inner_with(&module.types) {
                TypeInner::Pointer { space, .. } | TypeInner::ValuePointer { space, .. } => space,
                _ => AddressSpace::Function,
            };
            if matches!(space, AddressSpace::Function | AddressSpace::Private) {
                return Err(format!("{name} indexes private memory at run time"));
            }
        }
        Ok(())
    };
    for (handle, function) in module.functions.iter() {
        dynamic(function.name.as_deref().unwrap_or("?"), function, &info[handle])?;
    }
    for (i, entry) in module.entry_points.iter().enumerate() {
        dynamic(&entry.name, &entry.function, info.get_entry_point(i))?;
    }
    Ok(())
}

/// Every loop is `for (var i = …; i < BOUND; i += STEP)` where the body neither writes i nor moves the bound.
pub(crate) fn loops_are_bounded(module: &Module) -> Result<(), String> {
    functions(module).try_for_each(|(name, function)| {
        let mut loops = Vec::new();
        collect_loops(&function.body, &mut loops);
        let bounded = |&(body, continuing): &(&Block, &Block)| is_bounded(function, body, continuing);
        if loops.iter().all(bounded) {
            Ok(())
        } else {
            Err(format!("{name} has a loop without a plain bound"))
        }
    })
}

fn collect_loops<'a>(block: &'a Block, loops: &mut Vec<(&'a Block, &'a Block)>) {
    for statement in block {
        match statement {
            Statement::Block(inner) => collect_loops(inner, loops),
            Statement::If { accept, reject, .. } => {
                collect_loops(accept, loops);
                collect_loops(reject, loops);
            }
            Statement::Switch { cases, .. } => cases.iter().for_each(|case| collect_loops(&case.body, loops)),
            Statement::Loop { body, continuing, .. } => {
                loops.push((body, continuing));
                collect_loops(body, loops);
            }
            _ => {}
        }
    }
}

fn is_bounded(function: &Function, body: &Block, continuing: &Block) -> bool {
    let Some((counter, bound)) = body.iter().find_map(|statement| guard(function, statement)) else {
        return false;
    };
    let steps = stores(function, continuing);
    let step_up =
        matches!(steps[..], [(variable, value)] if variable == counter && is_step(function, counter, value));
    let fixed_bound = match function.expressions[bound] {
        Expression::Literal(_) | Expression::Constant(_) | Expression::FunctionArgument(_) => true,
        // A member of a uniform.
        Expression::Load { pointer } => {
            matches!(function.expressions[pointer], Expression::AccessIndex { base, .. }
            if matches!(function.expressions[base], Expression::GlobalVariable(_)))
        }
        _ => false,
    };
    step_up && fixed_bound && stores(function, body).iter().all(|&(variable, _)| variable != counter)
}

/// `if (counter < bound) {} else { break; }`, which is how naga writes the condition of a `for`.
fn guard(function: &Function, statement: &Statement) -> Option<(Handle<LocalVariable>, Handle<Expression>)> {
    let Statement::If { condition, accept, reject } = statement else { return None };
    if !accept.is_empty() || !matches!(reject.first(), Some(Statement::Break)) {
        return None;
    }
    match function.expressions[*condition] {
        Expression::Binary { op: BinaryOperator::Less, left, right } => {
            Some((loaded(function, left)?, right))
        }
        _ => None,
    }
}

fn loaded(function: &Function, value: Handle<Expression>) -> Option<Handle<LocalVariable>> {
    let Expression::Load { pointer } = function.expressions[value] else { return None };
    match function.expressions[pointer] {
        Expression::LocalVariable(variable) => Some(variable),
        _ => None,
    }
}

fn is_step(function: &Function, counter: Handle<LocalVariable>, value: Handle<Expression>) -> bool {
    let Expression::Binary { op: BinaryOperator::Add, left, right } = function.expressions[value] else {
        return false;
    };
    let literal =
        matches!(function.expressions[right], Expression::Literal(naga::Literal::U32(step)) if step > 0);
    literal && loaded(function, left) == Some(counter)
}

/// Every store to a whole local variable in a block and the blocks inside it.
fn stores(function: &Function, block: &Block) -> Vec<(Handle<LocalVariable>, Handle<Expression>)> {
    let mut found = Vec::new();
    for statement in block {
        match statement {
            Statement::Store { pointer, value } => {
                if let Expression::LocalVariable(variable) = function.expressions[*pointer] {
                    found.push((variable, *value));
                }
            }
            Statement::Block(inner) => found.extend(stores(function, inner)),
            Statement::If { accept, reject, .. } => {
                found.extend(stores(function, accept));
                found.extend(stores(function, reject));
            }
            Statement::Switch { cases, .. } => {
                cases.iter().for_each(|case| found.extend(stores(function, &case.body)));
            }
            Statement::Loop { body, continuing, .. } => {
                found.extend(stores(function, body));
                found.extend(stores(function, continuing));
            }
            _ => {}
        }
    }
    found
}

/// No kernel may assume a subgroup size, and none needs atomics: results must not depend on the order of invocations.
pub(crate) fn no_subgroups_no_atomics(module: &Module) -> Result<(), String> {
    let atomic = module.types.iter().any(|(_, ty)| matches!(ty.inner, TypeInner::Atomic(_)));
    let text = functions(module).find_map(|(name, function)| {
        // The statements are many and their names few, so their debug text is searched.
        let text = format!("{:?}", function.body);
        ["Subgroup", "Atomic"].iter().any(|word| text.contains(word)).then(|| name.to_owned())
    });
    match (atomic, text) {
        (_, Some(name)) => Err(format!("{name} uses subgroups or atomics")),
        (true, None) => Err("a variable is atomic".into()),
        (false, None) => Ok(()),
    }
}

/// All workgroup variables together fit what every device has.
pub(crate) fn workgroup_memory_is_small(module: &Module) -> Result<(), String> {
    let mut layouter = naga::proc::Layouter::default();
    layouter.update(module.to_ctx()).map_err(|error| error.to_string())?;
    let workgroup = module.global_variables.iter().filter(|(_, v)| v.space == AddressSpace::WorkGroup);
    let bytes: u32 = workgroup.map(|(_, v)| layouter[v.ty].to_stride()).sum();
    if bytes > WORKGROUP_MEMORY_BYTES_MAX {
        return Err(format!("{bytes} bytes of workgroup memory"));
    }
    Ok(())
}
