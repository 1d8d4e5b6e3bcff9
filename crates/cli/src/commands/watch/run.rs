//! The loop: hears everything, says it to the state machine, and begins what that answers.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use plumb_diag::Sources;
use plumb_drift::DriftReport;
use plumb_engine::{Interrupter, Observer, Silent};
use plumb_model::addr::ProviderAddr;
use plumb_provider::Touched;
use plumb_watch::{Input, Mode, Ms, News, NotLooked, Outcome, Output, Settings, Watch};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use super::args::WatchArgs;
use super::disk::Marks;
use super::follow::{Ear, Followers, Heard};
use super::metrics::{Metrics, unix_now};
use super::sight::Sight;
use super::signals::{Signals, Wish};
use super::webhook::Webhook;
use super::{owed, systemd, tell};
use crate::INTERRUPTED;
use crate::context::Context;
use crate::ui::now;
use crate::variables::Typed;

/// How often files are looked at, and how often the loop turns at least.
const TURN: Duration = Duration::from_secs(1);

/// A watch at work.
pub(crate) struct Run<'a> {
    context: &'a Context,
    args: &'a WatchArgs,
    typed: &'a [Typed],
    settings: Settings,
    watch: Watch,
    since: Instant,
    workspace: Arc<str>,
    /// The files that findings point into, also while somebody else has the sight.
    sources: Sources,
    /// Whoever works has it.
    sight: Option<Sight>,
    job: Option<Job>,
    heard: UnboundedReceiver<(Arc<ProviderAddr>, Heard)>,
    followers: Followers,
    configuration: Marks,
    reload: bool,
    ending: bool,
    metrics: Arc<Metrics>,
    webhook: Option<Webhook>,
}

/// A look or a repair under way.
struct Job {
    future: Pin<Box<dyn Future<Output = (Sight, Done)>>>,
    interrupter: Interrupter,
    repairs: bool,
    since: Instant,
}

