//! One repair: planned anew under the lock, from a look at just what it repairs, judged, and carried
//! out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use plumb_engine::{Applied, ApplyRequest, Interrupt, Notice, Observer};
use plumb_lang::Inputs;
use plumb_model::Target;
use plumb_model::addr::{Mode, ObjectKey};
use plumb_model::event::Remote;
use plumb_model::question::{Answer, Observations, QuestionKey};
use plumb_model::state::State;
use plumb_planner::Options;
use plumb_state::{Lease, LockInfo, Opened, StoreError};
use plumb_watch::{Outcome, Repair, Repaired, permit};

use super::owed;
use super::sight::{Sight, first, holder_text};
use crate::context::store_error;
use crate::planning;

impl Sight {
    /// Repairs.
    pub(crate) async fn repair(
        &mut self,
        repair: &Repair,
        allow_destroy: bool,
        screen: &Arc<dyn Observer>,
        interrupt: &Interrupt,
    ) -> Outcome {
        let failed = |error: &StoreError| Outcome::Failed(first(&vec![store_error(error)]));
        let opened = match self.store.open(Some(&LockInfo::new("OperationTypeApply"))) {
            Ok(it) => it,
            Err(StoreError::Locked { holder, .. }) => {
                return Outcome::Busy(holder_text(holder.as_deref()));
            }
            Err(error) => return failed(&error),
        };
        let Opened { state, lease, .. } = opened;
        if state != self.state {
            drop(lease);
            return Outcome::Stale;
        }
        self.prepared.run = planning::random();
        let outcome = self.carry_out(repair, allow_destroy, state, lease, screen, interrupt).await;
        let touched = match &outcome {
            Outcome::Made(made) => made.touched.clone(),
            _ => BTreeSet::new(),
        };
        self.repaired(&touched);
        outcome
    }

    async fn carry_out(
        &self,
        repair: &Repair,
        allow_destroy: bool,
        state: State,
        mut lease: Lease,
        screen: &Arc<dyn Observer>,
        interrupt: &Interrupt,
    ) -> Outcome {
        let (prepared, options) = (&self.prepared, self.options_for(repair));
        let seen = remembered(&state, &self.seen, &repair.objects);
        let made =
            planning::make_seen(&self.engine, prepared, &options, &state, seen, screen, interrupt);
        let outcome = match made.await {
            Ok(Some(outcome)) => outcome,
            Ok(None) => return Outcome::Failed("it was interrupted".into()),
            Err(diagnostics) => return Outcome::Failed(first(&diagnostics)),
        };
        let permitted = match permit(&outcome.planned.plan, repair, allow_destroy) {
            Ok(it) => it,
            Err(refusal) => return Outcome::Refused(refusal),
        };
        let path = owed::path(&self.prepared.backend.beside());
        let note = |objects: &BTreeSet<ObjectKey>| {
            owed::write(&path, &state.lineage, &self.configuration, objects)
        };
        if let Err(error) = note(&permitted) {
            return Outcome::Failed(format!("{path} cannot be written: {error}").into());
        }
        let listener = Arc::new(Listener { screen: screen.clone(), failed: Mutex::default() });
        let observer: Arc<dyn Observer> = listener.clone();
        let inputs =
            Inputs { apply_time: Some(planning::seconds_now()), ..prepared.inputs.clone() };
        let request = ApplyRequest {
            program: &prepared.program,
            inputs: &inputs,
            outcome,
            state: state.clone(),
        };
        let applied = self.engine.apply(request, &mut lease, &observer, interrupt).await;
        let mut errors = applied.diagnostics.clone();
        errors.extend(lease.close().err().map(|it| store_error(&it)));
        errors.retain(|it| it.is_error());
        let mut failures = listener.failures();
        for it in &errors {
            let key = permitted
                .iter()
                .find(|key| it.address.as_deref() == Some(key.to_string().as_str()));
            if let Some(key) = key {
                failures.entry(key.clone()).or_insert_with(|| first(&vec![it.clone()]));
            }
        }
        let undone = undone(&applied);
        let mut owed = permitted.clone();
        owed.retain(|it| failures.contains_key(it) || undone.contains(it));
        if failures.is_empty() && !errors.is_empty() {
            // It is about all of it, such as a disk that is full.
            let why = first(&errors);
            failures.extend(repair.objects.iter().map(|it| (it.clone(), why.clone())));
        }
        let _ = note(&owed);
        let begun = permitted.iter().filter(|it| !not_begun(&applied).contains(it));
        Outcome::Made(Repaired {
            changes: u32::try_from(begun.count()).unwrap_or(u32::MAX),
            touched: permitted,
            failed: failures,
            owed,
        })
    }

    fn options_for(&self, repair: &Repair) -> Options {
        let targets = match repair.resume {
            true => repair.objects.iter().map(|it| Target::Resource(it.addr.clone())).collect(),
            false => self.prepared.options.targets.clone(),
        };
        Options { drift_only: !repair.resume, targets, ..self.prepared.options.clone() }
    }
}

/// Not begun, because something before it failed or the work ended.
fn not_begun(applied: &Applied) -> BTreeSet<&ObjectKey> {
    applied.skipped.iter().chain(&applied.remaining).collect()
}

/// Not done, as far as anybody knows.
fn undone(applied: &Applied) -> BTreeSet<ObjectKey> {
    let doubts = applied.state.in_doubt.values().map(|it| it.action.key());
    not_begun(applied).into_iter().cloned().chain(doubts).collect()
}

/// What was seen, but only these objects are looked at anew. All others count as they are
/// remembered, whatever has become of them: their drift is somebody else's, or not to be repaired,
/// and is neither set back nor taken over into the state.
fn remembered(state: &State, seen: &Observations, objects: &BTreeSet<ObjectKey>) -> Observations {
    let mut res = seen.clone();
    let doubts: BTreeSet<ObjectKey> = state.in_doubt.values().map(|it| it.action.key()).collect();
    res.retain(|it, _| match it {
        QuestionKey::Current(key) => !objects.contains(key) && !doubts.contains(key),
        QuestionKey::Made(_) => false,
        _ => true,
    });
    for (key, object) in &state.objects {
        let looked_at = objects.contains(key) || doubts.contains(key);
        if key.addr.resource.mode == Mode::Managed && !looked_at {
            let attrs = object.attrs.unmark_deep();
            let remote = Remote { attrs, private: object.private.clone(), complete: true };
            res.insert(QuestionKey::Current(key.clone()), Answer::Object(remote));
        }
    }
    res
}

/// Hears what fails.
struct Listener {
    screen: Arc<dyn Observer>,
    failed: Mutex<BTreeMap<ObjectKey, Arc<str>>>,
}

impl Listener {
    fn failures(&self) -> BTreeMap<ObjectKey, Arc<str>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Observer for Listener {
    fn notice(&self, notice: Notice<'_>) {
        if let Notice::Failed(key, _, _, diagnostic) = &notice {
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            failed.insert((*key).clone(), first(&vec![(*diagnostic).clone()]));
        }
        self.screen.notice(notice);
    }
}
