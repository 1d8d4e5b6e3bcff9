//! The picture as SVG.
//!
//! What comes, goes or changes has a sign in a corner, a border of its own kind (thick, dashed,
//! dotted) and a colour: any one of the three says it. The same picture shows before and after:
//! [`STYLE`] hides what is not there on the side that is chosen, see [`VIEWS`].

pub(crate) mod lines;

use std::fmt::Write;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::layout::{Box, HEADER, LaneBox, Layout, Rect, Shape};
use crate::network::{Badge, Sign};
use lines::{Line, LineKind};

/// How the picture looks; for a page that has it, or for the picture by itself.
pub const STYLE: &str = include_str!("style.css");

/// The sides that a page lets people choose: the class of a radio button inside an element of the
/// class `picture` that also holds the picture, and what it is called.
pub const VIEWS: [(&str, &str); 3] =
    [("v-both", "Changes"), ("v-before", "Before"), ("v-after", "After")];

/// Classes of what becomes of something, as [`STYLE`] has them.
pub const CLASSES: [(Sign, &str); 5] = [
    (Sign::Keep, "s-keep"),
    (Sign::Change, "s-change"),
    (Sign::Replace, "s-replace"),
    (Sign::Add, "s-add"),
    (Sign::Remove, "s-remove"),
];

/// The picture for a page that has [`STYLE`]. `id` begins the ids in it.
pub fn svg(layout: &Layout<'_>, id: &str, title: &str) -> String {
    draw(layout, id, title, None)
}

/// The picture as a file.
pub fn svg_file(layout: &Layout<'_>, title: &str) -> String {
    draw(layout, "topology", title, Some(STYLE))
}

fn draw(layout: &Layout<'_>, id: &str, title: &str, style: Option<&str>) -> String {
    let (width, height) = (layout.width, layout.height);
    let mut out = String::with_capacity(4096);
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"topology\" role=\"img\" \
         aria-labelledby=\"{id}-title {id}-desc\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\">"
    );
    let _ = writeln!(out, "<title id=\"{id}-title\">{}</title>", escape(title));
    let summary = layout.network.summary();
    let _ = writeln!(out, "<desc id=\"{id}-desc\">{}</desc>", escape(&summary));
    if let Some(style) = style {
        let _ = writeln!(out, "<style>\n{style}</style>");
        let _ = writeln!(out, "<rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>");
    }
    for wire in &layout.wires {
        let points: Vec<String> = wire.points.iter().map(|(x, y)| format!("{x},{y}")).collect();
        let class = class(wire.sign);
        let _ = writeln!(out, "<polyline class=\"wire {class}\" points=\"{}\"/>", points.join(" "));
    }
    layout.lanes.iter().for_each(|it| lane(layout, it, &mut out));
    layout.routers.iter().for_each(|it| boxed(it, &mut out));
    out + "</svg>\n"
}

fn lane(layout: &Layout<'_>, lane: &LaneBox, out: &mut String) {
    let Rect { x, y, w, h } = lane.rect;
    let Some(segment) = lane.segment.map(|it| &layout.network.segments[it]) else {
        let _ = writeln!(out, "<g class=\"lane loose s-keep\"><title>In no network</title>");
        let _ = writeln!(out, "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"10\"/>");
        label(x + 14, y + 26, "name", &[("In no network".into(), Sign::Keep)], 60, out);
        out.push_str("</g>\n");
        return lane.boxes.iter().for_each(|it| boxed(it, out));
    };
    let kind = if segment.outer { "outer" } else { "inner" };
    let sign = class(segment.sign);
    let mut title = format!("{} {}", segment.noun, segment.name);
    if let Some(address) = &segment.address {
        let _ = write!(title, " ({address})");
    }
    if segment.sign != Sign::Keep {
        title = format!("{}: {title}", segment.sign.word());
    }
    let ranges = lines::joined(&segment.ranges);
    let _ = writeln!(
        out,
        "<g class=\"lane {kind} {sign}\"><title>{}</title>",
        escape(format!("{title} {ranges}").trim_end())
    );
    if !lane.more.is_empty() {
        // The edges of those below peep out.
        let _ = writeln!(
            out,
            "<rect class=\"under\" x=\"{}\" y=\"{}\" width=\"{w}\" height=\"{h}\" rx=\"10\"/>",
            x + 5,
            y + 5
        );
    }
    let _ = writeln!(out, "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"10\"/>");
    let name = match lane.more.len() {
        0 => segment.name.clone(),
        more => format!("{} × {}: {} …", more + 1, segment.block, segment.name),
    };
    // The name takes as much room as its letters do, so the ranges follow it in one line of text.
    let name = fit(&name, ((w - 330) / 9).max(8) as usize);
    let left = (w - 200 - 9 * name.width() as i32) / 7;
    let ranges = written(&spaced(&segment.ranges), left.max(0) as usize);
    let _ = writeln!(
        out,
        "<text class=\"name\" x=\"{}\" y=\"{}\">{}<tspan class=\"mono\" dx=\"10\">{}</tspan></text>",
        x + 14,
        y + 26,
        escape(&name),
        ranges
    );
    let mut noun =
        if segment.outer { format!("outside · {}", segment.noun) } else { segment.noun.clone() };
    if segment.given {
        noun += " · not ours";
    }
    let right = x + w - if segment.sign == Sign::Keep { 14 } else { 38 };
    let _ = writeln!(
        out,
        "<text class=\"small end\" x=\"{right}\" y=\"{}\">{}</text>",
        y + 26,
        escape(&fit(&noun, 28))
    );
    mark(segment.sign, x + w - 20, y + HEADER / 2 + 1, out);
    out.push_str("</g>\n");
    lane.boxes.iter().for_each(|it| boxed(it, out));
}

