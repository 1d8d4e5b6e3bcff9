//! Which lane hangs on which router: a forest that begins outside.
//!
//! Every segment and every router has one place. A router in a segment that has its place already is
//! told of in that lane's cells instead, so no line ever crosses another.

use std::collections::VecDeque;

use crate::network::{Network, NodeKind, Sign};

/// A lane or a router, and where it hangs. Parents come before their children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) what: What,
    /// Index of the item that it hangs on: a router on a lane, a lane on a router.
    pub(crate) parent: Option<usize>,
    /// How many routers are above a lane; a router has that of its lane.
    pub(crate) depth: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A lane: a segment, and others that are equal to it in all that can be seen.
    Lane(usize, Vec<usize>),
    Router(usize),
}

/// Deeper lanes begin at the left again.
pub(crate) const DEPTH_MAX: usize = 2;

/// The forest, in the order in which it is drawn.
pub(crate) fn forest(network: &Network) -> Vec<Item> {
    let mut growing = Growing::new(network);
    let outer = (0..network.segments.len()).filter(|it| network.segments[*it].outer);
    let all = 0..network.segments.len();
    let (routed, alone): (Vec<usize>, Vec<usize>) =
        all.partition(|it| !growing.routers[*it].is_empty());
    for segment in outer.chain(routed).chain(alone) {
        growing.root(What::Lane(segment, Vec::new()));
    }
    for router in 0..network.nodes.len() {
        if network.nodes[router].kind == NodeKind::Router {
            growing.root(What::Router(router));
        }
    }
    growing.in_order()
}

struct Growing {
    /// Routers by segment, segments by node.
    routers: Vec<Vec<usize>>,
    segments: Vec<Vec<usize>>,
    lane_placed: Vec<bool>,
    router_placed: Vec<bool>,
    items: Vec<Item>,
}

impl Growing {
    fn new(network: &Network) -> Growing {
        let mut routers = vec![Vec::new(); network.segments.len()];
        let mut segments = vec![Vec::new(); network.nodes.len()];
        let stays = |sign| sign != Sign::Remove;
        let mut has_place = vec![false; network.nodes.len()];
        network.plugs.iter().filter(|it| stays(it.sign)).for_each(|it| has_place[it.node] = true);
        for plug in &network.plugs {
            // Where a router goes away from is not where it hangs, if it hangs anywhere.
            let gone = !stays(plug.sign) && has_place[plug.node];
            if network.nodes[plug.node].kind == NodeKind::Router && !gone {
                routers[plug.segment].push(plug.node);
                segments[plug.node].push(plug.segment);
            }
        }
        Growing {
            lane_placed: vec![false; routers.len()],
            router_placed: vec![false; segments.len()],
            routers,
            segments,
            items: Vec::new(),
        }
    }

    fn place(&mut self, what: What, parent: Option<usize>, depth: usize) -> Option<usize> {
        let placed = match what {
            What::Lane(segment, _) => &mut self.lane_placed[segment],
            What::Router(node) => &mut self.router_placed[node],
        };
        if std::mem::replace(placed, true) {
            return None;
        }
        self.items.push(Item { what, parent, depth });
        Some(self.items.len() - 1)
    }

    /// Places something that hangs on nothing, and everything that can be reached from it.
    fn root(&mut self, what: What) {
        let mut queue: VecDeque<usize> = self.place(what, None, 0).into_iter().collect();
        while let Some(at) = queue.pop_front() {
            let Item { what, depth, .. } = self.items[at].clone();
            match what {
                What::Lane(segment, _) => {
                    for router in self.routers[segment].clone() {
                        let deep = depth >= DEPTH_MAX;
                        let (parent, depth) = if deep { (None, 0) } else { (Some(at), depth) };
                        queue.extend(self.place(What::Router(router), parent, depth));
                    }
                }
                What::Router(node) => {
                    for segment in self.segments[node].clone() {
                        let lane = What::Lane(segment, Vec::new());
                        queue.extend(self.place(lane, Some(at), depth + 1));
                    }
                }
            }
        }
    }

    /// Found breadth first, drawn depth first.
    fn in_order(self) -> Vec<Item> {
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); self.items.len()];
        let mut stack: Vec<usize> = Vec::new();
        for (at, item) in self.items.iter().enumerate() {
            match item.parent {
                Some(parent) => children[parent].push(at),
                None => stack.push(at),
            }
        }
        stack.reverse();
        let mut new = vec![0; self.items.len()];
        let mut res: Vec<Item> = Vec::with_capacity(self.items.len());
        while let Some(at) = stack.pop() {
            new[at] = res.len();
            let item = &self.items[at];
            res.push(Item { parent: item.parent.map(|it| new[it]), ..item.clone() });
            stack.extend(children[at].iter().rev());
        }
        res
    }
}
