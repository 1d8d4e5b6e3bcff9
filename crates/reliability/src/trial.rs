//! One trial: a fault in the middle of a run, what a user does then, and what is left.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::fault::{self, Struck};
use crate::power;
use crate::scenario::{Promise, Scenario};
use crate::tool::{Backend, Ended, Place, Site, Tool, Wanted};
use crate::world::{Manners, World};

/// What all trials of a run have in common.
#[derive(Clone, Debug)]
pub struct Bench {
    /// The program on trial.
    pub tool: Tool,
    /// Where its state is kept.
    pub backend: Backend,
    /// Resources in the configuration.
    pub resources: usize,
    /// Calls at once.
    pub parallelism: u32,
    /// How long requests take at most, before their effect and after it.
    pub latency_max: Duration,
    /// Where worlds live.
    pub runtime: Handle,
    /// Trials get folders in here.
    pub base: PathBuf,
    /// Folders of good trials are kept, too.
    pub keep: bool,
}

/// What there is before the run that the fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Start {
    /// Nothing; all is made in one run.
    Fresh,
    /// Half of it, made in two runs; the run makes the other half and replaces a fifth.
    Half,
    /// All of it, and the run destroys it.
    Whole,
}

/// How long each kind of run takes when nothing strikes it.
pub type Paces = BTreeMap<Start, Duration>;

/// What came of a trial.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The run was over before the fault struck: the trial says nothing.
    pub missed: bool,
    /// Objects made in the world, all runs of the trial together.
    pub made: usize,
    /// Objects in the world that the state does not know after recovery.
    pub lost: usize,
    /// Objects made while there was one of the same name.
    pub twice: usize,
    /// The state file was empty or half written with nothing beside it that knows better, or no
    /// valid state after recovery.
    pub invalid: usize,
    /// Commands that refused, said why, and touched nothing.
    pub refusals: usize,
    /// What else was not as promised.
    pub broken: Vec<String>,
    /// From the first command after the fault to the end of the one that brought everything about.
    pub recovery: Duration,
    /// The folder, if there is something to be seen in it.
    pub folder: Option<PathBuf>,
}

impl Outcome {
    /// Whether everything was as promised.
    pub fn good(&self) -> bool {
        self.lost + self.twice + self.invalid == 0 && self.broken.is_empty()
    }
}

/// So many applies a user makes before giving up.
const APPLIES: usize = 3;

struct Trial<'a> {
    bench: &'a Bench,
    scenario: Scenario,
    site: Site,
    world: World,
    chance: fastrand::Rng,
    outcome: Outcome,
}

/// Does one. An error is one of the harness, not of the tool.
pub fn trial(bench: &Bench, scenario: Scenario, paces: &Paces, seed: u64) -> io::Result<Outcome> {
    let mut chance = fastrand::Rng::with_seed(seed);
    let start = match scenario {
        Scenario::SigkillDestroy => Start::Whole,
        it if it.needs_history() || chance.bool() => Start::Half,
        _ => Start::Fresh,
    };
    let faults = if scenario == Scenario::Hiccups { 20 } else { 0 };
    let name = format!("{}-{seed:x}", scenario.name());
    let (site, world) = lay_out(bench, &name, faults, seed)?;
    if scenario == Scenario::Enospc {
        fault::mount_small(&site.folder)?;
    }
    let mut trial = Trial { bench, scenario, site, world, chance, outcome: Outcome::default() };
    trial.prepare(start)?;
    let pace = paces.get(&start).copied().unwrap_or_default();
    let instant = pace.mul_f64(trial.chance.f64());
    trial.live(start, instant)?;
    let Trial { site, world, mut outcome, .. } = trial;
    outcome.made = world.ledger().made();
    outcome.twice = world.ledger().twice();
    drop(world);
    if scenario == Scenario::Enospc {
        let left = power::files(&site.folder)?;
        fault::unmount(&site.folder)?;
        power::replace(&site.folder, &left)?;
    }
    let Some(home) = site.logs.parent() else { return Ok(outcome) };
    if outcome.missed || outcome.good() && !bench.keep {
        fs::remove_dir_all(home)?;
    } else {
        outcome.folder = Some(home.to_owned());
    }
    Ok(outcome)
}

