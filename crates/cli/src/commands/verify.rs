//! `state verify`: everything that can be known to be wrong of what is kept.

use std::collections::BTreeMap;

use plumb_diag::Diagnostics;
use plumb_model::addr::{Mode, ObjectKey};
use plumb_model::schema::Schemas;
use plumb_model::state::State;
use plumb_state::Store;
use serde_json::json;

use super::state::store_of;
use crate::args::{BackupFlags, StateLookArgs};
use crate::context::{Context, store_error};

/// One thing that was looked at.
struct Finding {
    what: String,
    /// What is wrong, or nothing.
    wrong: Option<String>,
    /// It does not stop anything.
    warning: bool,
}

/// Looks at snapshot, journal and what was put away. Exit code 1 if something is wrong.
pub(crate) fn verify(context: &Context, args: &StateLookArgs) -> Result<i32, Diagnostics> {
    let store = store_of(context, args.state.as_deref(), &BackupFlags::default())?;
    let findings = look(&store, &context.schemas());
    let failed = findings.iter().any(|it| it.wrong.is_some() && !it.warning);
    if args.json {
        let checks: Vec<_> = (findings.iter())
            .map(|it| {
                let verdict = match (&it.wrong, it.warning) {
                    (None, _) => "ok",
                    (Some(_), true) => "warning",
                    (Some(_), false) => "error",
                };
                json!({ "check": it.what, "verdict": verdict, "detail": it.wrong })
            })
            .collect();
        let report = json!({ "state": store.name(), "valid": !failed, "checks": checks });
        context.ui.print(&format!("{report:#}\n"));
        return Ok(i32::from(failed));
    }
    for it in &findings {
        let (verdict, detail) = match &it.wrong {
            None => ("ok     ", String::new()),
            Some(wrong) if it.warning => ("warning", format!(": {wrong}")),
            Some(wrong) => ("WRONG  ", format!(": {wrong}")),
        };
        context.ui.say(&format!("{verdict}  {}{detail}", it.what));
    }
    let end = match failed {
        true => "is damaged or contradicts itself",
        false => "is whole",
    };
    context.ui.say(&format!("\n`{}` {end}.", store.name()));
    Ok(i32::from(failed))
}

fn look(store: &Store, schemas: &Schemas) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut say = |what: &str, wrong: Option<String>, warning: bool| {
        findings.push(Finding { what: what.to_owned(), wrong, warning });
    };
    let read = store.read_only();
    let what = "snapshot and journal are whole and belong together";
    let (state, recovery) = match read {
        Ok(read) => read,
        Err(error) => {
            say(what, Some(one_line(&store_error(&error).detail, &error.to_string())), false);
            return findings;
        }
    };
    say(what, None, false);
    let torn = (recovery.torn_bytes > 0).then(|| {
        format!(
            "{} bytes at its end count for nothing; the next run cuts them off",
            recovery.torn_bytes
        )
    });
    say("the journal's end is whole", torn, true);
    let doubts = (!state.in_doubt.is_empty()).then(|| {
        let of: Vec<String> =
            state.in_doubt.values().map(|it| it.action.addr().to_string()).collect();
        format!("in doubt: {}; `plumb recover` looks into it", of.join(", "))
    });
    say("every call that was begun was heard back from", doubts, true);
    say("no two addresses are of one object", doubles(&state), false);
    say("every object is of a type that is known", unknown(&state, schemas), true);
    say("replaced objects wait for an end of their own", deposed(&state), true);
    match store.past() {
        Err(error) => say("earlier snapshots are whole", Some(error.to_string()), false),
        Ok(serials) => {
            let count = serials.len();
            let wrong = serials.into_iter().find_map(|it| past(store, it, &state));
            say(&format!("{count} earlier snapshots are whole"), wrong, false);
        }
    }
    say(
        "the history tells of no serial twice, and of none after the state's",
        told(store, &state),
        true,
    );
    findings
}

fn one_line(detail: &str, summary: &str) -> String {
    format!("{summary}: {}", detail.replace('\n', " ")).trim_end_matches(": ").to_owned()
}

/// Objects that two addresses claim.
fn doubles(state: &State) -> Option<String> {
    let mut seen: BTreeMap<(&str, &str, &str), &ObjectKey> = BTreeMap::new();
    for (key, object) in &state.objects {
        let resource = &key.addr.resource;
        let id = object.attrs.get_attr("id").and_then(|it| it.as_str());
        let Some(id) = id.filter(|it| resource.mode == Mode::Managed && !it.is_empty()) else {
            continue;
        };
        if let Some(first) = seen.insert((&object.provider.source, &resource.kind, id), key) {
            return Some(format!("{first} and {key} are both {id:?}"));
        }
    }
    None
}

fn unknown(state: &State, schemas: &Schemas) -> Option<String> {
    let strange = state.objects.iter().find(|(key, object)| {
        let resource = &key.addr.resource;
        schemas.resource(&object.provider.source, resource.mode, &resource.kind).is_none()
    });
    strange.map(|(key, object)| {
        format!("{key} belongs to {}, which is not compiled in", object.provider.source)
    })
}

fn deposed(state: &State) -> Option<String> {
    let left: Vec<String> =
        (state.objects.keys()).filter(|it| it.deposed.is_some()).map(ToString::to_string).collect();
    (!left.is_empty()).then(|| format!("the next apply deletes {}", left.join(", ")))
}

fn past(store: &Store, serial: u64, state: &State) -> Option<String> {
    match store.past_state(serial) {
        Err(error) => Some(format!("serial {serial}: {error}")),
        Ok(None) => Some(format!("serial {serial} is gone")),
        Ok(Some(old)) if old.lineage != state.lineage => {
            Some(format!("serial {serial} is of another lineage, \"{}\"", old.lineage))
        }
        Ok(Some(old)) if old.serial != serial => {
            Some(format!("what is kept as serial {serial} says that it is {}", old.serial))
        }
        Ok(Some(_)) => None,
    }
}

fn told(store: &Store, state: &State) -> Option<String> {
    let entries = match store.history() {
        Ok(entries) => entries,
        Err(error) => return Some(error.to_string()),
    };
    let ours = entries.iter().filter(|it| it.lineage == *state.lineage);
    let mut last = 0;
    for it in ours {
        if it.serial <= last {
            return Some(format!("serial {} follows {last}", it.serial));
        }
        last = it.serial;
    }
    (last > state.serial).then(|| {
        format!("it tells of serial {last}, and the state is at {}: an older copy", state.serial)
    })
}
