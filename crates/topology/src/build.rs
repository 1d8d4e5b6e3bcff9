//! From pieces to a network: each side by itself, then both as one.

use std::collections::{BTreeMap, BTreeSet};

use crate::network::{Badge, Inlet, Network, Node, NodeKind, Plug, Segment, Sign, Target};
use crate::piece::{Key, Piece, Source};
use crate::stand_in::shown;

/// A thing on both sides: the piece of a source, by place, or somebody nobody declared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Id<'a> {
    Own(usize, usize),
    /// A way in without a name of its own, by where it begins and ends.
    Part(usize, &'a str, &'a str),
    Stranger(&'a str, &'static str, &'a str),
}

/// What a key of one side means.
#[derive(Clone, Copy)]
enum Meaning<'a> {
    Segment(usize, usize),
    Subnet(&'a Key),
    Node(usize, usize),
    Port(usize, usize),
    Inlet(usize, usize),
    Filter(&'a str, Sign),
}

#[derive(Default)]
struct SegmentOf<'a> {
    name: &'a str,
    noun: &'a str,
    ranges: BTreeSet<&'a str>,
    outer: bool,
}

struct NodeOf<'a> {
    kind: NodeKind,
    name: &'a str,
    noun: &'a str,
    filters: BTreeMap<&'a str, Sign>,
}

#[derive(Default)]
struct InletOf<'a> {
    noun: &'a str,
    outer: Option<String>,
    segment: Option<Id<'a>>,
    through: Option<Id<'a>>,
    node: Option<Id<'a>>,
    inner: Option<String>,
}

#[derive(Default)]
struct PlugOf<'a> {
    /// How many were declared before it.
    order: usize,
    addresses: BTreeSet<&'a str>,
}

/// One side.
#[derive(Default)]
struct Side<'a> {
    segments: BTreeMap<Id<'a>, SegmentOf<'a>>,
    nodes: BTreeMap<Id<'a>, NodeOf<'a>>,
    plugs: BTreeMap<(Id<'a>, Id<'a>), PlugOf<'a>>,
    inlets: BTreeMap<Id<'a>, InletOf<'a>>,
}

impl<'a> Side<'a> {
    fn plug(
        &mut self,
        node: Id<'a>,
        segment: Id<'a>,
        addresses: impl IntoIterator<Item = &'a str>,
    ) {
        let order = self.plugs.len();
        let new = || PlugOf { order, addresses: BTreeSet::new() };
        self.plugs.entry((node, segment)).or_insert_with(new).addresses.extend(addresses);
    }
}

impl Network {
    /// The network that all pieces together make. Order is that of the sources.
    pub fn of(sources: &[Source]) -> Network {
        let before = Reader::new(sources, |it| &it.before).side();
        let after = Reader::new(sources, |it| &it.after).side();
        merge(sources, &before, &after)
    }
}

/// Reads the pieces of one side.
struct Reader<'a> {
    sources: &'a [Source],
    pieces: fn(&Source) -> &Vec<Piece>,
    meanings: BTreeMap<(&'a str, &'a Key), Meaning<'a>>,
    /// Who is in a port that is declared by itself.
    holders: BTreeMap<(usize, usize), Id<'a>>,
    side: Side<'a>,
}

impl<'a> Reader<'a> {
    fn new(sources: &'a [Source], pieces: fn(&Source) -> &Vec<Piece>) -> Reader<'a> {
        Reader {
            sources,
            pieces,
            meanings: BTreeMap::new(),
            holders: BTreeMap::new(),
            side: Side::default(),
        }
    }

    /// Every piece with its place, and the scope that its keys are in.
    fn all(&self) -> impl Iterator<Item = (usize, usize, &'a str, &'a Piece)> + use<'a> {
        let pieces = self.pieces;
        self.sources.iter().enumerate().flat_map(move |(at, source)| {
            let all = pieces(source).iter().enumerate();
            all.map(move |(place, piece)| (at, place, &*source.scope, piece))
        })
    }

