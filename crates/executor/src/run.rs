//! One apply in progress.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_lang::{Asked, Inputs, Known, NodeKind, Program, World, nodes};
use plumb_model::addr::{Addr, Kind, ObjectKey, ProviderAddr};
use plumb_model::event::{Effect, Event, Intent, Remote};
use plumb_model::plan::{Op, Plan, Reason, Replaced, Step};
use plumb_model::question::{Answer, Observations, Question, QuestionKey};
use plumb_model::schema::Schemas;
use plumb_model::state::{State, Token};
use plumb_model::value::Value;

use crate::judge::Verdict;
use crate::prepare::{Prepared, site};
use crate::provision::{ProvisionWork, Provisioned, Provisioning};

/// What a run works with.
#[derive(Clone, Copy)]
pub struct RunInput<'a> {
    /// The configuration that was planned.
    pub program: &'a Program,
    /// What comes from outside, the time of the apply included.
    pub inputs: &'a Inputs,
    /// What the providers say of themselves.
    pub schemas: &'a Schemas,
    /// What to do.
    pub plan: &'a Plan,
    /// By source of the provider: how many calls and questions it takes at a time. One that is not
    /// here takes any number.
    pub limits: &'a BTreeMap<Arc<str>, usize>,
}

/// One apply in progress.
pub struct Run<'a> {
    pub(crate) input: RunInput<'a>,
    pub(crate) known: Known,
    pub(crate) seen: Observations,
    pub(crate) asked: Asked,
    pub(crate) state: State,
    pub(crate) providers: BTreeMap<Arc<ProviderAddr>, Value>,
    pub(crate) diagnostics: Diagnostics,
    pub(crate) replaced: Replaced,
    pub(crate) status: Vec<Status>,
    /// By step: how many it still waits for.
    waits: Vec<u32>,
    /// By step: who waits for it.
    dependents: Vec<Vec<u32>>,
    pub(crate) ready: BTreeSet<u32>,
    /// By source of the provider: ready, but their provider has enough to do.
    held: BTreeMap<Arc<str>, BTreeSet<u32>>,
    /// By step: whom its call is made to.
    calling: BTreeMap<u32, Arc<str>>,
    answering: BTreeMap<QuestionKey, Answering>,
    /// By source of the provider, for those that have a limit: calls and questions under way.
    busy: BTreeMap<Arc<str>, usize>,
    /// Steps whose call was recorded, and whose judgement waits for a fact.
    pub(crate) judging: BTreeSet<u32>,
    /// By step: how far its provisioners are.
    pub(crate) provisioning: BTreeMap<u32, Provisioning>,
    /// Commands of provisioners that are run.
    pub(crate) commands: usize,
    summary: Summary,
}

/// A question under way.
struct Answering {
    /// The steps that wait for it.
    steps: Vec<u32>,
    /// The provider that is asked.
    source: Option<Arc<str>>,
}

/// Where a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Not its turn yet.
    Waiting,
    /// Its call is made.
    Running,
    /// It went well.
    Done,
    /// It did not.
    Failed,
    /// Something before it did not.
    Skipped,
}

/// What the driver should do next.
#[derive(Debug)]
pub enum Work {
    /// Write this; nothing else.
    Record(Event),
    /// Answer this, with [`Run::answer`].
    Ask(Box<Question>, Value),
    /// Make a call and say what came of it, with [`Run::finish`], [`Run::lose`] or, if it was not
    /// made after all, [`Run::withdraw`].
    Call(Box<CallWork>),
    /// Once everything so far is written, run this, and say what came of it with
    /// [`Run::provisioned`] or, if it was not run after all, [`Run::unprovision`].
    Provision(Box<ProvisionWork>),
}

/// A call to be made.
#[derive(Debug)]
pub struct CallWork {
    /// To be written, durably, before the call is made.
    pub started: Event,
    /// Its name.
    pub token: Token,
    /// The object it is about.
    pub key: ObjectKey,
    /// Its type.
    pub kind: Kind,
    /// Whose it is.
    pub provider: Arc<ProviderAddr>,
    /// The configuration of that.
    pub config: Value,
    /// What to call.
    pub call: Call,
}

