//! What failures say, and how to say it once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_lang::Program;
use plumb_model::addr::ProviderAddr;
use plumb_provider::Failure;

/// How many objects are named before the rest is only counted.
const NAMES_MAX: usize = 10;

/// A failure as summary and detail.
pub(crate) fn text(failure: &Failure) -> (String, String) {
    let mut detail = failure.detail.clone();
    if let Some(path) = &failure.path {
        if !detail.is_empty() {
            detail += "\n\n";
        }
        detail += &format!("Argument: {path}");
    }
    (failure.summary.clone(), detail)
}

/// Every object whose provider cannot be reached fails with the same words. This makes one
/// diagnostic of them, about the provider.
pub(crate) fn merge(
    diagnostics: Diagnostics,
    failed: &[(Arc<ProviderAddr>, Failure)],
    program: &Program,
) -> Diagnostics {
    if failed.is_empty() {
        return diagnostics;
    }
    let failed: BTreeMap<(String, String), &(Arc<ProviderAddr>, Failure)> =
        failed.iter().map(|it| (text(&it.1), it)).collect();
    let mut merged = Diagnostics::new();
    // By place in `merged`: whom it stops.
    let mut stopped: BTreeMap<usize, (&(Arc<ProviderAddr>, Failure), BTreeSet<String>)> =
        BTreeMap::new();
    let mut places: BTreeMap<(String, String), usize> = BTreeMap::new();
    for diagnostic in diagnostics {
        let words = (diagnostic.summary.clone(), diagnostic.detail.clone());
        let Some(provider) = failed.get(&words) else {
            merged.push(diagnostic);
            continue;
        };
        let place = *places.entry(words).or_insert(merged.len());
        let (_, names) = stopped.entry(place).or_insert_with(|| (*provider, BTreeSet::new()));
        names.extend(diagnostic.address.clone());
        if place == merged.len() {
            merged.push(diagnostic);
        }
    }
    for (place, ((provider, failure), names)) in stopped {
        let it = &mut merged[place];
        it.span = program.provider_argument(provider, failure.path.as_ref()).or(it.span);
        it.address = Some(provider.to_string());
        if !names.is_empty() {
            it.detail = format!("{}\n\n{}", it.detail, needed_by(&names)).trim_start().to_owned();
        }
    }
    merged
}

fn needed_by(names: &BTreeSet<String>) -> String {
    let shown = names.iter().take(NAMES_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMES_MAX) {
        0 => format!("Needed by {shown}."),
        more => format!("Needed by {shown} and {more} more."),
    }
}

/// What a person is told when the state cannot be read or written.
pub fn store_error(error: &plumb_state::StoreError) -> Diagnostic {
    let mut detail = String::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        detail += &format!("{error}\n");
        cause = error.source();
    }
    detail += &error.advice().unwrap_or_default();
    Diagnostic::error(error.to_string(), detail.trim_end())
}
