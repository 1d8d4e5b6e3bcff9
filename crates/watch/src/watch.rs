//! The state machine.

use plumb_drift::DriftReport;

use crate::fight::{Fight, Fights};
use crate::looks::Looks;
use crate::news::differences;
use crate::repairs::Repairs;
use crate::{Input, Mode, Ms, News, NotLooked, Output, Settings, Status};

/// Decides when to look and what to repair.
#[derive(Clone, Debug)]
pub struct Watch {
    settings: Settings,
    looks: Looks,
    repairs: Repairs,
    fights: Fights,
    report: Option<DriftReport>,
    unsettled: bool,
    /// The world, or what is remembered, was changed on purpose since: nothing is decided with the
    /// report.
    stale: bool,
    /// Looks in a row that were put off because somebody works on the state.
    put_off: u32,
    doing: Doing,
    /// Right after a look a repair comes first; else one event after the other would keep it away.
    just_looked: bool,
    /// When it is worth to choose a repair again.
    choose_at: Option<Ms>,
    status: Status,
    stopped: bool,
}

/// What is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Nothing,
    Looking,
    Repairing,
}

impl Watch {
    /// A watch that looks at everything first.
    pub fn new(settings: Settings) -> Watch {
        Watch {
            settings,
            looks: Looks::default(),
            repairs: Repairs::default(),
            fights: Fights::default(),
            report: None,
            unsettled: false,
            stale: false,
            put_off: 0,
            doing: Doing::Nothing,
            just_looked: false,
            choose_at: None,
            status: Status::Starting,
            stopped: false,
        }
    }

    /// Takes in what happened. Time never goes back.
    pub fn step(&mut self, now: Ms, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        self.take(now, input, &mut out);
        self.proceed(now, &mut out);
        let status = self.current();
        if status != self.status {
            let from = std::mem::replace(&mut self.status, status);
            out.push(Output::Announce(News::Status { from, to: status }));
        }
        out
    }

    /// When to say [`Input::Tick`] next, if nothing else happens before. None: there is something
    /// under way, or nothing more is to begin.
    pub fn wakes_at(&self) -> Option<Ms> {
        if self.stopped || self.doing != Doing::Nothing {
            return None;
        }
        let look = self.looks.due_at(&self.settings);
        let truce = self.fights.next_at(&self.settings);
        [Some(look), self.choose_at, truce].into_iter().flatten().min()
    }

    /// How things are.
    pub fn status(&self) -> Status {
        self.status
    }

    /// What the last look found.
    pub fn report(&self) -> Option<&DriftReport> {
        self.report.as_ref()
    }

    /// How many objects a repair was begun of and has not succeeded yet. Their drift may no longer
    /// be seen as such: the state knows of it.
    pub fn owed(&self) -> usize {
        self.repairs.owed().len()
    }

    /// What is fought over.
    pub fn fights(&self) -> impl Iterator<Item = &Fight> {
        self.fights.all()
    }

    /// How many changes repairs may make now.
    pub fn budget_left(&mut self, now: Ms) -> u32 {
        self.repairs.budget_left(now, &self.settings)
    }

