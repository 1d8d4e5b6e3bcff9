//! Something that is got once for all who want it at the same time, and so is its failure.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::error::ApiError;

/// What was got last. Without the sharing of failures, those who wait would try one after the other
/// what is known to fail, and each would be patient.
pub(super) struct Shared<T> {
    value: Mutex<Option<T>>,
    /// Held by the one who gets it. In it is why that went wrong the last time.
    turn: tokio::sync::Mutex<Option<ApiError>>,
    failures: AtomicU64,
}

impl<T: Clone> Shared<T> {
    pub(super) fn new() -> Shared<T> {
        Shared {
            value: Mutex::new(None),
            turn: tokio::sync::Mutex::new(None),
            failures: AtomicU64::new(0),
        }
    }

    /// What was got last, whether it is still good or not.
    pub(super) fn last(&self) -> Option<T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What there is, if it is `good`; else what `get` gets.
    pub(super) async fn get(
        &self,
        good: impl Fn(&T) -> bool,
        get: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<T, ApiError> {
        if let Some(value) = self.last().filter(&good) {
            return Ok(value);
        }
        let failures = self.failures.load(Ordering::SeqCst);
        let mut turn = self.turn.lock().await;
        if let Some(value) = self.last().filter(&good) {
            return Ok(value);
        }
        if let Some(error) = &*turn
            && failures != self.failures.load(Ordering::SeqCst)
        {
            return Err(error.clone());
        }
        match get.await {
            Ok(value) => {
                let mut last = self.value.lock().unwrap_or_else(PoisonError::into_inner);
                *last = Some(value.clone());
                Ok(value)
            }
            Err(error) => {
                *turn = Some(error.clone());
                self.failures.fetch_add(1, Ordering::SeqCst);
                Err(error)
            }
        }
    }
}
