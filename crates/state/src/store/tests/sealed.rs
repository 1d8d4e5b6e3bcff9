//! Lives of a store whose files are sealed.

use plumb_model::value::Value;

use super::*;
use crate::seal::{
    AesGcm, Age, Encryption, KeyProvider, KeySource, Method, SealError, Secret, Target,
};

const WORD: &str = "hunter2-swordfish";

/// A store in the same folder with a configuration of its own.
fn with(place: &Place, sealer: Sealer) -> Store {
    let path = Utf8PathBuf::from_path_buf(place.file("terraform.tfstate")).expect("text");
    local(path).sealed_by(Arc::new(sealer))
}

/// Somebody's key: deriving one from a passphrase would take long.
fn key() -> Method {
    use age::secrecy::ExposeSecret;
    static ANN: std::sync::OnceLock<age::x25519::Identity> = std::sync::OnceLock::new();
    let ann = ANN.get_or_init(age::x25519::Identity::generate);
    let recipients = [Secret::new(ann.to_public().to_string())];
    let identities = [Secret::new(ann.to_string().expose_secret())];
    let source = KeySource::Age(Age::new(&recipients, &identities).expect("good"));
    let keys = KeyProvider::new("key_provider.age.ann", None, source).expect("good");
    Method::AesGcm(AesGcm::new(Arc::new(keys), Vec::new()).expect("good"))
}

fn sealer(method: Method, fallback: Vec<Method>) -> Sealer {
    let state = Some(Target::new(method, fallback, false).expect("good"));
    Sealer::new(Encryption { state, ..Encryption::default() })
}

fn secret(name: &str) -> Event {
    Event::Output { name: name.into(), value: Some(Value::string(WORD)) }
}

fn opened(store: &Store) -> Opened {
    store.open(Some(&LockInfo::new("test"))).expect("it opens")
}

/// Files that the secret can be read in.
fn readable(place: &Place) -> Vec<String> {
    let mut all = Vec::new();
    let mut folders = vec![place.folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("readable") {
            let path = entry.expect("readable").path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let bytes = fs::read(&path).expect("readable");
                    if memchr::memmem::find(&bytes, WORD.as_bytes()).is_some() {
                        let name = path.strip_prefix(place.folder.path()).expect("inside");
                        all.push(name.to_string_lossy().into_owned());
                    }
                }
            }
        }
    }
    all.sort();
    all
}

#[test]
fn nothing_is_readable_at_any_step() {
    let place = Place::new();
    let store = with(&place, sealer(key(), vec![]));
    let Opened { mut state, mut lease, .. } = opened(&store);
    record(&mut state, &mut lease, &[Event::RunStarted { run: 1 }, secret("a")]);
    assert!(place.names().contains(&".terraform.tfstate.journal".to_owned()));
    assert_eq!(readable(&place), [""; 0]);
    assert_eq!(lease.checkpoint(&state).expect("folded"), 1);
    record(&mut state, &mut lease, &[secret("b")]);
    // Nothing differs from the snapshot but in what is sealed.
    assert_eq!(lease.checkpoint(&state).expect("folded"), 2);
    record(&mut state, &mut lease, &[Event::RunStarted { run: 2 }]);
    assert_eq!(lease.checkpoint(&state).expect("the same"), 2);
    // A run that does not end.
    record(&mut state, &mut lease, &[secret("c")]);
    drop(lease);
    assert_eq!(readable(&place), [""; 0]);

    // Another process, with a write that was torn in between.
    let journal = place.file(".terraform.tfstate.journal");
    let whole = fs::read(&journal).expect("left");
    fs::write(&journal, [&whole[..], b"{\"n\":9,\"sealed\":\"AAAA"].concat()).expect("writable");
    let store = with(&place, sealer(key(), vec![]));
    assert_eq!(content(&store.read_only().expect("readable").0), content(&state));
    let Opened { state: again, mut lease, recovery } = opened(&store);
    assert_eq!((content(&again), recovery.torn_bytes), (content(&state), 21));
    record(&mut state, &mut lease, &[secret("d")]);
    drop(lease);
    let Opened { state: again, mut lease, .. } = opened(&store);
    assert_eq!(content(&again), content(&state));
    lease.checkpoint(&again).expect("folded");
    drop(lease);
    assert_eq!(store.past().expect("readable"), [2]);
    assert_eq!(store.past_state(2).expect("readable").expect("kept").serial, 2);
    assert_eq!(readable(&place), [""; 0]);
    assert!(matches!(
        place.store.read_only(),
        Err(StoreError::Sealed { source: SealError::NotConfigured { .. }, .. })
    ));
}

