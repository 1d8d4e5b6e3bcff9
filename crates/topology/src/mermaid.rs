//! The picture for Mermaid: what renders Markdown draws it.

use std::fmt::Write;

use crate::network::{Network, NodeKind, Sign};
use crate::svg::lines::leads;

/// A flowchart.
pub fn mermaid(network: &Network) -> String {
    let mut out = String::from("flowchart LR\n");
    for (at, it) in network.segments.iter().enumerate() {
        let ranges: Vec<&str> = it.ranges.iter().map(|it| &*it.text).collect();
        let label = label(it.sign, &format!("{} {}", it.name, ranges.join(" ")));
        let _ = writeln!(out, "  s{at}[[\"{label}\"]]{}", class(it.sign));
    }
    for (at, it) in network.nodes.iter().enumerate() {
        let label = label(it.sign, &it.name);
        let (open, close) = match it.kind {
            NodeKind::Router => ("{{", "}}"),
            NodeKind::Endpoint => ("[", "]"),
        };
        let _ = writeln!(out, "  n{at}{open}\"{label}\"{close}{}", class(it.sign));
    }
    for it in &network.plugs {
        let line = if it.sign == Sign::Remove { "-.-" } else { "---" };
        let addresses: Vec<&str> = it.addresses.iter().map(|it| &*it.text).collect();
        let label = label(it.sign, &addresses.join(" "));
        let label = if label.is_empty() { label } else { format!("|\"{label}\"|") };
        let _ = writeln!(out, "  s{} {line}{label} n{}", it.segment, it.node);
    }
    for (at, it) in network.inlets.iter().enumerate() {
        let text = format!("{} {}", it.noun, it.outer.as_deref().unwrap_or("not known yet"));
        let inner: Vec<String> = leads(network, it).into_iter().map(|it| it.0).collect();
        let text = if it.targets.iter().any(|it| it.node.is_some()) {
            text
        } else {
            format!("{text} → {}", inner.join(" "))
        };
        let _ = writeln!(out, "  i{at}([\"{}\"]){}", label(it.sign, &text), class(it.sign));
        if let Some(segment) = it.segment {
            let _ = writeln!(out, "  s{segment} --- i{at}");
        }
        for target in &it.targets {
            if let Some(node) = target.node {
                let arrow = if target.sign == Sign::Remove { "-.->" } else { "-->" };
                let _ = writeln!(out, "  i{at} {arrow} n{node}");
            }
        }
    }
    out + "  classDef add stroke:#0b6b2f,stroke-width:3px\n  \
           classDef change stroke:#7d5000,stroke-width:2px\n  \
           classDef remove stroke:#a8171f,stroke-dasharray:6 4\n"
}

fn class(sign: Sign) -> &'static str {
    match sign {
        Sign::Keep => "",
        Sign::Change | Sign::Replace => ":::change",
        Sign::Add => ":::add",
        Sign::Remove => ":::remove",
    }
}

/// Text between quotes: entities instead of what Mermaid or HTML would read.
fn label(sign: Sign, text: &str) -> String {
    let text = format!("{} {text}", sign.symbol());
    let mut res = String::new();
    for c in text.trim().chars() {
        if c.is_alphanumeric() || " ./:-_→+~±−×".contains(c) {
            res.push(c);
        } else {
            let _ = write!(res, "#{};", u32::from(c));
        }
    }
    res
}
