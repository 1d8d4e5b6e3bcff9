//! A remote place that fails, and a folder: whatever happens in between, nothing is lost.

use std::sync::Mutex;

use super::*;
use crate::backend::{Attempt, Backend, Held, Remote};
use crate::split::Split;

/// What is kept far away.
#[derive(Default)]
struct Far {
    snapshot: Option<Vec<u8>>,
    lock: Option<LockInfo>,
    /// How the next uploads end, the first one first; further ones well.
    fates: Vec<Fate>,
    /// Nothing answers any more.
    down: bool,
    /// So often it still says whose the lock is; then somebody breaks it.
    looks: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Refused,
    /// It is written, but the answer is lost.
    Unanswered,
    /// The same, and from then on nothing answers.
    LastSeen,
}

#[derive(Clone, Default)]
struct Cloud {
    far: Arc<Mutex<Far>>,
    folder: Utf8PathBuf,
}

struct Line {
    cloud: Cloud,
    id: Option<String>,
}

fn remote(what: &'static str) -> StoreError {
    StoreError::Remote { what, name: "far".into(), source: "no answer".into() }
}

impl Line {
    fn far(&self) -> Result<std::sync::MutexGuard<'_, Far>, StoreError> {
        let far = self.cloud.far.lock().expect("whole");
        if far.down { Err(remote("reach")) } else { Ok(far) }
    }
}

impl Remote for Line {
    fn lock(&mut self, info: &LockInfo) -> Result<Attempt, StoreError> {
        let mut far = self.far()?;
        if let Some(holder) = &far.lock {
            return Ok(Attempt::Held(Some(Box::new(holder.clone()))));
        }
        far.lock = Some(info.clone());
        drop(far);
        self.id = Some(info.id.clone());
        Ok(Attempt::Taken { from_the_dead: None })
    }

    fn unlock(&mut self) -> Result<(), StoreError> {
        let Some(id) = self.id.take() else { return Ok(()) };
        let mut far = self.far()?;
        far.lock = far.lock.take().filter(|it| it.id != id);
        Ok(())
    }

    fn held(&mut self) -> Result<Held, StoreError> {
        Ok(self.far()?.lock.clone().map_or(Held::Free, |it| Held::By(Some(Box::new(it)))))
    }

    fn break_lock(&mut self, _: &str) -> Result<(), StoreError> {
        self.far()?.lock = None;
        Ok(())
    }

    fn get(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.far()?.snapshot.clone())
    }

    fn put(&mut self, snapshot: &[u8], _: u64) -> Result<(), StoreError> {
        self.check()?;
        if crate::files::disk::fuse::is_out() {
            return Err(remote("die at"));
        }
        let mut far = self.far()?;
        let fate = (!far.fates.is_empty()).then(|| far.fates.remove(0));
        if fate == Some(Fate::Refused) {
            return Err(remote("write"));
        }
        far.snapshot = Some(snapshot.to_vec());
        far.down = fate == Some(Fate::LastSeen);
        if fate.is_some() { Err(remote("hear from")) } else { Ok(()) }
    }

    fn check(&mut self) -> Result<(), StoreError> {
        {
            let mut far = self.far()?;
            match far.looks {
                Some(0) => far.lock = None,
                looks => far.looks = looks.map(|it| it - 1),
            }
        }
        let ours = match (&self.id, &self.far()?.lock) {
            (None, _) => true,
            (Some(id), holder) => holder.as_ref().is_some_and(|it| it.id == *id),
        };
        let fenced = StoreError::Fenced { name: "far".into(), detail: "taken".into() };
        if ours { Ok(()) } else { Err(fenced) }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.unlock();
    }
}

impl crate::backend::Place for Cloud {
    fn name(&self) -> String {
        "far".into()
    }

    fn connect(&self) -> Result<Box<dyn Backend>, StoreError> {
        let line = Line { cloud: self.clone(), id: None };
        Ok(Box::new(Split::new(Box::new(line), self.folder.clone(), self.name())))
    }
}

struct World {
    _folder: tempfile::TempDir,
    cloud: Cloud,
    store: Store,
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let folder = folder.expect("a folder");
        let path = Utf8PathBuf::from_path_buf(folder.path().join("journals")).expect("text");
        let cloud = Cloud { folder: path, ..Cloud::default() };
        let store = Store::new(Arc::new(cloud.clone()), Arc::new(schemas()));
        World { _folder: folder, cloud, store }
    }

    fn open(&self) -> Opened {
        self.store.open(Some(&LockInfo::new("test"))).expect("it opens")
    }

    fn far(&self) -> std::sync::MutexGuard<'_, Far> {
        self.cloud.far.lock().expect("whole")
    }
}

