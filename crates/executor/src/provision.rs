//! Provisioners: commands that are run after an object was made or before it is deleted.
//!
//! An object whose provisioners have not all run is in the journal as tainted: whatever happens in
//! between, the next run replaces it. One that is to be deleted stays until they have run, and they
//! run again if they did not all go well.

use plumb_diag::Diagnostic;
use plumb_lang::config::{OnFailure, When};
use plumb_lang::nodes::{self, LocalExec};
use plumb_lang::{Each, ModuleId, NodeId};
use plumb_model::addr::{InstanceKey, ObjectKey};
use plumb_model::event::{Effect, Event, Remote};
use plumb_model::plan::Op;
use plumb_model::state::Token;
use plumb_model::value::Value;

use crate::prepare::site;
use crate::run::{Run, Status, Work};

/// A command to be run.
#[derive(Debug)]
pub struct ProvisionWork {
    /// The step that it belongs to.
    pub token: Token,
    /// The object it is about.
    pub key: ObjectKey,
    /// The command.
    pub command: LocalExec,
}

/// How far the provisioners of a step are.
#[derive(Clone, Debug)]
pub(crate) struct Provisioning {
    /// The next one.
    next: usize,
    /// What the call left, where they run after one.
    left: Option<Effect>,
}

/// What comes next for a step.
pub(crate) enum Provisioned {
    /// This.
    Work(Box<Work>),
    /// Nothing yet: it waits for an answer, or it has ended.
    Wait,
    /// The call it is about.
    GoOn,
}

