//! One life: configurations come and go, the process dies now and then, and in the end everything
//! is as the last configuration says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_diag::{Diagnostic, FileId};
use plumb_executor::{Run, RunInput, Status, Work};
use plumb_lang::config::decode_texts;
use plumb_lang::{InputValue, Inputs, ModuleTree, Program, compile};
use plumb_model::addr::{Addr, Mode, ProviderAddr};
use plumb_model::event::{Effect, Event};
use plumb_model::plan::{Action, Plan};
use plumb_model::question::Observations;
use plumb_model::schema::Schemas;
use plumb_model::state::State;
use plumb_model::value::Value;
use plumb_planner::{Blocked, Input, Options, PlanMode, Planned, plan};

use crate::check;
use crate::cloud::{Cloud, DARK, Fault, Refusal, schemas};
use crate::generate::Config;
use crate::rng::Rng;

/// What the plan says when objects lean on each other in a circle.
const CANNOT_WAIT: &str = "Some deletions cannot wait";

/// What happened in many lives.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Plans made.
    pub plans: u64,
    /// Plans refused, honestly.
    pub refused: u64,
    /// Calls made.
    pub calls: u64,
    /// Times the process died.
    pub crashes: u64,
    /// Runs that were stopped by a person.
    pub stops: u64,
    /// Calls never heard back from.
    pub lost: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Objects forgotten.
    pub forgotten: u64,
    /// Objects moved.
    pub moved: u64,
    /// Objects replaced with the new one first.
    pub create_first: u64,
    /// Applies until nothing was left to do, at most.
    pub settle_rounds_max: u64,
}

impl std::ops::AddAssign for Totals {
    fn add_assign(&mut self, it: Totals) {
        self.plans += it.plans;
        self.refused += it.refused;
        self.calls += it.calls;
        self.crashes += it.crashes;
        self.stops += it.stops;
        self.lost += it.lost;
        self.failed += it.failed;
        self.forgotten += it.forgotten;
        self.moved += it.moved;
        self.create_first += it.create_first;
        self.settle_rounds_max = self.settle_rounds_max.max(it.settle_rounds_max);
    }
}

/// A configuration, ready to be planned.
struct Compiled {
    config: Config,
    program: Program,
    inputs: Inputs,
}

struct Life {
    schemas: Schemas,
    cloud: Cloud,
    journal: Vec<Event>,
    rng: Rng,
    runs: u64,
    totals: Totals,
    verbose: bool,
}

/// Lives the life that belongs to `seed`. Panics if something is lost. `verbose` tells the story.
pub fn live(seed: u64, verbose: bool) -> Totals {
    let mut rng = Rng::new(seed);
    let mut cloud = Cloud::default();
    cloud.lenient = rng.one_in(2);
    let mut life = Life {
        schemas: schemas(),
        cloud,
        journal: Vec::new(),
        rng,
        runs: 0,
        totals: Totals::default(),
        verbose,
    };
    let mut config = Config::default();
    // Safety: whatever happens, nothing is lost and the journal tells the truth.
    for _ in 0..1 + life.rng.below(5) {
        config = config.edit(&mut life.rng);
        life.year(&config);
    }
    // Liveness: once the cloud behaves, plan and apply soon lead to a plan with nothing in it.
    config = config.calm(life.cloud.lenient).with_known_provider();
    let mut compiled = life.compile(&config);
    life.settle(&compiled, PlanMode::Normal);
    check::settled(&config, &compiled.program, &life.state(), &life.cloud);
    for _ in 0..life.rng.below(3) {
        config = config.edit(&mut life.rng).calm(life.cloud.lenient);
        compiled = life.compile(&config);
        life.settle(&compiled, PlanMode::Normal);
        check::settled(&config, &compiled.program, &life.state(), &life.cloud);
    }
    life.heal(&config, &compiled);
    if life.rng.one_in(3) {
        life.settle(&compiled, PlanMode::Destroy);
        check::nothing_left(&life.state(), &life.cloud);
    }
    life.totals
}

impl Life {
    fn tell(&self, what: impl FnOnce() -> String) {
        if self.verbose {
            #[expect(clippy::print_stdout, reason = "a person replays one life")]
            {
                println!("{}", what());
            }
        }
    }

    fn state(&self) -> State {
        State::replay(&self.journal).expect("the journal replays")
    }

