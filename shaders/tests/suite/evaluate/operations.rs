//! What operators do with values.

use super::Value;
use naga::BinaryOperator;

/// To an unsigned number of 4 or 8 bytes.
pub(super) fn converted(value: &Value, bytes: u8) -> Value {
    let long = match value {
        Value::Bool(truth) => u64::from(*truth),
        Value::Word(word) => u64::from(*word),
        Value::Long(long) => *long,
        other => panic!("{other:?} is no number"),
    };
    match bytes {
        4 => Value::Word(u32::try_from(long & 0xffff_ffff).expect("one word")),
        8 => Value::Long(long),
        other => panic!("numbers of {other} bytes are not evaluated"),
    }
}

/// By one condition, or one for each component.
pub(super) fn select(condition: &Value, accept: &Value, reject: &Value) -> Value {
    match (condition, accept, reject) {
        (Value::Bool(true), accept, _) => accept.clone(),
        (Value::Bool(false), _, reject) => reject.clone(),
        (Value::Many(conditions), Value::Many(accept), Value::Many(reject)) => {
            let parts = conditions.iter().zip(accept.iter().zip(reject));
            Value::Many(
                parts.map(|(condition, (accept, reject))| select(condition, accept, reject)).collect(),
            )
        }
        other => panic!("no selection from {other:?}"),
    }
}

/// Of 64 bits; a shift is a word.
fn binary_long(op: BinaryOperator, l: u64, right: &Value) -> Value {
    if let (BinaryOperator::ShiftRight, Value::Word(bits)) = (op, right) {
        return Value::Long(l >> bits);
    }
    let Value::Long(r) = *right else { panic!("{right:?} is not of 64 bits") };
    Value::Long(match op {
        BinaryOperator::Add => l.wrapping_add(r),
        BinaryOperator::Subtract => l.wrapping_sub(r),
        BinaryOperator::Multiply => l.wrapping_mul(r),
        other => panic!("not evaluated: {other:?}"),
    })
}

/// Of words, or of vectors component by component.
pub(super) fn binary(op: BinaryOperator, left: &Value, right: &Value) -> Value {
    if let Value::Long(left) = *left {
        return binary_long(op, left, right);
    }
    if let (Value::Bool(left), Value::Bool(right)) = (left, right) {
        return Value::Bool(match op {
            BinaryOperator::LogicalAnd => *left && *right,
            BinaryOperator::LogicalOr => *left || *right,
            other => panic!("not evaluated: {other:?}"),
        });
    }
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
        BinaryOperator::Divide => l / r,
        BinaryOperator::Modulo => l % r,
        BinaryOperator::Less => return Value::Bool(l < r),
        BinaryOperator::LessEqual => return Value::Bool(l <= r),
        BinaryOperator::GreaterEqual => return Value::Bool(l >= r),
        BinaryOperator::Equal => return Value::Bool(l == r),
        BinaryOperator::NotEqual => return Value::Bool(l != r),
        other => panic!("not evaluated: {other:?}"),
    })
}