/// What to call. Values are unmarked and wholly known; what the provider is to choose is null.
#[derive(Clone, Debug)]
pub enum Call {
    /// Make it.
    Create {
        /// As it is to be.
        planned: Value,
    },
    /// Change it.
    Update {
        /// As it is.
        prior: Remote,
        /// As it is to be.
        planned: Value,
    },
    /// Delete it.
    Delete {
        /// As it is.
        prior: Remote,
    },
}

/// What a run has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Objects made.
    pub added: usize,
    /// Objects changed.
    pub changed: usize,
    /// Objects deleted.
    pub destroyed: usize,
    /// Objects brought in.
    pub imported: usize,
    /// Objects forgotten.
    pub forgotten: usize,
}

impl<'a> Run<'a> {
    /// Starts a run from the state that was planned from. The returned events are the first lines
    /// of its journal.
    pub fn begin(
        input: RunInput<'a>,
        known: Known,
        seen: Observations,
        providers: BTreeMap<Arc<ProviderAddr>, Value>,
        state: State,
    ) -> (Run<'a>, Vec<Event>) {
        let steps = &input.plan.steps;
        let mut dependents = vec![Vec::new(); steps.len()];
        let mut waits = Vec::with_capacity(steps.len());
        for (index, step) in steps.iter().enumerate() {
            waits.push(step.after.len() as u32);
            for it in &step.after {
                dependents[it.0 as usize].push(index as u32);
            }
        }
        let ready = (0..steps.len() as u32).filter(|it| waits[*it as usize] == 0).collect();
        // What checks look at is looked at anew.
        let again = |it: &plumb_model::addr::Addr| {
            let change = input.plan.changes.get(&it.current());
            change.is_some_and(|it| it.reason == Some(Reason::ReadBecauseCheckNested))
        };
        let mut seen = seen;
        seen.retain(|key, _| !matches!(key, QuestionKey::Data(addr, _) if again(addr)));
        let imported = input.plan.changes.values().filter(|it| it.importing.is_some()).count();
        let mut run = Run {
            input,
            known,
            seen,
            asked: Asked::default(),
            state,
            providers,
            diagnostics: Vec::new(),
            replaced: Replaced::of(&input.plan.changes),
            status: vec![Status::Waiting; steps.len()],
            waits,
            dependents,
            ready,
            held: BTreeMap::new(),
            calling: BTreeMap::new(),
            answering: BTreeMap::new(),
            busy: BTreeMap::new(),
            judging: BTreeSet::new(),
            provisioning: BTreeMap::new(),
            commands: 0,
            summary: Summary { imported, ..Summary::default() },
        };
        let started = Event::RunStarted { run: input.plan.run };
        let events: Vec<Event> =
            std::iter::once(started).chain(input.plan.refresh.iter().cloned()).collect();
        events.iter().for_each(|it| run.record(it));
        (run, events)
    }

    /// What is remembered now.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The state, when the run is over.
    pub fn into_state(self) -> State {
        self.state
    }

    /// What everything is now.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// Where every step is.
    pub fn status(&self) -> &[Status] {
        &self.status
    }

    /// What was done so far.
    pub fn summary(&self) -> Summary {
        self.summary
    }

    /// What went wrong since the last time this was asked.
    pub fn take_diagnostics(&mut self) -> Diagnostics {
        std::mem::take(&mut self.diagnostics)
    }

    /// Whether every step is done, failed, or skipped.
    pub fn is_over(&self) -> bool {
        self.ready.is_empty()
            && self.held.values().all(BTreeSet::is_empty)
            && self.calling.is_empty()
            && self.answering.is_empty()
            && self.commands == 0
    }

