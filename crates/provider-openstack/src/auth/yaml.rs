//! Reads YAML as far as `clouds.yaml` needs it: scalars stay text, and everything knows its line.
//!
//! Anchors and merge keys are followed, because shared parts of clouds are written with them.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle};

/// Nesting beyond this is refused, so that no input overflows the stack.
const DEPTH_MAX: usize = 100;

/// Nodes beyond this are refused, so that aliases of aliases do not fill the memory.
const NODES_MAX: usize = 100_000;

/// A node of a document.
#[derive(Clone)]
pub(super) struct Node {
    /// Where it begins; the first is 1.
    pub line: usize,
    pub content: Content,
}

#[derive(Clone)]
pub(super) enum Content {
    Null,
    Scalar(String),
    List(Vec<Node>),
    Map(BTreeMap<String, Node>),
}

/// Why a text is not YAML, or not such that we read it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct YamlError {
    pub line: usize,
    pub message: String,
}

impl Node {
    /// Nothing, as an empty file has it.
    pub(super) fn null() -> Node {
        Node { line: 1, content: Content::Null }
    }

    /// What is under `key`, if this is a mapping and has it.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.map()?.get(key).filter(|node| !matches!(node.content, Content::Null))
    }

    pub(super) fn map(&self) -> Option<&BTreeMap<String, Node>> {
        match &self.content {
            Content::Map(map) => Some(map),
            Content::Null | Content::Scalar(_) | Content::List(_) => None,
        }
    }

    pub(super) fn list(&self) -> Option<&[Node]> {
        match &self.content {
            Content::List(list) => Some(list),
            Content::Null | Content::Scalar(_) | Content::Map(_) => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(text) => Some(text),
            Content::Null | Content::List(_) | Content::Map(_) => None,
        }
    }

    /// Both together; `over` wins where both say something.
    pub(super) fn merged(self, over: Node) -> Node {
        match (self.content, over.content) {
            (Content::Map(mut map), Content::Map(winners)) => {
                for (key, winner) in winners {
                    let node = match map.remove(&key) {
                        Some(node) => node.merged(winner),
                        None => winner,
                    };
                    map.insert(key, node);
                }
                Node { line: over.line, content: Content::Map(map) }
            }
            (content, Content::Null) => Node { line: self.line, content },
            (_, content) => Node { line: over.line, content },
        }
    }

    fn size(&self) -> usize {
        match &self.content {
            Content::Null | Content::Scalar(_) => 1,
            Content::List(list) => 1 + list.iter().map(Node::size).sum::<usize>(),
            Content::Map(map) => 1 + map.values().map(Node::size).sum::<usize>(),
        }
    }
}

/// A collection that is being read.
struct Open {
    line: usize,
    anchor: usize,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Node>),
    Map { own: BTreeMap<String, Node>, merged: BTreeMap<String, Node>, key: Option<Key> },
}

enum Key {
    Name(String),
    Merge,
}

