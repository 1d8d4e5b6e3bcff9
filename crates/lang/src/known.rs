//! What everything is, in this phase: planned values while planning, final ones while applying.
//! The evaluator cannot tell.
//!
//! Every node has one slot for each instance of its module. Instances of a module are numbered as
//! they come up, those of one call in a row.

use std::sync::{Arc, OnceLock};

use plumb_model::addr::{Addr, InstanceKey, ModuleInstance};
use plumb_model::value::{Type, Value};

pub use crate::eval::Instances;
use crate::program::{ModuleId, NodeId, NodeKind, Program};

/// What everything is.
#[derive(Clone, Debug)]
pub struct Known {
    modules: Vec<ModuleInstances>,
    slots: Vec<Vec<Slot>>,
}

/// The instances of one module.
#[derive(Clone, Debug, Default)]
struct ModuleInstances {
    infos: Vec<ModuleInfo>,
}

/// One instance of a module.
#[derive(Clone, Debug)]
pub struct ModuleInfo {
    /// Its address.
    pub addr: ModuleInstance,
    /// Which instance of the parent holds it.
    pub parent: u32,
    /// `each` or `count` at the call.
    pub each: Each,
    /// Counts the outputs set so far, so that a cached whole can tell that it is old.
    version: u64,
}

/// What `each` and `count` mean for one instance.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Each {
    /// There is neither.
    #[default]
    None,
    /// `count.index`
    Count(u64),
    /// `each.key`, `each.value`
    Each(Arc<str>, Value),
}

impl Each {
    /// The key of the instance.
    pub fn key(&self) -> Option<InstanceKey> {
        match self {
            Each::None => None,
            Each::Count(index) => Some(InstanceKey::Int(*index)),
            Each::Each(key, _) => Some(InstanceKey::Str(key.clone())),
        }
    }
}

#[derive(Clone, Debug, Default)]
enum Slot {
    #[default]
    Empty,
    Value(Value),
    Call(CallSlot),
    Resource(ResourceSlot),
}

/// The instances of one call in one instance of the calling module.
#[derive(Clone, Debug)]
struct CallSlot {
    instances: Instances,
    first: u32,
    whole: OnceLock<(u64, Value)>,
}

/// The instances of one resource block in one instance of its module.
#[derive(Clone, Debug)]
pub struct ResourceSlot {
    /// How many.
    pub instances: Instances,
    values: Vec<Option<Value>>,
    whole: OnceLock<Value>,
}

impl Known {
    /// Nothing is known but that there is a root module.
    pub fn new(program: &Program) -> Known {
        let mut modules = vec![ModuleInstances::default(); program.modules.len()];
        if let Some(root) = modules.first_mut() {
            root.infos.push(ModuleInfo {
                addr: ModuleInstance::default(),
                parent: 0,
                each: Each::None,
                version: 0,
            });
        }
        Known { modules, slots: vec![Vec::new(); program.nodes.len()] }
    }

    /// The instances of a module so far.
    pub fn module(&self, id: ModuleId) -> &[ModuleInfo] {
        &self.modules[id.0 as usize].infos
    }

    /// One instance of a module.
    pub fn module_info(&self, id: ModuleId, instance: u32) -> &ModuleInfo {
        &self.modules[id.0 as usize].infos[instance as usize]
    }

    fn slot(&self, node: NodeId, instance: u32) -> Option<&Slot> {
        self.slots[node.0 as usize].get(instance as usize)
    }

    fn slot_mut(&mut self, node: NodeId, instance: u32) -> &mut Slot {
        let slots = &mut self.slots[node.0 as usize];
        let index = instance as usize;
        if slots.len() <= index {
            slots.resize_with(index + 1, Slot::default);
        }
        &mut slots[index]
    }

    /// The value of a variable, local, output, or provider configuration.
    pub fn value(&self, node: NodeId, instance: u32) -> Option<&Value> {
        match self.slot(node, instance)? {
            Slot::Value(value) => Some(value),
            _ => None,
        }
    }

    /// Sets the value of a variable, local, output, or provider configuration.
    pub fn set(&mut self, program: &Program, node: NodeId, instance: u32, value: Value) {
        *self.slot_mut(node, instance) = Slot::Value(value);
        let node = program.node(node);
        if matches!(node.kind, NodeKind::Output(_)) {
            self.modules[node.module.0 as usize].infos[instance as usize].version += 1;
        }
    }

    /// Sets the instances of a call, and makes those of the module it calls.
    pub fn set_call(
        &mut self,
        node: NodeId,
        module: ModuleId,
        child: ModuleId,
        parent: u32,
        name: &Arc<str>,
        instances: Instances,
    ) {
        let addr = self.module_info(module, parent).addr.clone();
        let infos = &mut self.modules[child.0 as usize].infos;
        let first = infos.len() as u32;
        let mut push = |key, each| {
            infos.push(ModuleInfo { addr: addr.child(name, key), parent, each, version: 0 });
        };
        match &instances {
            Instances::One => push(None, Each::None),
            Instances::Count(count) => {
                (0..*count).for_each(|i| push(Some(InstanceKey::Int(i)), Each::Count(i)));
            }
            Instances::Each(each) => each.iter().for_each(|(key, value)| {
                let each = Each::Each(key.clone(), value.clone());
                push(Some(InstanceKey::Str(key.clone())), each);
            }),
            Instances::Unknown => {}
        }
        *self.slot_mut(node, parent) =
            Slot::Call(CallSlot { instances, first, whole: OnceLock::new() });
    }

    /// The instances of a call and the number of the first.
    pub fn call(&self, node: NodeId, instance: u32) -> Option<(&Instances, u32)> {
        match self.slot(node, instance)? {
            Slot::Call(call) => Some((&call.instances, call.first)),
            _ => None,
        }
    }

