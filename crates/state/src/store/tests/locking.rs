//! Two at once.

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use super::*;

fn locked(place: &Place) -> Option<Box<LockInfo>> {
    match place.store.open(Some(&LockInfo::new("second"))) {
        Err(StoreError::Locked { holder, .. }) => holder,
        Err(other) => panic!("not locked: {other:?}"),
        Ok(_) => panic!("not locked"),
    }
}

#[test]
fn the_second_is_told_of_the_first() {
    let place = Place::new();
    let Opened { mut state, mut lease, .. } = place.open();
    let holder = locked(&place).expect("named");
    assert_eq!((&*holder.operation, holder.id.len()), ("test", 36));
    assert!(holder.path.ends_with("terraform.tfstate"));
    assert!(place.store.read_only().is_ok(), "looking needs no lock");
    assert!(place.store.open(None).is_ok(), "-lock=false");
    // A folding puts a new file in place: that is locked, too.
    record(&mut state, &mut lease, &[output("a", 1)]);
    lease.checkpoint(&state).expect("folded");
    locked(&place);
    // Something else in this process reads the file: the lock stays.
    drop(File::open(place.store.name()).expect("readable"));
    locked(&place);
    lease.close().expect("closed");
    drop(place.open());
}

#[test]
fn a_note_without_a_lock_is_of_a_dead_process() {
    let place = Place::new();
    fs::write(place.file(".terraform.tfstate.lock.info"), "{\"ID\":\"dead\"}").expect("written");
    drop(place.open());
    assert!(!place.file(".terraform.tfstate.lock.info").exists());
}

#[test]
fn terraform_and_we_exclude_each_other() {
    let whole = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    let place = Place::new();
    let lease = place.open().lease;
    let theirs = File::options().write(true).open(place.store.name()).expect("there");
    assert!(fcntl(&theirs, FcntlArg::F_SETLK(&whole)).is_err(), "we hold it");
    drop(lease);
    let mut options = File::options();
    let options = options.write(true).create(true).truncate(false);
    let theirs = options.open(place.store.name()).expect("there");
    fcntl(&theirs, FcntlArg::F_SETLK(&whole)).expect("free again");
    assert_eq!(locked(&place), None);
    drop(theirs);
    drop(place.open());
}

#[test]
fn whoever_waited_with_the_old_file_open_does_not_read_it_as_a_state() {
    let place = Place::new();
    let Opened { mut state, mut lease, .. } = place.open();
    record(&mut state, &mut lease, &[output("a", 1)]);
    lease.checkpoint(&state).expect("folded");
    let waiting = File::open(place.store.name()).expect("there");
    record(&mut state, &mut lease, &[output("a", 2)]);
    lease.checkpoint(&state).expect("folded");
    lease.close().expect("closed");
    let text = io::read_to_string(&waiting).expect("readable");
    assert!(text.contains("Run again"), "{text}");
    assert!(v4::read(text.as_bytes(), &schemas()).is_err());
    assert_eq!(place.serial(), 2);
}

#[test]
fn many_at_once_take_turns() {
    let place = Place::new();
    let turns = |who: usize| {
        let mut done = 0;
        while done < 25 {
            let opened = match place.store.open(Some(&LockInfo::new("turn"))) {
                Ok(opened) => opened,
                Err(StoreError::Locked { .. }) => {
                    std::thread::yield_now();
                    continue;
                }
                Err(error) => panic!("{who}: {error:?}"),
            };
            let Opened { mut state, mut lease, .. } = opened;
            let count = state.outputs.get("count").and_then(Value::as_i64).unwrap_or_default();
            record(&mut state, &mut lease, &[output("count", count + 1)]);
            // Some end well, some do not.
            if !(done + who).is_multiple_of(3) {
                lease.checkpoint(&state).expect("folded");
            }
            done += 1;
        }
    };
    std::thread::scope(|scope| {
        for who in 0..4 {
            scope.spawn(move || turns(who));
        }
    });
    assert_eq!(place.open().state.outputs["count"], Value::number(100));
}

#[test]
fn a_symbolic_link_is_the_file_it_leads_to() {
    let place = Place::new();
    let Opened { mut state, mut lease, .. } = place.open();
    let link = Utf8PathBuf::from_path_buf(place.file("link.tfstate")).expect("text");
    std::os::unix::fs::symlink(place.store.name(), &link).expect("made");
    let other = Store::new(Arc::new(Folder::new(link.clone(), Backup::Off)), Arc::new(schemas()));
    assert!(matches!(other.open(Some(&LockInfo::new("t"))), Err(StoreError::Locked { .. })));
    record(&mut state, &mut lease, &[output("a", 1)]);
    drop(lease);
    let Opened { state, mut lease, .. } = other.open(Some(&LockInfo::new("t"))).expect("free");
    lease.checkpoint(&state).expect("folded");
    drop(lease);
    assert!(link.is_symlink());
    assert_eq!(content(&place.open().state), content(&state));
}

