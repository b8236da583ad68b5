//! The Wilson score interval: between which shares the true share of successes lies, given so many observed.

/// A share of successes is believed to lie between these, each from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower bound: with few observations far below the observed share.
    pub lower: f64,
    /// The upper bound.
    pub upper: f64,
}

impl Interval {
    /// The interval after `successes` of `trials`, for the normal quantile `z` (1.96: 95 % two-sided). Without trials it is
    /// everything from 0 to 1.
    ///
    /// `(p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n)` with p = successes / trials and n = trials: E. B. Wilson, Probable
    /// inference, the law of succession, and statistical inference, JASA 22 (1927). Successes may be fractions; more than
    /// `trials` count as `trials`.
    pub fn of(successes: f64, trials: f64, z: f64) -> Interval {
        if trials.is_nan() || trials <= 0.0 {
            return Interval { lower: 0.0, upper: 1.0 };
        }
        let share = (successes / trials).clamp(0.0, 1.0);
        let width = z * z / trials;
        let margin = z * (share * (1.0 - share) / trials + width / (4.0 * trials)).sqrt();
        let end = |margin: f64| ((share + width / 2.0 + margin) / (1.0 + width)).clamp(0.0, 1.0);
        Interval { lower: end(-margin), upper: end(margin) }
    }
}

#[cfg(test)]
mod tests;