    fn side(mut self) -> Side<'a> {
        for (at, place, scope, piece) in self.all() {
            self.declare(at, place, scope, piece);
        }
        for (_, _, scope, piece) in self.all() {
            self.plug(scope, piece);
        }
        for (at, place, scope, piece) in self.all() {
            self.lonely_port(at, place, scope, piece);
        }
        for (at, place, scope, piece) in self.all() {
            self.inlet(at, place, scope, piece);
        }
        for (_, _, scope, piece) in self.all() {
            if let Piece::Lead { of, to } = piece
                && let Some(Meaning::Inlet(at, place)) = self.meaning(scope, of)
            {
                let (node, name) = self.target(scope, to);
                if let Some(inlet) = self.side.inlets.get_mut(&Id::Own(at, place)) {
                    inlet.node = node;
                    inlet.inner = inlet.inner.take().or(name);
                }
            }
        }
        self.side
    }

    fn declare(&mut self, at: usize, place: usize, scope: &'a str, piece: &'a Piece) {
        let id = Id::Own(at, place);
        let (keys, meaning) = match piece {
            Piece::Segment { keys, name, noun, ranges, outer } => {
                let ranges = ranges.iter().filter_map(|it| shown(it)).collect();
                let segment = SegmentOf { name, noun, ranges, outer: *outer };
                self.side.segments.insert(id, segment);
                (keys, Meaning::Segment(at, place))
            }
            Piece::Subnet { keys, of, .. } => (keys, Meaning::Subnet(of)),
            Piece::Router { keys, name, noun } => {
                let kind = NodeKind::Router;
                let node = NodeOf { kind, name, noun, filters: BTreeMap::new() };
                self.side.nodes.insert(id, node);
                (keys, Meaning::Node(at, place))
            }
            Piece::Endpoint { keys, name, noun, .. } => {
                let kind = NodeKind::Endpoint;
                let node = NodeOf { kind, name, noun, filters: BTreeMap::new() };
                self.side.nodes.insert(id, node);
                (keys, Meaning::Node(at, place))
            }
            Piece::Port { keys, .. } => (keys, Meaning::Port(at, place)),
            Piece::Inlet { keys, .. } => (keys, Meaning::Inlet(at, place)),
            Piece::Filter { keys, name } => (keys, Meaning::Filter(name, self.sources[at].sign)),
            Piece::Plug { .. } | Piece::Lead { .. } => return,
        };
        for key in keys {
            self.meanings.entry((scope, key)).or_insert(meaning);
        }
    }

    fn meaning(&self, scope: &'a str, key: &'a Key) -> Option<Meaning<'a>> {
        self.meanings.get(&(scope, key)).copied()
    }

    /// The segment that a key means, also one that nobody declared.
    fn segment(&mut self, scope: &'a str, key: &'a Key, outer: bool) -> Option<Id<'a>> {
        let mut key = key;
        // A subnet of a subnet would be a provider's mistake; it must not hold us up.
        for _ in 0..4 {
            match self.meaning(scope, key) {
                Some(Meaning::Subnet(of)) => key = of,
                Some(Meaning::Segment(at, place)) => {
                    let id = Id::Own(at, place);
                    if let Some(segment) = self.side.segments.get_mut(&id) {
                        segment.outer |= outer;
                    }
                    return Some(id);
                }
                Some(Meaning::Port(at, place)) => match &(self.pieces)(&self.sources[at])[place] {
                    Piece::Port { on, .. } => key = on,
                    _ => return None,
                },
                Some(_) => return None,
                None if key.noun == "port" => return None,
                None => break,
            }
        }
        let name = shown(&key.name)?;
        let id = Id::Stranger(scope, key.noun, name);
        let stranger = SegmentOf { name, noun: key.noun, outer, ..SegmentOf::default() };
        self.side.segments.entry(id.clone()).or_insert(stranger).outer |= outer;
        Some(id)
    }

    /// The node that a key means, also one that nobody declared.
    fn node(&mut self, scope: &'a str, key: &'a Key) -> Option<Id<'a>> {
        match self.meaning(scope, key) {
            Some(Meaning::Node(at, place)) => return Some(Id::Own(at, place)),
            Some(_) => return None,
            None => {}
        }
        let name = shown(&key.name)?;
        let id = Id::Stranger(scope, key.noun, name);
        let kind = if key.noun == "router" { NodeKind::Router } else { NodeKind::Endpoint };
        let stranger = NodeOf { kind, name, noun: key.noun, filters: BTreeMap::new() };
        self.side.nodes.entry(id.clone()).or_insert(stranger);
        Some(id)
    }

    fn filter(&mut self, scope: &'a str, node: &Id<'a>, filters: &'a [Key]) {
        for key in filters {
            let (name, sign) = match self.meaning(scope, key) {
                Some(Meaning::Filter(name, sign)) => (name, sign),
                _ => (shown(&key.name).unwrap_or("?"), Sign::Keep),
            };
            if let Some(node) = self.side.nodes.get_mut(node) {
                node.filters.insert(name, sign);
            }
        }
    }

    fn plug(&mut self, scope: &'a str, piece: &'a Piece) {
        match piece {
            Piece::Plug { of, to, addresses, filters, uplink } => {
                let Some(node) = self.node(scope, of) else { return };
                self.filter(scope, &node, filters);
                let mut all: BTreeSet<&str> = addresses.iter().filter_map(|it| shown(it)).collect();
                if let Some(Meaning::Port(at, place)) = self.meaning(scope, to) {
                    self.holders.entry((at, place)).or_insert_with(|| node.clone());
                    let port = &(self.pieces)(&self.sources[at])[place];
                    if let Piece::Port { addresses, filters, .. } = port {
                        all.extend(addresses.iter().filter_map(|it| shown(it)));
                        self.filter(scope, &node, filters);
                    }
                }
                if let Some(segment) = self.segment(scope, to, *uplink) {
                    self.side.plug(node, segment, all);
                }
            }
            Piece::Endpoint { keys, filters, .. } => {
                if let Some(node) = keys.first().and_then(|it| self.node(scope, it)) {
                    self.filter(scope, &node, filters);
                }
            }
            Piece::Subnet { of, range, .. } => {
                if let Some(segment) = self.segment(scope, of, false)
                    && let Some(segment) = self.side.segments.get_mut(&segment)
                {
                    segment.ranges.extend(shown(range));
                }
            }
            _ => {}
        }
    }

    /// A port that nobody is in is drawn by itself.
    fn lonely_port(&mut self, at: usize, place: usize, scope: &'a str, piece: &'a Piece) {
        let Piece::Port { name, on, addresses, filters, .. } = piece else { return };
        if self.holders.contains_key(&(at, place)) {
            return;
        }
        let id = Id::Own(at, place);
        let kind = NodeKind::Endpoint;
        let node = NodeOf { kind, name, noun: "port", filters: BTreeMap::new() };
        self.side.nodes.insert(id.clone(), node);
        self.filter(scope, &id, filters);
        self.holders.insert((at, place), id.clone());
        if let Some(segment) = self.segment(scope, on, false) {
            let addresses = addresses.iter().filter_map(|it| shown(it));
            self.side.plug(id, segment, addresses);
        }
    }

    /// A node, or else a name.
    fn target(&mut self, scope: &'a str, key: &'a Key) -> (Option<Id<'a>>, Option<String>) {
        match self.meaning(scope, key) {
            Some(Meaning::Node(at, place)) => (Some(Id::Own(at, place)), None),
            Some(Meaning::Port(at, place)) => (self.holders.get(&(at, place)).cloned(), None),
            _ => (None, shown(&key.name).map(|it| format!("{} {it}", key.noun))),
        }
    }

    /// The outer segment that a router is in.
    fn outside_of(&self, router: &Id<'a>) -> Option<Id<'a>> {
        let plugs = self.side.plugs.range((router.clone(), Id::Own(0, 0))..);
        let mut segments = plugs.take_while(|it| it.0.0 == *router).map(|it| &it.0.1);
        segments.find(|it| self.side.segments.get(*it).is_some_and(|it| it.outer)).cloned()
    }

    fn inlet(&mut self, at: usize, place: usize, scope: &'a str, piece: &'a Piece) {
        let Piece::Inlet { keys, noun, outer, on, through, to, inner } = piece else { return };
        let mut on = on.as_ref();
        let mut whole = shown(outer).map(str::to_owned);
        if let Some(Meaning::Inlet(at, place)) = on.and_then(|it| self.meaning(scope, it))
            && let Piece::Inlet { on: of_it, outer, .. } = &(self.pieces)(&self.sources[at])[place]
        {
            on = of_it.as_ref();
            whole = shown(outer).zip(whole).map(|(outer, part)| format!("{outer}{part}"));
        }
        let through = through.as_ref().and_then(|it| self.node(scope, it));
        let segment = match on {
            Some(on) => self.segment(scope, on, true),
            None => through.as_ref().and_then(|it| self.outside_of(it)),
        };
        let (node, name) = to.as_ref().map_or((None, None), |it| self.target(scope, it));
        let inner = inner.as_deref().and_then(shown);
        let inner = match (name, inner) {
            (Some(name), Some(inner)) => Some(format!("{name} {inner}")),
            (name, inner) => name.or_else(|| inner.map(str::to_owned)),
        };
        let id = match (keys.is_empty(), piece) {
            (true, Piece::Inlet { inner, .. }) => {
                Id::Part(at, outer, inner.as_deref().unwrap_or_default())
            }
            _ => Id::Own(at, place),
        };
        let inlet = InletOf { noun, outer: whole, segment, through, node, inner };
        self.side.inlets.insert(id, inlet);
    }
}

