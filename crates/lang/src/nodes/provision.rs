//! Provisioners: what they are to run, when that is known.

use std::sync::LazyLock;

use plumb_model::schema::{Attribute, Block, Presence};

use super::*;
use crate::config::{OnFailure, Provisioner, RemovedFrom, When};

/// A command that is run beside an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalExec {
    /// The command.
    pub command: Arc<str>,
    /// What it is handed to, as the last argument. Empty: the shell.
    pub interpreter: Vec<Arc<str>>,
    /// Where it is run, if not where this program is.
    pub working_dir: Option<Arc<str>>,
    /// Set besides what this program's own environment has.
    pub environment: Vec<(Arc<str>, Arc<str>)>,
    /// Whether the command is not shown.
    pub quiet: bool,
    /// Whether nothing of it may be shown.
    pub sensitive: bool,
    /// Whether it matters that it fails.
    pub on_failure: OnFailure,
    /// The header of its block.
    pub span: Span,
}

/// The arguments of `local-exec`.
pub(crate) static LOCAL_EXEC: LazyLock<Block> = LazyLock::new(|| {
    let argument = |name: &str, ty: Type, presence| (name.into(), Attribute::new(ty, presence));
    let texts = |of: fn(Arc<Type>) -> Type| of(Arc::new(Type::String));
    let attributes = [
        argument("command", Type::String, Presence::Required),
        argument("interpreter", texts(Type::List), Presence::Optional),
        argument("working_dir", Type::String, Presence::Optional),
        argument("environment", texts(Type::Map), Presence::Optional),
        argument("quiet", Type::Bool, Presence::Optional),
    ];
    Block::new(attributes.into_iter().collect(), Default::default())
});

/// The arguments of `connection`.
pub(crate) static CONNECTION: LazyLock<Block> = LazyLock::new(|| {
    let texts = [
        "type",
        "user",
        "password",
        "private_key",
        "certificate",
        "host_key",
        "agent_identity",
        "timeout",
        "script_path",
        "target_platform",
        "proxy_scheme",
        "proxy_host",
        "proxy_user_name",
        "proxy_user_password",
        "bastion_host",
        "bastion_host_key",
        "bastion_user",
        "bastion_password",
        "bastion_private_key",
        "bastion_certificate",
        "cacert",
    ];
    let numbers = ["port", "proxy_port", "bastion_port"];
    let flags = ["agent", "https", "insecure", "use_ntlm"];
    let argument = |name: &str, ty: Type, presence| (name.into(), Attribute::new(ty, presence));
    let optional = |names: &[&str], ty: Type| -> Vec<_> {
        names.iter().map(|it| argument(it, ty.clone(), Presence::Optional)).collect()
    };
    let attributes = [
        optional(&texts, Type::String),
        optional(&numbers, Type::Number),
        optional(&flags, Type::Bool),
        vec![argument("host", Type::String, Presence::Required)],
    ];
    Block::new(attributes.into_iter().flatten().collect(), Default::default())
});

/// What is wrong with a connection, though nothing is connected to. What a provisioner says comes
/// before what its resource does.
pub(crate) fn check_connection(
    provisioner: Option<&Body>,
    resource: Option<&Body>,
    names: &dyn eval::Names,
    found: &mut Diagnostics,
) {
    let Some(first) = provisioner.or(resource) else { return };
    let mut both = first.clone();
    for it in resource.iter().flat_map(|it| &it.items) {
        let is_new = match it {
            crate::syntax::Item::Attribute(it) => both.attribute(&it.name.text).is_none(),
            crate::syntax::Item::Block(_) => false,
        };
        if is_new {
            both.items.push(it.clone());
        }
    }
    eval::check(&both, &CONNECTION, found);
    drop(eval::body(&both, &CONNECTION, names, found));
}

/// The provisioners of a resource block that run at such a time, in order.
pub fn provisioners(
    world: World<'_>,
    id: NodeId,
    when: When,
) -> impl Iterator<Item = &Provisioner> {
    resource_block(world, id).1.provisioners.iter().filter(move |it| it.when == when)
}

