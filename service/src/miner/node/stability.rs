//! When the disks follow the stakes: only what changed by much, and stayed so, moves bytes.

use std::collections::BTreeMap;

use holdfast_engine::account::Account;

/// Which change of the stakes is followed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Patience {
    /// A share must have moved by more than this part of itself.
    pub(super) change: f64,
    /// For so many blocks in a row.
    pub(super) blocks: u64,
}

/// The stakes that the disks follow, and how long others have been there.
#[derive(Clone, Debug)]
pub(super) struct Stability {
    patience: Patience,
    followed: Option<BTreeMap<Account, u64>>,
    differs_since: Option<u64>,
}

impl Stability {
    /// Follows nobody yet: the first stakes are taken at once.
    pub(super) fn new(patience: Patience) -> Stability {
        Stability { patience, followed: None, differs_since: None }
    }

    /// Stakes at a height. True if the disks are to follow them now.
    pub(super) fn observe(&mut self, height: u64, stakes: &BTreeMap<Account, u64>) -> bool {
        let Some(followed) = &self.followed else {
            self.follow(stakes);
            return true;
        };
        if !differ(followed, stakes, self.patience.change) {
            self.differs_since = None;
            return false;
        }
        // A reorganisation may have made the chain shorter.
        let since = self.differs_since.map_or(height, |since| since.min(height));
        self.differs_since = Some(since);
        let stayed = height - since >= self.patience.blocks;
        if stayed {
            self.follow(stakes);
        }
        stayed
    }

    fn follow(&mut self, stakes: &BTreeMap<Account, u64>) {
        self.followed = Some(stakes.clone());
        self.differs_since = None;
    }
}

/// Whether somebody came or went, or the share of somebody moved by more than a part of itself.
fn differ(before: &BTreeMap<Account, u64>, after: &BTreeMap<Account, u64>, change: f64) -> bool {
    if !before.keys().eq(after.keys()) {
        return true;
    }
    let shares = shares(before).into_iter().zip(shares(after));
    shares.into_iter().any(|(before, after)| (after - before).abs() > change * before)
}

/// As allocation has them: whoever has no stake has a share all the same.
#[expect(clippy::cast_precision_loss, reason = "shares are compared to within a part of themselves")]
fn shares(stakes: &BTreeMap<Account, u64>) -> Vec<f64> {
    const RAO: f64 = 1e9;
    let weight = |stake: &u64| *stake as f64 + RAO;
    let total: f64 = stakes.values().map(weight).sum();
    stakes.values().map(|stake| weight(stake) / total).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATIENCE: Patience = Patience { change: 0.1, blocks: 5 };

    fn stakes(of: &[(u8, u64)]) -> BTreeMap<Account, u64> {
        of.iter().map(|(seed, tokens)| (Account([*seed; 32]), tokens * 1_000_000_000)).collect()
    }

    #[test]
    fn a_change_that_stays_is_followed_after_its_time_and_once() {
        let mut stability = Stability::new(PATIENCE);
        let (before, after) = (stakes(&[(1, 100), (2, 100)]), stakes(&[(1, 200), (2, 100)]));
        assert!(stability.observe(10, &before), "the first is followed at once");
        let followed: Vec<u64> = (11..40).filter(|height| stability.observe(*height, &after)).collect();
        assert_eq!(followed, [16]);
    }

    #[test]
    fn what_is_small_is_not_followed_and_who_comes_or_goes_is() {
        let mut stability = Stability::new(PATIENCE);
        stability.observe(0, &stakes(&[(1, 100), (2, 100)]));
        let small = stakes(&[(1, 110), (2, 100)]);
        assert!((1..100).all(|height| !stability.observe(height, &small)));
        let came = stakes(&[(1, 100), (2, 100), (3, 0)]);
        assert!((100..106).any(|height| stability.observe(height, &came)));
        let went = stakes(&[(1, 100), (3, 0)]);
        assert!((106..112).any(|height| stability.observe(height, &went)));
    }

    proptest! {
        /// A stake that swings to and fro faster than the disks have patience moves nothing, however far it swings.
        #[test]
        fn an_oscillating_stake_moves_nothing(period in 1_u64..=5, high in 1_u64..1_000_000) {
            let mut stability = Stability::new(PATIENCE);
            let low = stakes(&[(1, 100), (2, 100)]);
            let other = stakes(&[(1, 100 + high), (2, 100)]);
            stability.observe(0, &low);
            for height in 1..500 {
                let stakes = if (height / period) % 2 == 0 { &low } else { &other };
                prop_assert!(!stability.observe(height, stakes), "at {height}");
            }
        }
    }
}
