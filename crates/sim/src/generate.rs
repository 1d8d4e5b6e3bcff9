//! Configurations at random, as text; and edits of them, as people make.
//!
//! In every module an item refers only to items before it, so there are no cycles. What a module
//! is called decides its kind, so that an address never changes what it is.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::rng::Rng;

/// A configuration: for each directory, what is in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    pub(crate) root: Module,
    /// Called from the root as `m0` and `m1`.
    pub(crate) child: Module,
    /// Called from the child as `n0`.
    pub(crate) grandchild: Module,
    /// Given from outside.
    pub(crate) variable: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Module {
    pub(crate) items: Vec<Item>,
    /// What other modules see: an expression, and what it refers to.
    output: Option<Written>,
    /// Blocks that were taken out and whose objects stay.
    removed: Vec<String>,
    /// The other configuration of the provider, as the root has it: what it is made from. Nothing
    /// that comes before it uses it.
    west: Option<Written>,
}

#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// Unique in its module; the first letter says what it is.
    base: &'static str,
    /// It goes by its other name.
    renamed: bool,
    pub(crate) repeat: Repeat,
    body: Vec<Written>,
    create_first: bool,
    prevent_destroy: bool,
    ignore: Option<&'static str>,
    triggered: Option<Written>,
    /// It uses the other configuration of the provider.
    west: bool,
}

/// A line of text and the items that it refers to, in the shape that it expects.
#[derive(Clone, Debug)]
struct Written {
    text: String,
    uses: Vec<(String, Repeat)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    One,
    Count(u64),
    Each(Vec<&'static str>),
    /// `for_each` over another item with these keys.
    EachOf(String, Vec<&'static str>),
}

impl Written {
    /// The argument or block that the line begins.
    fn name(&self) -> &str {
        self.text.split(' ').next().unwrap_or_default()
    }
}

const NAMES: [&str; 14] =
    ["r0", "r1", "r2", "r3", "r4", "r5", "s0", "s1", "s2", "e0", "d0", "d1", "l0", "l1"];
const CALLS: [&str; 2] = ["m0", "m1"];
const CALLS_INSIDE: [&str; 1] = ["n0"];
const KEYS: [&str; 4] = ["a", "b", "c", "d e"];

impl Item {
    /// Its name, as it is written.
    pub(crate) fn name(&self) -> String {
        format!("{}{}", self.base, if self.renamed { "x" } else { "" })
    }

    fn other_name(&self) -> String {
        format!("{}{}", self.base, if self.renamed { "" } else { "x" })
    }

    /// The resource type, if it is one.
    pub(crate) fn kind(&self) -> Option<&'static str> {
        match self.base.as_bytes()[0] {
            b'r' => Some("cloud_disk"),
            b's' => Some("cloud_node"),
            b'e' => Some("cloud_memo"),
            b'd' => Some("cloud_info"),
            _ => None,
        }
    }

    pub(crate) fn is_data(&self) -> bool {
        self.base.starts_with('d')
    }

    fn is_local(&self) -> bool {
        self.base.starts_with('l')
    }

    /// What it calls, if it is a call.
    pub(crate) fn calls(&self) -> Option<&'static str> {
        match self.base.as_bytes()[0] {
            b'm' => Some("child"),
            b'n' => Some("grandchild"),
            _ => None,
        }
    }

    fn reference(&self) -> String {
        let name = self.name();
        match (self.kind(), self.is_local()) {
            (Some(kind), _) if self.is_data() => format!("data.{kind}.{name}"),
            (Some(kind), _) => format!("{kind}.{name}"),
            (None, true) => format!("local.{name}"),
            (None, false) => format!("module.{name}"),
        }
    }

    /// An attribute that says which object it is; or any other.
    fn attribute(&self, rng: &mut Rng, identity: bool) -> &'static str {
        let of: &[&str] = match (self.base.as_bytes()[0], identity) {
            (b'r' | b's', true) => &["id"],
            (b'r' | b's', false) => &["id", "serial", "serial", "name", "size", "flavor", "port"],
            (b'e', false) => &["id", "value"],
            (b'e', true) => &["id"],
            (b'd', _) => &["result"],
            _ => &["out"],
        };
        rng.pick(of).copied().unwrap_or("id")
    }
}