#[test]
fn a_crash_at_any_step_loses_nothing() {
    for seed in 0..4 {
        let mut died = 0;
        for steps in 1.. {
            let world = World::new();
            let Opened { mut state, mut lease, .. } = world.open();
            let mut ended = true;
            let mut known = content(&state);
            let mut begun = None;
            fuse::set(Some(steps));
            for event in life(seed, 25, &mut State::default()) {
                if lease.append(std::slice::from_ref(&event)).is_err() {
                    // Nobody was told that it counts; it may, all the same.
                    let mut with_it = known.clone();
                    with_it.record(&event).expect("legal");
                    begun = Some(with_it);
                    ended = false;
                    break;
                }
                state.record(&event).expect("legal");
                known = content(&state);
                if matches!(event, Event::Output { .. }) && lease.checkpoint(&state).is_err() {
                    ended = false;
                    break;
                }
            }
            fuse::set(None);
            // A process that is killed gives nothing back.
            world.far().lock = None;
            std::mem::forget(lease);
            let opened = world.open();
            let mut found = content(&opened.state);
            drop(opened);
            if found.is_empty() && known.is_empty() {
                // What was never written has no name that could be found again.
                found.lineage = known.lineage.clone();
            }
            assert!(
                found == known || begun.as_ref() == Some(&found),
                "seed {seed}, {steps} steps: {found:?} instead of {known:?}"
            );
            if ended {
                break;
            }
            died += 1;
        }
        assert!(died > 20, "{died}");
    }
}

#[test]
fn uploads_that_fail_are_made_sure_of() {
    for fate in [Fate::Refused, Fate::Unanswered, Fate::LastSeen] {
        let world = World::new();
        let Opened { mut state, mut lease, .. } = world.open();
        record(&mut state, &mut lease, &[output("a", 1)]);
        lease.checkpoint(&state).expect("folded");
        record(&mut state, &mut lease, &[output("a", 2)]);
        world.far().fates = vec![fate];
        let folded = lease.checkpoint(&state);
        assert_eq!(folded.is_ok(), fate == Fate::Unanswered);
        let more = lease.append(&[output("a", 3)]);
        assert_eq!(more.is_ok(), fate != Fate::LastSeen, "what may be folded takes no more");
        if more.is_ok() {
            state.record(&output("a", 3)).expect("legal");
        }
        world.far().down = false;
        drop(lease);
        world.far().lock = None;
        let opened = world.open();
        assert_eq!(content(&opened.state), content(&state));
    }
}

#[test]
fn whoever_lost_the_lock_writes_nothing_more() {
    let world = World::new();
    let Opened { mut state, mut lease, .. } = world.open();
    record(&mut state, &mut lease, &[output("a", 1)]);
    lease.checkpoint(&state).expect("folded");
    let Held::By(Some(holder)) = world.store.held().expect("known") else { panic!("not held") };
    world.store.break_lock(&holder.id).expect("broken");
    let second = world.open();
    assert!(matches!(lease.append(&[output("a", 2)]), Err(StoreError::Fenced { .. })));
    drop(lease);
    assert_eq!(content(&second.state), content(&state));
    assert!(matches!(world.store.held(), Ok(Held::By(_))), "the second one's lock is left alone");
}

#[test]
fn a_journal_begun_without_the_lock_is_taken_back() {
    for looks in 0..=2 {
        let world = World::new();
        let Opened { mut state, mut lease, .. } = world.open();
        record(&mut state, &mut lease, &[output("a", 1)]);
        lease.checkpoint(&state).expect("folded");
        world.far().looks = Some(looks);
        let begun = lease.append(&[output("a", 2)]);
        let journals = fs::read_dir(&world.cloud.folder).expect("readable").flatten();
        let journals =
            journals.filter(|it| it.path().extension().is_some_and(|it| it == "journal"));
        match begun {
            Ok(()) => {
                assert_eq!((journals.count(), looks), (1, 2), "it is asked twice");
                continue;
            }
            Err(StoreError::Fenced { .. }) => assert_eq!(journals.count(), 0),
            Err(other) => panic!("{other:?}"),
        }
        let broken = lease.append(&[output("a", 3)]);
        assert!(matches!(broken, Err(StoreError::Fenced { .. } | StoreError::Broken { .. })));
    }
}
