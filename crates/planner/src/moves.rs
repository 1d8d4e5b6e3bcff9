//! Objects whose block was renamed: `moved` blocks, and `count` put on or taken off.

use std::collections::{BTreeMap, BTreeSet};

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_lang::Program;
use plumb_model::Target;
use plumb_model::addr::{Addr, ConfigAddr, InstanceKey, ModuleInstance, ModuleStep};
use plumb_model::event::Event;
use plumb_model::state::{Object, State};

/// The moves that `moved` blocks ask for, in order; `state` has them already.
pub(crate) fn moved(
    program: &Program,
    state: &mut State,
    diagnostics: &mut Diagnostics,
) -> Vec<Event> {
    let statements: Vec<_> = program
        .modules
        .iter()
        .flat_map(|module| module.config.moved.iter().map(move |it| (&module.path, it)))
        .collect();
    let mut events = Vec::new();
    // A chain of moves settles in as many rounds as it is long, in whatever order it is written.
    for _ in 0..statements.len() {
        let mut quiet = true;
        for (path, statement) in &statements {
            let addrs: BTreeSet<Addr> = state.objects.keys().map(|it| it.addr.clone()).collect();
            for from in &addrs {
                if from.module.0.len() < path.0.len()
                    || !from.module.0.iter().zip(path.0.iter()).all(|(it, name)| it.name == *name)
                {
                    continue;
                }
                let base = path.0.len();
                let Some(to) = apply(&from.module.0[..base], &statement.from, &statement.to, from)
                else {
                    continue;
                };
                if state.objects.contains_key(&to.current()) {
                    let detail = format!(
                        "Plumb planned to move {from} to {to}, because of a moved block, but \
                         there is already an object at {to}. {from} will be destroyed unless the \
                         configuration still has it."
                    );
                    let warning =
                        Diagnostic::warning("Unresolved resource instance address changes", detail);
                    if !diagnostics.iter().any(|it| it.detail == warning.detail) {
                        diagnostics.push(warning.at(statement.span));
                    }
                    continue;
                }
                let event = Event::Moved { from: from.clone(), to };
                if state.record(&event).is_ok() {
                    events.push(event);
                    quiet = false;
                }
            }
        }
        if quiet {
            break;
        }
    }
    events
}

/// Where `addr` goes, if the statement names it.
/// The records that change because what they lean on has another address now.
pub(crate) fn leaning(state: &State, moves: &[Event]) -> Vec<Event> {
    let mut renamed: BTreeMap<ConfigAddr, BTreeSet<ConfigAddr>> = BTreeMap::new();
    for event in moves {
        if let Event::Moved { from, to } = event
            && from.config() != to.config()
        {
            renamed.entry(from.config()).or_default().insert(to.config());
        }
    }
    if renamed.is_empty() {
        return Vec::new();
    }
    let leaning = state
        .objects
        .iter()
        .filter(|(_, object)| object.needs.iter().any(|it| renamed.contains_key(it)));
    let records = leaning.map(|(key, object)| {
        let mut needs: BTreeSet<ConfigAddr> = object.needs.iter().cloned().collect();
        // A moved block may have been moved on.
        let mut queue: Vec<&ConfigAddr> = object.needs.iter().collect();
        while let Some(need) = queue.pop() {
            for to in renamed.get(need).into_iter().flatten() {
                if needs.insert(to.clone()) {
                    queue.push(to);
                }
            }
        }
        let object = Object { needs: needs.into_iter().collect(), ..object.clone() };
        Event::Recorded { key: key.clone(), object }
    });
    records.collect()
}

fn apply(base: &[ModuleStep], from: &Target, to: &Target, addr: &Addr) -> Option<Addr> {
    let inside = &addr.module.0[base.len()..];
    let rebuild = |head: &ModuleInstance, tail: &[ModuleStep]| {
        ModuleInstance(base.iter().chain(head.0.iter()).chain(tail).cloned().collect())
    };
    match (from, to) {
        (Target::Module(from), Target::Module(to)) => {
            let depth = from.0.len();
            let (head, tail) = inside.split_at_checked(depth)?;
            let (last, parents) = from.0.split_last()?;
            let (is, is_parents) = head.split_last()?;
            if parents != is_parents || last.name != is.name {
                return None;
            }
            // Without keys on either side every instance moves with its key.
            let whole = last.key.is_none() && to.0.last()?.key.is_none();
            if !whole && last.key != is.key {
                return None;
            }
            let mut target = to.0.to_vec();
            if whole && let Some(step) = target.last_mut() {
                step.key.clone_from(&is.key);
            }
            let module = rebuild(&ModuleInstance(target.into()), tail);
            Some(Addr { module, ..addr.clone() })
        }
        (Target::Resource(from), Target::Resource(to)) => {
            if *inside != *from.module.0 || addr.resource != from.resource {
                return None;
            }
            let whole = from.key.is_none() && to.key.is_none();
            if !whole && from.key != addr.key {
                return None;
            }
            let key = if whole { addr.key.clone() } else { to.key.clone() };
            Some(Addr { module: rebuild(&to.module, &[]), resource: to.resource.clone(), key })
        }
        _ => None,
    }
}

/// The move that comes with `count` being put on or taken off: between no key and `[0]`.
pub(crate) fn implied(state: &State, wanted: &Addr) -> Option<Event> {
    let other = match &wanted.key {
        None => Some(InstanceKey::Int(0)),
        Some(InstanceKey::Int(0)) => None,
        Some(_) => return None,
    };
    let from = Addr { key: other, ..wanted.clone() };
    (state.current(wanted).is_none() && state.current(&from).is_some())
        .then(|| Event::Moved { from, to: wanted.clone() })
}