    fn take(&mut self, now: Ms, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Touched { provider, what } => self.looks.touch(now, provider, what),
            Input::Looked { report, unsettled } => self.looked(now, *report, unsettled, out),
            Input::NotLooked(why) => self.not_looked(now, why, out),
            Input::Repaired(outcome) => {
                if self.doing != Doing::Repairing {
                    return;
                }
                (self.doing, self.stale) = (Doing::Nothing, true);
                if matches!(outcome, crate::Outcome::Stale) {
                    self.looks.want_everything();
                }
                let over = self.repairs.over(now, outcome, &mut self.fights, &self.settings);
                out.extend(over.0.into_iter().map(Output::Announce));
                self.looks.want(over.1);
                // What a run left may be settled now.
                if self.unsettled {
                    self.looks.want_everything();
                }
            }
            Input::Reload { configuration } => {
                self.repairs.forget(configuration);
                let ended = self.fights.forget();
                out.extend(ended.into_iter().map(|it| Output::Announce(News::Resumed(it))));
                self.stale = true;
                self.looks.want_everything();
            }
            Input::StateMoved => {
                self.stale = true;
                self.looks.want_everything();
            }
            Input::Owed(objects) => self.repairs.owe(objects),
            Input::Tick => {}
            Input::Stop => self.stopped = true,
        }
    }

    fn looked(&mut self, now: Ms, report: DriftReport, unsettled: bool, out: &mut Vec<Output>) {
        if self.doing != Doing::Looking {
            return;
        }
        (self.doing, self.just_looked) = (Doing::Nothing, true);
        (self.unsettled, self.stale, self.put_off) = (unsettled, false, 0);
        if self.looks.seen(now, &self.settings) {
            out.push(Output::Announce(News::Sees));
        }
        self.repairs.looked(&report, unsettled);
        let fought = &self.fights;
        // That it goes back and forth was told when the fight began.
        let told =
            |it: &plumb_drift::Finding| it.key.as_ref().is_none_or(|key| !fought.contains(key));
        let mut news = differences(self.report.as_ref(), &report, told);
        // What the state took over in a repair that failed is not as it should be yet.
        let owed = self.repairs.owed();
        news.retain(|it| match it {
            News::Settled(it) => it.key.as_ref().is_none_or(|key| !owed.contains(key)),
            _ => true,
        });
        out.extend(news.into_iter().map(Output::Announce));
        for finding in plumb_drift::repairable(&report) {
            let Some(key) = &finding.key else { continue };
            if let Some(fight) = self.fights.drifted(now, key, finding, &self.settings) {
                out.push(Output::Announce(News::Fighting(fight.clone())));
            }
        }
        self.report = Some(report);
    }

    fn not_looked(&mut self, now: Ms, why: NotLooked, out: &mut Vec<Output>) {
        if self.doing != Doing::Looking {
            return;
        }
        self.doing = Doing::Nothing;
        match why {
            NotLooked::Failed(why) => {
                let (again_ms, news) = self.looks.failed(now, &self.settings);
                if news {
                    out.push(Output::Announce(News::Blind { why, again_ms }));
                }
            }
            NotLooked::Busy(holder) => {
                self.put_off += 1;
                // Whoever works on it may be done any moment.
                let wait = self.settings.backoff(self.put_off).min(5 * self.settings.backoff_ms);
                self.looks.put_off(now, wait);
                if self.put_off == 1 {
                    out.push(Output::Announce(News::Waiting(holder)));
                }
            }
        }
    }

    /// Begins what is due.
    fn proceed(&mut self, now: Ms, out: &mut Vec<Output>) {
        if self.stopped || self.doing != Doing::Nothing {
            return;
        }
        let ended = self.fights.end_old(now, &self.settings);
        let resumes = !ended.is_empty();
        out.extend(ended.into_iter().map(|it| Output::Announce(News::Resumed(it))));
        if std::mem::take(&mut self.just_looked) && self.repair(now, out) {
            return;
        }
        if self.looks.due_at(&self.settings) <= now {
            self.doing = Doing::Looking;
            out.push(Output::Look(self.looks.begin(now)));
            return;
        }
        if resumes || self.choose_at.is_some_and(|at| at <= now) {
            self.repair(now, out);
        }
    }

    /// Begins a repair if there is something to repair.
    fn repair(&mut self, now: Ms, out: &mut Vec<Output>) -> bool {
        self.choose_at = None;
        let Some(report) = &self.report else { return false };
        if self.settings.mode == Mode::Report || self.looks.failing() || self.stale {
            return false;
        }
        let choice = self.repairs.choose(now, report, self.unsettled, &self.fights, &self.settings);
        out.extend(choice.news.into_iter().map(Output::Announce));
        self.choose_at = choice.again_at;
        let Some(repair) = choice.repair else { return false };
        self.doing = Doing::Repairing;
        out.push(Output::Repair(repair));
        true
    }

    fn current(&self) -> Status {
        let Some(report) = &self.report else {
            return if self.looks.failing() { Status::Blind } else { Status::Starting };
        };
        let fought = |it: &plumb_drift::Finding| {
            it.key.as_ref().is_some_and(|key| self.fights.contains(key))
        };
        match () {
            () if self.looks.failing() => Status::Blind,
            () if report.counting().any(fought) => Status::Fighting,
            () if report.has_drift() || !self.repairs.owed().is_empty() => Status::Drifted,
            () => Status::InSync,
        }
    }
}
