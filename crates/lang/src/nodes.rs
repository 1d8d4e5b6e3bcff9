//! What one node is, in one instance of its module. Each function looks only at its arguments.

mod conditions;
mod ephemeral;
mod import;
mod itself;
mod provision;
mod trigger;
mod variable;

use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics, Span};
use plumb_model::addr::{Addr, InstanceKey};
use plumb_model::schema::ProviderSchema;
use plumb_model::value::{ConvertError, Marks, Type, Value, ValueKind, convert};

use crate::config::{Condition, Import, Output, Repeat, ResourceBlock};
use crate::eval::{self, Constants, WhenUnknown};
use crate::known::{Each, Instances};
use crate::program::{ModuleId, Name, Node, NodeId, NodeKind, Program, ProviderNode, ResourceNode};
use crate::scope::{Phase, Scope, World};
use crate::syntax::{AccessStep, Body, Expr, ExprKind, StepKind};

use conditions::judge;
pub use conditions::{check, check_data, conditions};
pub(crate) use ephemeral::{refuse_ephemeral, without_ephemeral};
pub use import::import;
pub(crate) use provision::{
    LOCAL_EXEC, check_connection, check_provisioner, check_removed_provisioner,
};
pub use provision::{LocalExec, destroy_provisioners, local_exec, provisioners};
pub use trigger::{Trigger, replace_triggers};
use variable::{named, variable};

/// A condition that does not hold, or cannot be told yet.
#[derive(Clone, Debug, PartialEq)]
pub enum Judged {
    /// It holds.
    Holds,
    /// It does not; what its author says.
    Fails(Arc<str>),
    /// It is not known yet.
    Unknown,
    /// It could not be evaluated; a diagnostic says why.
    Broken,
}

/// The value of a variable, local or output. Errors are in `diagnostics`.
pub fn value(world: World<'_>, id: NodeId, instance: u32, diagnostics: &mut Diagnostics) -> Value {
    let node = world.program.node(id);
    let config = &world.program.module(node.module).config;
    match &node.kind {
        NodeKind::Variable(name) => variable(world, id, node, name, instance, diagnostics),
        NodeKind::Local(name) => {
            let scope = Scope::new(world, node.module, instance);
            eval::evaluate(&config.locals[name].expr, &scope, diagnostics)
        }
        NodeKind::Output(name) => output(world, node, name, instance, diagnostics),
        NodeKind::Provider(provider) => provider_config(world, node, provider, diagnostics),
        NodeKind::Call(..)
        | NodeKind::Gate(_)
        | NodeKind::Done(_)
        | NodeKind::Check(_)
        | NodeKind::Resource(_) => {
            unreachable!("has no single value")
        }
    }
}

fn output(
    world: World<'_>,
    node: &Node,
    name: &Arc<str>,
    instance: u32,
    diagnostics: &mut Diagnostics,
) -> Value {
    let module = world.program.module(node.module);
    let output = &module.config.outputs[name];
    let scope = Scope::new(world, node.module, instance);
    let mut judged = Vec::with_capacity(output.preconditions.len());
    for condition in &output.preconditions {
        judged.push(judge(condition, &scope, "precondition", diagnostics));
        if let Some(Judged::Fails(message)) = judged.last() {
            let mut error =
                Diagnostic::error("Module output value precondition failed", &**message);
            error.values = eval::values_of(&condition.condition, &scope);
            diagnostics.push(error.at(condition.condition.span));
        }
    }
    if !judged.is_empty() {
        let (block, object) = named(world, node.module, instance, "output", name);
        world.asked.judged("output_value", &block, &object, Phase::Before, &judged);
    }
    let value = eval::evaluate(&output.expr, &scope, diagnostics);
    let is_root = module.path.is_root();
    check_output(output, is_root, &value, diagnostics);
    let value = if output.ephemeral { value.with_marks(Marks::EPHEMERAL) } else { value };
    // As in Terraform, what a module calls sensitive is not therefore so for its caller.
    if output.sensitive && is_root { value.with_marks(Marks::SENSITIVE) } else { value }
}