#[test]
fn whether_it_is_held_can_be_asked() {
    let place = Place::new();
    let held = || place.store.held().expect("readable");
    assert_eq!(held(), Held::Free, "there is no state");
    let Opened { mut state, mut lease, .. } = place.open();
    let before = place.names();
    let Held::By(Some(holder)) = held() else { panic!("not held") };
    assert_eq!(holder.operation, "test");
    // A folding puts a new file in place.
    record(&mut state, &mut lease, &[output("a", 1)]);
    lease.checkpoint(&state).expect("written");
    assert!(matches!(held(), Held::By(_)));
    assert!(place.names().len() >= before.len());
    lease.close().expect("closed");
    let before = place.names();
    assert_eq!(held(), Held::Free);
    assert_eq!(place.names(), before, "asking leaves nothing behind");
}

#[test]
fn whose_lock_is_broken_writes_nothing_more() {
    let place = Place::new();
    let Opened { mut state, mut lease, .. } = place.open();
    record(&mut state, &mut lease, &[output("a", 1)]);
    lease.checkpoint(&state).expect("folded");
    record(&mut state, &mut lease, &[output("b", 1)]);
    let wrong = place.store.break_lock("no-such-lock").expect_err("another");
    assert!(wrong.advice().expect("told").contains("does not match existing lock"));
    let holder = locked(&place).expect("named");
    place.store.break_lock(&holder.id).expect("broken");

    let Opened { state: seen, lease: second, recovery } = place.open();
    assert_eq!((content(&seen), recovery.events), (content(&state), 1));
    let error = lease.append(&[output("c", 1)]).expect_err("fenced");
    assert!(matches!(error, StoreError::Fenced { .. }), "{error}");
    assert!(matches!(lease.checkpoint(&state), Err(StoreError::Fenced { .. })));
    // Whatever it wrote went nowhere, and leaving does not take the second one's note away.
    drop(lease);
    assert!(place.names().contains(&".terraform.tfstate.lock.info".to_owned()));
    drop(second);
    assert_eq!(content(&place.open().state), content(&state));
    assert!(!place.names().iter().any(|it| it.contains("breaking")));
}

/// A journal of doubts that it left for its next snapshot would seem to belong to one of the other's,
/// of the same serial: both count from the same one.
#[test]
fn whose_lock_is_broken_folds_nothing() {
    let seed = (0..).find(|seed| !doubts(*seed).in_doubt.is_empty()).expect("there is one");
    for news in [true, false] {
        let place = Place::new();
        let Opened { mut state, mut lease, .. } = place.open();
        let before = if news { Vec::new() } else { vec![Event::RunStarted { run: 1 }] };
        let events = if news { life(seed, 30, &mut state.clone()) } else { before };
        record(&mut state, &mut lease, &events);
        let holder = locked(&place).expect("named");
        place.store.break_lock(&holder.id).expect("broken");
        let Opened { state: mut seen, lease: mut second, .. } = place.open();
        record(&mut seen, &mut second, &[output("second", 1)]);
        second.checkpoint(&seen).expect("folded");
        record(&mut seen, &mut second, &[output("second", 2)]);

        let all = |place: &Place| -> Vec<(String, Option<Vec<u8>>)> {
            let names = place.names().into_iter();
            names.map(|it| (it.clone(), fs::read(place.file(&it)).ok())).collect()
        };
        let before = all(&place);
        assert!(matches!(lease.checkpoint(&state), Err(StoreError::Fenced { .. })), "{news}");
        assert!(matches!(lease.confirm(), Err(StoreError::Fenced { .. })));
        assert_eq!(all(&place), before, "{news}");
        second.confirm().expect("ours");
        drop((lease, second));
        assert_eq!(content(&place.open().state), content(&seen));
    }
}

fn doubts(seed: u64) -> State {
    let mut state = State::default();
    life(seed, 30, &mut state);
    state
}

#[test]
fn the_lock_of_another_program_is_not_broken() {
    let place = Place::new();
    let Opened { lease, .. } = place.open();
    let note = place.file(".terraform.tfstate.lock.info");
    let holder = LockInfo { process: None, ..(*locked(&place).expect("named")).clone() };
    fs::write(&note, serde_json::to_string(&holder).expect("JSON")).expect("written");
    let error = place.store.break_lock(&holder.id).expect_err("not ours");
    assert!(error.advice().expect("told").contains("another program"), "{error}");
    drop(lease);
    let error = place.store.break_lock(&holder.id).expect_err("free");
    assert!(error.advice().expect("told").contains("is not locked"), "{error}");
}
