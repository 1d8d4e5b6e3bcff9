//! Lives of a store: crashes at every step, contradictions, two at once.

use std::fs::{self, File};
use std::io;

use camino::Utf8PathBuf;
use expect_test::expect;
use plumb_model::value::Value;

use super::*;
use crate::files::disk::fuse;
use crate::files::{Backup, Folder};
use crate::testing::{life, schemas};

mod disk_trouble;
mod locking;
mod sealed;
mod split;

fn local(path: Utf8PathBuf) -> Store {
    Store::new(Arc::new(Folder::new(path, Backup::Beside)), Arc::new(schemas()))
}

/// A folder of its own and the store in it.
struct Place {
    folder: tempfile::TempDir,
    store: Store,
}

impl Place {
    fn new() -> Place {
        // In memory where possible: these tests sync thousands of times.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Place::at(folder.expect("a folder"))
    }

    fn at(folder: tempfile::TempDir) -> Place {
        let path = Utf8PathBuf::from_path_buf(folder.path().join("terraform.tfstate"));
        let path = path.expect("paths are text here");
        Place { folder, store: local(path) }
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn open(&self) -> Opened {
        self.store.open(Some(&LockInfo::new("test"))).expect("it opens")
    }

    fn refused(&self) -> String {
        let error = self.store.open(Some(&LockInfo::new("test"))).err().expect("refused");
        let text = format!("{error}: {}", error.advice().unwrap_or_default());
        text.replace(self.folder.path().to_str().expect("text"), "DIR")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).expect("readable");
        let mut names: Vec<String> = entries
            .map(|it| it.expect("readable").file_name().into_string().expect("text"))
            .collect();
        names.sort();
        names
    }

    fn serial(&self) -> u64 {
        let bytes = fs::read(self.file("terraform.tfstate")).expect("a state");
        v4::read(&bytes, &schemas()).expect("whole").serial
    }
}

fn output(name: &str, value: i64) -> Event {
    Event::Output { name: name.into(), value: Some(Value::number(value)) }
}

fn record(state: &mut State, lease: &mut Lease, events: &[Event]) {
    lease.append(events).expect("it is written");
    events.iter().for_each(|it| state.record(it).expect("legal"));
}

/// What a snapshot and a journal together keep: all but the serial.
fn content(state: &State) -> State {
    State { serial: 0, ..state.clone() }
}

#[test]
fn a_run_that_ends_well() {
    let place = Place::new();
    let Opened { mut state, mut lease, recovery } = place.open();
    assert_eq!((recovery, state.lineage.len()), (Recovery::default(), 36));
    record(&mut state, &mut lease, &[Event::RunStarted { run: 1 }, output("a", 1)]);
    assert_eq!(
        place.names(),
        [".terraform.tfstate.journal", ".terraform.tfstate.lock.info", "terraform.tfstate"]
    );
    assert_eq!(lease.checkpoint(&state).expect("folded"), 1);
    lease.close().expect("closed");
    assert_eq!(place.names(), [".terraform.tfstate.history", "terraform.tfstate"]);

    let Opened { state: again, mut lease, recovery } = place.open();
    assert_eq!((content(&again), recovery), (content(&state), Recovery::default()));
    record(&mut state, &mut lease, &[Event::RunStarted { run: 2 }, output("a", 2)]);
    assert_eq!(lease.checkpoint(&state).expect("folded"), 2);
    // The backup is of the state that the run began with.
    record(&mut state, &mut lease, &[output("a", 3)]);
    assert_eq!(lease.checkpoint(&state).expect("folded"), 3);
    drop(lease);
    assert_eq!(
        place.names(),
        [
            ".terraform.tfstate.history",
            ".terraform.tfstate.past",
            "terraform.tfstate",
            "terraform.tfstate.backup"
        ]
    );
    let backup = fs::read(place.file("terraform.tfstate.backup")).expect("a backup");
    assert_eq!(v4::read(&backup, &schemas()).expect("whole").serial, 1);
    assert_eq!(content(&place.store.read_only().expect("readable").0), content(&state));
}

#[test]
fn looking_leaves_no_trace() {
    let place = Place::new();
    place.open().lease.close().expect("closed");
    assert_eq!(place.names(), [""; 0]);
    let (state, _) = place.store.read_only().expect("nothing is fine");
    assert!(state.is_empty());
    // A run without anything to do still makes a state, as Terraform's does.
    let Opened { state, mut lease, .. } = place.open();
    lease.append(&[Event::RunStarted { run: 1 }]).expect("written");
    lease.checkpoint(&state).expect("folded");
    drop(lease);
    assert_eq!(place.serial(), 1);
}

