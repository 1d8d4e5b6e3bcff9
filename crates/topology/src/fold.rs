//! What is in which lane, and what of it is equal enough to be drawn as a stack with a number.

use std::collections::{BTreeMap, BTreeSet};

use crate::network::{Network, NodeKind, Plug, Sign};
use crate::tree::{Item, What};

/// As many equal ones are drawn each by itself.
pub(crate) const EACH_MAX: usize = 6;

/// One box in a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Ways in from here that are equal but for their names.
    Inlets(Vec<usize>),
    /// Endpoints that are at home here, by their plugs.
    Nodes(Vec<usize>),
    /// An endpoint that is at home in another lane, or a router that hangs elsewhere.
    Guest(usize),
    /// An endpoint in no lane, a router that leads nowhere.
    Loose(usize),
}

/// Everything that a lane shows, by lane; the last is for what is in none.
pub(crate) struct Lanes {
    pub(crate) cells: Vec<Vec<Cell>>,
    /// How many ways lead into a node.
    pub(crate) inlets_of: Vec<Vec<usize>>,
}

impl Lanes {
    pub(crate) fn of(network: &Network, items: &[Item]) -> Lanes {
        let lanes = network.segments.len();
        let mut cells: Vec<Vec<Cell>> = vec![Vec::new(); lanes + 1];
        let mut inlets_of: Vec<Vec<usize>> = vec![Vec::new(); network.nodes.len()];
        for (at, inlet) in network.inlets.iter().enumerate() {
            let nodes = inlet.targets.iter().filter_map(|it| it.node);
            nodes.for_each(|it| inlets_of[it].push(at));
        }
        for (lane, all) in inlets_by_lane(network, lanes).into_iter().enumerate() {
            cells[lane].extend(all.into_iter().map(Cell::Inlets));
        }
        let homes = homes(network);
        let hangs = hangs(items);
        let mut here: Vec<Vec<usize>> = vec![Vec::new(); lanes];
        for (at, plug) in network.plugs.iter().enumerate() {
            let is_router = network.nodes[plug.node].kind == NodeKind::Router;
            if !is_router && homes[plug.node] == Some(at) {
                here[plug.segment].push(at);
            }
        }
        for (lane, plugs) in here.into_iter().enumerate() {
            let key = |at: &usize| looks(network, &network.plugs[*at], &inlets_of);
            cells[lane].extend(stacks(plugs, key).into_iter().map(Cell::Nodes));
        }
        for (at, plug) in network.plugs.iter().enumerate() {
            let is_router = network.nodes[plug.node].kind == NodeKind::Router;
            let is_guest = match is_router {
                true => !hangs.contains(&(plug.node, plug.segment)),
                false => homes[plug.node] != Some(at),
            };
            if is_guest {
                cells[plug.segment].push(Cell::Guest(at));
            }
        }
        for (at, node) in network.nodes.iter().enumerate() {
            if homes[at].is_none() && node.kind == NodeKind::Endpoint {
                cells[lanes].push(Cell::Loose(at));
            }
        }
        Lanes { cells, inlets_of }
    }
}

/// The plug at which an endpoint is drawn: of those that stay, the first that was declared.
fn homes(network: &Network) -> Vec<Option<usize>> {
    let mut homes: Vec<Option<usize>> = vec![None; network.nodes.len()];
    let rank = |at: usize| (network.plugs[at].sign == Sign::Remove, network.plugs[at].order);
    for (at, plug) in network.plugs.iter().enumerate() {
        let home = &mut homes[plug.node];
        if home.is_none_or(|it| rank(at) < rank(it)) {
            *home = Some(at);
        }
    }
    homes
}

/// Which routers are drawn with a line to which segment.
fn hangs(items: &[Item]) -> BTreeSet<(usize, usize)> {
    let pairs = items.iter().filter_map(|item| {
        let parent = &items[item.parent?].what;
        match (&item.what, parent) {
            (What::Lane(segment, _), What::Router(node))
            | (What::Router(node), What::Lane(segment, _)) => Some((*node, *segment)),
            _ => None,
        }
    });
    pairs.collect()
}

