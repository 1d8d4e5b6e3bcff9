//! Many lives of a state. `SEED=7` lives one and tells its story; `STORE_LIVES=n` lives n of them.
//!
//! What runs in CI is `cargo test --profile fast -p plumb-sim`.

use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use plumb_sim::{StoreTotals, live_in_store};

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}

#[test]
fn lives_of_a_state() {
    if let Some(seed) = number("SEED") {
        println!("{:?}", live_in_store(seed, true));
        return;
    }
    let lives =
        number("STORE_LIVES").unwrap_or(if cfg!(debug_assertions) { 2_000 } else { 50_000 });
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let totals = Mutex::new(StoreTotals::default());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut own = StoreTotals::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= lives || failed.load(Ordering::Relaxed) {
                        break;
                    }
                    match catch_unwind(|| live_in_store(seed, false)) {
                        Ok(totals) => own += totals,
                        Err(_) => {
                            failed.store(true, Ordering::Relaxed);
                            eprintln!("live it again with SEED={seed}");
                        }
                    }
                }
                *totals.lock().expect("no thread panics while it counts") += own;
            });
        }
    });
    let totals = totals.into_inner().expect("no thread panics while it counts");
    println!("{lives} lives: {totals:?}");
    assert!(!failed.load(Ordering::Relaxed), "a life failed; its seed is above");
}
