//! What everything will be, with texts in place of what is not known yet.
//!
//! Objects that are still to be made have no ids, so a plan does not say which of them refers to
//! which. Here the configuration is evaluated once more, with a text for each text attribute that
//! only the run will know. The evaluator carries these texts wherever they are referred to: through
//! locals, modules, `count` and `for_each`. For pictures; nothing of it is ever applied.

use std::collections::BTreeMap;

use plumb_lang::{Asked, Inputs, Known, NodeId, NodeKind, Program, World, nodes};
use plumb_model::addr::Addr;
use plumb_model::question::Observations;
use plumb_model::value::{Type, Value, ValueKind};

/// The values of all resources and data sources of the configuration. `known` is what the plan
/// knows, `stand_in` makes a text of an object's address and an attribute's name.
pub fn foreseen(
    program: &Program,
    inputs: &Inputs,
    seen: &Observations,
    known: &Known,
    stand_in: fn(&str, &str) -> String,
) -> BTreeMap<Addr, Value> {
    let known_now = Known::new(program);
    let values = BTreeMap::new();
    let mut look =
        Look { program, inputs, seen, planned: known, known: known_now, stand_in, values };
    for (id, node) in program.nodes() {
        for instance in 0..look.known.module(node.module).len() as u32 {
            look.node(id, instance);
        }
    }
    look.values
}

struct Look<'a> {
    program: &'a Program,
    inputs: &'a Inputs,
    seen: &'a Observations,
    planned: &'a Known,
    known: Known,
    stand_in: fn(&str, &str) -> String,
    values: BTreeMap<Addr, Value>,
}

impl Look<'_> {
    fn node(&mut self, id: NodeId, instance: u32) {
        // What cannot be evaluated this way is as the plan has it; who looks at a picture need not
        // hear of it.
        let asked = Asked::default();
        let mut ignored = Vec::new();
        let known = &self.known;
        let Look { program, inputs, seen, .. } = *self;
        let world = World { program, inputs, seen, known, asked: &asked };
        let node = program.node(id);
        match &node.kind {
            NodeKind::Gate(_) | NodeKind::Done(_) | NodeKind::Check(_) | NodeKind::Provider(_) => {}
            NodeKind::Variable(_) | NodeKind::Local(_) | NodeKind::Output(_) => {
                let value = nodes::value(world, id, instance, &mut ignored);
                self.known.set(program, id, instance, value);
            }
            NodeKind::Call(name, child) => {
                let instances = nodes::instances(world, id, instance, &mut ignored);
                self.known.set_call(id, node.module, *child, instance, name, instances);
            }
            NodeKind::Resource(_) => {
                let instances = nodes::instances(world, id, instance, &mut ignored);
                self.known.set_resource(id, instance, instances);
                self.resource(id, instance);
            }
        }
    }

    fn resource(&mut self, id: NodeId, instance: u32) {
        let Some(slot) = self.known.resource(id, instance) else { return };
        let instances = slot.instances.clone();
        let planned = self.planned.resource(id, instance);
        for index in 0..instances.len() {
            let asked = Asked::default();
            let known = &self.known;
            let Look { program, inputs, seen, .. } = *self;
            let world = World { program, inputs, seen, known, asked: &asked };
            let addr = nodes::address(world, id, instance, &instances, index);
            let key = instances.key(index);
            let at = planned.and_then(|it| Some((it, it.instances.position(key.as_ref())?)));
            let Some(value) = at.and_then(|(slot, at)| slot.get(at)) else { continue };
            if value.is_wholly_known() {
                self.known.set_instance(id, instance, index, Some(value.clone()));
                self.values.insert(addr, value.clone());
                continue;
            }
            let each = instances.each(index);
            let config = nodes::config(world, id, instance, each, &mut Vec::new());
            let filled = fill(value, &config);
            let filled = self.stood_in(&addr, &filled);
            self.known.set_instance(id, instance, index, Some(filled.clone()));
            self.values.insert(addr, filled);
        }
    }

    /// An object with a text for each text attribute that is still unknown.
    fn stood_in(&self, addr: &Addr, value: &Value) -> Value {
        let Some(attrs) = value.as_map() else { return value.clone() };
        let object = addr.to_string();
        let attrs = attrs.iter().map(|(name, value)| {
            let text = !value.is_known() && value.ty() == Type::String;
            let value = match text {
                true => Value::string((self.stand_in)(&object, name)).with_marks(value.marks()),
                false => value.clone(),
            };
            (name.clone(), value)
        });
        Value::object(attrs)
    }
}

/// What is unknown in `value`, taken from `config` where that has it.
fn fill(value: &Value, config: &Value) -> Value {
    if value.is_wholly_known() || !config.is_present() {
        return value.clone();
    }
    match (value.kind(), config.kind()) {
        (ValueKind::Unknown(_), _) => config.clone().with_marks(value.marks()),
        (ValueKind::Object(_) | ValueKind::Map(_), ValueKind::Object(_) | ValueKind::Map(_)) => {
            let filled = value.as_map().into_iter().flatten().map(|(name, value)| {
                let value =
                    config.get_attr(name).map_or_else(|| value.clone(), |it| fill(value, it));
                (name.clone(), value)
            });
            Value::object(filled).with_marks(value.marks())
        }
        (ValueKind::List(_) | ValueKind::Tuple(_), ValueKind::List(_) | ValueKind::Tuple(_))
            if value.len() == config.len() =>
        {
            let filled = value.values().zip(config.values()).map(|(value, it)| fill(value, it));
            Value::tuple(filled.collect()).with_marks(value.marks())
        }
        // Which element of a set is which cannot be told while some are unknown.
        (ValueKind::Set(_), ValueKind::Set(_)) => config.clone().with_marks(value.marks()),
        _ => value.clone(),
    }
}