impl Repeat {
    /// The keys of its instances, as they are written in an address.
    pub(crate) fn keys(&self) -> Vec<String> {
        match self {
            Repeat::One => vec![String::new()],
            Repeat::Count(count) => (0..*count).map(|it| format!("[{it}]")).collect(),
            Repeat::Each(keys) | Repeat::EachOf(_, keys) => {
                keys.iter().map(|it| format!("[\"{it}\"]")).collect()
            }
        }
    }

    /// What tells its instances apart, for names.
    fn suffix(&self) -> &'static str {
        match self {
            Repeat::One => "",
            Repeat::Count(_) => "-${count.index}",
            Repeat::Each(_) | Repeat::EachOf(..) => "-${each.key}",
        }
    }
}

impl Config {
    /// The next configuration: some of it as before, some of it new.
    pub(crate) fn edit(&self, rng: &mut Rng) -> Config {
        let grandchild = self.grandchild.edit(rng, &[], 3);
        let child = self.child.edit(rng, &CALLS_INSIDE, 4);
        let root = self.root.edit(rng, &CALLS, 9);
        Config { root, child, grandchild, variable: rng.below(3) }
    }

    /// The same without what may keep it from settling.
    pub(crate) fn calm(mut self, keep_order: bool) -> Config {
        for module in [&mut self.root, &mut self.child, &mut self.grandchild] {
            for item in &mut module.items {
                item.create_first &= keep_order;
                item.prevent_destroy = false;
            }
        }
        self
    }

    /// The same with a provider that can be asked at once.
    pub(crate) fn with_known_provider(mut self) -> Config {
        if let Some(west) = &mut self.root.west {
            *west = plain("provider \"cloud\" {\nalias = \"west\"\n}");
        }
        self
    }

    pub(crate) fn prevents_destroy(&self) -> bool {
        let modules = [&self.root, &self.child, &self.grandchild];
        modules.into_iter().flat_map(|it| &it.items).any(|it| it.prevent_destroy)
    }

    /// Text by directory.
    pub(crate) fn text(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            (".", self.root.text(true)),
            ("child", self.child.text(false)),
            ("child/grandchild", self.grandchild.text(false)),
        ])
    }

    /// Whether the root says that the object at the address stays when its block is gone.
    pub(crate) fn lets_stay(&self, addr: &str) -> bool {
        let begins = |from: &str| {
            addr.strip_prefix(from).is_some_and(|it| it.is_empty() || it.starts_with(['[', '.']))
        };
        self.root.removed.iter().any(|it| begins(it))
    }

    /// The addresses of all managed instances.
    pub(crate) fn addresses(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.addresses_of(&self.root, "", &mut found);
        found
    }

    fn addresses_of(&self, module: &Module, at: &str, found: &mut Vec<String>) {
        for item in &module.items {
            for key in item.repeat.keys() {
                match (item.calls(), item.kind()) {
                    (Some(called), _) => {
                        let inside = if called == "child" { &self.child } else { &self.grandchild };
                        let at = format!("{at}module.{}{key}.", item.name());
                        self.addresses_of(inside, &at, found);
                    }
                    (None, Some(kind)) if !item.is_data() => {
                        found.push(format!("{at}{kind}.{}{key}", item.name()));
                    }
                    _ => {}
                }
            }
        }
    }
}

