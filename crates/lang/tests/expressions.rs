//! The conformance cases of expressions, asked of the evaluator directly: `tests/conformance`
//! recorded what Terraform answers. What is known to differ is in `expressions.known`, with the
//! reason; everything else must agree, and what agrees again must leave the list.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics, Sources};
use plumb_lang::eval::{Names, evaluate};
use plumb_lang::suggest::suggest;
use plumb_lang::syntax::{Body, Traversal, parse};
use plumb_model::question::{Answer, FileQuestion};
use plumb_model::value::json::{from_json_implied, from_json_typed, to_json};
use plumb_model::value::{Marks, Refinements, Type, Value};

const KNOWN: &str = include_str!("expressions.known");

/// Locals and two resources, as `common.tf` and `unknown.tf` have them.
struct World {
    locals: BTreeMap<Arc<str>, Value>,
    resources: BTreeMap<&'static str, Value>,
    fixtures: PathBuf,
}

impl Names for World {
    fn resolve(&self, traversal: &Traversal) -> Result<(Value, usize), Box<Diagnostic>> {
        let name = |at: usize| traversal.steps.get(at).map_or("", |it| &**it.text());
        let found = match &*traversal.root.text {
            "local" => self.locals.get(name(0)).cloned(),
            "terraform_data" => self.resources.get(name(0)).cloned(),
            "path" => Some(Value::from(".")),
            "terraform" => Some(Value::from("default")),
            _ => None,
        };
        found.map(|value| (value, 1)).ok_or_else(|| {
            let hint = suggest(name(0), self.locals.keys().map(|it| &**it));
            let summary = match &*traversal.root.text {
                "local" => "Reference to undeclared local value",
                _ => "Invalid reference",
            };
            Box::new(Diagnostic::error(summary, hint.unwrap_or("")).at(traversal.span()))
        })
    }

    fn file(&self, question: &FileQuestion) -> Option<Answer> {
        let path = |it: &str| self.fixtures.join(it.strip_prefix("fx/").unwrap_or(it));
        let failed = |detail: String| Answer::Failed { summary: "".into(), detail: detail.into() };
        Some(match question {
            FileQuestion::Content(it) => match std::fs::read(path(it)) {
                Ok(bytes) => Answer::Bytes(bytes.into()),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Answer::Gone,
                Err(error) => failed(error.to_string()),
            },
            FileQuestion::Exists(it) if path(it).is_dir() => {
                failed(format!("{it:?} is a directory, not a file"))
            }
            FileQuestion::Exists(it) => Answer::Bool(path(it).exists()),
            FileQuestion::Set(..) => Answer::Names(Arc::new([])),
        })
    }

    fn working_dir(&self) -> Option<Arc<str>> {
        Some("{{WORKDIR}}".into())
    }

    fn home_dir(&self) -> Option<Arc<str>> {
        Some("{{HOME}}".into())
    }

    fn random(&self) -> Option<[u8; 16]> {
        Some([7; 16])
    }
}

impl World {
    fn new(unknown: bool, folder: &Path) -> World {
        let text = |ty: Type| Value::unknown_refined(ty, Refinements::not_null());
        let data = |input: Value| {
            Value::object([
                ("id", text(Type::String)),
                ("input", input),
                ("output", Value::dynamic()),
                ("triggers_replace", Value::NULL),
            ])
        };
        let mut world = World {
            locals: BTreeMap::new(),
            resources: BTreeMap::new(),
            fixtures: folder.join("fixtures"),
        };
        if unknown {
            world.resources.insert("u", data("known".into()));
            let c = (0..2).map(|i| data(Value::from(i))).collect();
            world.resources.insert("c", Value::tuple(c));
        }
        let files = if unknown { &["common.tf", "unknown.tf"][..] } else { &["common.tf"] };
        for file in files {
            let text = std::fs::read_to_string(folder.join(file)).expect("the cases are there");
            world.declare(&text);
        }
        world
    }

