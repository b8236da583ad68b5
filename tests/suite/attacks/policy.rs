//! Challenges that ask for less than the network demands: a validator that favours a miner.

use holdfast_engine::challenge::{Challenge, Terms};
use holdfast_engine::policy::Policy;
use holdfast_engine::rejection::Class;
use holdfast_tests::partition::{TestPartition, registration, shape};

use crate::class;

#[test]
fn few_samples_long_deadlines_and_small_windows() {
    let partition = TestPartition::honest(registration(shape(10, 2), 7), 6);
    let policy = Policy::test();
    let refusal = |challenge: &Challenge, change: fn(&mut Terms)| {
        let mut terms = Terms::clone(challenge);
        change(&mut terms);
        class(policy.check_challenge(&Challenge::new(terms).expect("in range")))
    };
    let space = partition.space_challenge(1, 4);
    assert_eq!(refusal(&space, |_| ()), None, "the control: what the policy asks for");
    assert_eq!(refusal(&space, |terms| terms.samples = 6), None, "more than that");
    assert_eq!(refusal(&space, |terms| terms.deadline_ms = 1), None, "less time than that");
    assert_eq!(refusal(&space, |terms| terms.samples = 3), Some(Class::Policy));
    assert_eq!(refusal(&space, |terms| terms.deadline_ms = 5_001), Some(Class::Policy));
    let seal = partition.seal_challenge(1, 2);
    assert_eq!(refusal(&seal, |_| ()), None, "the control");
    assert_eq!(refusal(&seal, |terms| terms.samples = 1), Some(Class::Policy));
    assert_eq!(refusal(&seal, |terms| terms.deadline_ms = u32::MAX), Some(Class::Policy));
    for challenge in [space, seal] {
        assert_eq!(class(Policy::standard().check_challenge(&challenge)), Some(Class::Policy), "k = 10");
    }
}
