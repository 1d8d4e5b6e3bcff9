//! Many trials, some at once.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::scenario::Scenario;
use crate::trial::{Bench, Outcome, Paces, Start, pace, trial};

/// How many of what.
#[derive(Clone, Copy, Debug)]
pub struct Amount {
    /// Trials in which the fault hit.
    pub trials: usize,
    /// Trials at once.
    pub jobs: usize,
    /// What chance begins with.
    pub seed: u64,
}

/// Measures how long runs take that nothing strikes, with as many at once as there will be.
pub fn paces(bench: &Bench, jobs: usize) -> io::Result<Paces> {
    let mut paces = BTreeMap::new();
    for start in [Start::Fresh, Start::Half, Start::Whole] {
        let times: Vec<io::Result<Duration>> = std::thread::scope(|scope| {
            let begun: Vec<_> = (0..jobs)
                .map(|job| scope.spawn(move || pace(bench, start, &format!("{start:?}-{job}"))))
                .collect();
            begun.into_iter().map(joined).collect()
        });
        let times: Vec<Duration> = times.into_iter().collect::<io::Result<_>>()?;
        paces.insert(start, times.into_iter().max().unwrap_or_default());
    }
    Ok(paces)
}

/// Does trials of a scenario until the fault hit in as many as are wanted. `told` hears of each.
pub fn trials(
    bench: &Bench,
    scenario: Scenario,
    paces: &Paces,
    amount: Amount,
    told: &(dyn Fn(&Outcome) + Sync),
) -> io::Result<Vec<Outcome>> {
    let (begun, outcomes) = (AtomicUsize::new(0), Mutex::new(Ok(Vec::new())));
    let lock = || outcomes.lock().unwrap_or_else(PoisonError::into_inner);
    let wanted =
        |hit: &io::Result<Vec<Outcome>>| hit.as_ref().is_ok_and(|hit| hit.len() < amount.trials);
    // A fault that hardly ever hits is one that the harness cannot strike.
    let most = amount.trials * 10 + 20;
    let work = || {
        while wanted(&lock()) {
            let number = begun.fetch_add(1, Ordering::Relaxed);
            if number >= most {
                let why = format!("{} did not hit in {most} tries", scenario.name());
                *lock() = Err(io::Error::other(why));
                return;
            }
            let seed = amount.seed.wrapping_mul(1_000_003).wrapping_add(number as u64);
            // A thread of its own: what it mounts goes away with it.
            let done = std::thread::scope(|scope| {
                joined(scope.spawn(move || trial(bench, scenario, paces, seed)))
            });
            match (&mut *lock(), done) {
                (Ok(_), Ok(outcome)) if outcome.missed => {}
                (Ok(hit), Ok(outcome)) => {
                    if hit.len() < amount.trials {
                        told(&outcome);
                        hit.push(outcome);
                    }
                }
                (Err(_), _) => {}
                (all, Err(error)) => {
                    let why = format!("{}, seed {seed}: {error}", scenario.name());
                    *all = Err(io::Error::other(why));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        (0..amount.jobs.max(1)).for_each(|_| {
            scope.spawn(work);
        });
    });
    outcomes.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn joined<T>(handle: std::thread::ScopedJoinHandle<'_, io::Result<T>>) -> io::Result<T> {
    handle.join().unwrap_or_else(|_| Err(io::Error::other("the harness panicked")))
}
