//! Which drift is repaired next, and what became of earlier repairs.

use std::collections::{BTreeMap, BTreeSet};

use plumb_drift::{DriftReport, Finding, repairable};
use plumb_model::addr::ObjectKey;
use plumb_model::plan::Action;

use crate::budget::Budget;
use crate::fight::Fights;
use crate::{Held, Ms, News, Outcome, Refusal, Repair, Repaired, Settings};

/// Objects that need repair, and what was tried.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repairs {
    patients: BTreeMap<ObjectKey, Patient>,
    /// What earlier repairs had set out to do and have not done.
    owed: BTreeSet<ObjectKey>,
    budget: Budget,
    budget_spent: bool,
    /// No repair begins earlier.
    not_before: Ms,
    /// How often in a row there was no getting at the state.
    turned_away: u32,
    /// How often in a row it was tried to settle what a run left.
    settles: u32,
    under_way: Option<(Repair, BTreeMap<ObjectKey, Finding>)>,
}

#[derive(Clone, Debug, Default)]
struct Patient {
    failures: u32,
    not_before: Ms,
    /// It is repaired by itself: together with others it was refused.
    alone: bool,
    held: Option<Ms>,
}

/// What to do next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choice {
    pub(crate) news: Vec<News>,
    pub(crate) repair: Option<Repair>,
    /// When it is worth to choose again.
    pub(crate) again_at: Option<Ms>,
}

impl Repairs {
    /// An earlier life, or a repair, had set out to do this.
    pub(crate) fn owe(&mut self, objects: BTreeSet<ObjectKey>) {
        self.owed.extend(objects);
    }

    /// Everything may be tried again. What is owed was planned with the old configuration.
    pub(crate) fn forget(&mut self, configuration: bool) {
        self.patients.clear();
        (self.not_before, self.turned_away, self.settles) = (0, 0, 0);
        if configuration {
            self.owed.clear();
        }
    }

    /// What was begun and is not done. Its drift may no longer be seen as such: the state knows of
    /// it.
    pub(crate) fn owed(&self) -> &BTreeSet<ObjectKey> {
        &self.owed
    }

    /// How many changes may be made now.
    pub(crate) fn budget_left(&mut self, now: Ms, settings: &Settings) -> u32 {
        self.budget.left(now, settings.budget, settings.window_ms)
    }

    /// Takes in what a look found.
    pub(crate) fn looked(&mut self, report: &DriftReport, unsettled: bool) {
        let drifting: BTreeSet<&ObjectKey> =
            repairable(report).filter_map(|it| it.key.as_ref()).collect();
        let pending: BTreeSet<&str> = report.pending.iter().map(|it| &*it.address).collect();
        self.owed.retain(|it| drifting.contains(it) || pending.contains(&*it.to_string()));
        let owed = &self.owed;
        self.patients.retain(|it, _| drifting.contains(it) || owed.contains(it));
        if !unsettled {
            self.settles = 0;
        }
    }