/// Reads the first document of `source`.
pub(super) fn parse(source: &str) -> Result<Node, YamlError> {
    let mut parser = Parser::new_from_str(source);
    let mut anchors: BTreeMap<usize, Node> = BTreeMap::new();
    let mut open: Vec<Open> = Vec::new();
    let mut nodes = 0;
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| YamlError {
            line: error.marker().line(),
            message: error.info().to_owned(),
        })?;
        let line = span.start.line();
        let wrong = |message: &str| YamlError { line, message: message.to_owned() };
        let (node, anchor) = match event {
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) => continue,
            Event::StreamEnd | Event::DocumentEnd => break,
            Event::Alias(id) => match anchors.get(&id) {
                Some(node) => (node.clone(), 0),
                None => return Err(wrong("an alias of something that is not complete yet")),
            },
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                if let Some(Open { kind: OpenKind::Map { key: key @ None, .. }, .. }) =
                    open.last_mut()
                    && plain
                    && text == "<<"
                {
                    *key = Some(Key::Merge);
                    continue;
                }
                let content = match &*text {
                    "" | "~" | "null" | "Null" | "NULL" if plain => Content::Null,
                    text => Content::Scalar(text.to_owned()),
                };
                (Node { line, content }, anchor)
            }
            Event::SequenceStart(anchor, _) => {
                open.push(Open { line, anchor, kind: OpenKind::List(Vec::new()) });
                continue;
            }
            Event::MappingStart(anchor, _) => {
                let kind =
                    OpenKind::Map { own: BTreeMap::new(), merged: BTreeMap::new(), key: None };
                open.push(Open { line, anchor, kind });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                None => return Err(wrong("unexpected end of a collection")),
                Some(Open { line, anchor, kind }) => {
                    let content = match kind {
                        OpenKind::List(items) => Content::List(items),
                        OpenKind::Map { own, mut merged, .. } => {
                            merged.extend(own);
                            Content::Map(merged)
                        }
                    };
                    (Node { line, content }, anchor)
                }
            },
        };
        nodes += node.size();
        if open.len() > DEPTH_MAX || nodes > NODES_MAX {
            return Err(wrong("too much is nested here"));
        }
        if anchor != 0 {
            anchors.insert(anchor, node.clone());
        }
        match open.last_mut().map(|open| &mut open.kind) {
            None => return Ok(node),
            Some(OpenKind::List(items)) => items.push(node),
            Some(OpenKind::Map { own, merged, key }) => match key.take() {
                Some(Key::Name(name)) => {
                    own.insert(name, node);
                }
                Some(Key::Merge) => {
                    let others = match node.content {
                        Content::List(list) => list,
                        Content::Null | Content::Scalar(_) | Content::Map(_) => vec![node],
                    };
                    for other in others {
                        let Content::Map(map) = other.content else {
                            return Err(wrong("only a mapping can be merged with `<<`"));
                        };
                        for (name, item) in map {
                            merged.entry(name).or_insert(item);
                        }
                    }
                }
                None => match node.content {
                    Content::Scalar(name) => *key = Some(Key::Name(name)),
                    Content::Null | Content::List(_) | Content::Map(_) => {
                        return Err(wrong("a key has to be a word"));
                    }
                },
            },
        }
    }
    Ok(Node::null())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(node: &Node) -> String {
        match &node.content {
            Content::Null => "null".to_owned(),
            Content::Scalar(text) => format!("{text:?}"),
            Content::List(list) => {
                format!("[{}]", list.iter().map(show).collect::<Vec<_>>().join(", "))
            }
            Content::Map(map) => {
                let item = |(key, node): (&String, &Node)| format!("{key}: {}", show(node));
                format!("{{{}}}", map.iter().map(item).collect::<Vec<_>>().join(", "))
            }
        }
    }

    #[test]
    fn anchors_and_merge_keys_are_followed() {
        let source = "
x: &base {a: 1, b: 'null', c: null}
y:
  <<: *base
  a: 2
z: [*base, {<<: [{q: 1}, {q: 2, r: 3}]}]
";
        assert_eq!(
            show(&parse(source).unwrap()),
            r#"{x: {a: "1", b: "null", c: null}, y: {a: "2", b: "null", c: null}, z: [{a: "1", b: "null", c: null}, {q: "1", r: "3"}]}"#
        );
        assert_eq!(show(&parse("").unwrap()), "null");
    }

    #[test]
    fn mistakes_have_a_line() {
        assert_eq!(parse("a:\n  b: [1\nc: 2\n").err().unwrap().line, 3);
        let error = parse("a: 1\nb:\n  <<: 3\n").err().unwrap();
        assert_eq!((error.line, &*error.message), (3, "only a mapping can be merged with `<<`"));
    }

    #[test]
    fn a_bomb_is_refused() {
        let mut source = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..9 {
            let before = format!("*a{}", i - 1);
            source += &format!("a{i}: &a{i} [{}]\n", [&*before; 10].join(", "));
        }
        assert_eq!(parse(&source).err().unwrap().message, "too much is nested here");
    }
}
