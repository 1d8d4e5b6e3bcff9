//! Whether a request is sent again, and when.

use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use reqwest::Method;

/// How patient a session is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// How often a request is repeated at most.
    pub repeats_max: u32,
    /// How long waiting for one request may take in all.
    pub total: Duration,
    /// The first wait; each further one is up to twice as long.
    pub first: Duration,
    /// No wait of ours is longer.
    pub longest: Duration,
}

/// How an attempt ended without success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// No connection; `known`: there was one before, so that the address is right.
    Unreachable { known: bool },
    /// Sent, no reply.
    Lost,
    /// A status, and what `Retry-After` says.
    Status(u16, Option<Duration>),
}

impl Patience {
    /// What a person asked for, or the usual half minute.
    pub(super) fn new(max_retries: Option<u32>) -> Patience {
        let total = match max_retries {
            None => Duration::from_secs(30),
            Some(_) => Duration::from_secs(600),
        };
        Patience {
            repeats_max: max_retries.unwrap_or(u32::MAX),
            total,
            first: Duration::from_millis(500),
            longest: Duration::from_secs(8),
        }
    }

    /// How long to wait before the request is sent again; `None`: it is not. `repeats` were made
    /// already, and took `waited` of waiting. `chance` is between 0 and 1.
    pub(super) fn wait(
        &self,
        method: &Method,
        trouble: Trouble,
        repeats: u32,
        waited: Duration,
        chance: f64,
    ) -> Option<Duration> {
        if repeats >= self.repeats_max || !may_repeat(method, trouble) {
            return None;
        }
        let ceiling = self.first.saturating_mul(1 << repeats.min(16)).min(self.longest);
        let ours = ceiling.mul_f64(0.5 + chance / 2.0);
        let wait = match trouble {
            // Not all at the same moment again.
            Trouble::Status(_, Some(told)) => told + self.first.mul_f64(chance),
            Trouble::Status(_, None) | Trouble::Unreachable { .. } | Trouble::Lost => ours,
        };
        (waited + wait <= self.total).then_some(wait)
    }
}

/// Reading can always be repeated; the rest only where nothing was done.
fn may_repeat(method: &Method, trouble: Trouble) -> bool {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match trouble {
        Trouble::Unreachable { known } => known,
        Trouble::Lost => reads,
        Trouble::Status(429, _) => true,
        // Nova said 413 for too many requests.
        Trouble::Status(413 | 503, Some(_)) => true,
        Trouble::Status(502..=504, _) => reads,
        Trouble::Status(..) => false,
    }
}

/// A number between 0 and 1 that differs from call to call.
pub(super) fn chance() -> f64 {
    let random = std::hash::RandomState::new().build_hasher().finish();
    // 53 bits are what fits.
    (random >> 11) as f64 / (1_u64 << 53) as f64
}

/// What `Retry-After` says: seconds, or a date.
pub(super) fn retry_after(header: &str, now: std::time::SystemTime) -> Option<Duration> {
    match header.trim().parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let then = httpdate::parse_http_date(header.trim()).ok()?;
            Some(then.duration_since(now).unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_not_done_is_done_again() {
        let after = Some(Duration::from_secs(1));
        let table = [
            (Trouble::Unreachable { known: true }, true, true),
            (Trouble::Unreachable { known: false }, false, false),
            (Trouble::Lost, true, false),
            (Trouble::Status(429, None), true, true),
            (Trouble::Status(503, after), true, true),
            (Trouble::Status(503, None), true, false),
            (Trouble::Status(502, after), true, false),
            (Trouble::Status(413, after), true, true),
            (Trouble::Status(413, None), false, false),
            (Trouble::Status(500, None), false, false),
            (Trouble::Status(409, after), false, false),
        ];
        for (trouble, get, post) in table {
            assert_eq!(may_repeat(&Method::GET, trouble), get, "GET {trouble:?}");
            assert_eq!(may_repeat(&Method::POST, trouble), post, "POST {trouble:?}");
        }
    }

    #[test]
    fn waits_grow_up_to_a_limit_and_end() {
        let patience = Patience::new(None);
        let (mut waited, mut waits) = (Duration::ZERO, Vec::new());
        while let Some(wait) =
            patience.wait(&Method::GET, Trouble::Lost, waits.len() as u32, waited, 1.0)
        {
            waited += wait;
            waits.push(wait.as_millis());
        }
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 8000]);
        let told = Trouble::Status(429, Some(Duration::from_secs(3)));
        assert_eq!(
            patience.wait(&Method::POST, told, 0, Duration::ZERO, 0.5),
            Some(Duration::from_millis(3250))
        );
        let once = Patience::new(Some(1));
        assert!(once.wait(&Method::GET, told, 0, Duration::ZERO, 0.0).is_some());
        assert!(once.wait(&Method::GET, told, 1, Duration::ZERO, 0.0).is_none());
        let never = Patience::new(Some(0));
        assert!(never.wait(&Method::GET, told, 0, Duration::ZERO, 0.0).is_none());
        let long = Trouble::Status(429, Some(Duration::from_secs(60)));
        assert!(patience.wait(&Method::GET, long, 0, Duration::ZERO, 0.0).is_none());
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Fri, 31 Dec 1999 23:59:50 GMT").unwrap();
        let read = |text| retry_after(text, now);
        assert_eq!(read(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(read("Fri, 31 Dec 1999 23:59:59 GMT"), Some(Duration::from_secs(9)));
        assert_eq!(read("Fri, 31 Dec 1999 23:59:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
    }
}