/// Reports what must not leave the root module.
pub(crate) fn check_output(
    output: &Output,
    is_root: bool,
    value: &Value,
    diagnostics: &mut Diagnostics,
) {
    if is_root && !output.sensitive && value.has_mark_deep(Marks::SENSITIVE) {
        let error = Diagnostic::error(
            "Output refers to sensitive values",
            "To reduce the risk of accidentally exporting sensitive data that was intended to be \
             only internal, Terraform requires that any root module output containing sensitive \
             data be explicitly marked as sensitive, to confirm your intent.\n\nIf you do intend \
             to export this data, annotate the output value as sensitive by adding the following \
             argument:\n    sensitive = true",
        );
        diagnostics.push(error.at(output.span));
    }
    if is_root && output.ephemeral {
        let error = Diagnostic::error(
            "Ephemeral output not allowed",
            "Ephemeral outputs are not allowed in context of a root module",
        );
        diagnostics.push(error.at(output.span));
    } else if !output.ephemeral && value.has_mark_deep(Marks::EPHEMERAL) {
        let error = Diagnostic::error(
            "Ephemeral value not allowed",
            "This output value is not declared as returning an ephemeral value, so it \
             cannot be set to a result derived from an ephemeral value.",
        );
        diagnostics.push(error.at(output.expr.span));
    }
}

fn provider_config(
    world: World<'_>,
    node: &Node,
    provider: &ProviderNode,
    diagnostics: &mut Diagnostics,
) -> Value {
    let module = world.program.module(node.module);
    let block = provider.block.as_ref().and_then(|it| module.config.providers.get(it));
    let scope = Scope::new(world, node.module, 0);
    match block {
        Some(block) => eval::body(&block.body, &provider.schema.config, &scope, diagnostics),
        None => empty_config(&provider.schema),
    }
}

/// The configuration of a provider without a block.
pub fn empty_config(schema: &ProviderSchema) -> Value {
    let nothing = Body { items: Vec::new(), span: Default::default() };
    eval::body(&nothing, &schema.config, &Constants, &mut Vec::new())
}

/// The instances of a call or resource.
pub fn instances(
    world: World<'_>,
    id: NodeId,
    instance: u32,
    diagnostics: &mut Diagnostics,
) -> Instances {
    let node = world.program.node(id);
    let config = &world.program.module(node.module).config;
    let repeat = match &node.kind {
        NodeKind::Call(name, _) => &config.calls[name].repeat,
        NodeKind::Resource(resource) => &config.resources[&resource.addr.resource].repeat,
        _ => unreachable!("has no instances"),
    };
    if let NodeKind::Resource(resource) = &node.kind
        && resource.refers_to_itself
    {
        let before = diagnostics.len();
        itself::repeat(world, id, repeat, diagnostics);
        if diagnostics.len() > before {
            return Instances::Unknown;
        }
    }
    let scope = Scope::new(world, node.module, instance);
    match repeat {
        Repeat::One => Instances::One,
        Repeat::Count(expr) => eval::count(expr, &scope, WhenUnknown::Refuse, diagnostics),
        Repeat::ForEach(expr) => eval::for_each(expr, &scope, WhenUnknown::Refuse, diagnostics),
    }
}

/// The block of a resource node.
pub fn resource_block<'a>(
    world: World<'a>,
    id: NodeId,
) -> (&'a Arc<ResourceNode>, &'a ResourceBlock) {
    let node = world.program.node(id);
    let NodeKind::Resource(resource) = &node.kind else { unreachable!("not a resource") };
    (resource, &world.program.module(node.module).config.resources[&resource.addr.resource])
}

/// What the configuration says of one instance of a resource: every attribute of the schema, null
/// where it is left out.
pub fn config(
    world: World<'_>,
    id: NodeId,
    instance: u32,
    each: Each,
    diagnostics: &mut Diagnostics,
) -> Value {
    let (resource, block) = resource_block(world, id);
    let mut scope = Scope::new(world, world.program.node(id).module, instance);
    if resource.refers_to_itself {
        let before = diagnostics.len();
        itself::body(world, id, instance, &each, diagnostics);
        if diagnostics.len() > before {
            return Value::unknown(resource.schema.block.ty().clone());
        }
    }
    scope.each = each;
    let config = eval::body(&block.body, &resource.schema.block, &scope, diagnostics);
    refuse_ephemeral(&resource.schema.block, &block.body, &config, diagnostics);
    config
}

/// The address of an instance of a resource.
pub fn address(
    world: World<'_>,
    id: NodeId,
    instance: u32,
    instances: &Instances,
    index: usize,
) -> Addr {
    address_of(world, id, instance, instances.key(index))
}

/// The same by its key.
fn address_of(world: World<'_>, id: NodeId, instance: u32, key: Option<InstanceKey>) -> Addr {
    let node = world.program.node(id);
    let NodeKind::Resource(resource) = &node.kind else { unreachable!("not a resource") };
    Addr {
        module: world.known.module_info(node.module, instance).addr.clone(),
        resource: resource.addr.resource.clone(),
        key,
    }
}
