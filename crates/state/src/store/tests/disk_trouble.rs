//! A full disk and a read-only folder, really: in a mount namespace of their own.

use std::collections::BTreeMap;
use std::process::Command;

use super::*;

/// Runs the test `name` again where `DIR` is a small file system of its own.
fn on_a_small_disk(name: &str) -> Option<Utf8PathBuf> {
    if let Ok(folder) = std::env::var("PLUMB_SMALL_DISK") {
        return Some(folder.into());
    }
    let folder = tempfile::tempdir().expect("a folder");
    let script = "mount -t tmpfs -o size=128k tmpfs \"$PLUMB_SMALL_DISK\" && exec \"$0\" \"$@\"";
    let namespace = if nix::unistd::geteuid().is_root() { "-m" } else { "-rm" };
    let output = Command::new("unshare")
        .args([namespace, "sh", "-c", script])
        .arg(std::env::current_exe().expect("a test"))
        .args(["--exact", &format!("store::tests::disk_trouble::{name}")])
        .env("PLUMB_SMALL_DISK", folder.path())
        .output()
        .expect("unshare runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    None
}

fn remount(folder: &Utf8PathBuf, how: &str) {
    let done = Command::new("mount").args(["-o", how, folder.as_str()]).status().expect("mount");
    assert!(done.success());
}

fn store_in(folder: &Utf8PathBuf) -> Store {
    local(folder.join("terraform.tfstate"))
}

fn is_full<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    match result {
        Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::StorageFull => {}
        other => panic!("the disk is full, and yet {other:?}"),
    }
}

#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let Some(folder) = on_a_small_disk("a_full_disk_loses_nothing_that_was_acknowledged") else {
        return;
    };
    let store = store_in(&folder);
    let Opened { mut state, mut lease, .. } =
        store.open(Some(&LockInfo::new("t"))).expect("room for that");
    record(&mut state, &mut lease, &[output("first", 1)]);
    lease.checkpoint(&state).expect("folded");
    let long = Value::string("x".repeat(3000));
    let mut full = None;
    for i in 0..200 {
        let event = Event::Output { name: format!("o{i}").into(), value: Some(long.clone()) };
        match lease.append(std::slice::from_ref(&event)) {
            Ok(()) => state.record(&event).expect("legal"),
            Err(error) => {
                full = Some(error);
                break;
            }
        }
    }
    is_full::<()>(Err(full.expect("128 kB are full some time")));
    // Folding needs room as well. The state file stays as it was.
    is_full(lease.checkpoint(&state));
    drop(lease);
    let (seen, recovery) = store.read_only().expect("readable");
    assert_eq!(content(&seen), content(&state));
    assert_eq!(recovery.torn_bytes, 0, "half a line was taken back");

    // No room for the note: refused before anything else happens.
    let filler = folder.join("filler");
    let _ = fs::write(&filler, vec![0; 200_000]);
    let opened = store.open(Some(&LockInfo::new("t")));
    is_full(opened.map(|_| ()));
    is_full(
        store
            .open(None)
            .expect("no note")
            .lease
            .append(&[Event::Output { name: "more".into(), value: Some(long.clone()) }]),
    );

    // With room again it goes on, in the same run even.
    fs::remove_file(&filler).expect("removed");
    let Opened { state: again, mut lease, .. } =
        store.open(Some(&LockInfo::new("t"))).expect("room again");
    assert_eq!(content(&again), content(&state));
    let _ = fs::write(&filler, vec![0; 200_000]);
    is_full(lease.append(&[Event::Output { name: "more".into(), value: Some(long.clone()) }]));
    fs::remove_file(&filler).expect("removed");
    let small = [output("small", 1)];
    record(&mut state, &mut lease, &small);
    drop(lease);
    assert_eq!(content(&store.read_only().expect("readable").0), content(&state));
}

/// With so much room that it fails at one place or another, until it suffices.
#[test]
fn a_folding_that_finds_no_room_leaves_no_beginnings() {
    let Some(folder) = on_a_small_disk("a_folding_that_finds_no_room_leaves_no_beginnings") else {
        return;
    };
    let store = store_in(&folder);
    let Opened { mut state, mut lease, .. } =
        store.open(Some(&LockInfo::new("t"))).expect("room for that");
    let long = Value::string("x".repeat(10_000));
    for name in ["a", "b"] {
        let event = Event::Output { name: name.into(), value: Some(long.clone()) };
        record(&mut state, &mut lease, &[event]);
    }
    lease.checkpoint(&state).expect("folded");
    record(&mut state, &mut lease, &[output("small", 1)]);
    let files = || -> BTreeMap<String, Vec<u8>> {
        let of = |folder: &Utf8PathBuf| fs::read_dir(folder).into_iter().flatten().flatten();
        let all = of(&folder).chain(of(&folder.join(".terraform.tfstate.past")));
        let all = all.filter(|it| it.path().is_file() && it.file_name() != "filler");
        let text = |it: &fs::DirEntry| it.path().to_str().expect("text").to_owned();
        all.map(|it| (text(&it), fs::read(it.path()).expect("readable"))).collect()
    };
    let before = files();
    let filler = folder.join("filler");
    let mut failures = 0;
    for pages in 0.. {
        let _ = fs::write(&filler, vec![0; 200_000]);
        let room = fs::metadata(&filler).expect("there").len().saturating_sub(pages * 4096);
        File::options().write(true).open(&filler).and_then(|it| it.set_len(room)).expect("shorter");
        match lease.checkpoint(&state) {
            Ok(_) => break,
            failed => is_full(failed),
        }
        failures += 1;
        let after = files();
        let names = |it: &BTreeMap<String, Vec<u8>>| it.keys().cloned().collect::<Vec<_>>();
        // The snapshot that is about to be replaced may have been put away already.
        let backup = |name: &String| name.ends_with(".backup") || name.contains(".past/");
        let new: Vec<_> = names(&after).into_iter().filter(|it| !before.contains_key(it)).collect();
        assert!(new.iter().all(backup) && !new.iter().any(|it| it.ends_with(".new")), "{new:?}");
        let kept = before.iter().filter(|it| !backup(it.0));
        assert!(kept.into_iter().all(|it| after.get(it.0) == Some(it.1)), "{:?}", names(&after));
    }
    assert!(failures > 3, "it failed at {failures} places");
    drop(lease);
    fs::remove_file(&filler).expect("removed");
    assert_eq!(content(&store.read_only().expect("readable").0), content(&state));
}

#[test]
fn a_read_only_folder_is_refused_before_anything_happens() {
    let Some(folder) = on_a_small_disk("a_read_only_folder_is_refused_before_anything_happens")
    else {
        return;
    };
    let store = store_in(&folder);
    let Opened { mut state, mut lease, .. } =
        store.open(Some(&LockInfo::new("t"))).expect("writable yet");
    record(&mut state, &mut lease, &[output("a", 1)]);
    lease.checkpoint(&state).expect("folded");
    drop(lease);
    remount(&folder, "remount,ro");
    let error = store.open(Some(&LockInfo::new("t"))).map(|_| ()).expect_err("no lock");
    assert!(error.to_string().starts_with("cannot lock `"), "{error}");
    let (seen, _) = store.read_only().expect("looking is fine");
    assert_eq!(content(&seen), content(&state));
    // -lock=false: looking works, and the first event of a run fails.
    let mut opened = store.open(None).expect("looking is fine");
    let error = opened.lease.append(&[Event::RunStarted { run: 1 }]).expect_err("read-only");
    assert!(error.to_string().starts_with("cannot write `"), "{error}");
    remount(&folder, "remount,rw");
}
