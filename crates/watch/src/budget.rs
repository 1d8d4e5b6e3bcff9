//! How many changes may still be made: so many within a window that slides.

use std::collections::VecDeque;

use crate::Ms;

/// What was spent, and when.
#[derive(Clone, Debug, Default)]
pub(crate) struct Budget {
    spent: VecDeque<(Ms, u32)>,
}

impl Budget {
    pub(crate) fn spend(&mut self, now: Ms, changes: u32) {
        if changes > 0 {
            self.spent.push_back((now, changes));
        }
    }

    /// What is left of `budget`.
    pub(crate) fn left(&mut self, now: Ms, budget: u32, window: Ms) -> u32 {
        while self.spent.front().is_some_and(|it| it.0.saturating_add(window) <= now) {
            self.spent.pop_front();
        }
        let spent = self.spent.iter().fold(0u32, |sum, it| sum.saturating_add(it.1));
        budget.saturating_sub(spent)
    }

    /// When `wanted` changes are left; none if there never are.
    pub(crate) fn when(&self, wanted: u32, budget: u32, window: Ms) -> Option<Ms> {
        let mut left = budget;
        let mut at = None;
        // From the newest back: what has to be forgotten is all that does not fit.
        for (when, changes) in self.spent.iter().rev() {
            left = left.saturating_sub(*changes);
            if left < wanted {
                at = Some(when.saturating_add(window));
                break;
            }
        }
        (wanted <= budget).then(|| at.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_slides() {
        let mut it = Budget::default();
        assert_eq!(it.left(0, 5, 100), 5);
        it.spend(0, 2);
        it.spend(50, 3);
        assert_eq!(it.left(60, 5, 100), 0);
        assert_eq!(it.when(1, 5, 100), Some(100));
        assert_eq!(it.when(2, 5, 100), Some(100));
        assert_eq!(it.when(3, 5, 100), Some(150));
        assert_eq!(it.when(6, 5, 100), None);
        assert_eq!(it.left(99, 5, 100), 0);
        assert_eq!(it.left(100, 5, 100), 2);
        assert_eq!(it.left(150, 5, 100), 5);
        assert_eq!(it.when(5, 5, 100), Some(0));
    }
}
