//! What is written before what.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use camino::Utf8Path;
use expect_test::expect;
use plumb_engine::Journal;
use plumb_model::event::{Effect, Event};
use plumb_model::state::{State, Token};
use plumb_model::value::Value;
use plumb_planner::PlanMode;
use plumb_state::{Lease, StoreError, journal};

use crate::cloud::Act;
use crate::lab::{Lab, things, told};

fn events(path: &Utf8Path) -> Vec<Event> {
    match std::fs::read(path) {
        Ok(bytes) => journal::read(&bytes).unwrap().events,
        Err(error) => panic!("a call is made and there is no journal: {error}"),
    }
}

/// A draw of numbers that a seed determines.
struct Draw(u64);

impl Draw {
    fn below(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % below
    }
}

/// Things that lean on earlier ones: the text, and by name the names of those.
fn graph(draw: &mut Draw, round: u64) -> (String, BTreeMap<String, Vec<String>>) {
    let mut text = String::new();
    let mut needs = BTreeMap::new();
    for it in 0..12u64 {
        let mut on: Vec<String> = Vec::new();
        for earlier in 0..it {
            if draw.below(5) == 0 {
                on.push(format!("t{earlier}"));
            }
        }
        let values: Vec<String> =
            on.iter().map(|it| format!("length(lab_thing.{it}.id) > 0 ? 0 : 1")).collect();
        let values = if values.is_empty() { "0".to_owned() } else { values.join(", ") };
        let fixed = draw.below(2) * round;
        text += &format!(
            "resource \"lab_thing\" \"t{it}\" {{
               name  = \"t{it}\"
               fixed = \"{fixed}\"
               size  = sum([{values}]) + {round}
               lifecycle {{ create_before_destroy = {} }}
             }}\n",
            draw.below(2) == 0
        );
        needs.insert(format!("t{it}"), on);
    }
    (text, needs)
}

fn act(draw: &mut Draw) -> Act {
    let time = Duration::from_millis(draw.below(50));
    match draw.below(12) {
        0 => Act::Refuse,
        1 => Act::Transient,
        2 => Act::TransientLeaving,
        3 => Act::Lose,
        4 => Act::Panic,
        5 => Act::Do,
        _ => Act::Slow(time),
    }
}

