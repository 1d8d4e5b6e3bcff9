//! The network that a picture is made of: before and after in one, each part with a sign.

/// What becomes of a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    /// It stays.
    #[default]
    Keep,
    /// It is changed.
    Change,
    /// Another takes its place.
    Replace,
    /// It comes.
    Add,
    /// It goes.
    Remove,
}

/// Before and after.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// What things are in.
    pub segments: Vec<Segment>,
    /// Routers and endpoints.
    pub nodes: Vec<Node>,
    /// Which node is in which segment, by node, then segment.
    pub plugs: Vec<Plug>,
    /// Ways in.
    pub inlets: Vec<Inlet>,
}

/// A network, bridge or cable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its name.
    pub name: String,
    /// `network`, `bridge`, `cable`.
    pub noun: String,
    /// Its address ranges.
    pub ranges: Vec<Badge>,
    /// Whether it leads outside.
    pub outer: bool,
    /// The resource; none: others refer to it, and nobody here declares it.
    pub address: Option<String>,
    /// The block of the resource.
    pub block: String,
    /// Whether it is only looked up, or not declared at all.
    pub given: bool,
    /// What becomes of it.
    pub sign: Sign,
}

/// A router or an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Which of the two.
    pub kind: NodeKind,
    /// Its name.
    pub name: String,
    /// `host`, `container`.
    pub noun: String,
    /// The resource, if one declares it.
    pub address: Option<String>,
    /// The block of the resource.
    pub block: String,
    /// Whether it is only looked up, or not declared at all.
    pub given: bool,
    /// What filters its traffic.
    pub filters: Vec<Badge>,
    /// What becomes of it.
    pub sign: Sign,
}

/// Which kind of node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeKind {
    /// Connects segments.
    Router,
    /// Is at the end.
    Endpoint,
}

/// A word on something, that may come and go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Badge {
    /// The word.
    pub text: String,
    /// What becomes of it.
    pub sign: Sign,
}

/// A node is in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plug {
    /// Index of the node.
    pub node: usize,
    /// Index of the segment.
    pub segment: usize,
    /// Its addresses there: those that go are marked so.
    pub addresses: Vec<Badge>,
    /// Its place among all in the order of their declarations: an endpoint is at home in its first.
    pub order: usize,
    /// What becomes of it.
    pub sign: Sign,
}

/// A way in from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inlet {
    /// `floating IP`, `port forward`.
    pub noun: String,
    /// Its outer address; none: not known yet.
    pub outer: Option<String>,
    /// Index of the outer segment.
    pub segment: Option<usize>,
    /// Index of the router that lets it in.
    pub through: Option<usize>,
    /// Where it leads; where it led, if that changes, comes first and is marked so.
    pub targets: Vec<Target>,
    /// The resource.
    pub address: String,
    /// The block of the resource.
    pub block: String,
    /// What becomes of it.
    pub sign: Sign,
}

/// Where a way in leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Index of the node.
    pub node: Option<usize>,
    /// The rest: an inner port or address.
    pub inner: Option<String>,
    /// What becomes of this.
    pub sign: Sign,
}

impl Sign {
    /// One character: the picture does not rely on colour.
    pub fn symbol(self) -> &'static str {
        match self {
            Sign::Keep => "",
            Sign::Change => "~",
            Sign::Replace => "±",
            Sign::Add => "+",
            Sign::Remove => "−",
        }
    }

    /// One word.
    pub fn word(self) -> &'static str {
        match self {
            Sign::Keep => "unchanged",
            Sign::Change => "changed",
            Sign::Replace => "replaced",
            Sign::Add => "added",
            Sign::Remove => "removed",
        }
    }

    /// All of them, as a legend has them.
    pub const ALL: [Sign; 5] = [Sign::Add, Sign::Change, Sign::Replace, Sign::Remove, Sign::Keep];

    /// Of something that is there on these sides.
    pub(crate) fn of_sides(before: bool, after: bool, both: Sign) -> Sign {
        match (before, after) {
            (true, false) => Sign::Remove,
            (false, true) => Sign::Add,
            _ => both,
        }
    }
}

impl Network {
    /// Whether there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty() && self.nodes.is_empty()
    }

    /// What the network has, in a sentence.
    pub fn summary(&self) -> String {
        let routers = self.nodes.iter().filter(|it| it.kind == NodeKind::Router).count();
        let parts = [
            (self.segments.len(), "network"),
            (routers, "router"),
            (self.nodes.len() - routers, "endpoint"),
            (self.inlets.len(), "way in"),
        ];
        let parts = parts.iter().filter(|it| it.0 > 0).map(|(count, noun)| match (count, *noun) {
            (1, noun) => format!("1 {noun}"),
            (many, "way in") => format!("{many} ways in"),
            (many, noun) => format!("{many} {noun}s"),
        });
        let all: Vec<String> = parts.collect();
        let mut res = all.join(", ");
        let signs = || {
            let segments = self.segments.iter().map(|it| it.sign);
            segments.chain(self.nodes.iter().map(|it| it.sign))
        };
        let counted = Sign::ALL[..4].iter().filter_map(|sign| {
            let count = signs().filter(|it| it == sign).count();
            (count > 0).then(|| format!("{count} {}", sign.word()))
        });
        let counted: Vec<String> = counted.collect();
        if !counted.is_empty() {
            res = format!("{res}. {}", counted.join(", "));
        }
        res + "."
    }
}
