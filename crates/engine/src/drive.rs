//! Drives a run: journal first, then calls, side by side, until nothing is left or somebody wants
//! it to end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use plumb_diag::Diagnostic;
use plumb_executor::{CallWork, ProvisionWork, Run, Work};
use plumb_lang::Program;
use plumb_model::event::{Effect, Event};
use plumb_model::question::{Answer, QuestionKey};
use plumb_provider::{Failure, Outcome};
use plumb_state::StoreError;
use tokio::task::{JoinError, JoinSet, yield_now};

use crate::apply::Applied;
use crate::awake::{Awake, TICK};
use crate::call::{call, call_local, diagnostic, id, operation};
use crate::failures::store_error;
use crate::journal::Journal;
use crate::local_exec::local_exec;
use crate::observe::{Notice, Observer, id_of};
use crate::{Engine, Interrupt};

/// Events that are gathered before they are written, when no call waits for them.
const BATCH_MAX: usize = 2048;
/// How long calls get to end by themselves after the second interrupt.
const GRACE: Duration = Duration::from_millis(1500);

/// One apply in progress.
pub(crate) struct Driver<'a> {
    engine: Arc<Engine>,
    /// Where what fails is written.
    program: &'a Program,
    run: Run<'a>,
    journal: &'a mut (dyn Journal + Send),
    observer: Arc<dyn Observer>,
    /// Events not written yet, in order. Nothing outside this process relies on them.
    batch: Vec<Event>,
    /// Calls that wait for their intent to be written.
    #[expect(clippy::vec_box, reason = "they come and go in boxes")]
    calls: Vec<Box<CallWork>>,
    /// Commands that wait for what was before them to be written.
    #[expect(clippy::vec_box, reason = "they come and go in boxes")]
    commands: Vec<Box<ProvisionWork>>,
    /// The journal could not be written: nothing new is started.
    broken: Option<StoreError>,
    /// Calls and questions under way.
    tasks: JoinSet<Back>,
    awake: Arc<Awake>,
}

/// Of a call that did not go on.
fn overslept() -> Failure {
    let detail = "The process was stopped or suspended in the midst of the call, and lost its lock on \
                  the state meanwhile. The call was left where it was; the next plan looks into what \
                  it did.";
    Failure::new("The lock was lost", detail)
}

/// What a task comes back with.
enum Back {
    Called(Box<CallWork>, Instant, Outcome),
    Answered(QuestionKey, Answer),
    Provisioned(Box<ProvisionWork>, Option<Diagnostic>),
}

