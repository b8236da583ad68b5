//! Evaluates the part of naga's representation that the kernels use: 32-bit words, vectors, structs, calls, branches,
//! loops. Not workgroup memory and barriers: kernels whose invocations work together are tested on devices only.
//!
//! Slow and strict: anything else is a panic that names the expression. It shows what the WGSL *means*; what a device
//! makes of it is another question.

mod operations;

use naga::{
    Block, Expression, Function, GlobalVariable, Handle, LocalVariable, Module, Statement, TypeInner,
};
use operations::{binary, converted, select};
use std::collections::HashMap;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// A u32.
    Word(u32),
    /// A u64.
    Long(u64),
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
    /// How often bodies of loops were entered, all loops together.
    pub(crate) loop_iterations: u32,
}

/// How a block was left.
enum Flow {
    Next,
    Break,
    Continue,
    Return(Option<Value>),
}

struct Frame<'a> {
    function: &'a Function,
    arguments: Vec<Value>,
    locals: HashMap<Handle<LocalVariable>, Value>,
    known: HashMap<Handle<Expression>, Value>,
}

impl<'a> Machine<'a> {
    /// With the words of the buffers, in the order of their bindings.
    pub(crate) fn new(module: &'a Module, buffers: &[&[u32]]) -> Machine<'a> {
        let mut globals = HashMap::new();
        for (handle, variable) in module.global_variables.iter() {
            let Some(binding) = variable.binding else { continue };
            let mut words = buffers[binding.binding as usize];
            let value = from_words(module, variable.ty, &mut words);
            assert!(words.is_empty(), "{:?} has words over", variable.name);
            globals.insert(handle, value);
        }
        Machine { module, globals, loop_iterations: 0 }
    }

    /// The words that a buffer holds now.
    pub(crate) fn buffer(&self, binding: usize) -> Vec<u32> {
        let mut bound = self.module.global_variables.iter();
        let found = bound.find(|(_, v)| v.binding.is_some_and(|at| at.binding as usize == binding));
        let (handle, _) = found.unwrap_or_else(|| panic!("no binding {binding}"));
        self.globals[&handle].flatten()
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
        match self.block(&mut frame, &function.body) {
            Flow::Return(value) => value,
            _ => None,
        }
    }

    fn block(&mut self, frame: &mut Frame<'a>, block: &'a Block) -> Flow {
        for statement in block {
            match statement {
                Statement::Emit(range) => {
                    for handle in range.clone() {
                        let value = self.fresh(frame, handle);
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
                Statement::Block(inner) => match self.block(frame, inner) {
                    Flow::Next => {}
                    leaving => return leaving,
                },
                Statement::Loop { body, continuing, break_if: None } => loop {
                    match self.block(frame, body) {
                        Flow::Next | Flow::Continue => {}
                        Flow::Break => break,
                        returned @ Flow::Return(_) => return returned,
                    }
                    self.block(frame, continuing);
                    self.loop_iterations += 1;
                },
                Statement::Break => return Flow::Break,
                Statement::Continue => return Flow::Continue,
                Statement::If { condition, accept, reject } => {
                    let branch = match self.expression(frame, *condition) {
                        Value::Bool(true) => accept,
                        Value::Bool(false) => reject,
                        other => panic!("{other:?} is not a condition"),
                    };
                    match self.block(frame, branch) {
                        Flow::Next => {}
                        leaving => return leaving,
                    }
                }
                Statement::Switch { selector, cases } => {
                    let selector = naga::SwitchValue::U32(self.expression(frame, *selector).word());
                    let chosen = cases.iter().find(|case| case.value == selector);
                    let default = || cases.iter().find(|case| case.value == naga::SwitchValue::Default);
                    let case = chosen.or_else(default).expect("a default case");
                    assert!(!case.fall_through, "cases end by themselves");
                    match self.block(frame, &case.body) {
                        Flow::Next | Flow::Break => {}
                        leaving => return leaving,
                    }
                }
                Statement::Return { value } => {
                    return Flow::Return(value.map(|value| self.expression(frame, value)));
                }
                other => panic!("not evaluated: {other:?}"),
            }
        }
        Flow::Next
    }

    fn expression(&self, frame: &Frame<'_>, handle: Handle<Expression>) -> Value {
        frame.known.get(&handle).cloned().unwrap_or_else(|| self.fresh(frame, handle))
    }

    /// A value that lies in the frame, without a copy.
    fn place<'f>(&self, frame: &'f Frame<'_>, handle: Handle<Expression>) -> Option<&'f Value> {
        match frame.function.expressions[handle] {
            _ if frame.known.contains_key(&handle) => frame.known.get(&handle),
            Expression::FunctionArgument(i) => frame.arguments.get(i as usize),
            Expression::AccessIndex { base, index } => match self.place(frame, base)? {
                Value::Many(parts) => parts.get(index as usize),
                _ => None,
            },
            _ => None,
        }
    }

    /// Anew, since in a loop an expression is evaluated again and again.
    fn fresh(&self, frame: &Frame<'_>, handle: Handle<Expression>) -> Value {
        let value = |handle: Handle<Expression>| self.expression(frame, handle);
        match frame.function.expressions[handle] {
            Expression::FunctionArgument(i) => frame.arguments[i as usize].clone(),
            Expression::GlobalVariable(at) => Value::Pointer(Place::Global(at), vec![]),
            Expression::LocalVariable(at) => Value::Pointer(Place::Local(at), vec![]),
            Expression::Access { base, index } => element(value(base), value(index).word() as usize),
            Expression::AccessIndex { base, index } => match self.place(frame, base) {
                Some(Value::Many(parts)) => parts[index as usize].clone(),
                _ => element(value(base), index as usize),
            },
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
            Expression::Unary { op: naga::UnaryOperator::BitwiseNot, expr } => {
                Value::Word(!value(expr).word())
            }
            Expression::Unary { op: naga::UnaryOperator::LogicalNot, expr } => match value(expr) {
                Value::Bool(truth) => Value::Bool(!truth),
                other => panic!("{other:?} is not a condition"),
            },
            Expression::As { expr, kind: naga::ScalarKind::Uint, convert: Some(bytes) } => {
                converted(&value(expr), bytes)
            }
            Expression::Select { condition, accept, reject } => {
                select(&value(condition), &value(accept), &value(reject))
            }
            Expression::Math { fun: naga::MathFunction::Min, arg, arg1: Some(arg1), .. } => {
                Value::Word(value(arg).word().min(value(arg1).word()))
            }
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
            Expression::Literal(naga::Literal::U64(long)) => Value::Long(long),
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

/// A value of this type from the words at the front; an array without a length takes them all.
fn from_words(module: &Module, ty: Handle<naga::Type>, words: &mut &[u32]) -> Value {
    let mut take = |count: usize| {
        let (front, rest) = words.split_at(count);
        *words = rest;
        Value::words(front)
    };
    match &module.types[ty].inner {
        TypeInner::Scalar(_) => Value::Word(take(1).at(&[0]).word()),
        TypeInner::Vector { size, .. } => take(*size as usize),
        TypeInner::Struct { members, .. } => {
            Value::Many(members.iter().map(|m| from_words(module, m.ty, words)).collect())
        }
        TypeInner::Array { base, size: naga::ArraySize::Constant(count), .. } => {
            Value::Many((0..count.get()).map(|_| from_words(module, *base, words)).collect())
        }
        TypeInner::Array { base, size: naga::ArraySize::Dynamic, .. } => {
            let mut elements = Vec::new();
            while !words.is_empty() {
                elements.push(from_words(module, *base, words));
            }
            Value::Many(elements)
        }
        other => panic!("no words for {other:?}"),
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
