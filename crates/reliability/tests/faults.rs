//! A few trials of every fault that takes no file system of its own. `plumb-reliability` does
//! hundreds. Takes a database server: `eval "$(tests/rigs/postgres/up)"`.
#![expect(clippy::unwrap_used, reason = "a test says what it was by failing")]

use std::path::PathBuf;
use std::time::Duration;

use plumb_reliability::run::{Amount, paces, trials};
use plumb_reliability::scenario::{Promise, Scenario};
use plumb_reliability::table::{Row, markdown};
use plumb_reliability::tool::{Backend, Kind, Tool};
use plumb_reliability::trial::Bench;

/// The program that was built with this test: `cargo test --workspace` does, and
/// `cargo build -p plumb-cli` where only this package is tested.
fn plumb() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let program = this.parent().and_then(|it| it.parent()).unwrap().join("plumb");
    assert!(program.exists(), "{} is missing: cargo build -p plumb-cli", program.display());
    program
}

fn check(backend: Backend, resources: usize, scenarios: &[Scenario], amount: Amount) {
    let base = tempfile::Builder::new().prefix("reliab").tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let bench = Bench {
        tool: Tool { program: plumb(), kind: Kind::Plumb },
        backend,
        resources,
        parallelism: 10,
        latency_max: Duration::from_millis(10),
        runtime: runtime.handle().clone(),
        base: base.path().to_owned(),
        keep: false,
    };
    let paces = paces(&bench, 1).unwrap();
    let row = |scenario| {
        let outcomes = trials(&bench, scenario, &paces, amount, &|_| {}).unwrap();
        Row::of(scenario, &outcomes)
    };
    let rows: Vec<Row> = std::thread::scope(|scope| {
        // Most of the time they wait.
        let begun: Vec<_> = scenarios.iter().map(|it| scope.spawn(|| row(*it))).collect();
        begun.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let complaints: Vec<&String> = rows.iter().flat_map(|it| &it.complaints).collect();
    assert!(rows.iter().all(Row::good), "{}\n{complaints:#?}", markdown(&rows));
    for row in rows {
        assert_eq!(row.trials, amount.trials);
        assert!(row.made >= resources * row.trials, "{} acts upon the world", row.scenario.name());
        if row.scenario.promise() == Promise::Refuses {
            assert_eq!(row.refusals, row.trials, "{} is refused", row.scenario.name());
        }
    }
}

#[test]
fn a_killed_run_is_taken_up_by_the_next() {
    check(Backend::Local, 60, &[Scenario::Sigkill], Amount { trials: 12, jobs: 4, seed: 7 });
}

#[test]
fn a_killed_run_with_its_state_in_a_database_is_taken_up_by_the_next() {
    check(Backend::Pg, 40, &[Scenario::Sigkill], Amount { trials: 4, jobs: 4, seed: 7 });
}

#[test]
fn no_fault_loses_or_doubles_anything() {
    let rest = Scenario::ALL.into_iter().filter(|it| !it.needs_root());
    let rest = rest.filter(|it| it.befalls(Backend::Local) && *it != Scenario::Sigkill);
    let rest: Vec<Scenario> = rest.collect();
    check(Backend::Local, 60, &rest, Amount { trials: 1, jobs: 1, seed: 7 });
}
