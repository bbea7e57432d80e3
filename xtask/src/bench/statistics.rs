//! Minimum and median.

use std::time::Duration;

/// Two numbers that stand for a series of measurements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Summary {
    /// Milliseconds.
    pub(super) minimum: f64,
    /// Milliseconds.
    pub(super) median: f64,
}

impl Summary {
    /// None of an empty series.
    pub(super) fn of(series: &[Duration]) -> Option<Self> {
        let mut sorted: Vec<f64> = series.iter().map(|one| one.as_secs_f64() * 1e3).collect();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            *sorted.get(middle)?
        } else {
            f64::midpoint(*sorted.get(middle.checked_sub(1)?)?, *sorted.get(middle)?)
        };
        Some(Self {
            minimum: *sorted.first()?,
            median,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries() {
        let of = |numbers: &[u64]| {
            Summary::of(&numbers.iter().map(|n| Duration::from_millis(*n)).collect::<Vec<_>>())
                .map(|summary| (summary.minimum, summary.median))
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[3]), Some((3.0, 3.0)));
        assert_eq!(of(&[5, 1, 3]), Some((1.0, 3.0)));
        assert_eq!(of(&[4, 1, 3, 8]), Some((1.0, 3.5)));
    }
}