#[test]
fn calls_in_doubt_are_sealed_too() {
    let place = Place::new();
    let store = with(&place, sealer(key(), vec![]));
    let Opened { mut state, mut lease, .. } = opened(&store);
    let events = life(11, 60, &mut State::default());
    let started = |it: &&Event| matches!(it, Event::RunStarted { .. } | Event::Started { .. });
    let start: Vec<Event> = events.iter().filter(started).take(2).cloned().collect();
    record(&mut state, &mut lease, &start);
    assert_eq!(state.in_doubt.len(), 1);
    record(&mut state, &mut lease, &[secret("a")]);
    lease.checkpoint(&state).expect("folded");
    drop(lease);
    let journal = fs::read_to_string(place.file(".terraform.tfstate.journal")).expect("kept");
    assert!(journal.contains("\"sealed\"") && !journal.contains("\"started\""), "{journal}");
    let Opened { state: again, mut lease, .. } = opened(&store);
    assert_eq!(content(&again), content(&state));
    record(&mut state, &mut lease, &[secret("b")]);
    drop(lease);
    assert_eq!(content(&store.read_only().expect("readable").0), content(&state));
    assert_eq!(readable(&place), [""; 0]);
}

#[test]
fn from_plain_to_sealed_and_back() {
    let place = Place::new();
    let Opened { mut state, mut lease, .. } = place.open();
    record(&mut state, &mut lease, &[secret("a")]);
    lease.checkpoint(&state).expect("folded");
    // A run in the clear that does not end.
    record(&mut state, &mut lease, &[secret("b")]);
    drop(lease);

    let strict = with(&place, sealer(key(), vec![]));
    assert!(matches!(
        strict.read_only(),
        Err(StoreError::Sealed { source: SealError::Plain { enforced: false, .. }, .. })
    ));
    let there = with(&place, sealer(key(), vec![Method::Unencrypted]));
    // What was left in the clear is folded before anything is added to it.
    let Opened { state: again, mut lease, .. } = opened(&there);
    assert_eq!(content(&again), content(&state));
    assert!(!place.names().contains(&".terraform.tfstate.journal".to_owned()));
    record(&mut state, &mut lease, &[secret("c")]);
    lease.checkpoint(&state).expect("folded");
    drop(lease);
    assert_eq!(content(&strict.read_only().expect("sealed").0), content(&state));
    // The copies of what was there before are as they were.
    assert_eq!(readable(&place), [".terraform.tfstate.past/1.tfstate", "terraform.tfstate.backup"]);

    // Back, with nothing else to write.
    let back = with(&place, sealer(Method::Unencrypted, vec![key()]));
    let Opened { state: again, mut lease, .. } = opened(&back);
    assert_eq!(content(&again), content(&state));
    lease.append(&[Event::RunStarted { run: 2 }]).expect("written");
    lease.checkpoint(&again).expect("folded");
    drop(lease);
    assert_eq!(content(&place.store.read_only().expect("plain").0), content(&state));
    // And no more than once.
    let serial = place.serial();
    let Opened { state: again, mut lease, .. } = opened(&back);
    lease.append(&[Event::RunStarted { run: 3 }]).expect("written");
    assert_eq!(lease.checkpoint(&again).expect("nothing to do"), serial);
}

#[test]
fn a_crash_while_it_is_sealed_anew_loses_nothing() {
    let mut steps = 0;
    loop {
        let place = Place::new();
        let Opened { mut state, mut lease, .. } = place.open();
        record(&mut state, &mut lease, &[secret("a")]);
        lease.checkpoint(&state).expect("folded");
        record(&mut state, &mut lease, &[secret("b")]);
        drop(lease);
        let there = with(&place, sealer(key(), vec![Method::Unencrypted]));
        fuse::set(Some(steps));
        let left = there.open(Some(&LockInfo::new("test")));
        let dead = fuse::is_out();
        fuse::set(None);
        drop(left);
        let Opened { state: again, .. } = opened(&there);
        assert_eq!(content(&again), content(&state), "dead after {steps} steps");
        if !dead {
            assert!(steps > 5, "it does something: {steps}");
            return;
        }
        steps += 1;
    }
}
