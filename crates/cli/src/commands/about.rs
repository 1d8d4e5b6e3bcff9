//! `version`, `providers` and `graph`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_lang::{NodeId, NodeKind, Program};
use plumb_report::schemas_json;
use plumb_topology::{layout, mermaid, svg_file};

use crate::args::{GraphArgs, ProvidersArgs, ProvidersVerb, VersionArgs};
use crate::commands::show::current;
use crate::context::Context;
use crate::{TERRAFORM_VERSION, VERSION, load, picture, planfile};

/// Which version this is.
pub(crate) fn version(args: &VersionArgs) -> i32 {
    let platform = format!(
        "{}_{}",
        std::env::consts::OS,
        match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        }
    );
    if args.json {
        let document = serde_json::json!({
            "terraform_version": TERRAFORM_VERSION,
            "plumb_version": VERSION,
            "platform": platform,
            "provider_selections": {},
            "terraform_outdated": false,
        });
        println!("{document:#}");
    } else {
        println!(
            "Plumb v{VERSION}\non {platform}\n\nSpeaks the language and formats of Terraform \
             v{TERRAFORM_VERSION}"
        );
    }
    0
}

/// Which providers the configuration needs, or all schemas.
pub(crate) fn providers(context: &Context, args: &ProvidersArgs) -> Result<i32, Diagnostics> {
    let schemas = context.schemas();
    if let Some(ProvidersVerb::Schema(schema)) = &args.verb {
        if !schema.json {
            return Err(vec![Diagnostic::error(
                "The `plumb providers schema` command requires the `-json` flag",
                "",
            )]);
        }
        context.ui.print(&schemas_json(&schemas));
        return Ok(0);
    }
    let mut loaded = load::load(&mut load::read_folder);
    context.ui.show_from(&loaded.sources);
    let program = load::checked(&mut loaded, &schemas)?;
    let mut by_module: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for module in &program.modules {
        let name = if module.path.is_root() { ".".to_owned() } else { module.path.to_string() };
        by_module.entry(name).or_default();
    }
    for (id, resource) in program.resources() {
        let module = program.module(program.node(id).module);
        let name = if module.path.is_root() { ".".to_owned() } else { module.path.to_string() };
        let provider = format!("provider[{}]", resource.provider.source);
        by_module.entry(name).or_default().insert(provider);
    }
    let mut text = String::from("\nProviders required by configuration:\n");
    let root = by_module.remove(".").unwrap_or_default();
    text += ".\n";
    let total = root.len() + by_module.len();
    let branch = |index: usize| {
        if index + 1 == total { ("└── ", "    ") } else { ("├── ", "│   ") }
    };
    for (index, provider) in root.iter().enumerate() {
        let _ = writeln!(text, "{}{provider}", branch(index).0);
    }
    for (index, (module, providers)) in by_module.iter().enumerate() {
        let (first, rest) = branch(root.len() + index);
        let _ = writeln!(text, "{first}{module}");
        for (index, provider) in providers.iter().enumerate() {
            let twig = if index + 1 == providers.len() { "└── " } else { "├── " };
            let _ = writeln!(text, "{rest}{twig}{provider}");
        }
    }
    context.ui.print(&(text + "\n"));
    Ok(0)
}

/// The dependencies between resources, or between all parts, for Graphviz; or the network.
pub(crate) fn graph(context: &Context, args: &GraphArgs) -> Result<i32, Diagnostics> {
    if args.kind.as_deref() == Some("topology") {
        return topology(context, args);
    }
    let mut loaded = load::load(&mut load::read_folder);
    context.ui.show_from(&loaded.sources);
    let program = load::checked(&mut loaded, &context.schemas())?;
    let text = match args.kind {
        None => resource_graph(&program),
        Some(_) => whole_graph(&program),
    };
    context.ui.print(&text);
    Ok(0)
}

/// The network as a picture: what a saved plan changes, else what the state remembers.
fn topology(context: &Context, args: &GraphArgs) -> Result<i32, Diagnostics> {
    let network = match &args.plan {
        None => picture::of_state(&current(context, None)?),
        Some(path) => {
            let schemas = context.schemas();
            let saved = planfile::read(context, path, &schemas)?;
            context.ui.show_from(&saved.prepared.loaded.sources);
            let outcome = saved.plan(&saved.state, &schemas)?;
            picture::of_plan(&saved.prepared, &outcome)
        }
    };
    let drawn = match args.mermaid {
        true => mermaid(&network),
        false => svg_file(&layout(&network), "Topology"),
    };
    context.ui.print(&drawn);
    Ok(0)
}

fn resource_graph(program: &Program) -> String {
    let mut text = String::from(
        "digraph G {\n  rankdir = \"RL\";\n  node [shape = rect, fontname = \"sans-serif\"];\n",
    );
    for (_, resource) in program.resources() {
        let addr = resource.addr.to_string();
        let label = resource.addr.resource.to_string();
        let _ = writeln!(text, "  {addr:?} [label={label:?}];");
    }
    for (id, resource) in program.resources() {
        let addr = resource.addr.to_string();
        for need in program.node(id).needs.iter() {
            let _ = writeln!(text, "  {addr:?} -> {:?};", need.to_string());
        }
    }
    text + "}\n"
}

fn whole_graph(program: &Program) -> String {
    let mut text = String::from(
        "digraph {\n\tcompound = \"true\"\n\tnewrank = \"true\"\n\tsubgraph \"root\" {\n",
    );
    for (id, _) in program.nodes() {
        let _ = writeln!(text, "\t\t{:?}", format!("[root] {}", title(program, id)));
    }
    for (id, node) in program.nodes() {
        for to in &node.refs {
            let _ = writeln!(
                text,
                "\t\t{:?} -> {:?}",
                format!("[root] {}", title(program, id)),
                format!("[root] {}", title(program, *to))
            );
        }
    }
    text + "\t}\n}\n"
}

fn title(program: &Program, id: NodeId) -> String {
    let node = program.node(id);
    let own = match &node.kind {
        NodeKind::Variable(name) => format!("var.{name}"),
        NodeKind::Local(name) => format!("local.{name}"),
        NodeKind::Output(name) => format!("output.{name}"),
        NodeKind::Call(name, _) => format!("module.{name} (expand)"),
        NodeKind::Gate(name) => format!("module.{name} (depends_on)"),
        NodeKind::Done(module) => {
            return format!("{} (close)", program.module(*module).path);
        }
        NodeKind::Provider(provider) => return provider.addr.to_string(),
        NodeKind::Resource(resource) => return resource.addr.to_string(),
        NodeKind::Check(name) => format!("check.{name}"),
    };
    let path = &program.module(node.module).path;
    if path.is_root() { own } else { format!("{path}.{own}") }
}