/// A name, or what else people know it by.
fn called(name: &str, address: Option<&str>, noun: &str) -> String {
    shown(name).or(address).unwrap_or(noun).to_owned()
}

/// What becomes of the resource, its address, its block, and whether it is not ours.
fn origin<'a>(sources: &'a [Source], id: &Id<'_>) -> (Sign, Option<&'a str>, &'a str, bool) {
    match id {
        Id::Own(at, _) | Id::Part(at, ..) => {
            let it = &sources[*at];
            let sign = if it.given { Sign::Keep } else { it.sign };
            (sign, Some(&it.address), &it.block, it.given)
        }
        Id::Stranger(..) => (Sign::Keep, None, "", true),
    }
}

/// Of a thing on these sides. What nobody here declares neither comes nor goes.
fn sign(id: &Id<'_>, before: bool, after: bool, of_resource: Sign) -> Sign {
    match id {
        Id::Own(..) | Id::Part(..) => Sign::of_sides(before, after, of_resource),
        Id::Stranger(..) => Sign::Keep,
    }
}

/// Both sides of a map, by key.
fn both<'m, K: Ord, V>(
    before: &'m BTreeMap<K, V>,
    after: &'m BTreeMap<K, V>,
) -> BTreeMap<&'m K, (Option<&'m V>, Option<&'m V>)> {
    let mut res: BTreeMap<&K, (Option<&V>, Option<&V>)> = BTreeMap::new();
    before.iter().for_each(|(key, it)| res.entry(key).or_default().0 = Some(it));
    after.iter().for_each(|(key, it)| res.entry(key).or_default().1 = Some(it));
    res
}