    fn compile(&self, config: &Config) -> Compiled {
        let text = config.text();
        let mut dirs = BTreeMap::new();
        for (dir, text) in &text {
            self.tell(|| format!("--- {dir}/main.tf\n{text}"));
            let file = FileId::unique();
            let (module, diagnostics) = decode_texts([("main.tf", file, text.as_str())]);
            assert!(diagnostics.is_empty(), "{diagnostics:#?}\n{text}");
            dirs.insert(Arc::from(*dir), Arc::new(module));
        }
        let tree = ModuleTree { dirs, root: ".".into() };
        let (program, diagnostics) = compile(&tree, &self.schemas);
        let errors: Vec<&Diagnostic> = diagnostics.iter().filter(|it| it.is_error()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        let size =
            InputValue { value: Value::number(config.variable), span: None, origin: "-var".into() };
        let inputs = Inputs {
            variables: BTreeMap::from([("size".into(), size)]),
            workspace: "default".into(),
            working_dir: "/sim".into(),
            plan_time: "2026-01-01T00:00:00Z".into(),
            apply_time: None,
            ..Inputs::default()
        };
        Compiled { config: config.clone(), program, inputs }
    }

    /// One edit and what follows from it, with everything that can go wrong.
    fn year(&mut self, config: &Config) {
        let compiled = self.compile(config);
        for _ in 0..1 + self.rng.below(2) {
            self.cloud.drift(&mut self.rng);
            self.cloud.dark = self.rng.one_in(15);
            let state = self.state();
            let options = self.options(&state);
            self.tell(|| format!("=== {options:?}"));
            self.runs += 1;
            match self.plan(&compiled, &state, &options) {
                Ok((planned, seen)) => {
                    self.cloud.dark = false;
                    self.apply(&compiled, planned, seen, &options, true);
                }
                Err(errors) => {
                    let honest = |it: &Diagnostic| {
                        it.summary == DARK
                            || it.summary == "Cannot look into an interrupted operation"
                            || (it.summary == "Instance cannot be destroyed"
                                && config.prevents_destroy())
                    };
                    let lie = errors.iter().find(|it| it.is_error() && !honest(it));
                    assert!(lie.is_none(), "refused: {lie:#?}");
                    self.totals.refused += 1;
                }
            }
            self.cloud.dark = false;
            check::no_orphans(&self.state(), &self.cloud);
        }
    }

    fn options(&mut self, state: &State) -> Options {
        let rng = &mut self.rng;
        let mut options = Options::default();
        match rng.below(30) {
            0 => options.mode = PlanMode::Destroy,
            1 => options.mode = PlanMode::RefreshOnly,
            2 => options.skip_refresh = true,
            3 => options.drift_only = true,
            _ => {}
        }
        let managed: Vec<&Addr> = (state.objects.keys())
            .filter(|it| it.deposed.is_none() && it.addr.resource.mode == Mode::Managed)
            .map(|it| &it.addr)
            .collect();
        if rng.one_in(15)
            && let Some(addr) = rng.pick(&managed)
        {
            options.replace.push((*addr).clone());
        }
        if rng.one_in(15)
            && let Some(addr) = rng.pick(&managed)
        {
            options.targets.push(addr.to_string().parse().expect("an address is a target"));
        }
        options
    }

    /// Asks, answers, and asks again.
    fn plan(
        &mut self,
        compiled: &Compiled,
        state: &State,
        options: &Options,
    ) -> Result<(Planned, Observations), Vec<Diagnostic>> {
        let mut seen = Observations::new();
        let Compiled { program, inputs, .. } = compiled;
        for _ in 0..program.nodes.len() + 5 {
            let schemas = &self.schemas;
            let input =
                Input { program, inputs, schemas, state, seen: &seen, options, run: self.runs };
            let blocked = match plan(input) {
                Ok(planned) => {
                    self.totals.plans += 1;
                    if self.totals.plans.is_multiple_of(4) {
                        let again = plan(input).expect("it was planned before");
                        check::same_plan(&planned.plan, &again.plan);
                    }
                    check::plan(&planned.plan, state, &self.cloud);
                    return Ok((planned, seen));
                }
                Err(blocked) => *blocked,
            };
            match blocked {
                Blocked::Invalid(errors) => return Err(errors),
                Blocked::Needs { questions, .. } => {
                    assert!(!questions.is_empty(), "blocked by nothing");
                    for question in questions {
                        let answer = self.cloud.answer(&question);
                        let old = seen.insert(question.key.clone(), answer);
                        assert!(old.is_none(), "asked twice: {:?}", question.key);
                    }
                }
            }
        }
        panic!("the planner keeps asking");
    }

    /// Writes down what happened, and what follows from it for the world.
    fn write(&mut self, event: Event, shadow: &mut State) {
        if let Event::Forgotten { key } = &event
            && key.addr.resource.mode == Mode::Managed
        {
            self.totals.forgotten += 1;
            self.cloud.release(&shadow.objects[key].attrs);
        }
        self.totals.moved += u64::from(matches!(event, Event::Moved { .. }));
        self.tell(|| check::line(&event));
        shadow.record(&event).expect("what is written is legal");
        self.journal.push(event);
    }

    /// Whether the process dies here.
    fn dies(&mut self, chaos: bool) -> bool {
        let dies = chaos && self.rng.one_in(60);
        if dies {
            self.totals.crashes += 1;
            self.tell(|| "dies".into());
        }
        dies
    }

    /// Carries a plan out: calls finish in any order, fail, or vanish; the process may die.
    fn apply(
        &mut self,
        compiled: &Compiled,
        planned: Planned,
        seen: Observations,
        options: &Options,
        chaos: bool,
    ) {
        let Planned { plan, known, providers, .. } = planned;
        let inputs =
            Inputs { apply_time: Some("2026-01-01T00:00:01Z".into()), ..compiled.inputs.clone() };
        let input = RunInput {
            program: &compiled.program,
            inputs: &inputs,
            schemas: &self.schemas.clone(),
            plan: &plan,
            limits: &BTreeMap::new(),
        };
        // What belongs to these was not looked at.
        let unknown: BTreeSet<Arc<ProviderAddr>> =
            providers.iter().filter(|it| !it.1.is_wholly_known()).map(|it| it.0.clone()).collect();
        let mut shadow = self.state();
        let (mut run, events) = Run::begin(input, known, seen, providers, shadow.clone());
        for event in events {
            self.write(event, &mut shadow);
            if self.dies(chaos) {
                return;
            }
        }
        let mut flying = Vec::new();
        let mut stopped = false;
        loop {
            while flying.len() < 4 && !stopped {
                let Some(work) = run.next_work() else { break };
                match work {
                    Work::Record(event) => self.write(event, &mut shadow),
                    Work::Ask(question, _) => {
                        let answer = self.cloud.answer(&question);
                        run.answer(question.key, answer);
                    }
                    Work::Provision(work) => run.provisioned(&work, None),
                    Work::Call(work) => {
                        check::call(&work);
                        self.write(work.started.clone(), &mut shadow);
                        flying.push(work);
                    }
                }
                check::same_state(&shadow, run.state());
                if self.dies(chaos) {
                    return;
                }
                if chaos && self.rng.one_in(200) {
                    stopped = true;
                    self.totals.stops += 1;
                }
            }
            if flying.is_empty() {
                break;
            }
            let pick = if chaos { self.rng.below(flying.len() as u64) } else { 0 };
            let work = flying.remove(pick as usize);
            let fault = if chaos { Fault::roll(&mut self.rng) } else { Fault::None };
            self.totals.calls += 1;
            check::lets_stay(&compiled.config, &work, options);
            if !chaos {
                check::lets_go_first(&plan, &work, &self.cloud, options);
            }
            let reply = self.cloud.call(&work, fault);
            if self.dies(chaos) {
                return; // The call may have acted, and nobody wrote it down.
            }
            match reply {
                None => {
                    self.totals.lost += 1;
                    run.lose(work.token, Diagnostic::error("Lost", "No reply came."));
                }
                Some(reply) => {
                    self.totals.failed += u64::from(reply.refusal.is_some());
                    let warned = plan.notes.iter().any(|it| it.summary == CANNOT_WAIT);
                    let lawful = |it| match it {
                        Refusal::NameTaken => true,
                        Refusal::InUse => warned,
                        Refusal::Gone => unknown.contains(&work.provider),
                        Refusal::Fault | Refusal::LinkBroken => false,
                    };
                    assert!(
                        chaos || reply.refusal.is_none_or(lawful),
                        "a healthy cloud refuses {}: {:?}\n{}",
                        work.key,
                        reply.refusal,
                        check::steps(&plan)
                    );
                    let failure = reply.refusal.map(|it| {
                        Diagnostic::error(format!("Refused: {it:?}"), "")
                            .about(work.key.to_string())
                    });
                    let effect = reply.left;
                    let replaces = matches!(&effect, Effect::Made(_)) && check::retires(&work);
                    self.totals.create_first += u64::from(replaces);
                    let finished = run.finish(work.token, effect, failure);
                    finished.into_iter().for_each(|it| self.write(it, &mut shadow));
                    check::same_state(&shadow, run.state());
                }
            }
            if self.dies(chaos) {
                return;
            }
        }
        if !stopped {
            assert!(run.is_over(), "a step was forgotten\n{}", check::steps(&plan));
            let waiting = run.status().iter().any(|it| matches!(it, Status::Waiting));
            assert!(!waiting, "a step still waits\n{}", check::steps(&plan));
        }
        let diagnostics = run.take_diagnostics();
        let warned = plan.notes.iter().any(|it| it.summary == CANNOT_WAIT);
        check::honest(&diagnostics, chaos || warned);
        if !chaos && run.status().iter().all(|it| *it == Status::Done) {
            let errors: Vec<_> = diagnostics.iter().filter(|it| it.is_error()).collect();
            assert!(errors.is_empty(), "all went well, but {errors:#?}");
        }
        for event in run.end() {
            self.write(event, &mut shadow);
        }
        check::same_state(&shadow, run.state());
        check::same_state(&self.state(), run.state());
    }

    /// What drift does to a world that is settled, repairs alone undo; and of an edited
    /// configuration they carry out nothing.
    fn heal(&mut self, config: &Config, compiled: &Compiled) {
        self.cloud.drift_only(&mut self.rng);
        let options = Options { drift_only: true, ..Options::default() };
        for round in 0.. {
            self.runs += 1;
            self.tell(|| format!("=== heal {round}"));
            let state = self.state();
            let (planned, seen) = self
                .plan(compiled, &state, &options)
                .unwrap_or_else(|errors| panic!("refused to repair: {errors:#?}"));
            if is_quiet(&planned.plan) {
                break;
            }
            assert!(round < 5, "it does not heal:\n{}", check::steps(&planned.plan));
            let failed = self.totals.failed;
            self.apply(compiled, planned, seen, &options, false);
            if self.totals.failed > failed {
                // What was to follow a repair and did not is from now on what the configuration asks for.
                self.settle(compiled, PlanMode::Normal);
                break;
            }
        }
        check::settled(config, &compiled.program, &self.state(), &self.cloud);
        let edited = config.edit(&mut self.rng).calm(self.cloud.lenient);
        let edited = self.compile(&edited);
        self.runs += 1;
        let state = self.state();
        let planned = self.plan(&edited, &state, &options);
        if let Ok((planned, _)) = planned {
            let touched = planned.plan.changes.values().any(|it| it.action != Action::Keep);
            assert!(!touched, "nothing drifted:\n{}", check::steps(&planned.plan));
        }
    }

    /// Applies until there is nothing left to do.
    fn settle(&mut self, compiled: &Compiled, mode: PlanMode) {
        let options = Options { mode, ..Options::default() };
        for round in 0.. {
            self.runs += 1;
            self.tell(|| format!("=== settle {mode:?} {round}"));
            let state = self.state();
            let (planned, seen) = self
                .plan(compiled, &state, &options)
                .unwrap_or_else(|errors| panic!("refused while all is well: {errors:#?}"));
            let quiet = is_quiet(&planned.plan);
            let story = check::steps(&planned.plan);
            if quiet {
                check::kept(&planned.plan);
                self.totals.settle_rounds_max = self.totals.settle_rounds_max.max(round);
                break;
            }
            assert!(round < 5, "it does not settle:\n{story}");
            self.apply(compiled, planned, seen, &options, false);
            check::no_orphans(&self.state(), &self.cloud);
        }
    }
}

fn is_quiet(plan: &Plan) -> bool {
    plan.is_empty() && plan.refresh.is_empty() && plan.steps.is_empty()
}