    /// Sets the instances of a resource; their values follow.
    pub fn set_resource(&mut self, node: NodeId, instance: u32, instances: Instances) {
        let values = vec![None; instances.len()];
        *self.slot_mut(node, instance) =
            Slot::Resource(ResourceSlot { instances, values, whole: OnceLock::new() });
    }

    /// The instances of a resource.
    pub fn resource(&self, node: NodeId, instance: u32) -> Option<&ResourceSlot> {
        match self.slot(node, instance)? {
            Slot::Resource(resource) => Some(resource),
            _ => None,
        }
    }

    /// Sets the value of one instance of a resource, by position; none: not there yet.
    pub fn set_instance(
        &mut self,
        node: NodeId,
        instance: u32,
        index: usize,
        value: Option<Value>,
    ) {
        if let Slot::Resource(slot) = self.slot_mut(node, instance)
            && let Some(place) = slot.values.get_mut(index)
        {
            *place = value;
            slot.whole = OnceLock::new();
        }
    }

    /// What `module.x` is: an object of its outputs, or a tuple or object of such objects.
    pub fn call_value(
        &self,
        program: &Program,
        node: NodeId,
        child: ModuleId,
        instance: u32,
    ) -> Value {
        let Some(Slot::Call(slot)) = self.slot(node, instance) else { return Value::dynamic() };
        let count = slot.instances.len() as u32;
        let inside = &self.module(child)[slot.first as usize..(slot.first + count) as usize];
        let version: u64 = inside.iter().map(|it| it.version).sum();
        if let Some((cached, value)) = slot.whole.get()
            && *cached == version
        {
            return value.clone();
        }
        let outputs = &program.module(child).names.outputs;
        let one = |index: u32| {
            let filled = outputs.iter().filter_map(|(name, id)| {
                Some((name.clone(), self.value(*id, slot.first + index)?.clone()))
            });
            Value::object(filled)
        };
        let value = slot.instances.whole(|index| one(index as u32));
        // Outlived by the next output that is set; then it is made again without the cache.
        let _ = slot.whole.set((version, value.clone()));
        value
    }

    /// Takes the instances anew, with values known by now. False if they are others than before.
    pub fn update_instances(
        &mut self,
        program: &Program,
        node: NodeId,
        instance: u32,
        instances: Instances,
    ) -> bool {
        let same = |old: &Instances| {
            old.len() == instances.len() && (0..old.len()).all(|i| old.key(i) == instances.key(i))
        };
        match self.slot_mut(node, instance) {
            Slot::Resource(slot) if same(&slot.instances) => slot.instances = instances,
            Slot::Call(slot) if same(&slot.instances) => {
                slot.instances = instances.clone();
                let first = slot.first as usize;
                let NodeKind::Call(_, child) = program.node(node).kind else { return false };
                let infos = &mut self.modules[child.0 as usize].infos;
                for index in 0..instances.len() {
                    infos[first + index].each = instances.each(index);
                }
            }
            _ => return false,
        }
        true
    }

    /// The position of an instance of a resource.
    pub fn position(&self, node: NodeId, instance: u32, addr: &Addr) -> Option<usize> {
        self.resource(node, instance)?.instances.position(addr.key.as_ref())
    }
}

impl ResourceSlot {
    /// The value of one instance.
    pub fn get(&self, index: usize) -> Option<&Value> {
        self.values.get(index)?.as_ref()
    }

    /// What a reference to the whole resource is: an object, or a tuple or object of objects.
    pub fn whole(&self) -> Value {
        self.whole
            .get_or_init(|| {
                self.instances
                    .whole(|index| self.values[index].clone().unwrap_or_else(Value::dynamic))
            })
            .clone()
    }
}

impl Instances {
    /// How many; 0 while unknown.
    pub fn len(&self) -> usize {
        match self {
            Instances::One => 1,
            Instances::Count(count) => *count as usize,
            Instances::Each(each) => each.len(),
            Instances::Unknown => 0,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The key of one, by position.
    pub fn key(&self, index: usize) -> Option<InstanceKey> {
        match self {
            Instances::One | Instances::Unknown => None,
            Instances::Count(_) => Some(InstanceKey::Int(index as u64)),
            Instances::Each(each) => Some(InstanceKey::Str(each[index].0.clone())),
        }
    }

    /// What `each` and `count` mean for one, by position.
    pub fn each(&self, index: usize) -> Each {
        match self {
            Instances::One | Instances::Unknown => Each::None,
            Instances::Count(_) => Each::Count(index as u64),
            Instances::Each(each) => Each::Each(each[index].0.clone(), each[index].1.clone()),
        }
    }

    /// The position of a key.
    pub fn position(&self, key: Option<&InstanceKey>) -> Option<usize> {
        match (self, key) {
            (Instances::One, None) => Some(0),
            (Instances::Count(count), Some(InstanceKey::Int(index))) if index < count => {
                Some(*index as usize)
            }
            (Instances::Each(each), Some(InstanceKey::Str(key))) => {
                each.binary_search_by(|it| it.0.cmp(key)).ok()
            }
            _ => None,
        }
    }

    fn whole(&self, one: impl Fn(usize) -> Value) -> Value {
        match self {
            Instances::One => one(0),
            Instances::Count(count) => Value::tuple((0..*count as usize).map(one).collect()),
            Instances::Each(each) => {
                Value::object(each.iter().enumerate().map(|(i, it)| (it.0.clone(), one(i))))
            }
            Instances::Unknown => Value::unknown(Type::Dynamic),
        }
    }
}