/// Words on something that is there on both sides say what becomes of them; else the thing says it.
fn badges(before: Option<&BTreeSet<&str>>, after: Option<&BTreeSet<&str>>) -> Vec<Badge> {
    let badge = |text: &&str, sign| Badge { text: (*text).to_owned(), sign };
    match (before, after) {
        (None, None) => Vec::new(),
        (Some(all), None) | (None, Some(all)) => {
            all.iter().map(|it| badge(it, Sign::Keep)).collect()
        }
        // What is not known yet is taken for what it was.
        (Some(all), Some(none)) if none.is_empty() => {
            all.iter().map(|it| badge(it, Sign::Keep)).collect()
        }
        (Some(before), Some(after)) => {
            let gone = before.difference(after).map(|it| badge(it, Sign::Remove));
            let rest = after.iter().map(|it| match before.contains(it) {
                true => badge(it, Sign::Keep),
                false => badge(it, Sign::Add),
            });
            gone.chain(rest).collect()
        }
    }
}

fn filters(before: Option<&NodeOf<'_>>, after: Option<&NodeOf<'_>>) -> Vec<Badge> {
    let names = |it: Option<&NodeOf<'_>>| -> Option<BTreeMap<String, Sign>> {
        Some(it?.filters.iter().map(|(name, sign)| ((*name).to_owned(), *sign)).collect())
    };
    match (names(before), names(after)) {
        (Some(before), Some(after)) => {
            let all = both(&before, &after).into_iter();
            all.map(|(name, (b, a))| {
                let own = a.or(b).copied().unwrap_or_default();
                let own = if own == Sign::Add { Sign::Keep } else { own };
                Badge { text: name.clone(), sign: Sign::of_sides(b.is_some(), a.is_some(), own) }
            })
            .collect()
        }
        (before, after) => {
            let all = before.or(after).unwrap_or_default().into_keys();
            all.map(|text| Badge { text, sign: Sign::Keep }).collect()
        }
    }
}

