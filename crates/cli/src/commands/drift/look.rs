//! One look at the world: two plans, what stands beside, and what that comes to.

use std::collections::BTreeSet;
use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_drift::{DriftReport, Input, Previous, classify};
use plumb_engine::{Engine, Interrupt, Observer, PlanOutcome};
use plumb_model::Target;
use plumb_model::addr::ProviderAddr;
use plumb_model::question::Observations;
use plumb_model::state::State;
use plumb_model::value::Value;
use plumb_planner::Options;
use plumb_provider::{Failure, Foreign};

use crate::planning::{self, Prepared};

/// What is looked for, besides what the configuration says.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// Addresses that do not count in this run.
    pub(crate) ignored: &'a [String],
    /// What is left out.
    pub(crate) excluded: &'a [Target],
    /// When earlier looks found what they found.
    pub(crate) previous: &'a Previous,
    /// What stands beside our objects; none: it is looked for now.
    pub(crate) foreign: Option<&'a [(Arc<ProviderAddr>, Foreign)]>,
}

/// What a look found.
pub(crate) struct Looked {
    /// What moved.
    pub(crate) report: DriftReport,
    /// The plan that looked.
    pub(crate) outcome: PlanOutcome,
    /// What stands beside our objects.
    pub(crate) foreign: Vec<(Arc<ProviderAddr>, Foreign)>,
}

/// Looks at everything that is not in `seen` already. Nothing is written. None: it was interrupted.
pub(crate) async fn look(
    engine: &Arc<Engine>,
    prepared: &Prepared,
    state: &State,
    seen: Observations,
    wanted: Wanted<'_>,
    observer: &Arc<dyn Observer>,
    interrupt: &Interrupt,
) -> Result<Option<Looked>, Diagnostics> {
    debug_assert!(!prepared.options.drift_only, "a look is at everything");
    let options = &prepared.options;
    let made =
        planning::make_seen(engine, prepared, options, state, seen, observer, interrupt).await?;
    let Some(mut outcome) = made else { return Ok(None) };
    let foreign = match wanted.foreign {
        Some(known) => known.to_vec(),
        None => beside(engine, state, &outcome).await?,
    };
    // The same without looking: what the configuration asks for by itself.
    let unseen = Options { skip_refresh: true, ..options.clone() };
    let seen = std::mem::take(&mut outcome.seen);
    let made =
        planning::make_seen(engine, prepared, &unseen, state, seen, observer, interrupt).await?;
    let Some(PlanOutcome { planned: pending, seen }) = made else { return Ok(None) };
    outcome.seen = seen;
    let now = planning::seconds_now();
    let accepts = prepared.loaded.root().map(|it| it.accepts.as_slice()).unwrap_or_default();
    let report = classify(Input {
        program: &prepared.program,
        schemas: engine.schemas(),
        state,
        plan: &outcome.planned.plan,
        pending: &pending.plan,
        seen: &outcome.seen,
        foreign: &foreign,
        accepts,
        ignored: wanted.ignored,
        targets: &prepared.options.targets,
        excluded: wanted.excluded,
        previous: wanted.previous,
        now: &now,
        workspace: &prepared.backend.workspace,
    });
    Ok(Some(Looked { report, outcome, foreign }))
}

/// What stands beside our objects.
pub(crate) async fn beside(
    engine: &Arc<Engine>,
    state: &State,
    outcome: &PlanOutcome,
) -> Result<Vec<(Arc<ProviderAddr>, Foreign)>, Diagnostics> {
    let found = engine.beside(state, &outcome.planned.providers).await;
    let ours: BTreeSet<(&str, &str)> = (state.objects.iter())
        .filter_map(|(key, it)| {
            let id = it.attrs.get_attr("id").and_then(Value::as_str)?;
            Some((&*key.addr.resource.kind.0, id))
        })
        .collect();
    let mut failed = Diagnostics::new();
    let mut res = Vec::new();
    for (provider, found) in found {
        match found {
            // Each provider configuration knows its own objects alone.
            Ok(them) => {
                let them = them.into_iter().filter(|it| !ours.contains(&(&*it.kind, &*it.id)));
                res.extend(them.map(|it| (provider.clone(), it)));
            }
            Err(failure) => failed.push(cannot_look(&provider, &failure)),
        }
    }
    if failed.is_empty() { Ok(res) } else { Err(failed) }
}

fn cannot_look(provider: &ProviderAddr, failure: &Failure) -> Diagnostic {
    let detail = format!(
        "What stands beside the objects of {provider} cannot be told. {}: {}\n\nTo look at our \
         own objects alone, say -foreign=false.",
        failure.summary, failure.detail
    );
    Diagnostic::error("The surroundings cannot be looked at", detail)
}
