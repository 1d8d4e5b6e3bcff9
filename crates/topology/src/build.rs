//! From pieces to a network: each side by itself, then both as one.

mod merge;

use std::collections::{BTreeMap, BTreeSet};

use crate::network::{Network, NodeKind, Sign};
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
        merge::merge(sources, &before, &after)
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
