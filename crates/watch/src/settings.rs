//! What a person asks of a watch.

/// A time or a span in milliseconds. Times count from any moment that does not move.
pub type Ms = u64;

const MINUTE: Ms = 60_000;
const HOUR: Ms = 60 * MINUTE;

/// What is done about drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is told.
    Report,
    /// It is told and repaired.
    Repair,
}

/// How a watch behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What is done about drift.
    pub mode: Mode,
    /// Everything is looked at this often, whatever was heard; give or take a tenth.
    pub interval_ms: Ms,
    /// So long nothing more is heard before a look begins…
    pub quiet_ms: Ms,
    /// …but it begins no later than so long after the first that was heard.
    pub quiet_ms_max: Ms,
    /// After a failure; doubled after each further one…
    pub backoff_ms: Ms,
    /// …up to this.
    pub backoff_ms_max: Ms,
    /// How often the repair of an object may fail before it is let be.
    pub retries_max: u32,
    /// How many changes repairs may make within [`Settings::window_ms`].
    pub budget: u32,
    /// The span that the budget and the fight detector look back.
    pub window_ms: Ms,
    /// Repairs may delete and replace.
    pub allow_destroy: bool,
    /// How often the same attribute may go back to the same value after a repair before that
    /// counts as a fight.
    pub flips_max: u32,
    /// How long an object is let be after a fight, or after its repair failed too often.
    pub truce_ms: Ms,
    /// Spreads the looks of many watches.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            mode: Mode::Report,
            interval_ms: 5 * MINUTE,
            quiet_ms: 150,
            quiet_ms_max: 1_000,
            backoff_ms: 1_000,
            backoff_ms_max: 5 * MINUTE,
            retries_max: 5,
            budget: 20,
            window_ms: HOUR,
            allow_destroy: false,
            flips_max: 3,
            truce_ms: HOUR,
            seed: 0,
        }
    }
}

impl Settings {
    /// How long to wait after so many failures in a row.
    pub(crate) fn backoff(&self, failures: u32) -> Ms {
        let doubled = 1u64.checked_shl(failures.saturating_sub(1).min(40)).unwrap_or(u64::MAX);
        self.backoff_ms.saturating_mul(doubled).min(self.backoff_ms_max)
    }

    /// The interval before the look of the given number: within a tenth of what was asked for.
    pub(crate) fn jittered(&self, number: u64) -> Ms {
        let spread = self.interval_ms / 5;
        let from = self.interval_ms - spread / 2;
        from + mixed(self.seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15)) % (spread + 1)
    }
}

/// SplitMix64's last step: any number to one that looks like any other.
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_its_end() {
        let it = Settings::default();
        assert_eq!(
            [1, 2, 3, 9, 10, 4_000_000].map(|n| it.backoff(n)),
            [1_000, 2_000, 4_000, 256_000, 300_000, 300_000]
        );
    }

    #[test]
    fn intervals_differ_by_a_tenth() {
        let it = Settings { seed: 7, ..Settings::default() };
        let all: Vec<Ms> = (0..1000).map(|n| it.jittered(n)).collect();
        assert!(all.iter().all(|it| (270_000..=330_000).contains(it)));
        assert!(all.iter().any(|it| *it < 280_000) && all.iter().any(|it| *it > 320_000));
    }
}
