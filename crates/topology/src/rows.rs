//! The picture in words: a table that says everything the picture shows, nothing folded.

use std::fmt::Write;

use crate::network::{Inlet, Network, NodeKind, Sign};
use crate::svg::lines::{joined, leads};

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What becomes of it.
    pub sign: Sign,
    /// `network`, `router`, `host`, `floating IP`.
    pub noun: String,
    /// Its name.
    pub name: String,
    /// The segment that it is in; empty for segments themselves.
    pub within: String,
    /// Its addresses, or its ranges.
    pub addresses: String,
    /// What else: where it leads, what filters it.
    pub notes: String,
    /// The resource, if one declares it.
    pub resource: String,
}

/// Each segment, followed by what is in it; then what is in none.
pub fn rows(network: &Network) -> Vec<Row> {
    let mut by_segment: Vec<Vec<usize>> = vec![Vec::new(); network.segments.len()];
    let mut plugged = vec![false; network.nodes.len()];
    for (at, plug) in network.plugs.iter().enumerate() {
        by_segment[plug.segment].push(at);
        plugged[plug.node] = true;
    }
    let mut inlets: Vec<Vec<usize>> = vec![Vec::new(); network.segments.len() + 1];
    for (at, inlet) in network.inlets.iter().enumerate() {
        inlets[inlet.segment.unwrap_or(network.segments.len())].push(at);
    }
    let mut res = Vec::new();
    for (at, segment) in network.segments.iter().enumerate() {
        res.push(Row {
            sign: segment.sign,
            noun: segment.noun.clone(),
            name: segment.name.clone(),
            within: String::new(),
            addresses: joined(&segment.ranges),
            notes: if segment.outer { "outside".into() } else { String::new() },
            resource: segment.address.clone().unwrap_or_default(),
        });
        res.extend(inlets[at].iter().map(|it| way_in(network, &network.inlets[*it])));
        for plug in by_segment[at].iter().map(|it| &network.plugs[*it]) {
            let node = &network.nodes[plug.node];
            res.push(Row {
                sign: if node.sign == Sign::Keep { plug.sign } else { node.sign },
                within: segment.name.clone(),
                addresses: joined(&plug.addresses),
                ..of_node(network, plug.node)
            });
        }
    }
    res.extend(
        inlets[network.segments.len()].iter().map(|it| way_in(network, &network.inlets[*it])),
    );
    let loose = (0..network.nodes.len()).filter(|it| !plugged[*it]);
    res.extend(loose.map(|it| of_node(network, it)));
    res
}

fn of_node(network: &Network, at: usize) -> Row {
    let node = &network.nodes[at];
    let notes = match (node.kind, node.filters.is_empty()) {
        (NodeKind::Endpoint, false) => format!("filtered by {}", joined(&node.filters)),
        _ => String::new(),
    };
    Row {
        sign: node.sign,
        noun: node.noun.clone(),
        name: node.name.clone(),
        within: String::new(),
        addresses: String::new(),
        notes,
        resource: node.address.clone().unwrap_or_default(),
    }
}

fn way_in(network: &Network, inlet: &Inlet) -> Row {
    let leads = leads(network, inlet).into_iter().map(|(text, sign)| match sign {
        Sign::Remove => format!("led to {text}"),
        _ => format!("leads to {text}"),
    });
    let through = inlet.through.map(|it| format!("by {}", network.nodes[it].name));
    let notes: Vec<String> = leads.chain(through).collect();
    Row {
        sign: inlet.sign,
        noun: inlet.noun.clone(),
        name: inlet.outer.clone().unwrap_or_else(|| "not known yet".into()),
        within: inlet.segment.map(|it| network.segments[it].name.clone()).unwrap_or_default(),
        addresses: String::new(),
        notes: notes.join(", "),
        resource: inlet.address.clone(),
    }
}

/// The table as text, for tests and terminals.
pub fn text(network: &Network) -> String {
    let mut out = String::new();
    for row in rows(network) {
        let sign = row.sign.symbol();
        let margin = if row.within.is_empty() { "" } else { "  " };
        let sign = if sign.is_empty() { " " } else { sign };
        let _ = write!(out, "{sign} {margin}{} {}", row.noun, row.name);
        for part in [&row.addresses, &row.notes].into_iter().filter(|it| !it.is_empty()) {
            let _ = write!(out, "  {part}");
        }
        out.push('\n');
    }
    out
}