/// At the time of every call its own intent is on the disk, and so is the result of everything
/// that it leans on.
#[tokio::test(start_paused = true)]
async fn an_intent_is_durable_before_its_call_and_a_result_before_who_needs_it() {
    let mut calls = 0;
    for seed in 1..40u64 {
        let mut draw = Draw(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut lab = Lab::new();
        lab.parallelism = 1 + draw.below(6) as usize;
        lab.limit = (draw.below(2) == 0).then(|| 1 + draw.below(4) as usize);
        for round in 1..4 {
            let (text, needs) = graph(&mut draw, round);
            for verb in ["create", "update", "delete"] {
                for name in needs.keys() {
                    let acts = [act(&mut draw), Act::Do];
                    lab.cloud.act(&format!("{verb} {name}"), acts);
                }
            }
            let path = lab.journal();
            let needs = Arc::new(needs);
            let check = move |token: Token, call: &str, _: &Value| {
                let mut open = BTreeSet::new();
                let mut finished: BTreeMap<String, usize> = BTreeMap::new();
                let mut names = BTreeMap::new();
                for event in events(&path) {
                    match event {
                        Event::Started { token, intent } => {
                            open.insert(token);
                            let name = &intent.action.addr().resource.name;
                            names.insert(token, name.to_string());
                        }
                        Event::Finished { token, .. } => {
                            assert!(open.remove(&token));
                            *finished.entry(names[&token].clone()).or_default() += 1;
                        }
                        _ => {}
                    }
                }
                assert!(open.contains(&token), "{call} is made before it is written");
                let (verb, name) = call.split_once(' ').unwrap();
                if verb == "delete" {
                    return;
                }
                let running: BTreeSet<&String> =
                    open.iter().filter(|it| **it != token).map(|it| &names[it]).collect();
                for on in &needs[name] {
                    assert!(!running.contains(on), "{call} is made while {on} is under way");
                }
            };
            lab.cloud.get().hook = Some(Box::new(check));
            let Ok(ready) = lab.plan(&text).await else { continue };
            let (_keep, interrupt) = plumb_engine::Interrupter::pair();
            ready.apply(&interrupt).await;
            calls += lab.cloud.log().len();
        }
        // Whatever happened: in the end it is as the last configuration says.
        lab.cloud.get().hook = None;
        lab.cloud.get().acts.clear();
        let (text, _) = graph(&mut draw, 9);
        lab.good(&text).await;
        lab.settled(&text).await;
        lab.destroy(&text).await;
    }
    assert!(calls > 2000, "{calls}");
}

/// A journal whose disk is full from the `good`th write on, for `bad` writes.
struct Full {
    lease: Lease,
    good: usize,
    bad: usize,
}

impl Journal for Full {
    fn append(&mut self, events: &[Event]) -> Result<(), StoreError> {
        if self.good > 0 {
            self.good -= 1;
            return self.lease.append(events);
        }
        if self.bad > 0 {
            self.bad -= 1;
            let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
            return Err(StoreError::Io { what: "write", path: "the journal".into(), source });
        }
        self.lease.append(events)
    }

    fn checkpoint(&mut self, state: &State) -> Result<(), StoreError> {
        self.lease.checkpoint(state).map(drop)
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_journal_nothing_is_called() {
    let mut lab = Lab::new();
    let text = things("lab_thing", 20);
    let ready = lab.plan(&text).await.unwrap();
    std::os::unix::fs::symlink("/dev/full", lab.journal()).unwrap();
    let (_keep, interrupt) = plumb_engine::Interrupter::pair();
    let applied = ready.apply(&interrupt).await;
    let folder = lab.path("").to_string();
    expect![[r#"
        -: cannot write `.terraform.tfstate.journal`
        No space left on device (os error 28)

        Nothing more was begun. Objects that remain: 20.
    "#]]
    .assert_eq(&told(&applied.diagnostics).replace(&folder, ""));
    assert_eq!((applied.remaining.len(), applied.in_doubt), (20, 0));
    assert!(lab.cloud.log().is_empty(), "{:?}", lab.cloud.log());
    std::fs::remove_file(lab.journal()).unwrap();
    assert!(!lab.path("terraform.tfstate").exists());
    lab.good(&text).await;
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_cannot_be_written_to_is_no_journal_either() {
    let mut lab = Lab::new();
    let text = things("lab_thing", 2);
    let ready = lab.plan(&text).await.unwrap();
    // Even for root, a folder cannot be written like a file.
    std::fs::create_dir(lab.journal()).unwrap();
    let (_keep, interrupt) = plumb_engine::Interrupter::pair();
    let applied = ready.apply(&interrupt).await;
    assert_eq!((applied.diagnostics.len(), applied.remaining.len()), (1, 2));
    assert!(lab.cloud.log().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_fills_up_in_the_middle_ends_the_run() {
    for (good, bad, in_doubt) in [(1, 99, 2), (2, 99, 1), (1, 1, 0), (2, 1, 0)] {
        let mut lab = Lab::new();
        lab.parallelism = 2;
        lab.cloud.act("create t0", [Act::Slow(Duration::from_secs(1))]);
        lab.cloud.act("create t1", [Act::Slow(Duration::from_secs(2))]);
        let mut text = things("lab_thing", 2);
        for it in 2..10 {
            text += &format!(
                "resource \"lab_thing\" \"t{it}\" {{
                   name = \"t{it}${{lab_thing.t0.id == lab_thing.t1.id ? 1 : \"\"}}\"
                 }}\n"
            );
        }
        let ready = lab.plan(&text).await.unwrap();
        let applied = ready.apply_to(|lease| Box::new(Full { lease, good, bad })).await;
        let case = (good, bad);
        // What was under way came to its end, and a person is told.
        assert!(lab.seen.has("create lab_thing.t0: done"), "{case:?}");
        assert!(lab.seen.has("create lab_thing.t1: done"), "{case:?}");
        let made = lab.cloud.get().objects.len();
        assert_eq!(applied.summary.added, made, "{case:?}");
        assert!(made < 4, "{case:?}: nothing new is begun");
        assert_eq!(applied.remaining.len(), 10 - made, "{case:?}");
        let told = told(&applied.diagnostics);
        assert!(told.contains("Nothing more was begun."), "{told}");
        assert_eq!(told.contains("could not be written down"), in_doubt > 0, "{told}");
        // On disk they are in doubt, unless there was room again.
        let opened = lab.open();
        assert_eq!(opened.recovery.in_doubt, in_doubt, "{case:?}");
        assert_eq!(opened.state.objects.len(), made - in_doubt, "{case:?}");
        drop(opened);
        lab.good(&text).await;
        assert_eq!(lab.cloud.get().objects.len(), 10, "{case:?}: nothing is made twice");
        lab.settled(&text).await;
    }
}

/// Local objects are written in large batches, and all before the first call that comes after.
#[tokio::test(start_paused = true)]
async fn local_objects_are_written_together() {
    const COUNT: usize = 10_000;
    let mut lab = Lab::new();
    let text = format!(
        "resource \"lab_note\" \"n\" {{
           count = {COUNT}
           text  = \"n${{count.index}}\"
         }}
         resource \"lab_thing\" \"last\" {{ name = \"last${{lab_note.n[0].id == \"\" ? 1 : \"\"}}\" }}"
    );
    let path = lab.journal();
    let batches = Arc::new(std::sync::Mutex::new(0));
    let counted = batches.clone();
    lab.cloud.get().hook = Some(Box::new(move |_, _, _| {
        let text = std::fs::read_to_string(&path).unwrap();
        let batch = |line: &str| {
            let (_, rest) = line.split_once("\"batch\":")?;
            rest.split(',').next().map(str::to_owned)
        };
        let found: BTreeSet<String> = text.lines().filter_map(batch).collect();
        *counted.lock().unwrap() = found.len();
        let made = |it: &Event| matches!(it, Event::Finished { left: Effect::Made(_), .. });
        assert_eq!(events(&path).iter().filter(|it| made(it)).count(), COUNT);
    }));
    let ready = lab.plan(&text).await.unwrap();
    let begun = std::time::Instant::now();
    let (_keep, interrupt) = plumb_engine::Interrupter::pair();
    let applied = ready.apply(&interrupt).await;
    let took = begun.elapsed();
    assert_eq!(applied.summary.added, COUNT + 1);
    let batches = *batches.lock().unwrap();
    assert!((1..=12).contains(&batches), "{batches}");
    assert!(took < Duration::from_secs(30), "{took:?}");
    eprintln!("{COUNT} local objects: {took:?}, {batches} batches");
    lab.cloud.get().hook = None;
    lab.options.mode = PlanMode::Destroy;
    lab.good(&text).await;
}

/// A journal that somebody takes over while the process sleeps, or nobody does.
struct Napping {
    lease: Lease,
    taken: bool,
    asked: Arc<std::sync::atomic::AtomicUsize>,
}

impl Journal for Napping {
    fn append(&mut self, events: &[Event]) -> Result<(), StoreError> {
        self.lease.append(events)
    }

    fn checkpoint(&mut self, state: &State) -> Result<(), StoreError> {
        self.lease.checkpoint(state).map(drop)
    }

    fn confirm(&mut self) -> Result<(), StoreError> {
        self.asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        match self.taken {
            true => Err(StoreError::Fenced { name: "the state".into(), detail: "Taken.".into() }),
            false => Ok(()),
        }
    }
}

/// What a call has in hand while its process is stopped is not done if the lock is lost by then.
#[tokio::test(start_paused = true)]
async fn a_call_that_was_slept_through_goes_on_only_under_the_lock() {
    for (taken, made) in [(true, 0), (false, 1)] {
        let mut lab = Lab::new();
        lab.cloud.act("create t0", [Act::Slow(Duration::from_millis(50))]);
        let text = things("lab_thing", 1);
        let ready = lab.plan(&text).await.unwrap();
        let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let napping = |lease| -> Box<dyn Journal + Send> {
            Box::new(Napping { lease, taken, asked: asked.clone() })
        };
        let (applied, ()) = tokio::join!(ready.apply_to(napping), async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            // Nothing else runs meanwhile, as if the process were stopped.
            std::thread::sleep(Duration::from_millis(700));
        });
        assert!(asked.load(std::sync::atomic::Ordering::Relaxed) > 0, "the journal is asked");
        assert_eq!(lab.cloud.get().objects.len(), made, "taken over: {taken}");
        assert_eq!((applied.in_doubt, applied.summary.added), (1 - made, made));
        let told = told(&applied.diagnostics);
        assert_eq!(told.contains("The lock was lost"), taken, "{told}");
        lab.good(&text).await;
        assert_eq!(lab.cloud.get().objects.len(), 1);
    }
}
