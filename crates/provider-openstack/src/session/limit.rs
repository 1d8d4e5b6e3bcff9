//! How many requests are in flight: as many as the cloud bears.
//!
//! More by one after each round that went well, half as many when the cloud says that it is too
//! much (additive increase, multiplicative decrease, as TCP does it).

use std::sync::{Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

/// The limit. Those who wait are served in order.
pub(super) struct Limit {
    permits: Semaphore,
    state: Mutex<State>,
    most: usize,
}

struct State {
    limit: usize,
    /// Permits that are out and have to vanish when they come back.
    debt: usize,
    /// Successes since the limit changed last.
    successes: usize,
    /// How often it was halved.
    epoch: u64,
}

/// Leave to send one request.
pub(super) struct Permit<'a> {
    limit: &'a Limit,
    permit: Option<SemaphorePermit<'a>>,
    epoch: u64,
}

impl Limit {
    /// Starts with `start` at a time and never goes beyond `most`.
    pub(super) fn new(start: usize, most: usize) -> Limit {
        assert!(0 < start && start <= most, "a limit of none lets nothing through");
        let state = State { limit: start, debt: 0, successes: 0, epoch: 0 };
        Limit { permits: Semaphore::new(start), state: Mutex::new(state), most }
    }

    /// Waits for its turn.
    pub(super) async fn acquire(&self) -> Permit<'_> {
        let permit = self.permits.acquire().await.ok();
        assert!(permit.is_some(), "the semaphore is never closed");
        let epoch = self.state().epoch;
        Permit { limit: self, permit, epoch }
    }

    /// How many may be in flight now.
    #[cfg(test)]
    pub(super) fn now(&self) -> usize {
        self.state().limit
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// The request was taken.
    pub(super) fn went_well(self) {
        let mut state = self.limit.state();
        state.successes += 1;
        if state.successes >= state.limit && state.limit < self.limit.most {
            state.limit += 1;
            state.successes = 0;
            match state.debt {
                0 => self.limit.permits.add_permits(1),
                _ => state.debt -= 1,
            }
        }
    }

    /// The cloud said that it is too much. Of requests that were in flight together, only the first
    /// to hear so counts.
    pub(super) fn was_too_much(self) {
        let mut state = self.limit.state();
        if self.epoch == state.epoch {
            state.epoch += 1;
            state.successes = 0;
            let fewer = (state.limit / 2).max(1);
            let gone = state.limit - fewer;
            state.limit = fewer;
            state.debt += gone;
            state.debt -= self.limit.permits.forget_permits(state.debt);
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.limit.state();
        if state.debt > 0
            && let Some(permit) = self.permit.take()
        {
            state.debt -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_round_of_successes_adds_one() {
        let limit = Limit::new(4, 6);
        for _ in 0..3 {
            limit.acquire().await.went_well();
        }
        assert_eq!(limit.now(), 4);
        limit.acquire().await.went_well();
        assert_eq!(limit.now(), 5);
        assert_eq!(limit.permits.available_permits(), 5);
        for _ in 0..50 {
            limit.acquire().await.went_well();
        }
        assert_eq!(limit.now(), 6);
        assert_eq!(limit.permits.available_permits(), 6);
    }

    #[tokio::test]
    async fn of_those_in_flight_together_one_halves() {
        let limit = Limit::new(8, 16);
        let mut out = Vec::new();
        for _ in 0..8 {
            out.push(limit.acquire().await);
        }
        for permit in out.drain(..) {
            permit.was_too_much();
        }
        assert_eq!((limit.now(), limit.permits.available_permits()), (4, 4));
        limit.acquire().await.was_too_much();
        assert_eq!((limit.now(), limit.permits.available_permits()), (2, 2));
        for _ in 0..5 {
            limit.acquire().await.was_too_much();
        }
        assert_eq!((limit.now(), limit.permits.available_permits()), (1, 1));
        limit.acquire().await.went_well();
        assert_eq!((limit.now(), limit.permits.available_permits()), (2, 2));
    }

    #[tokio::test]
    async fn permits_that_are_out_vanish_when_they_come_back() {
        let limit = Limit::new(4, 16);
        let (a, b) = (limit.acquire().await, limit.acquire().await);
        let (c, d) = (limit.acquire().await, limit.acquire().await);
        a.was_too_much();
        assert_eq!((limit.now(), limit.permits.available_permits()), (2, 0));
        drop(b);
        assert_eq!(limit.permits.available_permits(), 0);
        drop(c);
        drop(d);
        assert_eq!(limit.permits.available_permits(), 2);
    }
}
