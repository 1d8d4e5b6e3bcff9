//! What is written in a box, line by line.

use crate::network::{Badge, Inlet, Network, Node, NodeKind, Plug, Sign};

/// A line of text in a box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) kind: LineKind,
    pub(crate) spans: Vec<(String, Sign)>,
}

/// What a line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineKind {
    Name,
    Small,
    Mono,
    Badge,
}

/// A box has no more lines; the rest is told by number.
const LINES_MAX: usize = 8;
const FIRST: i32 = 26;
const NEXT: i32 = 17;

/// How high a box is.
pub(crate) fn height(lines: &[Line]) -> i32 {
    FIRST + NEXT * (lines.len() as i32 - 1) + 10
}

/// Where the baseline of a line is, from the top of its box.
pub(crate) fn baseline(index: usize) -> i32 {
    FIRST - 4 + NEXT * index as i32
}

fn keep(kind: LineKind, text: impl Into<String>) -> Line {
    Line { kind, spans: vec![(text.into(), Sign::Keep)] }
}

fn badges(kind: LineKind, first: &str, all: &[Badge]) -> Option<Line> {
    if all.is_empty() {
        return None;
    }
    let mut spans = Vec::with_capacity(2 * all.len());
    spans.extend((!first.is_empty()).then(|| (first.to_owned(), Sign::Keep)));
    for (index, it) in all.iter().enumerate() {
        if index > 0 {
            spans.push((" ".to_owned(), Sign::Keep));
        }
        spans.push((it.text.clone(), it.sign));
    }
    Some(Line { kind, spans })
}

/// `10.0.0.5 10.0.1.5`: those that go are marked.
pub(crate) fn joined(all: &[Badge]) -> String {
    let text = |it: &Badge| match it.sign {
        Sign::Keep | Sign::Change | Sign::Replace => it.text.clone(),
        Sign::Add => format!("+{}", it.text),
        Sign::Remove => format!("−{}", it.text),
    };
    all.iter().map(text).collect::<Vec<_>>().join(" ")
}

/// What becomes of a part, where that is not what becomes of the whole anyway.
fn beside(whole: Sign, part: Sign) -> Sign {
    if whole == part { Sign::Keep } else { part }
}

/// What a pointer that rests on a box is told, and what the picture says in words.
fn told(sign: Sign, noun: &str, name: &str, address: Option<&str>, rest: &[String]) -> String {
    let mut res = match sign {
        Sign::Keep => String::new(),
        sign => format!("{}: ", sign.word()),
    };
    res += &format!("{noun} {name}");
    if let Some(address) = address.filter(|it| *it != name) {
        res += &format!(" ({address})");
    }
    rest.iter().filter(|it| !it.is_empty()).for_each(|it| res += &format!(", {it}"));
    res
}

fn given(node: &Node) -> &'static str {
    if node.given { "not declared here" } else { "" }
}

