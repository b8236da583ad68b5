//! The most that one miner is asked.

use holdfast_engine::receipt::{Round, Subject};
use holdfast_engine::rejection::Class;

use super::{LeftOut, MinerPlan, Question};

/// Leaves so many questions at most: of partitions first, then of objects, by lot. The objects that are asked for stand for those
/// that are not.
pub(super) fn bound_questions(plan: &mut MinerPlan, most: usize) {
    let questions = &mut plan.questions;
    if questions.len() <= most {
        return;
    }
    let objects_bytes = |questions: &[Question]| -> u128 {
        questions.iter().map(|question| u128::from(question.proven_object_bytes)).sum()
    };
    let all = objects_bytes(questions);
    questions.sort_by_cached_key(|question| {
        let Round { key, challenge_seed, .. } = question.round();
        (matches!(key.subject, Subject::Object(_)), challenge_seed)
    });
    let left_out = questions.split_off(most);
    let asked = objects_bytes(questions).max(1);
    for question in questions {
        let proven = u128::from(question.proven_object_bytes) * all / asked;
        question.proven_object_bytes = u64::try_from(proven).unwrap_or(u64::MAX);
    }
    let partitions = left_out.iter().map(|question| question.round().key.subject);
    let mut partitions = partitions.filter(|subject| matches!(subject, Subject::Partition(_)));
    if let Some(subject) = partitions.next() {
        let others = partitions.count();
        let detail =
            format!("the miner has more than {most} partitions; {others} others are not asked either");
        plan.left_out.push(LeftOut { subject, rejection: Class::Policy.because(detail) });
    }
}