    pub(crate) fn world(&self) -> World<'_> {
        World {
            program: self.input.program,
            inputs: self.input.inputs,
            seen: &self.seen,
            known: &self.known,
            asked: &self.asked,
        }
    }

    /// The next thing to do, if something is ready. Steps come in the order of the plan, except
    /// that one whose provider has enough to do lets others go first.
    pub fn next_work(&mut self) -> Option<Work> {
        while let Some(index) = self.next_step() {
            if self.judging.remove(&index) {
                if let Some(work) = self.judge_again(index) {
                    return Some(work);
                }
                continue;
            }
            match self.provision(index) {
                Provisioned::Work(work) => return Some(*work),
                Provisioned::Wait => continue,
                Provisioned::GoOn => {}
            }
            let step = &self.input.plan.steps[index as usize];
            match self.prepare(step) {
                Prepared::Done => self.conclude(index, true),
                Prepared::Failed => self.conclude(index, false),
                Prepared::Record(event) => {
                    self.record(&event);
                    if let Event::Forgotten { .. } = event {
                        self.summary.forgotten += 1;
                    }
                    if let Op::Update { .. } = step.op {
                        self.summary.changed += 1;
                    }
                    self.conclude(index, true);
                    return Some(Work::Record(event));
                }
                Prepared::Ask => {
                    if let Some(work) = self.question(index) {
                        return Some(work);
                    }
                }
                Prepared::Call(call, intent) => {
                    return Some(Work::Call(Box::new(self.call(index, call, *intent))));
                }
            }
        }
        None
    }

    /// The first step that is ready and whose provider has time for it.
    fn next_step(&mut self) -> Option<u32> {
        let limits = self.input.limits;
        let has_room = |busy: &BTreeMap<Arc<str>, usize>, source: &Arc<str>| {
            let limit = limits.get(source);
            limit.is_none_or(|limit| busy.get(source).copied().unwrap_or(0) < *limit)
        };
        for (source, steps) in &mut self.held {
            if has_room(&self.busy, source)
                && let Some(index) = steps.pop_first()
            {
                return Some(index);
            }
        }
        while let Some(index) = self.ready.pop_first() {
            match self.source(index).filter(|it| !has_room(&self.busy, it)) {
                Some(source) => _ = self.held.entry(source).or_default().insert(index),
                None => return Some(index),
            }
        }
        None
    }

    /// The provider that a step may call, if that has a limit.
    fn source(&self, index: u32) -> Option<Arc<str>> {
        if self.input.limits.is_empty() {
            return None;
        }
        let provider = match &self.input.plan.steps[index as usize].op {
            Op::Create { addr, .. } | Op::Update { addr } | Op::Read { addr } => {
                &self.input.plan.changes.get(&addr.current())?.provider
            }
            Op::Delete { key } => &self.state.objects.get(key)?.provider,
            Op::Forget { .. } | Op::Rebind { .. } | Op::Evaluate | Op::Join => return None,
        };
        Some(provider.source.clone())
    }

    fn occupy(&mut self, source: &Arc<str>) {
        if self.input.limits.contains_key(source) {
            *self.busy.entry(source.clone()).or_default() += 1;
        }
    }

    fn release(&mut self, source: &Arc<str>) {
        if let Some(busy) = self.busy.get_mut(source) {
            *busy -= 1;
        }
    }

    /// The question that a step waits for from now on; nothing if it is asked already.
    pub(crate) fn question(&mut self, index: u32) -> Option<Work> {
        // One at a time: a step that waited in two places would be made twice.
        let asked = self.asked.take().pop_first();
        let (key, question) = asked.unwrap_or_else(|| panic!("step {index} waits for nothing"));
        if let Some(answering) = self.answering.get_mut(&key) {
            answering.steps.push(index);
            return None;
        }
        let source = question.provider.as_ref().map(|it| it.source.clone());
        if let Some(source) = &source {
            self.occupy(source);
        }
        self.answering.insert(key, Answering { steps: vec![index], source });
        let config = question.provider.as_ref().map_or(Value::NULL, |it| self.config_of(it));
        Some(Work::Ask(Box::new(question), config))
    }

    /// How a provider is configured. Where only objects are left and no block speaks of it, as one
    /// without settings; the planner saw to it that it can be.
    fn config_of(&self, provider: &Arc<ProviderAddr>) -> Value {
        let schema = || self.input.schemas.providers.get(&provider.source);
        match self.providers.get(provider) {
            Some(config) => config.clone(),
            None => schema().map_or(Value::NULL, |it| nodes::empty_config(it)),
        }
    }

    fn call(&mut self, index: u32, call: Call, intent: Intent) -> CallWork {
        let token = Token { run: self.input.plan.run, step: index };
        let key = intent.action.key();
        let provider = intent.provider.clone();
        let config = self.config_of(&provider);
        self.status[index as usize] = Status::Running;
        self.occupy(&provider.source);
        self.calling.insert(index, provider.source.clone());
        let started = Event::Started { token, intent };
        self.record(&started);
        let kind = key.addr.resource.kind.clone();
        CallWork { started, token, key, kind, provider, config, call }
    }

    /// Takes the answer to a question that [`Work::Ask`] asked.
    pub fn answer(&mut self, key: QuestionKey, answer: Answer) {
        if let Some(Answering { steps, source }) = self.answering.remove(&key) {
            self.ready.extend(steps);
            if let Some(source) = source {
                self.release(&source);
            }
        }
        self.seen.insert(key, answer);
    }

    /// Takes the result of a call. What happened is recorded first and judged second. Returns what
    /// is to be written.
    pub fn finish(
        &mut self,
        token: Token,
        left: Effect,
        failure: Option<Diagnostic>,
    ) -> Vec<Event> {
        self.called(token);
        let (left, aside) = self.masked(token, left, failure.is_some());
        let left = match failure {
            Some(_) => left,
            None => self.unprovisioned(token.step, left),
        };
        let mut events = vec![Event::Finished { token, left: left.clone() }];
        self.record(&events[0]);
        if let Some(seen) = self.seen_aside(token, aside) {
            self.record(&seen);
            events.push(seen);
        }
        let left = &left;
        let op = &self.input.plan.steps[token.step as usize].op;
        match (op, left) {
            (Op::Create { .. }, Effect::Made(_)) => self.summary.added += 1,
            (Op::Update { .. }, Effect::Made(_)) if failure.is_none() => self.summary.changed += 1,
            (Op::Delete { .. }, Effect::Deleted) => self.summary.destroyed += 1,
            _ => {}
        }
        if self.provisioning.contains_key(&token.step) {
            // It is judged when its provisioners have run.
            self.status[token.step as usize] = Status::Waiting;
            self.ready.insert(token.step);
            return events;
        }
        let verdict = match failure {
            Some(failure) => {
                self.diagnostics.push(failure);
                Verdict::Failed
            }
            None => self.judge(token.step, left),
        };
        self.judged(token.step, verdict);
        events
    }

    /// Ends a step as it was judged, or has it judged again when its turn comes.
    pub(crate) fn judged(&mut self, index: u32, verdict: Verdict) {
        match verdict {
            Verdict::Kept => self.conclude(index, true),
            Verdict::Failed => self.conclude(index, false),
            Verdict::Asks => {
                self.asked.take();
                self.judging.insert(index);
                self.ready.insert(index);
            }
        }
    }

    /// What the arguments that are not managed are from now on, if that is news.
    fn seen_aside(&self, token: Token, unmanaged: Option<Value>) -> Option<Event> {
        let key = self.object(token)?;
        let object = self.state.objects.get(&key)?;
        (object.unmanaged != unmanaged).then_some(Event::Seen { key, unmanaged })
    }

    /// A judgement that was put off because a fact was missing.
    fn judge_again(&mut self, index: u32) -> Option<Work> {
        let step = &self.input.plan.steps[index as usize];
        let verdict = match step.op.addr() {
            Some(addr) => self.postconditions(site(step), addr),
            None => Verdict::Kept,
        };
        match verdict {
            Verdict::Kept => self.conclude(index, true),
            Verdict::Failed => self.conclude(index, false),
            Verdict::Asks => {
                self.judging.insert(index);
                return self.question(index);
            }
        }
        None
    }

    /// No answer will come. The call stays in doubt until the next plan looks into it.
    pub fn lose(&mut self, token: Token, failure: Diagnostic) {
        self.called(token);
        self.diagnostics.push(failure);
        self.conclude(token.step, false);
    }

    /// The call was not made, and nothing was written of it. Its step is ready again.
    pub fn withdraw(&mut self, token: Token) {
        self.called(token);
        self.record(&Event::Finished { token, left: Effect::Nothing });
        self.status[token.step as usize] = Status::Waiting;
        self.ready.insert(token.step);
    }

    /// A call is over, however it ended.
    fn called(&mut self, token: Token) {
        let source = self.calling.remove(&token.step);
        let source = source.unwrap_or_else(|| panic!("{token} ends, but it is not under way"));
        self.release(&source);
    }

    /// The last lines of the journal: the outputs, as far as they are known.
    pub fn end(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        let root = self.input.program.modules.first();
        for (name, change) in &self.input.plan.outputs {
            let node = root.and_then(|it| it.names.outputs.get(name));
            let value = match node {
                Some(node) if change.after.is_some() => {
                    let failed = self.evaluation_failed(node.0);
                    match self.known.value(*node, 0) {
                        Some(value) if !failed && value.is_wholly_known() => {
                            Some(value.clone()).filter(|it| !it.is_null())
                        }
                        // Not known, as something failed: the old value stands.
                        _ => continue,
                    }
                }
                _ => None,
            };
            if self.state.outputs.get(name) != value.as_ref() {
                events.push(Event::Output { name: name.clone(), value });
            }
        }
        let results = self.asked.checks(&self.input.plan.checks);
        if self.state.checks != results {
            events.push(Event::Checked { results });
        }
        events.iter().for_each(|it| self.record(it));
        events
    }

    fn evaluation_failed(&self, node: u32) -> bool {
        let NodeKind::Output(_) = self.input.program.nodes[node as usize].kind else {
            return false;
        };
        // Only its own evaluation matters; it was skipped if something before it failed.
        let of_node = |step: &plumb_model::plan::Step| step.site.is_some_and(|it| it.node == node);
        self.input
            .plan
            .steps
            .iter()
            .zip(&self.status)
            .any(|(step, status)| of_node(step) && *status != Status::Done)
    }

    /// Whether a step failed.
    pub fn failed(&self) -> bool {
        self.status.contains(&Status::Failed)
    }

    /// The object that a call was about.
    pub fn object(&self, token: Token) -> Option<ObjectKey> {
        object(self.input.plan.steps.get(token.step as usize)?)
    }

    /// The objects with a step that was skipped, because one before it failed.
    pub fn skipped(&self) -> Vec<ObjectKey> {
        self.objects(Status::Skipped)
    }

    /// The objects with a step that was not begun.
    pub fn remaining(&self) -> Vec<ObjectKey> {
        self.objects(Status::Waiting)
    }

    fn objects(&self, wanted: Status) -> Vec<ObjectKey> {
        let steps = self.input.plan.steps.iter().zip(&self.status);
        let wanted = steps.filter(|(_, status)| **status == wanted);
        let keys = wanted.filter_map(|(step, _)| object(step));
        // An object that is replaced has two steps.
        let mut named = BTreeSet::new();
        keys.filter(|it| named.insert(it.clone())).collect()
    }

    /// Ends a step: who waits for it may go on, or is skipped.
    pub(crate) fn conclude(&mut self, index: u32, succeeded: bool) {
        if succeeded {
            self.status[index as usize] = Status::Done;
            for dependent in &self.dependents[index as usize] {
                let waits = &mut self.waits[*dependent as usize];
                *waits -= 1;
                if *waits == 0 && self.status[*dependent as usize] == Status::Waiting {
                    self.ready.insert(*dependent);
                }
            }
            return;
        }
        self.status[index as usize] = Status::Failed;
        let mut queue = self.dependents[index as usize].clone();
        while let Some(dependent) = queue.pop() {
            let status = &mut self.status[dependent as usize];
            if *status == Status::Waiting {
                *status = Status::Skipped;
                queue.extend_from_slice(&self.dependents[dependent as usize]);
            }
        }
    }

    pub(crate) fn record(&mut self, event: &Event) {
        if let Err(bug) = self.state.record(event) {
            panic!("the run emits only legal events: {bug}");
        }
    }
}

/// The object that a step is about.
fn object(step: &Step) -> Option<ObjectKey> {
    match &step.op {
        Op::Delete { key } | Op::Forget { key } => Some(key.clone()),
        op => op.addr().map(Addr::current),
    }
}