fn inlets_by_lane(network: &Network, lanes: usize) -> Vec<Vec<Vec<usize>>> {
    let mut by_lane: Vec<Vec<usize>> = vec![Vec::new(); lanes + 1];
    for (at, inlet) in network.inlets.iter().enumerate() {
        by_lane[inlet.segment.unwrap_or(lanes)].push(at);
    }
    let key = |at: &usize| {
        let it = &network.inlets[*at];
        (!it.block.is_empty()).then_some((&it.block, it.sign, &it.noun))
    };
    by_lane.into_iter().map(|it| stacks(it, key)).collect()
}

/// What can be seen of an endpoint besides its name and address. None: it is always drawn by itself.
fn looks<'a>(
    network: &'a Network,
    plug: &Plug,
    inlets_of: &[Vec<usize>],
) -> Option<(&'a str, &'a str, Sign, Sign, Vec<(&'a str, Sign)>, usize)> {
    let node = &network.nodes[plug.node];
    let filters = node.filters.iter().map(|it| (&*it.text, it.sign)).collect();
    let inlets = inlets_of[plug.node].len();
    let block = (!node.block.is_empty()).then_some(&*node.block)?;
    Some((block, &node.noun, node.sign, plug.sign, filters, inlets))
}

/// Puts equal ones together where they are many, at the place of the first.
fn stacks<K: Ord>(all: Vec<usize>, key: impl Fn(&usize) -> Option<K>) -> Vec<Vec<usize>> {
    let mut places: BTreeMap<K, usize> = BTreeMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for at in all {
        match key(&at) {
            None => groups.push(vec![at]),
            Some(key) => {
                let place = *places.entry(key).or_insert_with(|| {
                    groups.push(Vec::new());
                    groups.len() - 1
                });
                groups[place].push(at);
            }
        }
    }
    let spread = |group: Vec<usize>| match group.len() > EACH_MAX {
        true => vec![group],
        false => group.into_iter().map(|it| vec![it]).collect(),
    };
    groups.into_iter().flat_map(spread).collect()
}

/// Puts lanes together that differ in names and addresses only, hang on the same, and have nothing
/// hanging on them.
pub(crate) fn fold_lanes(network: &Network, items: Vec<Item>, lanes: &Lanes) -> Vec<Item> {
    let mut is_leaf = vec![true; items.len()];
    items.iter().filter_map(|it| it.parent).for_each(|it| is_leaf[it] = false);
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (at, item) in items.iter().enumerate() {
        let What::Lane(segment, _) = &item.what else { continue };
        let it = &network.segments[*segment];
        if !is_leaf[at] || it.block.is_empty() {
            continue;
        }
        let inside: Option<Vec<_>> = lanes.cells[*segment]
            .iter()
            .map(|cell| match cell {
                Cell::Nodes(all) => {
                    let looks = looks(network, &network.plugs[*all.first()?], &lanes.inlets_of)?;
                    Some((looks, all.len()))
                }
                _ => None,
            })
            .collect();
        if let Some(inside) = inside {
            groups.entry((item.parent, &*it.block, it.sign, inside)).or_default().push(at);
        }
    }
    let mut more: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut gone = vec![false; items.len()];
    for group in groups.into_values().filter(|it| it.len() > EACH_MAX) {
        let Some((first, rest)) = group.split_first() else { continue };
        let segments = rest.iter().filter_map(|it| match &items[*it].what {
            What::Lane(segment, _) => Some(*segment),
            What::Router(_) => None,
        });
        more.insert(*first, segments.collect());
        rest.iter().for_each(|it| gone[*it] = true);
    }
    let mut new = vec![0; items.len()];
    let mut res = Vec::with_capacity(items.len());
    for (at, mut item) in items.into_iter().enumerate() {
        if gone[at] {
            continue;
        }
        new[at] = res.len();
        item.parent = item.parent.map(|it| new[it]);
        if let (What::Lane(_, all), Some(more)) = (&mut item.what, more.remove(&at)) {
            *all = more;
        }
        res.push(item);
    }
    res
}