    /// Chooses what to repair now, if anything.
    pub(crate) fn choose(
        &mut self,
        now: Ms,
        report: &DriftReport,
        unsettled: bool,
        fights: &Fights,
        settings: &Settings,
    ) -> Choice {
        let mut choice = Choice::default();
        self.release(now, settings);
        let drifting: BTreeMap<ObjectKey, &Finding> =
            repairable(report).filter_map(|it| Some((it.key.clone()?, it))).collect();
        let owed = self.owed.iter().filter(|it| !drifting.contains_key(it));
        let candidates: Vec<(ObjectKey, Option<&Finding>)> = (drifting.iter())
            .map(|(key, it)| (key.clone(), Some(*it)))
            .chain(owed.map(|it| (it.clone(), None)))
            .filter(|it| !fights.contains(&it.0))
            .collect();
        let mut ready: Vec<(&ObjectKey, bool, bool)> = Vec::new();
        for (key, finding) in &candidates {
            let patient = self.patients.entry(key.clone()).or_default();
            if patient.held.is_some() {
                continue;
            }
            if finding.is_some_and(destroys) && !settings.allow_destroy {
                patient.held = Some(now);
                choice.news.push(held(key, Held::Destroys(vec![key.clone()])));
                continue;
            }
            let at = patient.not_before.max(self.not_before);
            if at > now {
                choice.again_at = Some(choice.again_at.map_or(at, |it: Ms| it.min(at)));
                continue;
            }
            ready.push((key, finding.is_none(), patient.alone));
        }
        let settles = unsettled && self.not_before <= now;
        if unsettled && !settles {
            choice.again_at = Some(choice.again_at.unwrap_or(Ms::MAX).min(self.not_before));
        }
        if ready.is_empty() && !settles {
            return choice.until(self.next_release(settings));
        }
        let left = self.budget_left(now, settings);
        if left == 0 && !ready.is_empty() {
            return self.spent(now, 1, settings, choice);
        }
        if left > 0 && std::mem::take(&mut self.budget_spent) {
            choice.news.push(News::BudgetFree);
        }
        let together = |resume: bool| -> BTreeSet<ObjectKey> {
            let them = ready.iter().filter(|it| it.1 == resume && !it.2);
            them.take(left as usize).map(|it| it.0.clone()).collect()
        };
        let (mut objects, mut resume) = (together(false), false);
        if objects.is_empty() {
            (objects, resume) = (together(true), true);
        }
        if objects.is_empty()
            && let Some((key, owed, _)) = ready.first()
        {
            (objects, resume) = (BTreeSet::from([(*key).clone()]), *owed);
        }
        resume &= !objects.is_empty();
        let repair = Repair { objects, resume, changes_max: left };
        choice.news.push(News::Repairing(repair.objects.iter().cloned().collect()));
        let findings = repair.objects.iter();
        let findings =
            findings.filter_map(|it| Some((it.clone(), (*drifting.get(it)?).clone()))).collect();
        self.under_way = Some((repair.clone(), findings));
        choice.repair = Some(repair);
        choice
    }

    /// The budget does not allow for so many changes now.
    fn spent(&mut self, now: Ms, wanted: u32, settings: &Settings, mut choice: Choice) -> Choice {
        let at = self.budget.when(wanted, settings.budget, settings.window_ms);
        let wait = at.map_or(settings.window_ms, |it| it.saturating_sub(now));
        if !std::mem::replace(&mut self.budget_spent, true) {
            choice.news.push(News::BudgetSpent(wait));
        }
        choice.until(Some(now.saturating_add(wait.max(1))))
    }

    /// Those that were held long enough are tried again.
    fn release(&mut self, now: Ms, settings: &Settings) {
        for it in self.patients.values_mut() {
            if it.held.is_some_and(|at| at.saturating_add(settings.truce_ms) <= now) {
                *it = Patient { alone: it.alone, ..Patient::default() };
            }
        }
    }

    fn next_release(&self, settings: &Settings) -> Option<Ms> {
        let held = self.patients.values().filter_map(|it| it.held);
        held.map(|at| at.saturating_add(settings.truce_ms)).min()
    }

    /// Takes in what came of a repair: what to tell, and what to look at again.
    pub(crate) fn over(
        &mut self,
        now: Ms,
        outcome: Outcome,
        fights: &mut Fights,
        settings: &Settings,
    ) -> (Vec<News>, BTreeSet<ObjectKey>) {
        let Some((repair, findings)) = self.under_way.take() else {
            return Default::default();
        };
        if !matches!(outcome, Outcome::Busy(_) | Outcome::Stale) {
            self.turned_away = 0;
        }
        if repair.objects.is_empty() {
            self.settles += 1;
            self.not_before = now.saturating_add(settings.backoff(self.settles));
        }
        match outcome {
            Outcome::Made(made) => self.made(now, repair, &findings, made, fights, settings),
            Outcome::Refused(refusal) => {
                (self.refused(now, repair, refusal, settings), BTreeSet::new())
            }
            Outcome::Busy(holder) => {
                self.turned_away += 1;
                self.not_before = now.saturating_add(settings.backoff(self.turned_away));
                let news = (self.turned_away == 1).then_some(News::Waiting(holder));
                (news.into_iter().collect(), repair.objects)
            }
            Outcome::Stale => {
                self.turned_away += 1;
                self.not_before = now.saturating_add(settings.backoff(self.turned_away));
                (Vec::new(), repair.objects)
            }
            Outcome::Failed(why) => {
                let alone = repair.objects.len() > 1;
                let mut news = Vec::new();
                for key in &repair.objects {
                    news.extend(self.failed(now, key, &why, settings));
                    self.patients.entry(key.clone()).or_default().alone |= alone;
                }
                (news, repair.objects)
            }
        }
    }

