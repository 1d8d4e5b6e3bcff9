//! Where everything goes. Whole numbers, so that equal networks give equal pictures.
//!
//! Lanes lie below each other; a router stands to the left of the lanes that hang on it, and below
//! the lane that it hangs on. Boxes stand in rows inside their lanes.

use crate::fold::{Cell, Lanes, fold_lanes};
use crate::network::{Network, Sign};
use crate::svg::lines::{self, Line};
use crate::tree::{Item, What, forest};

/// A place on the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "left, top, width, height")]
pub struct Rect {
    pub x: i32,
    pub y: i32,
    pub w: i32,
    pub h: i32,
}

/// A network with places.
pub struct Layout<'a> {
    pub(crate) network: &'a Network,
    /// Width of the picture.
    pub width: i32,
    /// Height of the picture.
    pub height: i32,
    pub(crate) lanes: Vec<LaneBox>,
    pub(crate) routers: Vec<Box>,
    pub(crate) wires: Vec<Wire>,
}

pub(crate) struct LaneBox {
    pub(crate) rect: Rect,
    /// None: for what is in no lane.
    pub(crate) segment: Option<usize>,
    /// Lanes that look the same.
    pub(crate) more: Vec<usize>,
    pub(crate) boxes: Vec<Box>,
}

/// A box with text.
pub(crate) struct Box {
    pub(crate) rect: Rect,
    pub(crate) shape: Shape,
    pub(crate) sign: Sign,
    pub(crate) title: String,
    pub(crate) lines: Vec<Line>,
}

/// What a box looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Router,
    Endpoint,
    Stack,
    Guest,
    Inlet,
}

/// A line between a router and a lane.
pub(crate) struct Wire {
    pub(crate) points: Vec<(i32, i32)>,
    pub(crate) sign: Sign,
}

const MARGIN: i32 = 12;
const GAP: i32 = 12;
const LANE_GAP: i32 = 20;
pub(crate) const HEADER: i32 = 40;
const PAD: i32 = 14;
const BOX_MIN: i32 = 200;
const ROUTER: i32 = 216;
const INDENT: i32 = 28;
const STEP: i32 = INDENT + ROUTER + INDENT;
const LANE_MIN: i32 = 2 * BOX_MIN + GAP + 2 * PAD;
const WIDTH_MIN: i32 = 1136;

impl Rect {
    /// Whether two places have a point in common.
    pub fn overlaps(&self, other: &Rect) -> bool {
        self.x < other.x + other.w
            && other.x < self.x + self.w
            && self.y < other.y + other.h
            && other.y < self.y + self.h
    }

    /// Whether all of another place is in this one.
    pub fn contains(&self, other: &Rect) -> bool {
        self.x <= other.x
            && self.y <= other.y
            && other.x + other.w <= self.x + self.w
            && other.y + other.h <= self.y + self.h
    }

    pub(crate) fn bottom(&self) -> i32 {
        self.y.saturating_add(self.h)
    }
}

impl Layout<'_> {
    /// Lanes and routers: no two overlap.
    pub fn blocks(&self) -> Vec<Rect> {
        let lanes = self.lanes.iter().map(|it| it.rect);
        lanes.chain(self.routers.iter().map(|it| it.rect)).collect()
    }

    /// The boxes in each lane, after the lane itself.
    pub fn insides(&self) -> Vec<(Rect, Vec<Rect>)> {
        let inside = |it: &LaneBox| (it.rect, it.boxes.iter().map(|it| it.rect).collect());
        self.lanes.iter().map(inside).collect()
    }
}

/// Gives everything a place.
pub fn layout(network: &Network) -> Layout<'_> {
    let items = forest(network);
    let lanes = Lanes::of(network, &items);
    let items = fold_lanes(network, items, &lanes);
    let depth = items.iter().map(|it| it.depth).max().unwrap_or(0);
    let width = WIDTH_MIN.max(2 * MARGIN + depth as i32 * STEP + LANE_MIN);
    let mut res = Layout {
        network,
        width,
        height: 0,
        lanes: Vec::new(),
        routers: Vec::new(),
        wires: Vec::new(),
    };
    let mut drawing =
        Drawing { layout: &mut res, lanes: &lanes, cursor: MARGIN, rects: Vec::new() };
    for (at, item) in items.iter().enumerate() {
        drawing.item(at, item);
    }
    drawing.wires(&items);
    if !lanes.cells.last().is_none_or(Vec::is_empty) {
        let y = drawing.cursor;
        drawing.lane(None, Vec::new(), MARGIN, y);
    }
    res.height = res.blocks().iter().map(Rect::bottom).max().unwrap_or(0) + MARGIN;
    res
}

struct Drawing<'d, 'a> {
    layout: &'d mut Layout<'a>,
    lanes: &'d Lanes,
    /// Below everything so far.
    cursor: i32,
    rects: Vec<Rect>,
}