fn spaced(badges: &[Badge]) -> Vec<(String, Sign)> {
    let spans = badges.iter().flat_map(|it| [(it.text.clone(), it.sign), (" ".into(), Sign::Keep)]);
    spans.collect()
}

fn boxed(it: &Box, out: &mut String) {
    let Rect { x, y, w, h } = it.rect;
    let (kind, radius) = match it.shape {
        Shape::Router => ("router", 18),
        Shape::Endpoint => ("endpoint", 6),
        Shape::Stack => ("stack", 6),
        Shape::Guest => ("guest", 6),
        Shape::Inlet => ("inlet", 14),
    };
    let class = class(it.sign);
    let _ = writeln!(out, "<g class=\"box {kind} {class}\"><title>{}</title>", escape(&it.title));
    if it.shape == Shape::Stack {
        let _ = writeln!(
            out,
            "<rect class=\"under\" x=\"{}\" y=\"{}\" width=\"{w}\" height=\"{h}\" rx=\"{radius}\"/>",
            x + 4,
            y + 4
        );
    }
    let _ =
        writeln!(out, "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"{radius}\"/>");
    let left = x + 12;
    for (index, Line { kind, spans }) in it.lines.iter().enumerate() {
        let room = w - 24 - if index == 0 && it.sign != Sign::Keep { 22 } else { 0 };
        let (class, column) = match kind {
            LineKind::Name => ("name", 8),
            LineKind::Small => ("small", 6),
            LineKind::Mono => ("mono", 7),
            LineKind::Badge => ("badge", 7),
        };
        let y = y + lines::baseline(index);
        if *kind == LineKind::Badge {
            // A shield, so that a filter is not taken for an address.
            let _ = writeln!(
                out,
                "<path class=\"shield\" d=\"M{left} {}l5 -2l5 2v4q0 4 -5 6q-5 -2 -5 -6z\"/>",
                y - 8
            );
            label(left + 15, y, class, spans, ((room - 15) / column) as usize, out);
        } else {
            label(left, y, class, spans, (room / column) as usize, out);
        }
    }
    mark(it.sign, x + w - 18, y + 18, out);
    out.push_str("</g>\n");
}

/// Text at a place, as far as it fits into so many columns.
fn label(
    x: i32,
    y: i32,
    class_name: &str,
    spans: &[(String, Sign)],
    columns: usize,
    out: &mut String,
) {
    let spans = written(spans, columns);
    let _ = writeln!(out, "<text class=\"{class_name}\" x=\"{x}\" y=\"{y}\">{spans}</text>");
}

/// Spans, each with its sign.
fn written(spans: &[(String, Sign)], columns: usize) -> String {
    let mut out = String::new();
    let mut left = columns;
    for (text, sign) in spans {
        if left == 0 {
            break;
        }
        let text = fit(text, left);
        left = left.saturating_sub(text.width());
        match sign {
            Sign::Keep | Sign::Change | Sign::Replace => out.push_str(&escape(&text)),
            sign => {
                let symbol = if text.trim().is_empty() { "" } else { sign.symbol() };
                let class = class(*sign);
                let _ = write!(out, "<tspan class=\"{class}\">");
                if !symbol.is_empty() {
                    let _ = write!(out, "<tspan class=\"sign\">{symbol}</tspan>");
                }
                let _ = write!(out, "{}</tspan>", escape(&text));
            }
        }
    }
    out
}

/// The sign in the corner.
fn mark(sign: Sign, x: i32, y: i32, out: &mut String) {
    if sign == Sign::Keep {
        return;
    }
    let _ = writeln!(
        out,
        "<g class=\"sign\"><circle cx=\"{x}\" cy=\"{y}\" r=\"9\"/><text x=\"{x}\" y=\"{}\">{}</text></g>",
        y + 5,
        sign.symbol()
    );
}

fn class(sign: Sign) -> &'static str {
    CLASSES.iter().find(|it| it.0 == sign).map_or("s-keep", |it| it.1)
}

/// At most so many columns; what is cut off is told by an ellipsis. Control characters and what
/// turns the direction of text around are not written.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    let mut res = String::new();
    let mut left = columns;
    let clean: String =
        text.chars().map(|it| if is_hostile(it) { '\u{FFFD}' } else { it }).collect();
    if clean.width() <= columns {
        return clean;
    }
    for c in clean.chars() {
        let width = c.width().unwrap_or(0);
        if width + 1 > left {
            break;
        }
        left -= width;
        res.push(c);
    }
    if columns > 0 {
        res.push('…');
    }
    res
}

/// Whether a character does something other than to be seen.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{FFFE}' | '\u{FFFF}')
}

/// Text for XML.
pub(crate) fn escape(text: &str) -> String {
    let mut res = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => res.push_str("&amp;"),
            '<' => res.push_str("&lt;"),
            '>' => res.push_str("&gt;"),
            '"' => res.push_str("&quot;"),
            '\'' => res.push_str("&#39;"),
            c if is_hostile(c) => res.push('\u{FFFD}'),
            c => res.push(c),
        }
    }
    res
}