/// How long a run takes when nothing strikes it.
pub fn pace(bench: &Bench, start: Start, name: &str) -> io::Result<Duration> {
    let (site, world) = lay_out(bench, &format!("pace-{name}"), 0, 1)?;
    let (chance, outcome) = (fastrand::Rng::with_seed(1), Outcome::default());
    let scenario = Scenario::Sigkill;
    let trial = Trial { bench, scenario, site, world, chance, outcome };
    trial.prepare(start)?;
    let ended = trial.site.run(trial.work(start), "work")?;
    expect_well(&ended, "a run that nothing disturbs")?;
    if let Some(home) = trial.site.logs.parent() {
        fs::remove_dir_all(home)?;
    }
    Ok(ended.took)
}

/// A folder of its own and a world of its own.
fn lay_out(bench: &Bench, name: &str, faults: u32, seed: u64) -> io::Result<(Site, World)> {
    let home = bench.base.join(name);
    let (folder, logs, socket) = (home.join("work"), home.join("logs"), home.join("world.sock"));
    fs::create_dir_all(&folder)?;
    fs::create_dir_all(&logs)?;
    let manners = Manners { latency_max: bench.latency_max, faults_permille: faults, seed };
    let world = World::start(&bench.runtime, &socket, &home.join("ledger.jsonl"), manners)?;
    world.behave(true);
    let tool = bench.tool.clone();
    let (place, parallelism) = (bench.backend.place(name)?, bench.parallelism);
    Ok((Site { tool, place, folder, logs, socket, parallelism }, world))
}

fn expect_well(ended: &Ended, what: &str) -> io::Result<()> {
    match ended.well() {
        true => Ok(()),
        false => Err(io::Error::other(format!("{what} failed: {}", ended.summary()))),
    }
}