pub(crate) fn router(network: &Network, at: usize) -> (Vec<Line>, String) {
    let node = &network.nodes[at];
    let mut lines = vec![keep(LineKind::Name, node.name.clone())];
    let first = network.plugs.partition_point(|it| it.node < at);
    let plugs = || network.plugs[first..].iter().take_while(|it| it.node == at);
    let count = plugs().count();
    // Where it leads outside comes first.
    let outer = |it: &&Plug| network.segments[it.segment].outer;
    let ordered = plugs().filter(outer).chain(plugs().filter(|it| !outer(it)));
    for plug in ordered.take(LINES_MAX - 1) {
        let segment = &network.segments[plug.segment];
        let arrow = if segment.outer { "↑" } else { "→" };
        let of_plug = beside(node.sign, plug.sign);
        let mut spans = vec![(format!("{arrow} "), Sign::Keep), (segment.name.clone(), of_plug)];
        // What an address was and will be needs a line for itself.
        let moved = plug.addresses.len() > 1;
        let first = if moved { "  " } else { " " };
        if moved {
            let spans = std::mem::take(&mut spans);
            lines.push(Line { kind: LineKind::Mono, spans });
        }
        if let Some(addresses) = badges(LineKind::Mono, first, &plug.addresses) {
            let whole = matches!(plug.sign, Sign::Add | Sign::Remove);
            let own = |(text, own)| (text, if whole { of_plug } else { own });
            spans.extend(addresses.spans.into_iter().map(own));
        }
        lines.push(Line { kind: LineKind::Mono, spans });
    }
    if count == 0 {
        lines.push(keep(LineKind::Small, "in no network"));
    } else if count >= LINES_MAX {
        lines.push(keep(LineKind::Small, format!("and {} more", count - (LINES_MAX - 1))));
    }
    let rest: Vec<String> = plugs()
        .map(|it| {
            let segment = &network.segments[it.segment].name;
            format!("in {segment} {}", joined(&it.addresses)).trim_end().to_owned()
        })
        .chain([given(node).to_owned()])
        .collect();
    let title = told(node.sign, &node.noun, &node.name, node.address.as_deref(), &rest);
    (lines, title)
}

/// One endpoint, or equal ones.
pub(crate) fn nodes(
    network: &Network,
    plugs: &[usize],
    inlets_of: &[Vec<usize>],
) -> (Vec<Line>, String) {
    let plug = &network.plugs[plugs[0]];
    let node = &network.nodes[plug.node];
    if let [_] = plugs {
        let segment = &network.segments[plug.segment].name;
        return endpoint(network, plug.node, Some((plug, segment)), &inlets_of[plug.node]);
    }
    let last = &network.plugs[plugs[plugs.len() - 1]];
    let mut lines = vec![
        keep(LineKind::Name, format!("{} × {}", plugs.len(), node.block)),
        keep(LineKind::Small, format!("{} … {}", node.name, network.nodes[last.node].name)),
    ];
    let first_of = |it: &Plug| it.addresses.last().map(|it| it.text.clone());
    if let (Some(from), Some(to)) = (first_of(plug), first_of(last)) {
        lines.push(keep(LineKind::Mono, format!("{from} … {to}")));
    }
    lines.extend(badges(LineKind::Badge, "", &node.filters));
    if !inlets_of[plug.node].is_empty() {
        lines.push(keep(LineKind::Mono, "⇥ each with a way in"));
    }
    let names: Vec<&str> =
        plugs.iter().take(20).map(|it| &*network.nodes[network.plugs[*it].node].name).collect();
    let more = if plugs.len() > names.len() { ", …" } else { "" };
    let name = format!("× {}", plugs.len());
    let rest = [format!("{}{more}", names.join(" "))];
    (lines, told(node.sign, &node.noun, &name, Some(&node.block), &rest))
}

pub(crate) fn loose(
    network: &Network,
    node: usize,
    inlets_of: &[Vec<usize>],
) -> (Vec<Line>, String) {
    endpoint(network, node, None, &inlets_of[node])
}