/// The module and the provisioners of what is to be deleted: those of its block or, where that is
/// gone, of the `removed` block that says so.
pub fn destroy_provisioners<'a>(
    program: &'a Program,
    addr: &Addr,
) -> Option<(ModuleId, Vec<&'a Provisioner>)> {
    let config = addr.config();
    let of = |all: &'a [Provisioner]| all.iter().filter(|it| it.when == When::Destroy).collect();
    if let Some(id) = program.find(&config) {
        let node = program.node(id);
        let block = &program.module(node.module).config.resources[&config.resource];
        return Some((node.module, of(&block.provisioners)));
    }
    program.modules.iter().enumerate().find_map(|(index, module)| {
        let removed = module.config.removed.iter().find(|it| match &it.from {
            RemovedFrom::Resource(from) => {
                let above = config.module.0.strip_prefix(&*module.path.0);
                from.resource == config.resource && above == Some(&*from.module.0)
            }
            RemovedFrom::Module(_) => false,
        })?;
        Some((ModuleId(index as u32), of(&removed.provisioners)))
    })
}

/// What a provisioner of one object is to run. `itself` is the object. None: see `diagnostics`, or
/// what was asked.
pub fn local_exec(
    world: World<'_>,
    module: ModuleId,
    instance: u32,
    each: Each,
    itself: &Value,
    provisioner: &Provisioner,
    diagnostics: &mut Diagnostics,
) -> Option<LocalExec> {
    let mut scope = Scope::new(world, module, instance);
    scope.each = each;
    scope.itself = Some(itself.clone());
    let before = diagnostics.len();
    let body = eval::body(&provisioner.body, &LOCAL_EXEC, &scope, diagnostics);
    let failed = diagnostics[before..].iter().any(Diagnostic::is_error);
    if failed || !world.asked.is_empty() {
        return None;
    }
    let sensitive = !body.marks_deep().is_empty();
    let body = body.unmark_deep();
    let text = |value: &Value| value.as_str().map(Arc::from);
    let argument = |name: &str| body.get_attr(name).cloned().unwrap_or(Value::NULL);
    let wrong = |summary: &str, detail: &str| {
        Diagnostic::error(summary.to_owned(), detail.to_owned()).at(provisioner.open_span)
    };
    if !body.is_wholly_known() {
        let detail = "The configuration of this provisioner is not known when it is to run.";
        diagnostics.push(wrong("Configuration contains unknown value", detail));
        return None;
    }
    let command: Arc<str> = text(&argument("command")).unwrap_or_default();
    if command.is_empty() {
        let detail = "The command must be a non-empty string.";
        diagnostics.push(wrong("Invalid local-exec provisioner command", detail));
        return None;
    }
    let environment = argument("environment");
    let environment = environment.as_map().into_iter().flatten();
    Some(LocalExec {
        command,
        interpreter: argument("interpreter").values().filter_map(text).collect(),
        working_dir: text(&argument("working_dir")).filter(|it| !it.is_empty()),
        environment: environment.filter_map(|(name, it)| Some((name.clone(), text(it)?))).collect(),
        quiet: argument("quiet").as_bool() == Some(true),
        sensitive,
        on_failure: provisioner.on_failure,
        span: provisioner.open_span,
    })
}

/// What is wrong with a provisioner, whatever values it has.
pub(crate) fn check_provisioner(
    provisioner: &Provisioner,
    names: &dyn eval::Names,
    found: &mut Diagnostics,
) {
    check_removed_provisioner(provisioner, found);
    if &*provisioner.kind == "local-exec" {
        drop(eval::body(&provisioner.body, &LOCAL_EXEC, names, found));
    }
}

/// The same of one whose object has no block to say what its values are.
pub(crate) fn check_removed_provisioner(provisioner: &Provisioner, found: &mut Diagnostics) {
    let kind = &*provisioner.kind;
    match kind {
        "local-exec" => eval::check(&provisioner.body, &LOCAL_EXEC, found),
        "file" | "remote-exec" => {
            let detail = format!(
                "This version cannot run {kind:?} provisioners: they need a connection to another \
                 machine. \"local-exec\" runs a command here, which may well be ssh or scp."
            );
            found.push(Diagnostic::error("Provisioner not supported", detail).at(provisioner.span));
        }
        _ => {
            let detail = format!(
                "This configuration requires provisioner plugin {kind:?}, which isn't available. \
                 There is \"local-exec\", which runs a command."
            );
            found.push(Diagnostic::error("Missing required provisioner plugin", detail));
        }
    }
}