impl Run<'_> {
    /// What a call left, tainted if provisioners are still to run.
    pub(crate) fn unprovisioned(&mut self, index: u32, left: Effect) -> Effect {
        let step = &self.input.plan.steps[index as usize];
        let Effect::Made(remote) = &left else { return left };
        if !matches!(step.op, Op::Create { .. }) || !remote.complete {
            return left;
        }
        let id = NodeId(site(step).node);
        if nodes::provisioners(self.world(), id, When::Create).next().is_none() {
            return left;
        }
        let tainted = Effect::Made(Remote { complete: false, ..remote.clone() });
        self.provisioning.insert(index, Provisioning { next: 0, left: Some(left) });
        tainted
    }

    /// The next provisioner of a step whose turn it is.
    pub(crate) fn provision(&mut self, index: u32) -> Provisioned {
        let step = &self.input.plan.steps[index as usize];
        if let Some(at) = self.provisioning.get(&index).cloned() {
            return match at.left {
                Some(_) => self.after_create(index, at.next),
                None => self.before_delete(index, at.next),
            };
        }
        match &step.op {
            Op::Delete { .. } => self.before_delete(index, 0),
            _ => Provisioned::GoOn,
        }
    }

    fn after_create(&mut self, index: u32, next: usize) -> Provisioned {
        let step = &self.input.plan.steps[index as usize];
        let (site, id) = (site(step), NodeId(site(step).node));
        let Op::Create { addr, .. } = &step.op else { return Provisioned::GoOn };
        let program = self.input.program;
        let provisioner = nodes::provisioners(self.world(), id, When::Create).nth(next).cloned();
        let Some(provisioner) = provisioner else { return self.all_ran(index) };
        let attrs = self.state.current(addr).map(|it| it.attrs.clone()).unwrap_or(Value::NULL);
        // Its block may refer to it by its address, too.
        self.know(site, addr, &attrs);
        let each = self.each(site, addr);
        let itself = each.as_ref().and_then(|(at, _)| {
            self.known.resource(id, site.module).and_then(|it| it.get(*at)).cloned()
        });
        let (itself, each) = (itself.unwrap_or(attrs), each.map(|it| it.1).unwrap_or_default());
        let module = program.node(id).module;
        self.run(index, addr.current(), (module, site.module), each, &itself, &provisioner)
    }

    fn before_delete(&mut self, index: u32, next: usize) -> Provisioned {
        let Op::Delete { key } = &self.input.plan.steps[index as usize].op else {
            return Provisioned::GoOn;
        };
        // One that was never whole has nothing to take its leave of.
        let object = self.state.objects.get(key).filter(|it| !it.tainted && key.deposed.is_none());
        let Some(attrs) = object.map(|it| it.attrs.clone()) else { return Provisioned::GoOn };
        let found = nodes::destroy_provisioners(self.input.program, &key.addr);
        let Some((module, provisioners)) = found else { return Provisioned::GoOn };
        let Some(provisioner) = provisioners.get(next).copied() else {
            self.provisioning.remove(&index);
            return Provisioned::GoOn;
        };
        let each = match &key.addr.key {
            None => Each::None,
            Some(InstanceKey::Int(at)) => Each::Count(*at),
            Some(InstanceKey::Str(at)) => Each::Each(at.clone(), Value::dynamic()),
        };
        self.provisioning.insert(index, Provisioning { next, left: None });
        self.run(index, key.clone(), (module, 0), each, &attrs, provisioner)
    }

    fn run(
        &mut self,
        index: u32,
        key: ObjectKey,
        (module, instance): (ModuleId, u32),
        each: Each,
        itself: &Value,
        provisioner: &plumb_lang::config::Provisioner,
    ) -> Provisioned {
        let mut found = Vec::new();
        let command = nodes::local_exec(
            self.world(),
            module,
            instance,
            each,
            itself,
            provisioner,
            &mut found,
        );
        if !self.asked.is_empty() {
            return match self.question(index) {
                Some(work) => Provisioned::Work(Box::new(work)),
                None => Provisioned::Wait,
            };
        }
        let token = Token { run: self.input.plan.run, step: index };
        self.diagnostics.extend(found.into_iter().map(|it| it.about(key.to_string())));
        match command {
            Some(command) => {
                self.status[index as usize] = Status::Running;
                self.commands += 1;
                let work = ProvisionWork { token, key, command };
                Provisioned::Work(Box::new(Work::Provision(Box::new(work))))
            }
            None => {
                self.give_up(index);
                Provisioned::Wait
            }
        }
    }

    /// Takes what came of a command. The step goes on when its turn comes.
    pub fn provisioned(&mut self, work: &ProvisionWork, failure: Option<Diagnostic>) {
        let index = work.token.step;
        self.commands -= 1;
        match failure {
            Some(failure) if work.command.on_failure == OnFailure::Fail => {
                self.diagnostics.push(failure);
                self.give_up(index);
            }
            _ => {
                if let Some(it) = self.provisioning.get_mut(&index) {
                    it.next += 1;
                }
                self.status[index as usize] = Status::Waiting;
                self.ready.insert(index);
            }
        }
    }

    /// The command was not run after all, and will not be in this run.
    pub fn unprovision(&mut self, work: &ProvisionWork) {
        self.commands -= 1;
        self.status[work.token.step as usize] = Status::Waiting;
    }

    /// A provisioner failed. What the object says of itself is heard all the same.
    fn give_up(&mut self, index: u32) {
        let step = &self.input.plan.steps[index as usize];
        let at = self.provisioning.remove(&index);
        if let (Some(Provisioning { left: Some(_), .. }), Op::Create { addr, .. }) = (at, &step.op)
        {
            self.postconditions(site(step), addr);
            self.asked.take();
        }
        self.conclude(index, false);
    }

    /// All went well: the object is whole.
    fn all_ran(&mut self, index: u32) -> Provisioned {
        let step = &self.input.plan.steps[index as usize];
        let Op::Create { addr, .. } = &step.op else { return Provisioned::GoOn };
        let left = self.provisioning.remove(&index).and_then(|it| it.left);
        let (key, left) = (addr.current(), left.unwrap_or(Effect::Nothing));
        let mut work = Provisioned::Wait;
        if let Some(object) = self.state.objects.get(&key).cloned() {
            let object = plumb_model::state::Object { tainted: false, ..object };
            let event = Event::Recorded { key, object };
            self.record(&event);
            work = Provisioned::Work(Box::new(Work::Record(event)));
        }
        let verdict = self.judge(index, &left);
        self.judged(index, verdict);
        work
    }
}
