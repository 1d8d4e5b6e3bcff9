//! From a plan to a picture of the network: providers say what its resources are.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_model::addr::{Addr, Mode, ProviderAddr};
use plumb_model::plan::{Action, Plan};
use plumb_model::state::State;
use plumb_model::value::{Marks, Value};
use plumb_planner::{PlanMode, foreseen};
use plumb_provider::Provider;
use plumb_topology::{Network, Piece, Sign, Source, stand_in};

use plumb_engine::PlanOutcome;

use crate::context::providers;
use crate::planning::Prepared;

/// The network that a plan changes; of one that only refreshes, what drifted.
pub(crate) fn of_plan(prepared: &Prepared, outcome: &PlanOutcome) -> Network {
    network(prepared, outcome, prepared.options.mode == PlanMode::RefreshOnly)
}

/// The network as it was left and as it is.
pub(crate) fn of_drift(prepared: &Prepared, outcome: &PlanOutcome) -> Network {
    network(prepared, outcome, true)
}

fn network(prepared: &Prepared, outcome: &PlanOutcome, drifted: bool) -> Network {
    let planned = &outcome.planned;
    let will = match prepared.options.mode {
        PlanMode::Destroy => BTreeMap::new(),
        PlanMode::Normal | PlanMode::RefreshOnly => {
            foreseen(&prepared.program, &prepared.inputs, &outcome.seen, &planned.known, stand_in)
        }
    };
    let drift = drifted.then_some(&planned.plan.drift);
    let asking = Asking::new();
    let mut sources = Vec::new();
    for (key, change) in &planned.plan.changes {
        // What is left over from a replacement has another of its name beside it.
        if key.deposed.is_some() || key.addr.resource.mode == Mode::Data {
            continue;
        }
        let (sign, after) = match change.action {
            _ if drifted => (Sign::Keep, change.before.as_ref()),
            Action::Keep | Action::Read => (Sign::Keep, change.after.as_ref()),
            Action::Create => (Sign::Add, change.after.as_ref()),
            Action::Update => (Sign::Change, change.after.as_ref()),
            Action::Replace(_) => (Sign::Replace, change.after.as_ref()),
            Action::Delete => (Sign::Remove, None),
            Action::Forget => (Sign::Keep, change.before.as_ref()),
        };
        let mut source = source(&key.addr, &change.provider, sign);
        source.before = asking.pieces(&key.addr, &change.provider, change.before.as_ref());
        let known = after.filter(|it| !it.is_wholly_known()).and_then(|_| will.get(&key.addr));
        source.after = asking.pieces(&key.addr, &change.provider, known.or(after));
        if let Some((before, after)) = drift.and_then(|it| it.get(key)) {
            source.sign = if after.is_some() { Sign::Change } else { Sign::Remove };
            source.before = asking.pieces(&key.addr, &change.provider, Some(before));
            source.after = asking.pieces(&key.addr, &change.provider, after.as_ref());
        }
        sources.push(source);
    }
    sources.extend(lost(&asking, &planned.plan, &planned.prior, drift.is_some()));
    // What data sources found is there before and after.
    let found = planned.prior.objects.iter().map(|(key, it)| (&key.addr, &it.attrs, &it.provider));
    for (addr, attrs, provider) in found.filter(|it| it.0.resource.mode == Mode::Data) {
        let pieces = asking.pieces(addr, provider, Some(will.get(addr).unwrap_or(attrs)));
        let of = source(addr, provider, Sign::Keep);
        sources.push(Source { given: true, before: pieces.clone(), after: pieces, ..of });
    }
    Network::of(&sources)
}

/// What a refresh found gone: the plan has no change of it any more.
fn lost(asking: &Asking, plan: &Plan, prior: &State, shown: bool) -> Vec<Source> {
    let gone = plan.drift.iter().filter(|(key, (_, after))| {
        shown && after.is_none() && key.deposed.is_none() && !plan.changes.contains_key(key)
    });
    let sources = gone.filter_map(|(key, (before, _))| {
        let provider = prior
            .objects
            .iter()
            .find(|it| it.0.addr.resource.kind == key.addr.resource.kind)
            .map(|it| it.1.provider.clone())?;
        let before = asking.pieces(&key.addr, &provider, Some(before));
        Some(Source { before, ..source(&key.addr, &provider, Sign::Remove) })
    });
    sources.collect()
}

/// The network as it is remembered.
pub(crate) fn of_state(state: &State) -> Network {
    let asking = Asking::new();
    let current = state.objects.iter().filter(|it| it.0.deposed.is_none());
    let sources = current.map(|(key, object)| {
        let pieces = asking.pieces(&key.addr, &object.provider, Some(&object.attrs));
        let of = source(&key.addr, &object.provider, Sign::Keep);
        let given = key.addr.resource.mode == Mode::Data;
        Source { given, before: pieces.clone(), after: pieces, ..of }
    });
    Network::of(&sources.collect::<Vec<_>>())
}

fn source(addr: &Addr, provider: &ProviderAddr, sign: Sign) -> Source {
    Source {
        address: addr.to_string(),
        block: addr.config().to_string(),
        scope: provider.to_string(),
        sign,
        given: false,
        before: Vec::new(),
        after: Vec::new(),
    }
}

/// Whom to ask, by source address.
struct Asking(BTreeMap<Arc<str>, Arc<dyn Provider>>);

impl Asking {
    fn new() -> Asking {
        let all = providers().into_iter().map(|it| (it.schema().source.clone(), it));
        Asking(all.collect())
    }

    fn pieces(&self, addr: &Addr, provider: &ProviderAddr, attrs: Option<&Value>) -> Vec<Piece> {
        match (self.0.get(&provider.source), attrs) {
            (Some(provider), Some(attrs)) => {
                provider.topology(&addr.resource.kind, &without_secrets(attrs))
            }
            _ => Vec::new(),
        }
    }
}

/// The same with nothing in place of what is sensitive, and without marks.
fn without_secrets(value: &Value) -> Value {
    if value.has_mark(Marks::SENSITIVE) {
        return Value::unknown(value.ty());
    }
    if !value.has_mark_deep(Marks::SENSITIVE) {
        return value.unmark_deep();
    }
    value.map_items(without_secrets).unmark_deep()
}