impl Drawing<'_, '_> {
    fn item(&mut self, at: usize, item: &Item) {
        let x = MARGIN + item.depth as i32 * STEP;
        let rect = match &item.what {
            What::Lane(segment, more) => {
                // The first lane of a router stands beside it.
                let first = item.parent.filter(|it| it + 1 == at);
                let y = first.map_or(self.cursor, |it| self.rects[it].y);
                self.lane(Some(*segment), more.clone(), x, y)
            }
            What::Router(node) => {
                let x = x + INDENT;
                let (lines, title) = lines::router(self.layout.network, *node);
                let rect = Rect { x, y: self.cursor, w: ROUTER, h: lines::height(&lines) };
                let sign = self.layout.network.nodes[*node].sign;
                let shape = Shape::Router;
                self.layout.routers.push(Box { rect, shape, sign, title, lines });
                rect
            }
        };
        self.rects.push(rect);
        self.cursor = self.cursor.max(rect.bottom().saturating_add(LANE_GAP));
    }

    fn lane(&mut self, segment: Option<usize>, more: Vec<usize>, x: i32, y: i32) -> Rect {
        let network = self.layout.network;
        let cells = &self.lanes.cells[segment.unwrap_or(network.segments.len())];
        let w = self.layout.width - MARGIN - x;
        let per_row = ((w - 2 * PAD + GAP) / (BOX_MIN + GAP)).max(1);
        let box_w = (w - 2 * PAD - (per_row - 1) * GAP) / per_row;
        let mut boxes = Vec::with_capacity(cells.len());
        let mut top = y + HEADER;
        for row in rows(cells, per_row as usize) {
            let made: Vec<Box> = row.iter().map(|it| self.cell(it, box_w)).collect();
            let height = made.iter().map(|it| it.rect.h).max().unwrap_or(0);
            for (column, mut it) in made.into_iter().enumerate() {
                let x = x + PAD + column as i32 * (box_w + GAP);
                it.rect = Rect { x, y: top, w: box_w, h: height };
                boxes.push(it);
            }
            top = top.saturating_add(height + GAP);
        }
        let bottom = if boxes.is_empty() { top } else { top - GAP + PAD };
        let rect = Rect { x, y, w, h: bottom - y };
        self.layout.lanes.push(LaneBox { rect, segment, more, boxes });
        rect
    }

    fn cell(&self, cell: &Cell, w: i32) -> Box {
        let network = self.layout.network;
        let of = |inlets: &[usize]| lines::inlets(network, inlets);
        let (shape, sign, (lines, title)) = match cell {
            Cell::Inlets(all) => (Shape::Inlet, network.inlets[all[0]].sign, of(all)),
            Cell::Nodes(all) => {
                let plug = &network.plugs[all[0]];
                let node = &network.nodes[plug.node];
                let sign = if node.sign == Sign::Keep { plug.sign } else { node.sign };
                let shape = if all.len() > 1 { Shape::Stack } else { Shape::Endpoint };
                (shape, sign, lines::nodes(network, all, &self.lanes.inlets_of))
            }
            Cell::Guest(plug) => {
                let it = &network.plugs[*plug];
                (Shape::Guest, it.sign, lines::guest(network, it))
            }
            Cell::Loose(node) => {
                let sign = network.nodes[*node].sign;
                (Shape::Endpoint, sign, lines::loose(network, *node, &self.lanes.inlets_of))
            }
        };
        Box { rect: Rect { x: 0, y: 0, w, h: lines::height(&lines) }, shape, sign, title, lines }
    }

    fn wires(&mut self, items: &[Item]) {
        let network = self.layout.network;
        let sign = |node: usize, segment: usize| {
            let at =
                network.plugs.binary_search_by_key(&(node, segment), |it| (it.node, it.segment));
            at.map_or(Sign::Keep, |it| network.plugs[it].sign)
        };
        for (at, item) in items.iter().enumerate() {
            let Some(parent) = item.parent else { continue };
            let (above, own) = (self.rects[parent], self.rects[at]);
            let (points, sign) = match (&item.what, &items[parent].what) {
                (What::Router(node), What::Lane(segment, _)) => {
                    let x = above.x + INDENT / 2;
                    let y = own.y + HEADER / 2;
                    (vec![(x, above.bottom()), (x, y), (own.x, y)], sign(*node, *segment))
                }
                (What::Lane(segment, _), What::Router(node)) => {
                    let (right, x) = (above.x + above.w, above.x + above.w + INDENT / 2);
                    let (from, y) = (above.y + HEADER / 2, own.y + HEADER / 2);
                    (vec![(right, from), (x, from), (x, y), (own.x, y)], sign(*node, *segment))
                }
                _ => continue,
            };
            self.layout.wires.push(Wire { points, sign });
        }
    }
}

/// Ways in begin a row of their own, so that they are seen to be something else.
fn rows(cells: &[Cell], per_row: usize) -> Vec<&[Cell]> {
    let end = cells.iter().position(|it| !matches!(it, Cell::Inlets(_))).unwrap_or(cells.len());
    let (inlets, rest) = cells.split_at(end);
    inlets.chunks(per_row).chain(rest.chunks(per_row)).collect()
}
