//! Many lives. `SEED=7` replays one and tells its story; `LIVES=n` lives n of them.
//!
//! `LIVES=20000 cargo test --profile fast -p plumb-sim` is what runs in CI.

use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use plumb_sim::{Totals, live};

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}

#[test]
fn lives() {
    if let Some(seed) = number("SEED") {
        println!("{:?}", live(seed, true));
        return;
    }
    let lives = number("LIVES").unwrap_or(300);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let totals = Mutex::new(Totals::default());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut own = Totals::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= lives || failed.load(Ordering::Relaxed) {
                        break;
                    }
                    match catch_unwind(|| live(seed, false)) {
                        Ok(totals) => own += totals,
                        Err(_) => {
                            failed.store(true, Ordering::Relaxed);
                            eprintln!("replay with SEED={seed}");
                        }
                    }
                }
                *totals.lock().expect("no thread panics while it counts") += own;
            });
        }
    });
    println!("{lives} lives: {totals:?}");
    assert!(!failed.load(Ordering::Relaxed), "a life failed; its seed is above");
}