impl Module {
    fn edit(&self, rng: &mut Rng, calls: &[&'static str], most: u64) -> Module {
        let mut names: Vec<&'static str> = NAMES.into_iter().chain(calls.iter().copied()).collect();
        rng.shuffle(&mut names);
        names.truncate(rng.below(most + 1) as usize);
        let mut module = Module::default();
        let is_root = most > 5;
        for base in names {
            if is_root && module.items.len() == 1 {
                let region = module.expression(rng, &Repeat::One, false);
                let text = format!(
                    "provider \"cloud\" {{\nalias = \"west\"\nregion = {}\n}}",
                    region.text
                );
                module.west = Some(Written { text, uses: region.uses });
            }
            let old = self.items.iter().find(|it| it.base == base);
            let kept = old.filter(|it| module.has_all(it) && !rng.one_in(3)).cloned();
            let item = match kept {
                Some(item) if rng.one_in(8) => Item { renamed: !item.renamed, ..item },
                Some(item) if rng.one_in(3) => module.tweak(rng, item),
                Some(item) => item,
                None => module.item(rng, base, old),
            };
            module.items.push(item);
        }
        module.output = Some(module.expression(rng, &Repeat::One, false));
        for item in self.items.iter().filter(|it| !it.is_local() && !it.is_data()) {
            if rng.one_in(6) && module.items.iter().all(|it| it.base != item.base) {
                module.removed.push(item.reference());
            }
        }
        module
    }

    /// The same item with one argument less, or more.
    fn tweak(&self, rng: &mut Rng, mut item: Item) -> Item {
        if !matches!(item.kind(), Some("cloud_disk" | "cloud_node")) {
            return item;
        }
        let line = 1 + rng.below(item.body.len() as u64) as usize;
        if line < item.body.len() {
            item.body.remove(line);
        } else {
            let fresh = self.thing(rng, &item);
            let has = |name: &str| item.body.iter().any(|it| it.name() == name);
            let fresh = fresh.into_iter().skip(1).find(|it| !has(it.name()) || it.name() == "rule");
            item.body.extend(fresh);
        }
        item
    }

    fn has_all(&self, item: &Item) -> bool {
        let source = match &item.repeat {
            Repeat::EachOf(name, keys) => vec![(name.clone(), keys.clone())],
            _ => Vec::new(),
        };
        if item.west && self.west.is_none() {
            return false;
        }
        let is = |name: &str| self.items.iter().find(|it| it.reference() == name);
        item.body
            .iter()
            .chain(&item.triggered)
            .flat_map(|it| &it.uses)
            .all(|(name, repeat)| is(name).is_some_and(|it| it.repeat == *repeat))
            && source.iter().all(|(name, keys)| {
                is(name).is_some_and(|it| matches!(&it.repeat, Repeat::Each(own) if own == keys))
            })
    }

    fn item(&self, rng: &mut Rng, base: &'static str, old: Option<&Item>) -> Item {
        let repeat = match (base.as_bytes()[0], rng.below(8)) {
            (b'l', _) | (_, 0..=2) => Repeat::One,
            (_, 3 | 4) => Repeat::Count(rng.below(4)),
            (_, 5) => {
                let each = |it: &&Item| matches!(it.repeat, Repeat::Each(_)) && it.kind().is_some();
                let sources: Vec<&Item> = self.items.iter().filter(each).collect();
                match rng.pick(&sources) {
                    Some(source) => match &source.repeat {
                        Repeat::Each(keys) => Repeat::EachOf(source.reference(), keys.clone()),
                        _ => Repeat::One,
                    },
                    None => Repeat::One,
                }
            }
            _ => {
                let keys = KEYS.iter().copied().filter(|_| rng.one_in(2));
                Repeat::Each(keys.collect())
            }
        };
        let mut item = Item {
            base,
            renamed: old.is_some_and(|it| it.renamed),
            repeat,
            body: Vec::new(),
            create_first: rng.one_in(4),
            prevent_destroy: rng.one_in(40),
            ignore: rng.pick(&["size", "port", "flavor"]).copied().filter(|_| rng.one_in(10)),
            triggered: None,
            west: false,
        };
        let is_thing = |it: &Item| matches!(it.kind(), Some("cloud_disk" | "cloud_node"));
        if !is_thing(&item) {
            item.ignore = None;
        }
        item.west = is_thing(&item) && self.west.is_some() && rng.one_in(3);
        let things: Vec<&Item> = self.items.iter().filter(|it| is_thing(it)).collect();
        if is_thing(&item)
            && rng.one_in(8)
            && let Some(by) = rng.pick(&things)
        {
            let reference = by.reference();
            let key = by.repeat.keys().first().cloned();
            item.triggered = key.map(|key| Written {
                text: match rng.below(3) {
                    0 => reference.clone(),
                    1 => format!("{reference}{key}"),
                    _ => format!("{reference}{key}.size"),
                },
                uses: vec![(reference, by.repeat.clone())],
            });
        }
        item.body = match base.as_bytes()[0] {
            b'r' | b's' => self.thing(rng, &item),
            b'e' => vec![
                self.argument(rng, "value", &item.repeat, false),
                match rng.one_in(3) {
                    true => self.argument(rng, "trigger", &item.repeat, false),
                    false => plain("trigger = [1]"),
                },
            ],
            b'd' => vec![self.argument(rng, "query", &item.repeat, false)],
            b'l' => vec![self.expression(rng, &Repeat::One, rng.clone().one_in(2))],
            _ => vec![self.argument(rng, "given", &item.repeat, true)],
        };
        let refers: Vec<&Item> = self.items.iter().filter(|it| !it.is_local()).collect();
        if !item.is_local()
            && rng.one_in(8)
            && let Some(on) = rng.pick(&refers)
        {
            item.body.push(Written {
                text: format!("depends_on = [{}]", on.reference()),
                uses: vec![(on.reference(), on.repeat.clone())],
            });
        }
        item
    }

    /// The arguments of a remote object.
    fn thing(&self, rng: &mut Rng, item: &Item) -> Vec<Written> {
        let Item { base, repeat, .. } = item;
        let mut body = vec![plain(&format!(
            "name = \"${{var.prefix}}{base}{}-{}\"",
            repeat.suffix(),
            rng.below(2)
        ))];
        if rng.one_in(2) {
            body.push(plain(&format!("size = {}", rng.below(3))));
        }
        if rng.one_in(2) {
            body.push(self.argument(rng, "link", repeat, true));
        }
        if rng.one_in(2) {
            body.push(self.argument(rng, "note", repeat, false));
        }
        if rng.one_in(6) {
            body.push(plain("secret = var.secret"));
        }
        if rng.one_in(6) {
            body.push(plain(&format!("flavor = \"f{}\"", rng.below(2))));
        }
        if rng.one_in(6) {
            body.push(plain(&format!("port = {}", rng.below(2))));
        }
        if rng.one_in(5) {
            let Written { text, uses } = self.expression(rng, repeat, false);
            body.push(Written { text: format!("tags = {{ t = {text} }}"), uses });
        }
        for _ in 0..rng.below(3) {
            body.push(plain(&format!("rule {{\nport = {}\n}}", rng.below(3))));
        }
        body
    }

    fn argument(&self, rng: &mut Rng, name: &str, repeat: &Repeat, identity: bool) -> Written {
        let Written { text, uses } = self.expression(rng, repeat, identity);
        Written { text: format!("{name} = {text}"), uses }
    }

    /// A text: of something before it, of where it stands, or plain. `identity`: one that names
    /// objects, if it names anything.
    fn expression(&self, rng: &mut Rng, repeat: &Repeat, identity: bool) -> Written {
        let own = match repeat {
            Repeat::EachOf(source, keys) if rng.one_in(2) => {
                let from = self.items.iter().find(|it| it.reference() == *source);
                from.map(|from| Written {
                    text: format!("each.value.{}", from.attribute(rng, identity)),
                    uses: vec![(source.clone(), Repeat::Each(keys.clone()))],
                })
            }
            _ => None,
        };
        if let Some(own) = own {
            return own;
        }
        let named = |it: &&Item| !identity || !matches!(it.base.as_bytes()[0], b'd' | b'e');
        let before: Vec<&Item> = self.items.iter().filter(named).collect();
        let Some(item) = rng.pick(&before).filter(|_| !rng.one_in(5)) else {
            return match rng.below(5) {
                4 if !identity => plain("var.secret"),
                0 => plain("var.given"),
                1 => plain("null"),
                2 if !identity => plain("\"v${var.size}\""),
                _ => plain("\"\""),
            };
        };
        let uses = vec![(item.reference(), item.repeat.clone())];
        if item.is_local() {
            return Written { text: item.reference(), uses };
        }
        let (reference, attribute) = (item.reference(), item.attribute(rng, identity));
        let all = format!(
            "join(\",\", [for it in {reference} : it.{attribute} == null ? \"\" : it.{attribute}])"
        );
        let text = match (&item.repeat, repeat) {
            (Repeat::One, _) => format!("{reference}.{attribute}"),
            (Repeat::Count(there), Repeat::Count(here)) if there >= here && rng.one_in(2) => {
                format!("{reference}[count.index].{attribute}")
            }
            (Repeat::Count(0), _) => "null".into(),
            (Repeat::Count(there), _) if rng.one_in(2) => {
                format!("{reference}[{}].{attribute}", rng.below(*there))
            }
            (Repeat::Each(keys) | Repeat::EachOf(_, keys), _) if rng.one_in(2) => {
                match rng.pick(keys) {
                    Some(key) => format!("{reference}[\"{key}\"].{attribute}"),
                    None => all,
                }
            }
            _ => all,
        };
        match rng.below(6) {
            0 if !text.contains("join") && text != "null" => {
                Written { text: format!("{text} == null ? null : \"<${{{text}}}>\""), uses }
            }
            _ => Written { text, uses },
        }
    }

    fn text(&self, root: bool) -> String {
        let mut out = String::new();
        let default = |it: &str| if root { format!("\ndefault = {it}\n") } else { "\n".into() };
        let _ = writeln!(out, "variable \"prefix\" {{{}}}", default("\"\""));
        let _ = writeln!(out, "variable \"given\" {{{}}}", default("null"));
        let _ = writeln!(out, "variable \"size\" {{{}}}", default("0"));
        let _ = writeln!(out, "variable \"secret\" {{{}sensitive = true\n}}", default("\"s\""));
        for item in &self.items {
            item.write(&mut out);
        }
        let west = "provider \"cloud\" {\nalias = \"west\"\n}";
        match &self.west {
            Some(it) => _ = writeln!(out, "{}", it.text),
            None if root => _ = writeln!(out, "{west}"),
            None => {}
        }
        for from in &self.removed {
            let _ =
                writeln!(out, "removed {{\nfrom = {from}\nlifecycle {{\ndestroy = false\n}}\n}}");
        }
        if let Some(Written { text, .. }) = &self.output {
            let _ = writeln!(out, "output \"out\" {{\nvalue = {text}\nsensitive = true\n}}");
        }
        out
    }
}

impl Item {
    fn write(&self, out: &mut String) {
        let name = self.name();
        if self.is_local() {
            let _ = writeln!(out, "locals {{\n{name} = {}\n}}", self.body[0].text);
            return;
        }
        let _ = match (self.kind(), self.is_data()) {
            (Some(kind), true) => writeln!(out, "data \"{kind}\" \"{name}\" {{"),
            (Some(kind), false) => writeln!(out, "resource \"{kind}\" \"{name}\" {{"),
            (None, _) => writeln!(out, "module \"{name}\" {{"),
        };
        let _ = match &self.repeat {
            Repeat::One => Ok(()),
            Repeat::Count(count) => writeln!(out, "count = {count}"),
            Repeat::Each(keys) => {
                let keys: Vec<String> = keys.iter().map(|it| format!("\"{it}\"")).collect();
                writeln!(out, "for_each = toset([{}])", keys.join(", "))
            }
            Repeat::EachOf(source, _) => writeln!(out, "for_each = {source}"),
        };
        for line in &self.body {
            let _ = writeln!(out, "{}", line.text);
        }
        if self.west {
            out.push_str("provider = cloud.west\n");
        }
        if let Some(called) = self.calls() {
            let suffix = self.repeat.suffix();
            let _ = writeln!(out, "source = \"./{called}\"");
            let _ = writeln!(out, "prefix = \"${{var.prefix}}{}{suffix}-\"", self.base);
            let _ = writeln!(out, "size = var.size\nsecret = var.secret");
        }
        if self.kind().is_some() && !self.is_data() {
            let mut rules = String::new();
            if self.create_first {
                rules.push_str("create_before_destroy = true\n");
            }
            if self.prevent_destroy {
                rules.push_str("prevent_destroy = true\n");
            }
            if let Some(ignored) = self.ignore {
                let _ = writeln!(rules, "ignore_changes = [{ignored}]");
            }
            if let Some(by) = &self.triggered {
                let _ = writeln!(rules, "replace_triggered_by = [{}]", by.text);
            }
            if !rules.is_empty() {
                let _ = write!(out, "lifecycle {{\n{rules}}}\n");
            }
        }
        out.push_str("}\n");
        if !self.is_data() {
            let (from, to) = (self.other_name(), &name);
            let what = self.kind().unwrap_or("module");
            let _ = writeln!(out, "moved {{\nfrom = {what}.{from}\nto = {what}.{to}\n}}");
        }
    }
}

fn plain(text: &str) -> Written {
    Written { text: text.into(), uses: Vec::new() }
}
