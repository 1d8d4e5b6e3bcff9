//! A world of numbered objects, and a watch that lives in it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use plumb_drift::{Class, DriftReport, Finding, MovedAttribute, Pending, Standing};
use plumb_model::addr::{Addr, Kind, ObjectKey, ProviderAddr};
use plumb_model::plan::{Action, ReplaceOrder};
use plumb_model::value::Value;
use plumb_provider::Touched;
use plumb_watch::{
    Input, Mode, Ms, News, NotLooked, Outcome, Output, Refusal, Repair, Repaired, Scope, Settings,
    Watch,
};

pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let it = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let it = (it ^ (it >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (it ^ (it >> 31)) % end
    }

    fn often(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

pub(crate) struct Object {
    key: ObjectKey,
    /// Zero is declared. None: it is gone.
    pub(crate) value: Option<u64>,
    /// As it was last read.
    read: Option<u64>,
    /// Its value cannot be set.
    fixed: bool,
    /// Somebody accepted its drift.
    accepted: bool,
    /// What a failed repair left: the state knows of the drift.
    pending: bool,
    injured_at: Option<Ms>,
}

enum Job {
    Look(Scope),
    Repair(Repair),
}

pub(crate) struct Life {
    pub(crate) settings: Settings,
    watch: Watch,
    random: Random,
    now: Ms,
    pub(crate) objects: Vec<Object>,
    pub(crate) injures: bool,
    pub(crate) faulty: bool,
    pub(crate) loses_events: bool,
    /// So many looks and repairs fail, the next ones.
    pub(crate) failing: (u64, u64),
    /// When repairs began.
    pub(crate) repaired_at: Vec<Ms>,
    /// The first so many objects are set to 99 again whenever they are repaired.
    pub(crate) fighters: usize,
    next_injury: Ms,
    job: Option<(Ms, Job)>,
    pub(crate) looks: u64,
    pub(crate) repairs: u64,
    /// Changes that repairs made.
    pub(crate) made: u64,
    spent: VecDeque<Ms>,
    events: u64,
    failures: u64,
    reloads: u64,
    pub(crate) slowest_ms: Ms,
    news: BTreeMap<&'static str, u64>,
    provider: Arc<ProviderAddr>,
}

impl Life {
    pub(crate) fn new(settings: Settings, mut random: Random) -> Life {
        let object = |n: u64| Object {
            key: format!("x_thing.o[{n}]").parse::<Addr>().unwrap().current(),
            value: Some(0),
            read: Some(0),
            fixed: n % 7 == 5,
            accepted: n % 7 == 6,
            pending: false,
            injured_at: None,
        };
        let objects = (0..8 + random.below(20)).map(object).collect();
        Life {
            watch: Watch::new(settings.clone()),
            settings,
            random,
            now: 1_000_000,
            objects,
            injures: true,
            faulty: false,
            loses_events: true,
            failing: (0, 0),
            repaired_at: Vec::new(),
            fighters: 0,
            next_injury: 1_000_000,
            job: None,
            looks: 0,
            repairs: 0,
            made: 0,
            spent: VecDeque::new(),
            events: 0,
            failures: 0,
            reloads: 0,
            slowest_ms: 0,
            news: BTreeMap::new(),
            provider: Arc::new(r#"provider["registry.terraform.io/x/x"]"#.parse().unwrap()),
        }
    }

    /// Lives so long.
    pub(crate) fn live(&mut self, span: Ms) {
        let end = self.now + span;
        loop {
            let wakes = self.watch.wakes_at().map(|it| it.max(self.now));
            let job = self.job.as_ref().map(|it| it.0);
            assert!(self.job.is_none() || wakes.is_none(), "it waits for what is under way");
            let injury = (self.injures || self.fighters > 0).then_some(self.next_injury);
            let next = [wakes, job, injury].into_iter().flatten().min().unwrap_or(end);
            if next >= end {
                self.now = end;
                return;
            }
            self.now = next;
            if injury == Some(next) {
                self.injury();
            } else if job == Some(next) {
                let (_, job) = self.job.take().unwrap();
                let input = self.carry_out(job);
                self.say(input);
            } else {
                let idle = self.say(Input::Tick) == 0;
                let next = self.watch.wakes_at();
                assert!(!idle || next.is_none_or(|it| it > self.now), "it spins");
            }
        }
    }

    fn say(&mut self, input: Input) -> usize {
        let out = self.watch.step(self.now, input);
        let count = out.len();
        for it in out {
            let takes = 1 + self.random.below(400);
            match it {
                Output::Look(scope) => {
                    self.looks += 1;
                    assert!(!scope.is_empty());
                    assert!(self.job.is_none(), "one thing at a time");
                    self.job = Some((self.now + takes, Job::Look(scope)));
                }
                Output::Repair(repair) => {
                    assert_eq!(self.settings.mode, Mode::Repair);
                    self.repairs += 1;
                    self.repaired_at.push(self.now);
                    assert!(self.job.is_none(), "one thing at a time");
                    self.job = Some((self.now + takes, Job::Repair(repair)));
                }
                Output::Announce(news) => self.note(&news),
            }
        }
        count
    }

    fn note(&mut self, news: &News) {
        let name = match news {
            News::Drifted(_) => "drifted",
            News::Fighting(_) => "fighting",
            News::Resumed(_) => "resumed",
            News::BudgetSpent(_) => "spent",
            _ => "other",
        };
        if let News::Drifted(finding) = news
            && let Some(it) =
                self.objects.iter_mut().find(|it| finding.key.as_ref() == Some(&it.key))
            && let Some(at) = it.injured_at.take()
        {
            self.slowest_ms = self.slowest_ms.max(self.now - at);
        }
        *self.news.entry(name).or_default() += 1;
    }

    pub(crate) fn told(&self, name: &str) -> u64 {
        self.news.get(name).copied().unwrap_or_default()
    }

    pub(crate) fn reload(&mut self) {
        self.reloads += 1;
        self.say(Input::Reload { configuration: false });
    }

    fn injury(&mut self) {
        self.next_injury = self.now + 1 + self.random.below(60_000);
        for fighter in 0..self.fighters {
            if self.objects[fighter].value == Some(0) {
                self.injure(fighter, 99);
            }
        }
        if self.injures && self.random.often(70) {
            let which = self.random.below(self.objects.len() as u64) as usize;
            let value = self.random.below(1 << 40);
            self.injure(which.max(self.fighters), value);
        }
    }

    /// A value of a multiple of four is none.
    pub(crate) fn injure(&mut self, which: usize, value: u64) {
        let it = &mut self.objects[which];
        it.value = (!value.is_multiple_of(4)).then_some(value);
        if it.read == Some(0) && !it.pending && !it.accepted {
            it.injured_at.get_or_insert(self.now);
        }
        if !self.loses_events || !self.random.often(10) {
            self.touch(which);
        }
    }

    pub(crate) fn touch(&mut self, which: usize) {
        self.events += 1;
        let what = match self.faulty && self.random.often(5) {
            true => Touched::All,
            false => Touched::Object { kind: Kind("x_thing".into()), id: which.to_string().into() },
        };
        let provider = self.provider.clone();
        self.say(Input::Touched { provider, what });
    }

    fn carry_out(&mut self, job: Job) -> Input {
        match job {
            Job::Look(scope) => self.look(&scope),
            Job::Repair(repair) => Input::Repaired(self.repair(&repair)),
        }
    }

    fn look(&mut self, scope: &Scope) -> Input {
        if self.failing.0 > 0 {
            self.failing.0 -= 1;
            return Input::NotLooked(NotLooked::Failed("no answer".into()));
        }
        if self.faulty && self.random.often(10) {
            self.failures += 1;
            let why = Arc::from("no answer");
            return Input::NotLooked(match self.random.often(50) {
                true => NotLooked::Failed(why),
                false => NotLooked::Busy(why),
            });
        }
        let touched = scope.touched.get(&self.provider).cloned().unwrap_or_default();
        for (number, it) in self.objects.iter_mut().enumerate() {
            let named =
                Touched::Object { kind: Kind("x_thing".into()), id: number.to_string().into() };
            if scope.everything
                || touched.contains(&Touched::All)
                || touched.contains(&named)
                || scope.objects.contains(&it.key)
            {
                it.read = it.value;
            }
        }
        Input::Looked { report: Box::new(self.report()), unsettled: false }
    }

    fn report(&self) -> DriftReport {
        let mut report = DriftReport::default();
        for it in self.objects.iter().filter(|it| it.read != Some(0)) {
            if it.pending {
                let address = it.key.to_string().into();
                report.pending.push(Pending { address, action: Action::Update });
                continue;
            }
            let number = |it: u64| Some(Value::from(it as i64));
            let moved = it.read.map(|read| MovedAttribute {
                path: "value".into(),
                before: number(0),
                after: number(read),
                sensitive: false,
            });
            report.findings.push(Finding {
                class: if it.read.is_some() { Class::Changed } else { Class::Deleted },
                address: it.key.to_string().into(),
                key: Some(it.key.clone()),
                kind: Kind("x_thing".into()),
                provider: self.provider.clone(),
                id: "".into(),
                attributes: moved.into_iter().collect(),
                why: Vec::new(),
                repair: Some(match it.read {
                    None => Action::Create,
                    Some(_) if it.fixed => Action::Replace(ReplaceOrder::DeleteFirst),
                    Some(_) => Action::Update,
                }),
                pending: false,
                first_seen: "".into(),
                span: None,
                standing: if it.accepted { Standing::Ignored } else { Standing::Counts },
            });
        }
        report
    }

    fn repair(&mut self, repair: &Repair) -> Outcome {
        assert!(!repair.objects.is_empty());
        if self.failing.1 > 0 {
            self.failing.1 -= 1;
            return Outcome::Failed("no plan".into());
        }
        if self.faulty && self.random.often(10) {
            self.failures += 1;
            return match self.random.below(4) {
                0 => Outcome::Busy("somebody".into()),
                1 => Outcome::Stale,
                2 => Outcome::Failed("no plan".into()),
                _ => Outcome::Refused(Refusal::Destroys(Vec::new())),
            };
        }
        let window = self.settings.window_ms;
        while self.spent.front().is_some_and(|it| it + window <= self.now) {
            self.spent.pop_front();
        }
        let left = u64::from(self.settings.budget) - self.spent.len() as u64;
        assert!(u64::from(repair.changes_max) <= left);
        let mut made = Repaired::default();
        let mut failing = Vec::new();
        for it in self.objects.iter_mut().filter(|it| repair.objects.contains(&it.key)) {
            assert!(!it.accepted, "accepted drift is let be");
            assert!(!it.fixed || it.read.is_none() || self.settings.allow_destroy || it.pending);
            assert_eq!(it.pending, repair.resume);
            if it.value == Some(0) {
                it.pending = false;
                continue;
            }
            made.touched.insert(it.key.clone());
            made.changes += 1;
            self.spent.push_back(self.now);
            if self.faulty && self.random.often(20) {
                failing.push(it.key.clone());
                // The state knows of it now; or the call failed before it did.
                it.pending = self.random.often(50);
            } else {
                self.made += 1;
                (it.value, it.pending, it.injured_at) = (Some(0), false, None);
            }
        }
        assert!(made.changes <= repair.changes_max);
        assert!(self.spent.len() as u64 <= u64::from(self.settings.budget), "over the budget");
        self.failures += failing.len() as u64;
        made.owed = failing.iter().cloned().collect::<BTreeSet<_>>();
        made.failed = failing.into_iter().map(|it| (it, "refused".into())).collect();
        Outcome::Made(made)
    }

    /// Whatever may be repaired is.
    pub(crate) fn nothing_left(&self) {
        let may_be_left = |it: &Object| {
            it.accepted || it.value == Some(0) || (it.fixed && !self.settings.allow_destroy)
        };
        let left = self.objects.iter().filter(|it| !may_be_left(it));
        let left: Vec<_> = left.map(|it| (&it.key, it.value, it.pending)).collect();
        assert!(left.is_empty(), "{left:?} at {}", self.now);
    }

    /// Each look has a reason.
    pub(crate) fn no_busy_loop(&self) {
        let lived = self.now - 1_000_000;
        let regular = lived * 10 / (self.settings.interval_ms * 9) + 2;
        let most = self.events + regular + 2 * self.repairs + 2 * self.failures + self.reloads;
        assert!(self.looks <= most, "{} looks, {most} expected at most", self.looks);
        let changes = self.made + self.failures;
        let tries = changes + self.objects.len() as u64 * (lived / self.settings.truce_ms + 1) * 8;
        assert!(self.repairs <= tries + self.failures, "{} repairs", self.repairs);
    }
}