    fn declare(&mut self, text: &str) {
        let file = Sources::default().add("common.tf", text);
        let parsed = parse(file, text);
        assert_eq!(parsed.diagnostics, [], "{text}");
        let locals = parsed.body.blocks().filter(|it| &*it.kind.text == "locals");
        let mut waiting: Vec<_> = locals.flat_map(|it| it.body.attributes()).collect();
        // In whatever order they are written: those that refer to later ones are tried again.
        while !waiting.is_empty() {
            let before = waiting.len();
            waiting.retain(|local| {
                let mut diagnostics = Diagnostics::new();
                let value = evaluate(&local.expr, self, &mut diagnostics);
                if diagnostics.is_empty() {
                    self.locals.insert(local.name.text.clone(), value);
                }
                !diagnostics.is_empty()
            });
            assert!(waiting.len() < before, "{text}");
        }
    }
}

/// A line of `cases.jsonl`.
struct Case(Value);

impl Case {
    fn text(&self, name: &str) -> &str {
        self.0.get_attr(name).and_then(Value::as_str).unwrap_or("")
    }

    fn run(&self, plain: &World, unknown: &World, folder: &Path) -> Result<(), String> {
        let id = "c0000";
        let setup = self.text("setup").replace("{{ID}}", id);
        let expr = self.text("expr").replace("{{ID}}", id);
        let declared = (!setup.is_empty()).then(|| {
            let mut world = World::new(false, folder);
            world.declare(&setup);
            world
        });
        let is_unknown = self.0.get_attr("unknown").is_some();
        let world = declared.as_ref().unwrap_or(if is_unknown { unknown } else { plain });
        let text = format!("output \"{id}\" {{\n  value = {expr}\n}}\n");
        let mut diagnostics = Diagnostics::new();
        let value = run(&text, world, &mut diagnostics);
        match self.text("kind") {
            "value" => self.same_value(&value, &diagnostics),
            "unknown" => self.same_unknown(&value, &diagnostics),
            _ => self.same_errors(&diagnostics),
        }
    }

    fn same_value(&self, value: &Value, diagnostics: &[Diagnostic]) -> Result<(), String> {
        if !diagnostics.is_empty() {
            return Err(format!("{diagnostics:?}"));
        }
        let expected = self.0.get_attr("expected").ok_or("no expectation")?;
        let part = |name| expected.get_attr(name).map(to_json).unwrap_or_default();
        let ty = Type::from_json(&part("type")).map_err(|it| it.to_string())?;
        let want = from_json_typed(&part("value"), &ty).map_err(|it| it.to_string())?;
        let sensitive = expected.get_attr("sensitive").and_then(Value::as_bool) == Some(true);
        let got = value.unmark_deep();
        if got.ty() != ty {
            return Err(format!("want type {ty}, got {} of {got:?}", got.ty()));
        }
        if !same(&got, &want) {
            return Err(format!("want {want:?}, got {got:?}"));
        }
        if value.has_mark_deep(Marks::SENSITIVE) != sensitive {
            return Err(format!("want sensitive {sensitive}, got {value:?}"));
        }
        Ok(())
    }

    fn same_unknown(&self, value: &Value, diagnostics: &[Diagnostic]) -> Result<(), String> {
        if !diagnostics.is_empty() {
            return Err(format!("{diagnostics:?}"));
        }
        let expected = self.0.get_attr("expected").ok_or("no expectation")?;
        let want = expected.get_attr("after_unknown").map(to_json).unwrap_or_default();
        let got = unknown_parts(value).unwrap_or("false".into());
        if got != want {
            return Err(format!("want unknown {want}, got {got} of {value:?}"));
        }
        let after = expected.get_attr("after").map(to_json);
        let got = value.is_known().then(|| known_parts(&value.unmark_deep()));
        if after != got && !(after.is_none() && got.as_deref() == Some("null")) {
            return Err(format!("want {after:?}, got {got:?}"));
        }
        Ok(())
    }

    fn same_errors(&self, diagnostics: &[Diagnostic]) -> Result<(), String> {
        let summaries = self.0.get_attr("summaries").into_iter().flat_map(Value::values);
        let want: BTreeSet<&str> = summaries.filter_map(Value::as_str).collect();
        let got: BTreeSet<&str> = diagnostics.iter().map(|it| &*it.summary).collect();
        if want != got {
            return Err(format!("want {want:?}, got {diagnostics:?}"));
        }
        Ok(())
    }
}

