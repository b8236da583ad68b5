//! Evaluates the part of naga's representation that the kernels use: 32-bit words, vectors, structs, calls, branches.
//!
//! Slow and strict: anything else is a panic that names the expression. It shows what the WGSL *means*; what a device
//! makes of it is another question.

use naga::{
    BinaryOperator, Block, Expression, Function, GlobalVariable, Handle, LocalVariable, Module, Statement,
    TypeInner,
};
use std::collections::HashMap;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// A u32.
    Word(u32),
    /// A condition.
    Bool(bool),
    /// A vector, struct or array.
    Many(Vec<Value>),
    /// A place in a variable.
    Pointer(Place, Vec<usize>),
}

/// A variable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Place {
    /// Of the module.
    Global(Handle<GlobalVariable>),
    /// Of the function.
    Local(Handle<LocalVariable>),
}

impl Value {
    /// A vector of words.
    pub(crate) fn words(words: &[u32]) -> Value {
        Value::Many(words.iter().map(|&word| Value::Word(word)).collect())
    }

    /// All words inside, in order.
    pub(crate) fn flatten(&self) -> Vec<u32> {
        match self {
            Value::Word(word) => vec![*word],
            Value::Many(parts) => parts.iter().flat_map(Value::flatten).collect(),
            other => panic!("{other:?} holds no words"),
        }
    }

    fn word(&self) -> u32 {
        match self {
            Value::Word(word) => *word,
            other => panic!("{other:?} is not a word"),
        }
    }

    fn at(&self, path: &[usize]) -> &Value {
        match (self, path) {
            (value, []) => value,
            (Value::Many(parts), [first, rest @ ..]) => parts[*first].at(rest),
            (value, path) => panic!("{value:?} has no place {path:?}"),
        }
    }

    fn at_mut(&mut self, path: &[usize]) -> &mut Value {
        match (self, path) {
            (value, []) => value,
            (Value::Many(parts), [first, rest @ ..]) => parts[*first].at_mut(rest),
            (value, path) => panic!("{value:?} has no place {path:?}"),
        }
    }
}

/// A module with the contents of its buffers.
#[derive(Debug)]
pub(crate) struct Machine<'a> {
    module: &'a Module,
    globals: HashMap<Handle<GlobalVariable>, Value>,
}

struct Frame<'a> {
    function: &'a Function,
    arguments: Vec<Value>,
    locals: HashMap<Handle<LocalVariable>, Value>,
    known: HashMap<Handle<Expression>, Value>,
}

