//! Networks as a picture: what is in which network, how it is reached, and what a plan changes.
//!
//! Providers say what a resource is in a network, as [`Piece`]s; [`Network::of`] puts the pieces of
//! before and after together; [`layout`] decides where everything goes, and [`svg`], [`mermaid`] and
//! [`rows`] write it down. Everything is a pure function of its arguments, and the cost grows with
//! the number of pieces.
//!
//! It does not know resources, values or plans: a reference is a text, and equal texts mean the same
//! thing.

mod build;
mod fold;
mod layout;
mod mermaid;
mod network;
mod piece;
mod rows;
mod stand_in;
mod svg;
mod tree;

pub use layout::{Layout, Rect, layout};
pub use mermaid::mermaid;
pub use network::{Badge, Inlet, Network, Node, NodeKind, Plug, Segment, Sign, Target};
pub use piece::{Key, Piece, Source};
pub use rows::{Row, rows, text};
pub use stand_in::{is_stand_in, shown, stand_in};
pub use svg::{CLASSES, STYLE, VIEWS, svg, svg_file};

#[cfg(test)]
mod tests;