fn merge(sources: &[Source], before: &Side<'_>, after: &Side<'_>) -> Network {
    let mut res = Network::default();
    let mut segments: BTreeMap<&Id<'_>, usize> = BTreeMap::new();
    for (id, (b, a)) in both(&before.segments, &after.segments) {
        let Some(it) = a.or(b) else { continue };
        let (own, address, block, given) = origin(sources, id);
        segments.insert(id, res.segments.len());
        res.segments.push(Segment {
            name: called(it.name, address, it.noun),
            noun: it.noun.to_owned(),
            ranges: badges(b.map(|it| &it.ranges), a.map(|it| &it.ranges)),
            outer: it.outer,
            address: address.map(str::to_owned),
            block: block.to_owned(),
            given,
            sign: sign(id, b.is_some(), a.is_some(), own),
        });
    }
    let mut nodes: BTreeMap<&Id<'_>, usize> = BTreeMap::new();
    for (id, (b, a)) in both(&before.nodes, &after.nodes) {
        let Some(it) = a.or(b) else { continue };
        let (own, address, block, given) = origin(sources, id);
        nodes.insert(id, res.nodes.len());
        res.nodes.push(Node {
            kind: it.kind,
            name: called(it.name, address, it.noun),
            noun: it.noun.to_owned(),
            address: address.map(str::to_owned),
            block: block.to_owned(),
            given,
            filters: filters(b, a),
            sign: sign(id, b.is_some(), a.is_some(), own),
        });
    }
    for ((node, segment), (b, a)) in both(&before.plugs, &after.plugs) {
        let (Some(node), Some(segment)) = (nodes.get(node), segments.get(segment)) else {
            continue;
        };
        let addresses = badges(b.map(|it| &it.addresses), a.map(|it| &it.addresses));
        let order = a.or(b).map_or(0, |it| it.order);
        let moved = addresses.iter().any(|it| it.sign != Sign::Keep);
        let own = if moved { Sign::Change } else { Sign::Keep };
        let sign = Sign::of_sides(b.is_some(), a.is_some(), own);
        res.plugs.push(Plug { node: *node, segment: *segment, addresses, order, sign });
    }
    for (id, (b, a)) in both(&before.inlets, &after.inlets) {
        let Some(it) = a.or(b) else { continue };
        let (own, address, block, _) = origin(sources, id);
        let target = |it: &InletOf<'_>| Target {
            node: it.node.as_ref().and_then(|it| nodes.get(it)).copied(),
            inner: it.inner.clone(),
            sign: Sign::Keep,
        };
        let leads = |it: &Target| it.node.is_some() || it.inner.is_some();
        let (was, will) = (b.map(target).filter(leads), a.map(target).filter(leads));
        let targets: Vec<Target> = match (b.is_some() && a.is_some(), was, will) {
            (true, was, will) if was != will => {
                let was = was.map(|it| Target { sign: Sign::Remove, ..it });
                let will = will.map(|it| Target { sign: Sign::Add, ..it });
                was.into_iter().chain(will).collect()
            }
            (_, was, will) => will.or(was).into_iter().collect(),
        };
        let moved = targets.iter().any(|it| it.sign != Sign::Keep);
        let own = if moved && own == Sign::Keep { Sign::Change } else { own };
        res.inlets.push(Inlet {
            noun: it.noun.to_owned(),
            outer: it.outer.clone().or_else(|| b.and_then(|it| it.outer.clone())),
            segment: it.segment.as_ref().and_then(|it| segments.get(it)).copied(),
            through: it.through.as_ref().and_then(|it| nodes.get(it)).copied(),
            targets,
            address: address.unwrap_or_default().to_owned(),
            block: block.to_owned(),
            sign: sign(id, b.is_some(), a.is_some(), own),
        });
    }
    res
}
