//! When the next look begins, and at what.

use std::sync::Arc;

use plumb_model::addr::{ObjectKey, ProviderAddr};
use plumb_provider::Touched;

use crate::{Ms, Scope, Settings};

/// What is to be looked at, and when.
#[derive(Clone, Debug, Default)]
pub(crate) struct Looks {
    wanted: Scope,
    /// When it was first and last heard of, if it may wait for quiet.
    heard: Option<(Ms, Ms)>,
    /// The next look at everything.
    whole_at: Ms,
    whole_looks: u64,
    not_before: Ms,
    failures: u32,
    /// The last look failed.
    blind: bool,
    under_way: Option<Scope>,
}

impl Looks {
    pub(crate) fn touch(&mut self, now: Ms, provider: Arc<ProviderAddr>, what: Touched) {
        let waits = self.wanted.is_empty();
        self.wanted.touch(provider, what);
        self.heard = match self.heard {
            Some((first, _)) => Some((first, now)),
            None if waits => Some((now, now)),
            // Something is wanted at once.
            None => None,
        };
    }

    /// At these, without waiting for quiet.
    pub(crate) fn want(&mut self, objects: impl IntoIterator<Item = ObjectKey>) {
        self.wanted.objects.extend(objects);
        self.heard = None;
    }

    /// At everything, without waiting for anything.
    pub(crate) fn want_everything(&mut self) {
        self.wanted = Scope::everything();
        self.heard = None;
        (self.not_before, self.failures) = (0, 0);
    }

    /// When the next one is due.
    pub(crate) fn due_at(&self, settings: &Settings) -> Ms {
        let wanted = match (self.wanted.is_empty(), self.heard) {
            (true, _) => self.whole_at,
            (false, None) => 0,
            (false, Some((first, last))) => {
                (last + settings.quiet_ms).min(first + settings.quiet_ms_max)
            }
        };
        wanted.min(self.whole_at).max(self.not_before)
    }

    /// Begins a look.
    pub(crate) fn begin(&mut self, now: Ms) -> Scope {
        let mut scope = std::mem::take(&mut self.wanted);
        self.heard = None;
        if self.whole_at <= now {
            scope = Scope::everything();
        }
        self.under_way = Some(scope.clone());
        scope
    }

    /// It went well. Whether the one before had not.
    pub(crate) fn seen(&mut self, now: Ms, settings: &Settings) -> bool {
        if self.under_way.take().is_some_and(|it| it.everything) {
            self.whole_looks += 1;
            self.whole_at = now.saturating_add(settings.jittered(self.whole_looks));
        }
        self.failures = 0;
        std::mem::take(&mut self.blind)
    }

    /// It did not: what it was at is looked at later. How long that is, and whether it is news.
    pub(crate) fn failed(&mut self, now: Ms, settings: &Settings) -> (Ms, bool) {
        self.failures = self.failures.saturating_add(1);
        let wait = settings.backoff(self.failures);
        self.put_off(now, wait);
        (wait, !std::mem::replace(&mut self.blind, true))
    }

    /// What it was at is looked at a while later.
    pub(crate) fn put_off(&mut self, now: Ms, wait: Ms) {
        let scope = self.under_way.take().unwrap_or_default();
        self.wanted.merge(scope);
        self.not_before = self.not_before.max(now.saturating_add(wait));
    }

    /// Whether the last look failed.
    pub(crate) fn failing(&self) -> bool {
        self.blind
    }
}