impl Trial<'_> {
    /// All that is asked for in the end.
    fn wanted(&self) -> Wanted {
        Wanted { resources: self.bench.resources, generation: 1 }
    }

    fn work(&self, start: Start) -> &'static [&'static str] {
        match start {
            Start::Fresh | Start::Half => &["apply"],
            Start::Whole => &["destroy"],
        }
    }

    /// Brings about what there is before the fault.
    fn prepare(&self, start: Start) -> io::Result<()> {
        let whole = self.wanted();
        let part = |parts| Wanted { resources: whole.resources / parts, generation: 0 };
        let earlier = match start {
            Start::Fresh => Vec::new(),
            Start::Half => vec![part(4), part(2)],
            Start::Whole => vec![whole],
        };
        for (wanted, number) in earlier.into_iter().zip(1..) {
            self.site.configure(wanted)?;
            let ended = self.site.run(&["apply"], &format!("before-{number}"))?;
            expect_well(&ended, "a run before the fault")?;
        }
        self.site.configure(whole)
    }

    fn live(&mut self, start: Start, instant: Duration) -> io::Result<()> {
        let files = power::files(&self.site.folder)?;
        self.world.behave(false);
        let words = self.work(start);
        let struck = fault::strike(fault::Strike {
            scenario: self.scenario,
            site: &self.site,
            world: &self.world,
            words,
            instant,
            files,
            chance: &mut self.chance,
        })?;
        match struck {
            Struck::Missed => {
                self.outcome.missed = true;
                return Ok(());
            }
            Struck::Hit => {}
            Struck::Broke(what) => self.outcome.broken.push(what),
            Struck::Refused => self.outcome.refusals += 1,
        }
        self.look_at_ruins()?;
        if self.scenario.needs_history() && !self.tampered()? {
            return Ok(());
        }
        self.recover()?;
        self.world.behave(true);
        self.count()?;
        self.finish()
    }

    /// Whether the fault left a state of which nobody can tell what was made.
    fn look_at_ruins(&mut self) -> io::Result<()> {
        if let (Place::Database(database), Some(home)) = (&self.site.place, self.site.logs.parent())
        {
            database.dump(&home.join("ruins.sql"))?;
        }
        let journal = self.site.has_journal()?;
        let something = !self.world.ledger().live().is_empty();
        if something && !journal && self.site.state().is_err() {
            self.outcome.invalid += 1;
        }
        Ok(())
    }

    /// Changes the state file behind the tool's back, and undoes it once it was refused. Tells
    /// whether there was something to change.
    fn tampered(&mut self) -> io::Result<bool> {
        // Without a journal a run left nothing behind that another state could contradict.
        let is_plumb = self.site.tool.kind == crate::tool::Kind::Plumb;
        // A person takes a while.
        self.world.rest();
        let before = power::files(&self.site.folder)?;
        if is_plumb && !self.site.has_journal()?
            || !fault::tamper(self.scenario, &self.site, &mut self.chance)?
        {
            self.outcome.missed = true;
            return Ok(false);
        }
        if self.scenario.promise() == Promise::Refuses && self.refuses("tampered")? {
            power::replace(&self.site.folder, &before)?;
        }
        Ok(true)
    }

    /// Whether an apply refuses; if it does, it must say why and touch nothing.
    fn refuses(&mut self, log: &str) -> io::Result<bool> {
        let Trial { site, world, outcome, .. } = self;
        match fault::refusal(site, world, log)? {
            fault::Refusal::None => return Ok(false),
            fault::Refusal::Clean => outcome.refusals += 1,
            fault::Refusal::Touched(what) => outcome.broken.push(what),
        }
        Ok(true)
    }

    /// Applies until it ends well.
    fn recover(&mut self) -> io::Result<()> {
        let begun = Instant::now();
        let mut said = String::new();
        if self.scenario == Scenario::SigkillAgain {
            let mut again = self.site.start(self.site.command(&["apply"]), "recover-0")?;
            let moment = Duration::from_millis(self.chance.u64(..2_000));
            if again.runs_after(moment)? {
                nix::sys::signal::kill(again.pid(), nix::sys::signal::SIGKILL)?;
            }
            again.wait()?;
        }
        for attempt in 1..=APPLIES {
            let ended = self.site.run(&["apply"], &format!("recover-{attempt}"))?;
            if ended.well() {
                self.outcome.recovery = begun.elapsed();
                return Ok(());
            }
            said = ended.summary();
        }
        self.outcome.recovery = begun.elapsed();
        self.outcome.broken.push(format!("{APPLIES} applies did not recover: {said}"));
        Ok(())
    }

    /// Holds the state against the ledger.
    fn count(&mut self) -> io::Result<()> {
        let outcome = &mut self.outcome;
        let live = self.world.ledger().live();
        let known = match self.site.state() {
            Ok(snapshot) => snapshot.objects,
            Err(why) => {
                outcome.invalid += 1;
                outcome.broken.push(why);
                BTreeMap::new()
            }
        };
        outcome.lost = live.iter().filter(|it| !known.contains_key(&it.id)).count();
        let ids: BTreeSet<&String> = live.iter().map(|it| &it.id).collect();
        let ghosts = known.keys().filter(|id| !ids.contains(id)).count();
        if ghosts > 0 {
            outcome.broken.push(format!("{ghosts} objects of the state are not in the world"));
        }
        let mut names: Vec<String> = live.into_iter().map(|it| it.name).collect();
        let mut wanted: Vec<String> =
            Wanted { resources: self.bench.resources, generation: 1 }.names().collect();
        names.sort();
        wanted.sort();
        if names != wanted {
            outcome.broken.push("the world is not as configured".to_owned());
        }
        Ok(())
    }

    /// The next plan is empty, and a destroy leaves nothing.
    fn finish(&mut self) -> io::Result<()> {
        let plan = self.site.run(&["plan", "-detailed-exitcode"], "plan")?;
        if !plan.well() {
            self.outcome.broken.push(format!("the next plan is not empty: {}", plan.summary()));
        }
        let destroy = self.site.run(&["destroy"], "destroy")?;
        if !destroy.well() {
            self.outcome.broken.push(format!("destroy failed: {}", destroy.summary()));
        }
        let left = self.world.ledger().live().len();
        if left > 0 {
            self.outcome.broken.push(format!("destroy left {left} objects"));
        }
        Ok(())
    }
}
