//! What is planned beyond what the schema says: drift is repaired, and what the cloud may choose anew is not
//! promised.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_model::schema::{RefineInput, Refined};
use plumb_model::value::{Path, Type, Value};

/// An argument, and what is chosen anew when it changes unless it is written.
type Choices = &'static [(&'static str, &'static [&'static str])];

pub(crate) fn network(input: RefineInput<'_>) -> Refined {
    plan(input, &[("subnet", &["gateway"])])
}

pub(crate) fn router(input: RefineInput<'_>) -> Refined {
    let mut refined = plan(input, &[("external_network", &["external_address"])]);
    if refined.planned.get_attr("external_network").is_some_and(|it| it.is_known() && it.is_null())
    {
        set(&mut refined.planned, "external_address", Value::null(Type::String));
    }
    refined
}

pub(crate) fn router_interface(input: RefineInput<'_>) -> Refined {
    plan(input, &[])
}

pub(crate) fn port(input: RefineInput<'_>) -> Refined {
    plan(input, &[("network", &["address"])])
}

pub(crate) fn security_group(input: RefineInput<'_>) -> Refined {
    plan(input, &[])
}

pub(crate) fn security_group_rule(input: RefineInput<'_>) -> Refined {
    plan(input, &[])
}

pub(crate) fn floating_ip(input: RefineInput<'_>) -> Refined {
    plan(input, &[("network", &["address"])])
}

pub(crate) fn port_forward(input: RefineInput<'_>) -> Refined {
    plan(input, &[])
}

pub(crate) fn snapshot(input: RefineInput<'_>) -> Refined {
    plan(input, &[])
}

pub(crate) fn link(input: RefineInput<'_>) -> Refined {
    plan(input, &[])
}

/// Any change of a host may start it anew.
pub(crate) fn host(input: RefineInput<'_>) -> Refined {
    let Some(prior) = input.prior.cloned() else { return plan(input, &[]) };
    let mut refined = plan(input, &[]);
    let own =
        |name: &str| ["address", "addresses", "macs", "status", "pid", "exit_code"].contains(&name);
    let changed = refined
        .planned
        .as_map()
        .into_iter()
        .flatten()
        .any(|(name, value)| !own(name) && prior.get_attr(name) != Some(value));
    if changed {
        for (name, ty) in
            [("status", Type::String), ("pid", Type::Number), ("exit_code", Type::Number)]
        {
            set(&mut refined.planned, name, Value::unknown(ty));
        }
    }
    if refined.planned.get_attr("interface") != prior.get_attr("interface") {
        set(&mut refined.planned, "address", Value::unknown(Type::String));
        for name in ["addresses", "macs"] {
            set(&mut refined.planned, name, Value::unknown(Type::list(Type::String)));
        }
    }
    refined
}

fn plan(input: RefineInput<'_>, choices: Choices) -> Refined {
    let RefineInput { config, prior, proposed: mut planned, replaced, .. } = input;
    set(&mut planned, "drift", Value::list(Type::String, Vec::new()));
    let written =
        |name: &str| config.get_attr(name).is_some_and(|it| !(it.is_known() && it.is_null()));
    for (argument, chosen) in choices {
        let Some(prior) = prior else { break };
        if prior.get_attr(argument) == planned.get_attr(argument) {
            continue;
        }
        for name in chosen.iter().filter(|it| !written(it)) {
            set(&mut planned, name, Value::unknown(Type::String));
        }
    }
    // What hangs on an object by name goes before it and comes after it. A snapshot stays when its host
    // goes, an address when its host does, and a host when what it began with does.
    let is_address = planned.get_attr("internal_port").is_none()
        && planned.get_attr("port").is_some()
        && planned.get_attr("network").is_some();
    let hangs = replaced.iter().any(|(kind, _)| match &**kind {
        "netns_snapshot" => false,
        "netns_host" | "netns_port" => !is_address,
        kind => kind.starts_with("netns_"),
    });
    let mut replace = Vec::new();
    if hangs && prior.is_some() {
        for name in ["name", "router"] {
            if replace.is_empty() && planned.get_attr(name).is_some() {
                replace.push(Path::default().attr(name));
            }
        }
    }
    Refined { planned, replace }
}

fn set(object: &mut Value, name: &str, value: Value) {
    let mut attributes: BTreeMap<Arc<str>, Value> = object.as_map().cloned().unwrap_or_default();
    if let Some(slot) = attributes.get_mut(name) {
        *slot = value;
    }
    *object = Value::object(attributes);
}