impl<'a> Driver<'a> {
    /// A driver that has `first` to write.
    pub(crate) fn new(
        engine: Arc<Engine>,
        program: &'a Program,
        run: Run<'a>,
        first: Vec<Event>,
        journal: &'a mut (dyn Journal + Send),
        observer: Arc<dyn Observer>,
    ) -> Driver<'a> {
        let (batch, tasks) = (first, JoinSet::new());
        let (calls, commands) = (Vec::new(), Vec::new());
        let (broken, awake) = (None, Arc::new(Awake::new()));
        Driver {
            engine,
            program,
            run,
            journal,
            observer,
            batch,
            calls,
            commands,
            broken,
            tasks,
            awake,
        }
    }

    /// Until it is over.
    pub(crate) async fn drive(mut self, mut interrupt: Interrupt) -> Applied {
        let mut level = 0;
        let mut deadline = None;
        loop {
            if let Err(error) = self.awake.look(|| self.journal.confirm()) {
                self.broken.get_or_insert(error);
            }
            self.reap();
            let now = interrupt.level();
            if now > level {
                level = now;
                self.observer.notice(Notice::Interrupted(level));
                if level > 1 && deadline.is_none() {
                    deadline = Some(tokio::time::Instant::now() + GRACE);
                }
            }
            let more = level == 0 && self.broken.is_none() && self.gather();
            if self.flush() {
                self.call(&interrupt);
                if self.journal.is_due() {
                    // One that fails is tried again later: everything is in the journal.
                    let _ = self.journal.checkpoint(self.run.state());
                }
            }
            if more {
                // A full batch. Others get a turn before the next one.
                yield_now().await;
                continue;
            }
            if self.tasks.is_empty() {
                break;
            }
            let patience = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(back) = self.tasks.join_next() => self.back(back),
                () = interrupt.above(level) => {}
                () = patience => break,
                () = tokio::time::sleep(TICK) => {}
            }
        }
        self.end(level)
    }

    /// Takes the next things to do, as many as may be done now. Whether there may be more.
    fn gather(&mut self) -> bool {
        while self.under_way() < self.engine.parallelism {
            match self.run.next_work() {
                None => return false,
                Some(Work::Record(event)) => self.batch.push(event),
                Some(Work::Ask(question, config)) => {
                    let (engine, observer) = (self.engine.clone(), self.observer.clone());
                    self.tasks.spawn(async move {
                        let answer = engine.ask(&question, &config, &observer).await;
                        Back::Answered(question.key, answer)
                    });
                }
                Some(Work::Call(work)) => {
                    self.batch.push(work.started.clone());
                    if !self.is_local(&work) || !self.local(&work) {
                        self.calls.push(work);
                    }
                }
                Some(Work::Provision(work)) => self.commands.push(work),
            }
            if self.batch.len() >= BATCH_MAX {
                return true;
            }
        }
        false
    }

    fn under_way(&self) -> usize {
        self.tasks.len() + self.calls.len() + self.commands.len()
    }

    fn is_local(&self, work: &CallWork) -> bool {
        let resource = &work.key.addr.resource;
        let schema =
            self.engine.schemas.resource(&work.provider.source, resource.mode, &resource.kind);
        schema.is_some_and(|it| it.local)
    }

    /// A call that leaves this process alone: what it makes is in the state or nowhere, so that its
    /// beginning and its end can be written together. False if it has to wait for something, such
    /// as the connection; then it is a call like any other.
    fn local(&mut self, work: &CallWork) -> bool {
        let since = Instant::now();
        let made = async {
            match self.engine.connections.get(&work.provider, &work.config).await {
                Ok(connection) => {
                    call_local(&*connection, work, &self.observer, &self.engine.schemas).await
                }
                Err(failure) => Outcome::failed(failure),
            }
        };
        // Unconstrained, as else Tokio makes a task wait now and then that need not.
        let Some(outcome) = tokio::task::unconstrained(made).now_or_never() else { return false };
        self.observer.notice(Notice::Started(&work.key, operation(&work.call), id(&work.call)));
        self.called(work, since, outcome);
        true
    }

    /// Makes the calls whose intents are written, and runs commands.
    fn call(&mut self, interrupt: &Interrupt) {
        for work in std::mem::take(&mut self.commands) {
            let observer = self.observer.clone();
            self.tasks.spawn(async move {
                let failure = local_exec(&work, &observer).await;
                Back::Provisioned(work, failure)
            });
        }
        for work in std::mem::take(&mut self.calls) {
            let (engine, observer) = (self.engine.clone(), self.observer.clone());
            let (interrupt, local) = (interrupt.clone(), self.is_local(&work));
            let awake = self.awake.clone();
            self.tasks.spawn(async move {
                let since = Instant::now();
                observer.notice(Notice::Started(&work.key, operation(&work.call), id(&work.call)));
                let made = awake.only(async {
                    match engine.connections.get(&work.provider, &work.config).await {
                        Ok(connection) if local => {
                            call_local(&*connection, &work, &observer, &engine.schemas).await
                        }
                        Ok(connection) => {
                            call(&*connection, &work, &observer, &engine.schemas, interrupt).await
                        }
                        Err(failure) => Outcome::failed(failure),
                    }
                });
                let outcome = made.await.unwrap_or_else(|| Outcome::lost(overslept()));
                Back::Called(work, since, outcome)
            });
        }
    }

    /// Takes whatever has come back.
    fn reap(&mut self) {
        while let Some(back) = self.tasks.try_join_next() {
            self.back(back);
        }
    }

    fn back(&mut self, back: Result<Back, JoinError>) {
        match back.unwrap_or_else(|bug| panic!("tasks catch what providers do: {bug}")) {
            Back::Answered(key, answer) => self.run.answer(key, answer),
            Back::Called(work, since, outcome) => self.called(&work, since, outcome),
            Back::Provisioned(work, failure) => self.run.provisioned(&work, failure),
        }
    }

    fn called(&mut self, work: &CallWork, since: Instant, outcome: Outcome) {
        let Outcome { left, failure, lost } = outcome;
        let (action, elapsed) = (operation(&work.call), since.elapsed());
        let failure = match failure {
            None if lost => Some(Failure::new(
                "The reply was lost",
                "The next plan looks into what the call did.",
            )),
            failure => failure,
        };
        let failure = failure.map(|it| diagnostic(&it, work, self.program));
        self.observer.notice(match (&failure, &left) {
            (Some(failure), _) => Notice::Failed(&work.key, action, elapsed, failure),
            (None, Effect::Made(remote)) => {
                Notice::Done(&work.key, action, elapsed, id_of(&remote.attrs))
            }
            (None, Effect::Nothing | Effect::Deleted) => {
                Notice::Done(&work.key, action, elapsed, None)
            }
        });
        match failure {
            Some(failure) if lost => self.run.lose(work.token, failure),
            failure => {
                let finished = self.run.finish(work.token, left, failure);
                self.batch.extend(finished);
            }
        }
    }

    /// Writes what was gathered. False: it could not be, and calls that relied on it are not made.
    /// What did happen stays in the batch, as a later try may succeed.
    fn flush(&mut self) -> bool {
        if self.batch.is_empty() {
            return true;
        }
        match self.journal.append(&self.batch) {
            Ok(()) => {
                self.batch.clear();
                true
            }
            Err(error) => {
                self.broken.get_or_insert(error);
                self.withdraw();
                false
            }
        }
    }

    /// Takes back the calls that are not made.
    fn withdraw(&mut self) {
        self.commands.drain(..).for_each(|it| self.run.unprovision(&it));
        let tokens: BTreeSet<_> = self.calls.drain(..).map(|it| it.token).collect();
        tokens.iter().for_each(|it| self.run.withdraw(*it));
        self.batch
            .retain(|it| !matches!(it, Event::Started { token, .. } if tokens.contains(token)));
    }

    fn end(mut self, level: u8) -> Applied {
        self.reap();
        // Calls nobody waits for stay in doubt.
        self.tasks.abort_all();
        let last = self.run.end();
        self.batch.extend(last);
        if self.batch.iter().all(|it| matches!(it, Event::RunStarted { .. })) {
            // Nothing happened.
            self.batch.clear();
        }
        if self.flush()
            && let Err(error) = self.journal.checkpoint(self.run.state())
        {
            self.broken.get_or_insert(error);
        }
        let mut diagnostics = self.run.take_diagnostics();
        let remaining = self.run.remaining();
        if let Some(error) = &self.broken {
            diagnostics.push(self.not_written(error));
        }
        if self.run.failed() && !diagnostics.iter().any(Diagnostic::is_error) {
            let detail = "A step failed without saying why. This is a bug in plumb.";
            diagnostics.push(Diagnostic::error("The apply failed", detail));
        }
        Applied {
            diagnostics,
            summary: self.run.summary(),
            skipped: self.run.skipped(),
            remaining,
            in_doubt: self.run.state().in_doubt.len(),
            interrupted: level,
            state: self.run.into_state(),
        }
    }

    /// What a person is told when the journal or the snapshot could not be written.
    fn not_written(&self, error: &StoreError) -> Diagnostic {
        let mut diagnostic = store_error(error);
        let unwritten: Vec<String> = (self.batch.iter())
            .filter_map(|it| match it {
                Event::Finished { token, .. } => Some(self.run.object(*token)?.to_string()),
                _ => None,
            })
            .collect();
        if !unwritten.is_empty() {
            diagnostic.detail += &format!(
                "\n\nWhat was done to these objects could not be written down; the next plan looks \
                 into it: {}.",
                unwritten.join(", ")
            );
        }
        let count = self.run.remaining().len();
        if count > 0 {
            diagnostic.detail +=
                &format!("\n\nNothing more was begun. Objects that remain: {count}.");
        }
        diagnostic.detail = diagnostic.detail.trim_start().to_owned();
        diagnostic
    }
}