#[test]
fn the_history_tells_who_did_what() {
    let place = Place::new();
    let Opened { mut state, mut lease, .. } = place.open();
    record(&mut state, &mut lease, &[output("a", 1)]);
    lease.checkpoint(&state).expect("folded");
    let object = crate::testing::life(7, 400, &mut plumb_model::state::State::default());
    let objects: Vec<Event> =
        object.into_iter().filter(|it| matches!(it, Event::Recorded { .. })).collect();
    record(&mut state, &mut lease, &objects);
    let key = state.objects.keys().next().expect("one").clone();
    record(&mut state, &mut lease, &[Event::Vanished { key: key.clone() }]);
    lease.checkpoint(&state).expect("folded");
    lease.close().expect("closed");
    let told = place.store.history().expect("readable");
    assert_eq!(told.iter().map(|it| it.serial).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(told[0].lineage, *state.lineage);
    assert!(told[0].drifted.is_empty() && told[0].who.contains('@'), "{told:?}");
    let gone = crate::history::Drifted { address: key.to_string(), class: "deleted".into() };
    assert_eq!(told[1].drifted, [gone]);
    // A line that was torn is left out; the rest counts.
    let file = place.file(".terraform.tfstate.history");
    let text = fs::read_to_string(&file).expect("there");
    fs::write(&file, format!("{}{{\"time\": \"2", text)).expect("writable");
    assert_eq!(place.store.history().expect("readable"), told);
}

#[test]
fn the_serial_grows_only_with_the_content() {
    let place = Place::new();
    let Opened { mut state, mut lease, .. } = place.open();
    record(&mut state, &mut lease, &[output("a", 1)]);
    assert_eq!(lease.checkpoint(&state).expect("folded"), 1);
    record(&mut state, &mut lease, &[Event::RunStarted { run: 2 }]);
    assert_eq!(lease.checkpoint(&state).expect("folded"), 1);
    record(&mut state, &mut lease, &[output("a", 2), output("a", 1)]);
    assert_eq!(lease.checkpoint(&state).expect("folded"), 1);
    drop(lease);
    assert_eq!(place.names(), [".terraform.tfstate.history", "terraform.tfstate"]);
}

#[test]
fn a_state_of_terraform_is_left_alone_when_nothing_changes() {
    let sample = include_bytes!("../../../../state/samples/terraform-1.11.4/deposed.tfstate");
    let place = Place::new();
    fs::write(place.file("terraform.tfstate"), sample).expect("written");
    let Opened { state, mut lease, .. } = place.open();
    lease.append(&[Event::RunStarted { run: 2 }]).expect("written");
    assert_eq!(lease.checkpoint(&state).expect("nothing to do"), state.serial);
    drop(lease);
    assert_eq!(fs::read(place.file("terraform.tfstate")).expect("there"), sample);
}

#[test]
fn an_interrupted_run_is_recovered_at_every_cut_of_its_journal() {
    let place = Place::new();
    let Opened { mut state, mut lease, .. } = place.open();
    record(&mut state, &mut lease, &[output("before", 1)]);
    lease.checkpoint(&state).expect("folded");
    let start = state.clone();
    let events = life(11, 9, &mut state.clone());
    let journal = place.file(".terraform.tfstate.journal");
    let mut ends = vec![(0, 0)];
    for (done, event) in (1..).zip(&events) {
        lease.append(std::slice::from_ref(event)).expect("written");
        ends.push((fs::metadata(&journal).expect("there").len(), done));
    }
    drop(lease);
    let whole = fs::read(&journal).expect("there");
    for cut in 0..=whole.len() {
        fs::write(&journal, &whole[..cut]).expect("written");
        let durable = ends.iter().rfind(|(end, _)| *end <= cut as u64).expect("0 is").1;
        let mut expected = start.clone();
        events[..durable].iter().for_each(|it| expected.record(it).expect("legal"));
        let (seen, seen_recovery) = place.store.read_only().expect("readable");
        let Opened { state, mut lease, recovery } = place.open();
        assert_eq!(content(&state), content(&expected), "cut at {cut}");
        assert_eq!(content(&seen), content(&expected), "cut at {cut}");
        assert_eq!(seen_recovery.torn_bytes, recovery.torn_bytes);
        assert_eq!(recovery.events, durable);
        assert_eq!(recovery.torn.is_some(), recovery.torn_bytes > 0);
        // And it goes on from there.
        lease.append(&[output("after", 2)]).expect("written");
        drop(lease);
        expected.record(&output("after", 2)).expect("legal");
        assert_eq!(content(&place.open().state), content(&expected), "cut at {cut}");
    }
}

/// Runs a life with two foldings and "dies" after so many steps. Gives what was acknowledged and
/// what was under way, or none if it ran to its end.
fn die_after(place: &Place, seed: u64, steps: u32) -> Option<(State, State)> {
    let mut known = State::default();
    let mut underway = State::default();
    fuse::set(Some(steps));
    let lived = (|| -> Result<(), StoreError> {
        let Opened { mut state, mut lease, .. } = place.store.open(Some(&LockInfo::new("t")))?;
        known = state.clone();
        underway = state.clone();
        let events = life(seed, 14, &mut state.clone());
        for (i, event) in events.iter().enumerate() {
            underway.record(event).expect("legal");
            lease.append(std::slice::from_ref(event))?;
            known.record(event).expect("legal");
            state.record(event).expect("legal");
            if i % 5 == 4 {
                lease.checkpoint(&state)?;
            }
        }
        lease.checkpoint(&state)?;
        lease.close()
    })();
    let died = fuse::is_out();
    fuse::set(None);
    assert!(died || lived.is_ok(), "{lived:?}");
    died.then_some((known, underway))
}

#[test]
fn a_crash_at_any_step_loses_nothing() {
    let mut deaths = 0;
    for seed in 0..12 {
        for steps in 1.. {
            let place = Place::new();
            // Every second life begins with a state.
            if seed % 2 == 0 {
                let Opened { mut state, mut lease, .. } = place.open();
                record(&mut state, &mut lease, &[output("before", 1)]);
                lease.checkpoint(&state).expect("folded");
            }
            let Some((known, underway)) = die_after(&place, seed, steps) else { break };
            deaths += 1;
            // Recovery dies, too, a few times.
            for steps in 1..4 {
                fuse::set(Some(steps));
                let _ = place.store.open(Some(&LockInfo::new("t")));
                fuse::set(None);
            }
            let (seen, _) = place.store.read_only().expect("readable");
            let opened = place.open();
            let found = content(&opened.state);
            // It may have died before there was anything to lose.
            let nothing = known.lineage.is_empty() || known.is_empty() && found.is_empty();
            if !nothing {
                assert!(
                    found == content(&known) || found == content(&underway),
                    "seed {seed}, {steps} steps\nfound: {found:#?}\nknown: {known:#?}"
                );
                assert_eq!(content(&seen), found);
            }
            let Opened { mut state, mut lease, .. } = opened;
            record(&mut state, &mut lease, &[output("after", 2)]);
            lease.checkpoint(&state).expect("folded");
            drop(lease);
            assert_eq!(content(&place.open().state), content(&state), "seed {seed}, {steps}");
        }
    }
    assert!(deaths > 300, "{deaths} deaths are too few to mean something");
}

#[test]
fn doubts_outlive_a_folding() {
    for seed in 0..20 {
        let place = Place::new();
        let Opened { mut state, mut lease, .. } = place.open();
        let events = life(seed, 30, &mut state.clone());
        record(&mut state, &mut lease, &events);
        lease.checkpoint(&state).expect("folded");
        lease.close().expect("closed");
        let opened = place.open();
        assert_eq!(content(&opened.state), content(&state));
        assert_eq!(opened.recovery.in_doubt, state.in_doubt.len());
        let journal = place.file(".terraform.tfstate.journal").exists();
        assert_eq!(journal, !state.in_doubt.is_empty());
    }
}

#[test]
fn pushing_replaces_everything() {
    let place = Place::new();
    let Opened { mut state, mut lease, .. } = place.open();
    record(&mut state, &mut lease, &[output("a", 1)]);
    let pushed = State { lineage: "other".into(), serial: 40, ..State::default() };
    lease.replace(&pushed).expect("replaced");
    assert_eq!(lease.checkpoint(&pushed).expect("nothing to do"), 40);
    drop(lease);
    assert_eq!(place.open().state, pushed);
}

/// A place with a state at serial 2, one at serial 1 as its backup, and a journal that follows the
/// former.
fn interrupted() -> Place {
    let place = Place::new();
    let Opened { mut state, mut lease, .. } = place.open();
    state.lineage = "L".into();
    lease.header.lineage = "L".into();
    let events = life(4, 20, &mut state.clone());
    record(&mut state, &mut lease, &events);
    lease.checkpoint(&state).expect("folded");
    drop(lease);
    let _ = fs::remove_file(place.file(".terraform.tfstate.journal"));
    let Opened { mut state, mut lease, .. } = place.open();
    record(&mut state, &mut lease, &[output("x", 1)]);
    lease.checkpoint(&state).expect("folded");
    record(&mut state, &mut lease, &[output("x", 2), output("x", 3)]);
    drop(lease);
    place
}

#[test]
fn a_lost_state_is_not_taken_for_a_new_one() {
    let place = interrupted();
    fs::write(place.file("terraform.tfstate"), "").expect("written");
    expect!["State file is empty: `DIR/terraform.tfstate` is missing or empty, but the journal beside it follows serial 2 of it (2 events). To go on without what the journal says, move `DIR/.terraform.tfstate.journal` away; objects that were made in that run are then unknown. To use it, bring back the state file as of serial 2: it is then replayed."].assert_eq(&place.refused());
    fs::remove_file(place.file("terraform.tfstate")).expect("removed");
    assert!(place.refused().contains("missing or empty"));
    assert!(place.store.read_only().is_err());
    // Without the journal, the backup speaks.
    fs::remove_file(place.file(".terraform.tfstate.journal")).expect("removed");
    expect!["State file is empty: `DIR/terraform.tfstate` is missing or empty, but its backup `DIR/terraform.tfstate.backup` lists objects: the program that wrote the state last was probably interrupted. To go on from the backup, copy it to `DIR/terraform.tfstate`. To start anew and forget those objects, move the backup away."].assert_eq(&place.refused());
    // The way out that it names.
    fs::copy(place.file("terraform.tfstate.backup"), place.file("terraform.tfstate"))
        .expect("copied");
    assert_eq!(place.open().state.serial, 1);
}

#[test]
fn a_state_that_another_program_changed_meanwhile_is_not_written_over() {
    let place = interrupted();
    let path = place.file("terraform.tfstate");
    let text = fs::read_to_string(&path).expect("there");
    fs::write(&path, text.replace("\"serial\": 2", "\"serial\": 3")).expect("written");
    expect!["State and journal do not belong together: A run was interrupted after serial 2 of `DIR/terraform.tfstate`, and its journal holds 2 events. Before they were taken over, another program changed the state file: it is at serial 3 now. To go on without what the journal says, move `DIR/.terraform.tfstate.journal` away; objects that were made in that run are then unknown. To use it, bring back the state file as of serial 2: it is then replayed."].assert_eq(&place.refused());
    fs::write(&path, text.replace("\"serial\": 2", "\"serial\": 1")).expect("written");
    expect!["State and journal do not belong together: `DIR/terraform.tfstate` is at serial 1, older than serial 2 that the journal beside it follows (2 events): it was probably restored from a copy. To go on without what the journal says, move `DIR/.terraform.tfstate.journal` away; objects that were made in that run are then unknown. To use it, bring back the state file as of serial 2: it is then replayed."].assert_eq(&place.refused());
    fs::write(&path, text.replace("\"lineage\": \"L\"", "\"lineage\": \"M\"")).expect("written");
    expect![[r#"State and journal do not belong together: `DIR/terraform.tfstate` has lineage "M", but the journal beside it, of 2 events, follows a state of lineage "L". To go on without what the journal says, move `DIR/.terraform.tfstate.journal` away; objects that were made in that run are then unknown. To use it, bring back the state file as of serial 2: it is then replayed."#]].assert_eq(&place.refused());
    // Nothing was touched: with the old state back it goes on.
    fs::write(&path, text).expect("written");
    assert_eq!(place.open().recovery.events, 2);
}

#[test]
fn damage_is_explained() {
    let place = interrupted();
    let path = place.file(".terraform.tfstate.journal");
    let mut bytes = fs::read(&path).expect("there");
    bytes[30] ^= 1;
    // The only batch holds the header, too: make it two.
    fs::write(&path, &bytes).expect("written");
    assert_eq!(place.open().recovery.torn_bytes, bytes.len() as u64);

    let place = interrupted();
    let mut lease = place.open().lease;
    lease.append(&[output("x", 4)]).expect("written");
    drop(lease);
    let path = place.file(".terraform.tfstate.journal");
    let mut bytes = fs::read(&path).expect("there");
    bytes[30] ^= 1;
    fs::write(&path, &bytes).expect("written");
    expect!["cannot use the journal `DIR/.terraform.tfstate.journal`: It was damaged after it was written, by the disk or by hand. Restore it from a copy. Or move `DIR/.terraform.tfstate.journal` away: the state file is then as it was before that run, and objects that the run made are unknown."].assert_eq(&place.refused());

    let place = interrupted();
    fs::write(place.file("terraform.tfstate"), "{\"version\": 4, \"ter").expect("written");
    expect!["cannot use the state file `DIR/terraform.tfstate`: Nothing was changed. `DIR/terraform.tfstate.backup` holds the state before the last run, if there is one."].assert_eq(&place.refused());
}