fn run(text: &str, world: &World, diagnostics: &mut Diagnostics) -> Value {
    let mut sources = Sources::default();
    let file = sources.add("main.tf", text);
    let parsed = parse(file, text);
    diagnostics.extend(parsed.diagnostics);
    let output =
        |body: &'_ Body| body.blocks().next().and_then(|it| it.body.attribute("value").cloned());
    match output(&parsed.body) {
        Some(attribute) if diagnostics.is_empty() => evaluate(&attribute.expr, world, diagnostics),
        _ => Value::NULL,
    }
}

/// Equal but for digits beyond a 64-bit float, which the recording lost.
fn same(a: &Value, b: &Value) -> bool {
    if let (Some(a), Some(b)) = (a.as_number(), b.as_number()) {
        return a.to_f64() == b.to_f64();
    }
    let keys = |it: &Value| it.as_map().map(|it| it.keys().cloned().collect::<Vec<_>>());
    match (a.len(), b.len()) {
        (Some(x), Some(y)) => {
            x == y && keys(a) == keys(b) && a.values().zip(b.values()).all(|(a, b)| same(a, b))
        }
        _ => a == b,
    }
}

/// `true` for what is unknown; objects leave out what is not, sequences do not. None: all known.
fn unknown_parts(value: &Value) -> Option<String> {
    if value.is_wholly_known() {
        return None;
    }
    if !value.is_known() {
        return Some("true".into());
    }
    let parts = value.values().map(unknown_parts);
    Some(match value.as_map() {
        Some(items) => {
            let parts = items.keys().zip(parts).filter_map(|(key, it)| Some((key, it?)));
            let parts: Vec<String> = parts.map(|(key, it)| format!("{key:?}:{it}")).collect();
            format!("{{{}}}", parts.join(","))
        }
        None => {
            let parts: Vec<String> = parts.map(|it| it.unwrap_or("false".into())).collect();
            format!("[{}]", parts.join(","))
        }
    })
}

/// JSON in which objects leave out what is unknown.
fn known_parts(value: &Value) -> String {
    match value.as_map() {
        Some(items) if !value.is_wholly_known() => {
            let known = items.iter().filter(|(_, it)| it.is_known());
            let parts: Vec<String> =
                known.map(|(key, it)| format!("{key:?}:{}", known_parts(it))).collect();
            format!("{{{}}}", parts.join(","))
        }
        None if value.is_known() && value.as_slice().is_some() => {
            let parts: Vec<String> = value.values().map(known_parts).collect();
            format!("[{}]", parts.join(","))
        }
        _ => to_json(value),
    }
}

#[test]
fn conformance() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/conformance/expressions");
    let text = std::fs::read_to_string(folder.join("cases.jsonl")).expect("the cases are there");
    let (plain, unknown) = (World::new(false, &folder), World::new(true, &folder));
    let known: BTreeMap<&str, &str> = KNOWN
        .lines()
        .filter(|it| !it.is_empty() && !it.starts_with('#'))
        .map(|it| it.split_once(' ').expect("a reason for each"))
        .collect();
    let mut groups: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    let mut wrong = String::new();
    for line in text.lines() {
        let case = Case(from_json_implied(line).expect("a case is JSON"));
        let setup = case.text("setup");
        // Declarations are the module's, and `console` prints: both are tested elsewhere.
        if case.text("kind") == "console"
            || setup.contains("variable")
            || setup.contains("resource")
        {
            continue;
        }
        let id = case.text("id");
        let group = case.text("group");
        let group = if group.starts_with("fn/") { "fn" } else { group };
        let (passed, all) = groups.entry(group.to_owned()).or_default();
        *all += 1;
        let result = case.run(&plain, &unknown, &folder);
        *passed += u32::from(result.is_ok());
        match (result, known.get(id)) {
            (Err(why), None) => {
                let _ = writeln!(wrong, "{id}: {}\n    {why}", case.text("expr"));
            }
            (Ok(()), Some(_)) => {
                let _ = writeln!(wrong, "{id}: agrees now; take it off the list");
            }
            _ => {}
        }
    }
    for (group, (passed, all)) in &groups {
        println!("{group:20} {passed:4} of {all}");
    }
    assert!(wrong.is_empty(), "{wrong}");
}