enum Done {
    Looked(Result<Option<DriftReport>, NotLooked>),
    Repaired(Outcome),
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        context: &'a Context,
        args: &'a WatchArgs,
        typed: &'a [Typed],
        settings: Settings,
        sight: Sight,
        metrics: Arc<Metrics>,
        webhook: Option<Webhook>,
    ) -> Run<'a> {
        let (told, heard) = unbounded_channel();
        Run {
            context,
            args,
            typed,
            watch: Watch::new(settings.clone()),
            settings,
            since: Instant::now(),
            workspace: sight.prepared.backend.workspace.clone(),
            sources: sight.prepared.loaded.sources.clone(),
            configuration: sight.configuration_marks(args),
            sight: Some(sight),
            job: None,
            heard,
            followers: Followers::new(told),
            reload: false,
            ending: false,
            metrics,
            webhook,
        }
    }

    /// Watches. The exit code.
    pub(crate) async fn until_ended(&mut self, mut signals: Signals) -> i32 {
        self.take_over();
        self.step(Input::Tick);
        systemd::ready("starting");
        let mut turn = interval(TURN);
        let mut beat = interval(systemd::heartbeat().unwrap_or(TURN * 3600));
        let beats = systemd::heartbeat().is_some();
        for it in [&mut turn, &mut beat] {
            it.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        let mut ends = 0;
        loop {
            let wake = self.watch.wakes_at().map(|it| self.since + Duration::from_millis(it));
            let wakes = wake.is_some();
            let wake = sleep_until(wake.unwrap_or_else(Instant::now).into());
            tokio::select! {
                wish = signals.next() => match wish {
                    Wish::Reload => self.reload = true,
                    Wish::End => {
                        ends += 1;
                        self.wind_down();
                    }
                },
                (sight, done) = finished(&mut self.job) => self.done(sight, done),
                Some((provider, heard)) = self.heard.recv() => self.hear(provider, heard),
                () = wake, if wakes => self.step(Input::Tick),
                _ = turn.tick() => self.turn(),
                _ = beat.tick(), if beats => systemd::alive(),
            }
            if self.ending && self.job.is_none() {
                return if ends > 1 { INTERRUPTED } else { 0 };
            }
            if self.reload && self.job.is_none() {
                self.read_again();
            }
        }
    }

    /// What may still be said is said.
    pub(crate) async fn end(self) {
        if let Some(webhook) = self.webhook {
            webhook.end().await;
        }
    }

    fn now(&self) -> Ms {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// What an earlier process had begun to repair.
    fn take_over(&mut self) {
        let Some(sight) = &self.sight else { return };
        if self.settings.mode == Mode::Report {
            return;
        }
        let path = owed::path(&sight.prepared.backend.beside());
        let lineage = sight.state.lineage.clone();
        match owed::read(&path, &lineage, &sight.configuration) {
            Ok(objects) if objects.is_empty() => {}
            Ok(objects) => self.step(Input::Owed(objects)),
            Err(error) => self.say(&format!("{path} cannot be read: {error}.")),
        }
    }

    fn step(&mut self, input: Input) {
        let now = self.now();
        let outputs = self.watch.step(now, input);
        for it in outputs {
            match it {
                Output::Announce(news) => self.announce(&news),
                Output::Look(scope) => {
                    let at = if scope.everything { "everything" } else { "touched" };
                    *self.metrics.numbers().looks.entry(at).or_default() += 1;
                    self.begin(false, |mut sight, interrupt| {
                        Box::pin(async move {
                            let looked = sight.look(&scope, &interrupt).await;
                            (sight, Done::Looked(looked))
                        })
                    });
                }
                Output::Repair(repair) => {
                    let allow_destroy = self.settings.allow_destroy;
                    self.begin(true, |mut sight, interrupt| {
                        Box::pin(async move {
                            let observer: Arc<dyn Observer> = Arc::new(Silent);
                            let outcome =
                                sight.repair(&repair, allow_destroy, &observer, &interrupt).await;
                            (sight, Done::Repaired(outcome))
                        })
                    });
                }
            }
        }
        let now = self.now();
        let mut numbers = self.metrics.numbers();
        numbers.status = self.watch.status();
        numbers.findings = self.watch.report().map(DriftReport::counts).unwrap_or_default();
        numbers.budget_left = self.watch.budget_left(now);
        numbers.fights = self.watch.fights().count();
        numbers.owed = self.watch.owed();
        numbers.repairing = self.job.as_ref().is_some_and(|it| it.repairs);
    }

    fn begin(
        &mut self,
        repairs: bool,
        job: impl FnOnce(Sight, plumb_engine::Interrupt) -> Pin<Box<dyn Future<Output = (Sight, Done)>>>,
    ) {
        let sight = self.sight.take();
        let sight = sight.unwrap_or_else(|| unreachable!("one thing is done at a time"));
        let (interrupter, interrupt) = Interrupter::pair();
        let future = job(sight, interrupt);
        self.job = Some(Job { future, interrupter, repairs, since: Instant::now() });
    }

    fn done(&mut self, sight: Sight, done: Done) {
        let took = self.job.take().map(|it| it.since.elapsed()).unwrap_or_default();
        let unsettled = sight.unsettled;
        self.sight = Some(sight);
        match done {
            Done::Looked(Ok(Some(report))) => {
                {
                    let mut numbers = self.metrics.numbers();
                    numbers.last_look = Some(unix_now());
                    numbers.last_look_seconds = took.as_secs_f64();
                }
                self.follow();
                self.step(Input::Looked { report: Box::new(report), unsettled });
            }
            // Only an end interrupts.
            Done::Looked(Ok(None)) => {}
            Done::Looked(Err(why)) => {
                if matches!(why, NotLooked::Failed(_)) {
                    self.metrics.numbers().look_failures += 1;
                }
                self.step(Input::NotLooked(why));
            }
            Done::Repaired(outcome) => {
                if let Outcome::Made(made) = &outcome {
                    self.metrics.numbers().changes += u64::from(made.changes);
                }
                self.step(Input::Repaired(outcome));
            }
        }
    }

    /// Listens to every system that has objects of ours.
    fn follow(&mut self) {
        let Some(sight) = &self.sight else { return };
        let anew = self.followers.follow(&sight.engine, &sight.providers, &sight.state);
        let mut numbers = self.metrics.numbers();
        for provider in anew {
            numbers.ears.entry(provider.to_string()).or_insert(Ear::Connecting);
        }
        numbers.ears.retain(|it, _| self.followers.names().any(|name| name == *it));
    }

    fn hear(&mut self, provider: Arc<ProviderAddr>, heard: Heard) {
        let name = provider.to_string();
        let ear = match &heard {
            Heard::Touched(_) => Ear::Following,
            Heard::Silent => Ear::Silent,
            Heard::Lost(_) => Ear::Lost,
        };
        let before = self.metrics.numbers().ears.insert(name.clone(), ear);
        let what = match heard {
            Heard::Touched(what) => {
                *self.metrics.numbers().events.entry(name).or_default() += 1;
                what
            }
            Heard::Silent => return,
            Heard::Lost(failure) => {
                if before != Some(Ear::Lost) {
                    let detail = format!("{}. {}", failure.summary, failure.detail);
                    self.say(&format!("{name} cannot be heard for now. {detail}"));
                }
                Touched::All
            }
        };
        self.step(Input::Touched { provider, what });
    }

    /// Once a second.
    fn turn(&mut self) {
        self.metrics.alive();
        let Some(sight) = &self.sight else { return };
        let moved = sight.state_moved();
        if sight.configuration_marks(self.args) != self.configuration {
            self.reload = true;
        } else if moved {
            self.step(Input::StateMoved);
        }
    }

    /// Reads the configuration again.
    fn read_again(&mut self) {
        self.reload = false;
        if self.ending {
            return;
        }
        let Some(sight) = &mut self.sight else { return };
        systemd::reloading();
        self.configuration = sight.configuration_marks(self.args);
        let before = sight.configuration.clone();
        let read = sight.reload(self.context, self.args, self.typed);
        let configuration = sight.configuration != before;
        match read {
            Ok(()) => {
                self.sources = sight.prepared.loaded.sources.clone();
                // Modules may have come or gone.
                self.configuration = sight.configuration_marks(self.args);
                self.say("The configuration was read again.");
                self.step(Input::Reload { configuration });
            }
            Err(diagnostics) => {
                self.context.ui.diagnostics(&diagnostics);
                // The look that follows tells that nothing can be looked at.
                self.step(Input::StateMoved);
            }
        }
        systemd::ready(tell::named(self.watch.status()));
    }

    /// Nothing new begins. What is under way is ended in an orderly way; a look is let go.
    fn wind_down(&mut self) {
        if !std::mem::replace(&mut self.ending, true) {
            systemd::stopping();
            self.say("Ending.");
        }
        self.step(Input::Stop);
        match &self.job {
            Some(job) if job.repairs => job.interrupter.raise(),
            _ => self.job = None,
        }
    }

    fn announce(&mut self, news: &News) {
        let now = now();
        self.context.ui.print(&tell::line(news, &self.sources, &now, self.context.ui.json));
        match news {
            News::Repaired(_) => self.metrics.numbers().repairs += 1,
            News::NotRepaired { .. } => self.metrics.numbers().repair_failures += 1,
            News::Status { to, .. } => systemd::status(tell::named(*to)),
            _ => {}
        }
        if let Some(webhook) = &self.webhook {
            let status = self.watch.status();
            webhook.send(tell::message(news, &self.sources, &now, &self.workspace, status));
        }
    }

    fn say(&self, text: &str) {
        self.context.ui.print(&tell::note(text, &now(), self.context.ui.json));
    }
}

/// What the job came to. Never, while there is none.
async fn finished(job: &mut Option<Job>) -> (Sight, Done) {
    match job {
        Some(job) => job.future.as_mut().await,
        None => std::future::pending().await,
    }
}
