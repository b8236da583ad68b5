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
    /// `(s + z²/2 ± z √(s (n − s)/n + z²/4)) / (n + z²)` with s successes of n trials: E. B. Wilson, Probable inference, the law of
    /// succession, and statistical inference, JASA 22 (1927), with the fraction extended by n. Successes may be fractions; what
    /// is not between 0 and `trials` is moved there.
    pub fn of(successes: f64, trials: f64, z: f64) -> Interval {
        if !(trials > 0.0 && trials.is_finite()) {
            return Interval { lower: 0.0, upper: 1.0 };
        }
        // In this order, so that what is no number becomes 0.
        let successes = successes.max(0.0).min(trials);
        let margin = z * (successes * ((trials - successes) / trials) + z * z / 4.0).sqrt();
        let end = |margin: f64| ((successes + z * z / 2.0 + margin) / (trials + z * z)).clamp(0.0, 1.0);
        Interval { lower: end(-margin), upper: end(margin) }
    }
}

#[cfg(test)]
mod tests;
