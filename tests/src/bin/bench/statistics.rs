//! Medians, spreads, and ratios that the spreads allow.

/// The number of rounds that a ratio needs. If two sides are equal and vary normally, chance gives a ratio in 22 %
/// of all cases with 2 rounds, in 6 % with 3, and in 0.4 % with 5.
pub(crate) const ROUNDS_FOR_A_SPREAD: usize = 3;

/// The figures of one quantity, one from each round.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    sorted: Vec<f64>,
}

impl Figures {
    /// Takes the figures of all rounds, in any order.
    ///
    /// # Panics
    /// If there is no figure.
    pub(crate) fn new(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<_> = figures.into_iter().collect();
        assert!(!sorted.is_empty(), "a measurement has at least one round");
        sorted.sort_by(f64::total_cmp);
        Self { sorted }
    }

    /// The figure in the middle. With an even number of figures, the mean of both in the middle.
    pub(crate) fn median(&self) -> f64 {
        let middle = self.sorted.len() / 2;
        if self.sorted.len() % 2 == 1 {
            self.sorted[middle]
        } else {
            f64::midpoint(self.sorted[middle - 1], self.sorted[middle])
        }
    }

    /// The smallest figure.
    pub(crate) fn min(&self) -> f64 {
        self.sorted[0]
    }

    /// The largest figure.
    pub(crate) fn max(&self) -> f64 {
        self.sorted[self.sorted.len() - 1]
    }

    /// The difference of the largest and the smallest figure. It is unknown if there are too few figures.
    fn spread(&self) -> Option<f64> {
        (self.sorted.len() >= ROUNDS_FOR_A_SPREAD).then(|| self.max() - self.min())
    }
}

/// The median of some figures.
pub(crate) fn median(figures: Vec<f64>) -> f64 {
    Figures::new(figures).median()
}

/// The ratio of two medians, `figures / base`.
///
/// There is no ratio if the spread of either side is larger than the difference of the medians: then chance
/// explains the difference. There is none either if a side has too few rounds to know its spread.
pub(crate) fn ratio(figures: &Figures, base: &Figures) -> Option<f64> {
    let difference = (figures.median() - base.median()).abs();
    let spread = figures.spread()?.max(base.spread()?);
    (spread <= difference).then(|| figures.median() / base.median())
}

#[cfg(test)]
mod tests {
    use super::{Figures, median, ratio};
    use test_case::test_case;

    #[test_case(&[7.0] => (7.0, 7.0, 7.0); "one")]
    #[test_case(&[9.0, 1.0] => (1.0, 5.0, 9.0); "two")]
    #[test_case(&[3.0, 9.0, 1.0] => (1.0, 3.0, 9.0); "three")]
    #[test_case(&[8.0, 2.0, 4.0, 100.0] => (2.0, 6.0, 100.0); "four")]
    fn figures_have_a_smallest_a_middle_and_a_largest(figures: &[f64]) -> (f64, f64, f64) {
        let figures = Figures::new(figures.iter().copied());
        (figures.min(), figures.median(), figures.max())
    }

    #[test]
    fn a_median_needs_no_order() {
        assert!((median(vec![5.0, 1.0, 3.0]) - 3.0).abs() < f64::EPSILON);
    }

    #[test_case(&[80.0, 81.0, 82.0], &[100.0, 101.0, 108.0] => Some(80); "both spreads are smaller than the difference")]
    #[test_case(&[200.0, 202.0, 204.0], &[100.0, 101.0, 102.0] => Some(200); "the base is smaller")]
    #[test_case(&[95.0, 97.0, 99.0], &[99.0, 100.0, 101.0] => None; "the spread of the figures is larger")]
    #[test_case(&[97.0, 97.0, 97.0], &[98.0, 100.0, 102.0] => None; "the spread of the base is larger")]
    #[test_case(&[70.0, 80.0, 90.0], &[100.0, 100.0, 110.0] => Some(80); "a spread as large as the difference")]
    #[test_case(&[50.0, 50.0], &[100.0, 100.0, 100.0] => None; "two rounds of the figures")]
    #[test_case(&[50.0, 50.0, 50.0], &[100.0, 100.0] => None; "two rounds of the base")]
    fn a_ratio_needs_a_difference_larger_than_the_spreads(figures: &[f64], base: &[f64]) -> Option<u32> {
        let (figures, base) = (Figures::new(figures.iter().copied()), Figures::new(base.iter().copied()));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive percentage")]
        ratio(&figures, &base).map(|ratio| (100.0 * ratio) as u32)
    }
}