    fn made(
        &mut self,
        now: Ms,
        repair: Repair,
        findings: &BTreeMap<ObjectKey, Finding>,
        made: Repaired,
        fights: &mut Fights,
        settings: &Settings,
    ) -> (Vec<News>, BTreeSet<ObjectKey>) {
        self.budget.spend(now, made.changes);
        self.owed.retain(|it| !repair.objects.contains(it) && !made.touched.contains(it));
        self.owed.extend(made.owed.iter().cloned());
        let mut news = Vec::new();
        for (key, why) in &made.failed {
            news.extend(self.failed(now, key, why, settings));
        }
        for key in &repair.objects {
            if made.failed.contains_key(key) || made.owed.contains(key) {
                continue;
            }
            if !made.touched.contains(key) {
                // It is as it should be meanwhile, or the next look says why not; in its own time.
                let patient = self.patients.entry(key.clone()).or_default();
                patient.failures += 1;
                patient.not_before = now.saturating_add(settings.backoff(patient.failures));
                continue;
            }
            self.patients.remove(key);
            news.push(News::Repaired(key.clone()));
            if let Some(finding) = findings.get(key) {
                fights.repaired(now, key, finding);
            }
        }
        let mut touched = made.touched;
        touched.extend(repair.objects);
        (news, touched)
    }

    fn failed(&mut self, now: Ms, key: &ObjectKey, why: &str, settings: &Settings) -> Vec<News> {
        let patient = self.patients.entry(key.clone()).or_default();
        patient.failures += 1;
        let wait = settings.backoff(patient.failures);
        patient.not_before = now.saturating_add(wait);
        let over = patient.failures >= settings.retries_max.max(1);
        if over {
            patient.held = Some(now);
        }
        let again_ms = (!over).then_some(wait);
        let mut news = vec![News::NotRepaired { key: key.clone(), why: why.into(), again_ms }];
        news.extend(over.then(|| held(key, Held::Failed)));
        news
    }

    /// One by one it may be found out which of them is to blame.
    fn refused(
        &mut self,
        now: Ms,
        repair: Repair,
        refusal: Refusal,
        settings: &Settings,
    ) -> Vec<News> {
        let mut news = Vec::new();
        let alone = repair.objects.len() == 1;
        for key in &repair.objects {
            let patient = self.patients.entry(key.clone()).or_default();
            patient.alone = true;
            if !alone {
                continue;
            }
            let why = match &refusal {
                Refusal::Destroys(them) => Held::Destroys(them.clone()),
                Refusal::Others(them) => Held::Pending(them.clone()),
                Refusal::Budget { needs, .. } if *needs > settings.budget => {
                    Held::TooMany { needs: *needs, budget: settings.budget }
                }
                Refusal::Budget { needs, .. } => {
                    let at = self.budget.when(*needs, settings.budget, settings.window_ms);
                    patient.not_before = at.unwrap_or(now).max(now + 1);
                    if !std::mem::replace(&mut self.budget_spent, true) {
                        news.push(News::BudgetSpent(patient.not_before - now));
                    }
                    continue;
                }
            };
            patient.held = Some(now);
            news.push(held(key, why));
        }
        news
    }
}

impl Choice {
    fn until(mut self, at: Option<Ms>) -> Choice {
        self.again_at = [self.again_at, at].into_iter().flatten().min();
        self
    }
}

fn destroys(finding: &Finding) -> bool {
    matches!(finding.repair, Some(Action::Replace(_) | Action::Delete | Action::Forget))
}

fn held(key: &ObjectKey, held: Held) -> News {
    News::Held { key: key.clone(), held }
}