impl<'a> Machine<'a> {
    /// With buffers by variable name.
    pub(crate) fn new(module: &'a Module, buffers: &[(&str, Value)]) -> Machine<'a> {
        let find = |name: &str| {
            let found = module.global_variables.iter().find(|(_, v)| v.name.as_deref() == Some(name));
            found.unwrap_or_else(|| panic!("no variable {name}")).0
        };
        Machine { module, globals: buffers.iter().map(|(name, value)| (find(name), value.clone())).collect() }
    }

    /// What a buffer holds now.
    pub(crate) fn buffer(&self, name: &str) -> &Value {
        let named = |handle: &Handle<GlobalVariable>| {
            self.module.global_variables[*handle].name.as_deref() == Some(name)
        };
        self.globals.iter().find(|(handle, _)| named(handle)).unwrap_or_else(|| panic!("no buffer {name}")).1
    }

    /// Runs the only entry point once with these built-in values, in the order of its arguments.
    pub(crate) fn invoke(&mut self, arguments: Vec<Value>) {
        let module = self.module;
        self.call(&module.entry_points[0].function, arguments);
    }

    fn call(&mut self, function: &'a Function, arguments: Vec<Value>) -> Option<Value> {
        let mut frame = Frame { function, arguments, locals: HashMap::new(), known: HashMap::new() };
        for (handle, variable) in function.local_variables.iter() {
            let value = match variable.init {
                Some(init) => self.expression(&frame, init),
                None => self.zero(variable.ty),
            };
            frame.locals.insert(handle, value);
        }
        self.block(&mut frame, &function.body).unwrap_or(None)
    }

    /// `Some` once the function has returned.
    fn block(&mut self, frame: &mut Frame<'a>, block: &'a Block) -> Option<Option<Value>> {
        for statement in block {
            match statement {
                Statement::Emit(range) => {
                    for handle in range.clone() {
                        let value = self.expression(frame, handle);
                        frame.known.insert(handle, value);
                    }
                }
                Statement::Store { pointer, value } => {
                    let value = self.expression(frame, *value);
                    match self.expression(frame, *pointer) {
                        Value::Pointer(Place::Global(at), path) => {
                            *self.globals.get_mut(&at).expect("bound").at_mut(&path) = value;
                        }
                        Value::Pointer(Place::Local(at), path) => {
                            *frame.locals.get_mut(&at).expect("declared").at_mut(&path) = value;
                        }
                        other => panic!("store to {other:?}"),
                    }
                }
                Statement::Call { function, arguments, result } => {
                    let arguments = arguments.iter().map(|&a| self.expression(frame, a)).collect();
                    let value = self.call(&self.module.functions[*function], arguments);
                    if let (Some(result), Some(value)) = (result, value) {
                        frame.known.insert(*result, value);
                    }
                }
                Statement::Block(inner) => {
                    if let Some(returned) = self.block(frame, inner) {
                        return Some(returned);
                    }
                }
                Statement::If { condition, accept, reject } => {
                    let branch = match self.expression(frame, *condition) {
                        Value::Bool(true) => accept,
                        Value::Bool(false) => reject,
                        other => panic!("{other:?} is not a condition"),
                    };
                    if let Some(returned) = self.block(frame, branch) {
                        return Some(returned);
                    }
                }
                Statement::Return { value } => return Some(value.map(|value| self.expression(frame, value))),
                other => panic!("not evaluated: {other:?}"),
            }
        }
        None
    }

    fn expression(&self, frame: &Frame<'_>, handle: Handle<Expression>) -> Value {
        if let Some(value) = frame.known.get(&handle) {
            return value.clone();
        }
        let value = |handle: Handle<Expression>| self.expression(frame, handle);
        match frame.function.expressions[handle] {
            Expression::FunctionArgument(i) => frame.arguments[i as usize].clone(),
            Expression::GlobalVariable(at) => Value::Pointer(Place::Global(at), vec![]),
            Expression::LocalVariable(at) => Value::Pointer(Place::Local(at), vec![]),
            Expression::Access { base, index } => element(value(base), value(index).word() as usize),
            Expression::AccessIndex { base, index } => element(value(base), index as usize),
            Expression::Load { pointer } => match value(pointer) {
                Value::Pointer(Place::Global(at), path) => self.globals[&at].at(&path).clone(),
                Value::Pointer(Place::Local(at), path) => frame.locals[&at].at(&path).clone(),
                other => panic!("load from {other:?}"),
            },
            Expression::Splat { size, value: one } => Value::Many(vec![value(one); size as usize]),
            Expression::Swizzle { size, vector, pattern } => {
                let vector = value(vector);
                Value::Many(
                    pattern[..size as usize].iter().map(|&c| vector.at(&[c as usize]).clone()).collect(),
                )
            }
            Expression::Binary { op, left, right } => binary(op, &value(left), &value(right)),
            Expression::Compose { ty, ref components } => {
                self.compose(ty, components.iter().map(|&c| value(c)))
            }
            ref constant => self.constant(constant),
        }
    }

    fn constant(&self, expression: &Expression) -> Value {
        let global = |handle: Handle<Expression>| self.constant(&self.module.global_expressions[handle]);
        match *expression {
            Expression::Literal(naga::Literal::U32(word)) => Value::Word(word),
            Expression::Literal(naga::Literal::Bool(truth)) => Value::Bool(truth),
            Expression::Constant(handle) => global(self.module.constants[handle].init),
            Expression::ZeroValue(ty) => self.zero(ty),
            Expression::Splat { size, value } => Value::Many(vec![global(value); size as usize]),
            Expression::Compose { ty, ref components } => {
                self.compose(ty, components.iter().map(|&c| global(c)))
            }
            ref other => panic!("not evaluated: {other:?}"),
        }
    }

    /// A vector may be composed of shorter vectors; a struct or array takes its parts as they are.
    fn compose(&self, ty: Handle<naga::Type>, parts: impl Iterator<Item = Value>) -> Value {
        match self.module.types[ty].inner {
            TypeInner::Vector { .. } => {
                Value::words(&parts.flat_map(|part| part.flatten()).collect::<Vec<_>>())
            }
            _ => Value::Many(parts.collect()),
        }
    }

    fn zero(&self, ty: Handle<naga::Type>) -> Value {
        match &self.module.types[ty].inner {
            TypeInner::Scalar(_) => Value::Word(0),
            TypeInner::Vector { size, .. } => Value::words(&vec![0; *size as usize]),
            TypeInner::Struct { members, .. } => {
                Value::Many(members.iter().map(|m| self.zero(m.ty)).collect())
            }
            other => panic!("no zero of {other:?}"),
        }
    }
}

fn element(base: Value, index: usize) -> Value {
    match base {
        Value::Pointer(place, mut path) => {
            path.push(index);
            Value::Pointer(place, path)
        }
        value => value.at(&[index]).clone(),
    }
}

fn binary(op: BinaryOperator, left: &Value, right: &Value) -> Value {
    if let (Value::Many(left), Value::Many(right)) = (left, right) {
        assert_eq!(left.len(), right.len(), "vectors of one length");
        return Value::Many(left.iter().zip(right).map(|(l, r)| binary(op, l, r)).collect());
    }
    let (l, r) = (left.word(), right.word());
    Value::Word(match op {
        BinaryOperator::Add => l.wrapping_add(r),
        BinaryOperator::Subtract => l.wrapping_sub(r),
        BinaryOperator::Multiply => l.wrapping_mul(r),
        BinaryOperator::And => l & r,
        BinaryOperator::ExclusiveOr => l ^ r,
        BinaryOperator::InclusiveOr => l | r,
        BinaryOperator::ShiftLeft => l << r,
        BinaryOperator::ShiftRight => l >> r,
        BinaryOperator::Less => return Value::Bool(l < r),
        other => panic!("not evaluated: {other:?}"),
    })
}
