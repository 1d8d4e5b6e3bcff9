//! The reference page of a provider, written from its schema.

use std::fmt::Write;

use plumb_model::addr::{Kind, Mode};
use plumb_model::schema::{
    Attribute, Block, NestedBlock, Nesting, OnChange, Presence, ProviderSchema, ResourceSchema,
};
use plumb_model::value::json;

/// All of a provider, as Markdown.
pub fn provider(schema: &ProviderSchema) -> String {
    let mut out = format!("# Provider {}\n\nSource: `{}`\n\n", schema.name, schema.source);
    block(&schema.config, &mut out);
    for (kind, it) in &schema.resources {
        out.push_str(&resource(kind, Mode::Managed, it));
    }
    for (kind, it) in &schema.data {
        out.push_str(&resource(kind, Mode::Data, it));
    }
    out
}

/// One resource type or data source, as Markdown.
pub fn resource(kind: &Kind, mode: Mode, schema: &ResourceSchema) -> String {
    let what = match mode {
        Mode::Managed => "Resource",
        Mode::Data => "Data source",
    };
    let mut out = format!("## {what} `{}`\n\n", &**kind);
    if !schema.block.description().is_empty() {
        let _ = writeln!(out, "{}\n", schema.block.description());
    }
    block(&schema.block, &mut out);
    out
}

/// Attributes and blocks, breadth first, so that a deep block has a title of its own.
fn block(block: &Block, out: &mut String) {
    let mut waiting = std::collections::VecDeque::from([(String::new(), block)]);
    while let Some((at, block)) = waiting.pop_front() {
        let own = |presence: Presence| presence.is_configurable();
        section(block, &at, "Arguments", own, out);
        if !block.blocks().is_empty() {
            for (name, nested) in block.blocks() {
                nested_line(name, nested, out);
                waiting.push_back((format!("{at}{name}."), &nested.block));
            }
            out.push('\n');
        }
        section(block, &at, "Attributes", |it| !own(it), out);
    }
}

fn section(
    block: &Block,
    at: &str,
    title: &str,
    belongs: impl Fn(Presence) -> bool,
    out: &mut String,
) {
    let mut lines: Vec<(Presence, String)> = (block.attributes().iter())
        .filter(|(_, it)| belongs(it.presence))
        .map(|(name, it)| (it.presence, attribute_line(name, it)))
        .collect();
    lines.sort_by_key(|(presence, _)| *presence != Presence::Required);
    let has_blocks = !block.blocks().is_empty() && title == "Arguments";
    if lines.is_empty() && !has_blocks {
        return;
    }
    match at.strip_suffix('.') {
        Some(at) => _ = writeln!(out, "### {title} of `{at}`\n"),
        None => _ = writeln!(out, "### {title}\n"),
    }
    lines.iter().for_each(|(_, line)| out.push_str(line));
    if !has_blocks {
        out.push('\n');
    }
}

fn attribute_line(name: &str, attribute: &Attribute) -> String {
    let mut facts = vec![attribute.ty.to_string()];
    match attribute.presence {
        Presence::Required => facts.push("required".into()),
        Presence::Optional | Presence::Computed => {}
        Presence::OptionalComputed => facts.push("chosen by the system when left out".into()),
    }
    if let Some(default) = &attribute.default {
        facts.push(format!("default `{}`", json::to_json(default)));
    }
    if attribute.on_change == OnChange::Replace {
        facts.push("a change needs a new object".into());
    }
    if attribute.sensitive {
        facts.push("sensitive".into());
    }
    if attribute.write_only {
        facts.push("never stored".into());
    }
    let mut line = format!("- `{name}` ({})", facts.join(", "));
    if !attribute.description.is_empty() {
        let _ = write!(line, ": {}", attribute.description.replace('\n', "\n  "));
    }
    if let Some(why) = &attribute.deprecated {
        let _ = write!(line, " **Deprecated:** {why}");
    }
    line.push('\n');
    line
}

fn nested_line(name: &str, nested: &NestedBlock, out: &mut String) {
    let mut facts = vec![match nested.nesting {
        Nesting::Single | Nesting::Group => "block".to_owned(),
        Nesting::List => "list of blocks".to_owned(),
        Nesting::Set => "set of blocks".to_owned(),
        Nesting::Map => "blocks by label".to_owned(),
    }];
    match (nested.min, nested.max) {
        (0, 0) => {}
        (min, max) if min == max => facts.push(format!("exactly {min}")),
        (0, max) => facts.push(format!("at most {max}")),
        (min, 0) => facts.push(format!("at least {min}")),
        (min, max) => facts.push(format!("{min} to {max}")),
    }
    if nested.on_change == OnChange::Replace {
        facts.push("a change needs a new object".into());
    }
    let _ = write!(out, "- `{name}` ({})", facts.join(", "));
    if !nested.block.description().is_empty() {
        let _ = write!(out, ": {}", nested.block.description().replace('\n', "\n  "));
    }
    out.push('\n');
}