fn endpoint(
    network: &Network,
    at: usize,
    plug: Option<(&Plug, &String)>,
    inlets: &[usize],
) -> (Vec<Line>, String) {
    let node = &network.nodes[at];
    let mut lines = vec![keep(LineKind::Name, node.name.clone())];
    let mut rest = Vec::new();
    match plug {
        Some((plug, segment)) => {
            let addresses = badges(LineKind::Mono, "", &plug.addresses);
            let none = || keep(LineKind::Small, format!("{}, address not known yet", node.noun));
            lines.push(addresses.unwrap_or_else(none));
            rest.push(format!("in {segment} {}", joined(&plug.addresses)).trim_end().to_owned());
        }
        None => lines.push(keep(LineKind::Small, node.noun.clone())),
    }
    if let Some(line) = badges(LineKind::Badge, "", &node.filters) {
        rest.push(format!("filtered by {}", joined(&node.filters)));
        lines.push(line);
    }
    for inlet in inlets.iter().take(LINES_MAX - 4) {
        let inlet = &network.inlets[*inlet];
        let leads = inlet.targets.iter().find(|it| it.node == Some(at));
        let sign = match inlet.sign {
            sign @ (Sign::Add | Sign::Remove) => sign,
            _ => leads.map_or(Sign::Keep, |it| it.sign),
        };
        rest.push(format!("reached by {} {}", inlet.noun, outer(inlet)));
        let text = (outer(inlet).to_owned(), beside(node.sign, sign));
        let spans = vec![("⇥ ".to_owned(), Sign::Keep), text];
        lines.push(Line { kind: LineKind::Mono, spans });
    }
    if inlets.len() > LINES_MAX - 4 {
        lines.push(keep(LineKind::Small, format!("and {} more", inlets.len() - (LINES_MAX - 4))));
    }
    rest.push(given(node).to_owned());
    (lines, told(node.sign, &node.noun, &node.name, node.address.as_deref(), &rest))
}

/// Somebody who is at home elsewhere.
pub(crate) fn guest(network: &Network, plug: &Plug) -> (Vec<Line>, String) {
    let node = &network.nodes[plug.node];
    let arrow = if node.kind == NodeKind::Router {
        "router, drawn elsewhere"
    } else {
        "drawn in another lane"
    };
    let mut lines = vec![keep(LineKind::Name, node.name.clone())];
    lines.extend(badges(LineKind::Mono, "", &plug.addresses));
    lines.push(keep(LineKind::Small, format!("↪ {arrow}")));
    let rest = [
        format!("in {}", network.segments[plug.segment].name),
        joined(&plug.addresses),
        arrow.to_owned(),
    ];
    (lines, told(plug.sign, &node.noun, &node.name, node.address.as_deref(), &rest))
}

fn outer(inlet: &Inlet) -> &str {
    inlet.outer.as_deref().unwrap_or("address not known yet")
}

/// Where a way in leads, each with what becomes of it.
pub(crate) fn leads(network: &Network, inlet: &Inlet) -> Vec<(String, Sign)> {
    let targets = inlet.targets.iter().map(|it| {
        let node = it.node.map(|it| network.nodes[it].name.clone());
        let parts: Vec<String> = node.into_iter().chain(it.inner.clone()).collect();
        (parts.join(" "), it.sign)
    });
    targets.collect()
}

pub(crate) fn inlets(network: &Network, all: &[usize]) -> (Vec<Line>, String) {
    let inlet = &network.inlets[all[0]];
    if all.len() > 1 {
        let last = &network.inlets[all[all.len() - 1]];
        let lines = vec![
            keep(LineKind::Name, format!("{} × {}", all.len(), inlet.noun)),
            keep(LineKind::Mono, format!("{} … {}", outer(inlet), outer(last))),
        ];
        let name = format!("× {}", all.len());
        return (lines, told(inlet.sign, &inlet.noun, &name, Some(&inlet.block), &[]));
    }
    let kind = LineKind::Name;
    let mut lines = vec![keep(kind, outer(inlet))];
    let leads = leads(network, inlet);
    let mut rest = Vec::new();
    for (text, sign) in &leads {
        let spans = vec![("→ ".to_owned(), Sign::Keep), (text.clone(), *sign)];
        lines.push(Line { kind: LineKind::Mono, spans });
        let verb = if *sign == Sign::Remove { "led to" } else { "leads to" };
        rest.push(format!("{verb} {text}"));
    }
    if leads.is_empty() {
        lines.push(keep(LineKind::Small, "leads nowhere"));
    }
    let through = inlet.through.map(|it| format!(" by {}", network.nodes[it].name));
    lines.push(keep(LineKind::Small, format!("{}{}", inlet.noun, through.unwrap_or_default())));
    (lines, told(inlet.sign, &inlet.noun, outer(inlet), Some(&inlet.address), &rest))
}
