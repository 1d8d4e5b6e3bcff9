//! What checks and conditions said, as test results.

use plumb_model::state::{CheckResult, CheckStatus};

use crate::junit::{Case, Outcome, Suite, junit};

/// A test for each instance of each check, precondition, postcondition and validation. One of which
/// nothing is known yet was skipped; one that could not be evaluated is an error. `when` is RFC 3339.
pub fn checks_junit(checks: &[CheckResult], when: &str) -> String {
    let cases = checks.iter().flat_map(|check| {
        let whole = (check.config_addr.clone(), check.status, Vec::new());
        let each = match check.objects.is_empty() {
            true => vec![whole],
            false => check.objects.clone(),
        };
        each.into_iter().map(|(address, status, problems)| Case {
            class: check.object_kind.to_owned(),
            name: address.to_string(),
            outcome: outcome(&address, status, &problems.join("\n")),
        })
    });
    let properties = Vec::new();
    junit(&[Suite { name: "plumb checks", timestamp: when, properties, cases: cases.collect() }])
}

fn outcome(address: &str, status: CheckStatus, problems: &str) -> Outcome {
    let text = if problems.is_empty() { String::new() } else { format!("\n{problems}\n") };
    let first = problems.lines().next().filter(|it| !it.is_empty());
    let message = |otherwise: &str| match first {
        Some(first) => first.to_owned(),
        None => format!("{address} {otherwise}"),
    };
    match status {
        CheckStatus::Pass => Outcome::Passed,
        CheckStatus::Unknown => Outcome::Skipped("not known before the apply".to_owned()),
        CheckStatus::Fail => {
            Outcome::Failed { kind: "check", message: message("does not hold"), text }
        }
        CheckStatus::Error => {
            let message = message("could not be evaluated");
            Outcome::Errored { kind: "check", message, text }
        }
    }
}
