//! A small world to plan and apply in.
#![allow(dead_code, reason = "every test file uses its part")]
#![expect(unreachable_pub, clippy::unwrap_used, reason = "a part of one test binary")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use plumb_diag::{Diagnostics, Sources};
use plumb_executor::{Call, Run, RunInput, Work};
use plumb_lang::{Inputs, ModuleTree, Program, compile, config};
use plumb_model::addr::{Kind, ObjectKey};
use plumb_model::event::{Effect, Event, Remote};
use plumb_model::plan::{Action, Op, Plan};
use plumb_model::question::{Answer, Observations, Question, QuestionKey};
use plumb_model::schema::{
    Attribute, Block, Companion, Presence, ProviderSchema, ResourceSchema, Schemas,
};
use plumb_model::state::State;
use plumb_model::value::{Type, Value};
use plumb_planner::{Blocked, Input, Options, Planned, plan};

/// A configuration's life: the state, and what exists.
pub struct Lab {
    pub schemas: Schemas,
    pub state: State,
    pub world: BTreeMap<String, Value>,
    pub options: Options,
    pub files: BTreeMap<&'static str, String>,
    /// Addresses whose calls fail.
    pub failing: BTreeSet<String>,
    pub calls: Vec<String>,
    run: u64,
    program: Program,
    inputs: Inputs,
}

impl Lab {
    pub fn new() -> Lab {
        let attrs = |list: Vec<(&str, Attribute)>| {
            Block::new(list.into_iter().map(|(n, a)| (n.into(), a)).collect(), BTreeMap::new())
        };
        let optional = |ty: Type| Attribute::new(ty, Presence::Optional);
        let computed = |ty: Type| Attribute::new(ty, Presence::Computed);
        let thing = attrs(vec![
            ("id", computed(Type::String)),
            ("name", optional(Type::String)),
            ("size", optional(Type::Number)),
            ("fixed", optional(Type::String).replace()),
            ("secret", Attribute { sensitive: true, ..optional(Type::String) }),
            ("tags", optional(Type::Map(Arc::new(Type::String)))),
            ("chosen", Attribute::new(Type::String, Presence::OptionalComputed)),
        ]);
        let lookup = attrs(vec![
            ("id", computed(Type::String)),
            ("key", Attribute::new(Type::String, Presence::Required)),
            ("value", computed(Type::String)),
        ]);
        // An address works only with a link to the same thing.
        let companions = &[Companion { kind: "test_link", shared: &["test_thing"] }];
        let address = ResourceSchema { companions, ..ResourceSchema::new(thing.clone()) };
        let source: Arc<str> = "registry.terraform.io/plumb/test".into();
        let provider = ProviderSchema {
            source: source.clone(),
            name: "test".into(),
            config: attrs(vec![("region", optional(Type::String))]),
            resources: [
                (Kind::new("test_address"), Arc::new(address)),
                (Kind::new("test_link"), Arc::new(ResourceSchema::new(thing.clone()))),
                (Kind::new("test_thing"), Arc::new(ResourceSchema::new(thing))),
            ]
            .into(),
            data: [(Kind::new("test_lookup"), Arc::new(ResourceSchema::new(lookup)))].into(),
        };
        Lab {
            schemas: Schemas { providers: [(source, Arc::new(provider))].into() },
            state: State::default(),
            world: BTreeMap::new(),
            options: Options::default(),
            files: BTreeMap::new(),
            failing: BTreeSet::new(),
            calls: Vec::new(),
            run: 0,
            program: Program::default(),
            inputs: Inputs {
                workspace: "default".into(),
                working_dir: "/lab".into(),
                plan_time: "2026-01-01T00:00:00Z".into(),
                ..Inputs::default()
            },
        }
    }

    pub fn module(mut self, dir: &'static str, text: &str) -> Lab {
        self.files.insert(dir, text.to_owned());
        self
    }

    pub fn compile(&mut self, text: &str) -> Result<(), Diagnostics> {
        let mut sources = Sources::default();
        let mut tree = ModuleTree { root: ".".into(), ..ModuleTree::default() };
        let mut found = Vec::new();
        let files = std::iter::once((".", text)).chain(self.files.iter().map(|(d, t)| (*d, &**t)));
        for (dir, text) in files {
            let id = sources.add(format!("{dir}/main.tf"), text);
            let (module, diagnostics) = config::decode_texts([("main.tf", id, text)]);
            found.extend(diagnostics);
            tree.dirs.insert(dir.into(), Arc::new(module));
        }
        let (program, diagnostics) = compile(&tree, &self.schemas);
        found.extend(diagnostics);
        self.program = program;
        if found.is_empty() { Ok(()) } else { Err(found) }
    }

    /// What was compiled last.
    pub fn program(&self) -> &Program {
        &self.program
    }

    pub fn plan(&mut self, text: &str) -> Result<(Planned, Observations), Diagnostics> {
        self.compile(text)?;
        self.run += 1;
        let mut seen = Observations::new();
        loop {
            let input = Input {
                program: &self.program,
                inputs: &self.inputs,
                schemas: &self.schemas,
                state: &self.state,
                seen: &seen,
                options: &self.options,
                run: self.run,
            };
            match plan(input).map_err(|it| *it) {
                Ok(planned) => return Ok((planned, seen)),
                Err(Blocked::Invalid(diagnostics)) => return Err(diagnostics),
                Err(Blocked::Needs { questions, .. }) => {
                    for question in questions {
                        let answer = self.answer(&question);
                        let again = seen.insert(question.key, answer);
                        assert!(again.is_none(), "a question is never asked twice");
                    }
                }
            }
        }
    }

    /// The names that everything will have, with texts in place of what is not known yet.
    pub fn foreseen(&mut self, text: &str) -> String {
        let (planned, seen) = self.plan(text).unwrap();
        let stand_in = |object: &str, attribute: &str| format!("<{object} {attribute}>");
        let all =
            plumb_planner::foreseen(&self.program, &self.inputs, &seen, &planned.known, stand_in);
        let mut res = String::new();
        for (addr, value) in all {
            let name = value.get_attr("name").unwrap().as_str().unwrap_or("?");
            writeln!(res, "{addr} {name}").unwrap();
        }
        res
    }

    fn answer(&self, question: &Question) -> Answer {
        let object = |id: &str| match self.world.get(id) {
            Some(attrs) => {
                Answer::Object(Remote { attrs: attrs.clone(), private: None, complete: true })
            }
            None => Answer::Gone,
        };
        match &question.key {
            QuestionKey::Current(_) => {
                object(question.subject.get_attr("id").and_then(Value::as_str).unwrap_or_default())
            }
            QuestionKey::Import(_, id) => object(id),
            QuestionKey::Made(token) => object(&token.to_string()),
            QuestionKey::Data(_, query) => {
                let key = query.get_attr("key").and_then(Value::as_str).unwrap_or_default();
                if key == "missing" {
                    return Answer::Failed {
                        summary: "No such key".into(),
                        detail: "Look.".into(),
                    };
                }
                Answer::Value(Value::object([
                    ("id", Value::string("lookup")),
                    ("key", Value::string(key)),
                    ("value", Value::string(format!("<{key}>"))),
                ]))
            }
            _ => Answer::Gone,
        }
    }

    /// Plans and applies; returns what was called, or what is wrong.
    pub fn apply(&mut self, text: &str) -> String {
        let (planned, seen) = match self.plan(text) {
            Ok(it) => it,
            Err(diagnostics) => return errors(&diagnostics),
        };
        let before = self.calls.len();
        let Planned { plan, known, providers, .. } = planned;
        let program = self.program.clone();
        let now = Some("2026-01-01T00:00:01Z".into());
        let inputs = Inputs { apply_time: now, ..self.inputs.clone() };
        let schemas = self.schemas.clone();
        let input = RunInput {
            program: &program,
            inputs: &inputs,
            schemas: &schemas,
            plan: &plan,
            limits: &BTreeMap::new(),
        };
        let (mut run, mut journal) = Run::begin(input, known, seen, providers, self.state.clone());
        let mut ended = String::new();
        loop {
            match run.next_work() {
                None => break,
                Some(Work::Record(event)) => journal.push(event),
                Some(Work::Ask(question, _)) => {
                    let answer = {
                        let lab = &*self;
                        lab.answer(&question)
                    };
                    run.answer(question.key, answer);
                }
                Some(Work::Provision(work)) => {
                    // As it is written in case this process ends here.
                    let kept = State::replay(
                        &self.state.events().into_iter().chain(journal.clone()).collect::<Vec<_>>(),
                    )
                    .unwrap();
                    let tainted = kept.objects.get(&work.key).is_some_and(|it| it.tainted);
                    let note = if tainted { " (tainted)" } else { "" };
                    self.calls
                        .push(format!("run {} beside {}{note}", work.command.command, work.key));
                    let failure = work.command.command.contains("fail");
                    let failure = failure.then(|| plumb_diag::Diagnostic::error("it failed", ""));
                    run.provisioned(&work, failure);
                }
                Some(Work::Call(work)) => {
                    journal.push(work.started.clone());
                    let (left, failure) = self.call(&work.key, &work.token.to_string(), &work.call);
                    let failure = failure.map(|it| plumb_diag::Diagnostic::error(it, ""));
                    journal.extend(run.finish(work.token, left, failure));
                }
            }
        }
        assert!(run.is_over());
        journal.extend(run.end());
        let mut replayed = self.state.clone();
        for event in &journal {
            replayed.record(event).unwrap();
        }
        assert_eq!(&replayed, run.state(), "the journal replayed is the state");
        for diagnostic in run.take_diagnostics() {
            let _ = writeln!(
                ended,
                "{}: {}",
                diagnostic.address.unwrap_or_default(),
                diagnostic.summary
            );
        }
        for key in run.skipped() {
            let _ = writeln!(ended, "skipped {key}");
        }
        self.state = run.into_state();
        self.calls[before..].iter().map(|it| format!("{it}\n")).collect::<String>() + &ended
    }

    fn call(&mut self, key: &ObjectKey, token: &str, call: &Call) -> (Effect, Option<String>) {
        let id_of = |it: &Value| it.get_attr("id").and_then(Value::as_str).map(str::to_owned);
        let known = match call {
            Call::Create { planned } | Call::Update { planned, .. } => planned.is_wholly_known(),
            Call::Delete { prior } => prior.attrs.is_wholly_known(),
        };
        assert!(known, "nothing unknown reaches a provider");
        let (verb, id) = match call {
            Call::Create { .. } => ("create", token.to_owned()),
            Call::Update { prior, .. } => ("update", id_of(&prior.attrs).unwrap()),
            Call::Delete { prior } => ("delete", id_of(&prior.attrs).unwrap()),
        };
        self.calls.push(format!("{verb} {key}"));
        if self.failing.contains(&key.addr.to_string()) {
            return (Effect::Nothing, Some("refused".to_owned()));
        }
        match call {
            Call::Create { planned } | Call::Update { planned, .. } => {
                let mut attrs = planned.as_map().unwrap().clone();
                attrs.insert("id".into(), Value::string(&*id));
                if attrs["chosen"].is_null() {
                    attrs.insert("chosen".into(), Value::string("by the system"));
                }
                let attrs = Value::object(attrs);
                self.world.insert(id, attrs.clone());
                (Effect::Made(Remote { attrs, private: None, complete: true }), None)
            }
            Call::Delete { .. } => {
                assert!(self.world.remove(&id).is_some(), "{key} is deleted once");
                (Effect::Deleted, None)
            }
        }
    }
}

pub fn errors(diagnostics: &Diagnostics) -> String {
    diagnostics.iter().map(|it| format!("{}: {}\n", it.summary, it.detail)).collect()
}

/// A plan as text: changes, then steps.
pub fn text(plan: &Plan) -> String {
    let mut res = String::new();
    for (key, change) in &plan.changes {
        let _ = match change.action {
            Action::Keep => continue,
            action => write!(res, "{action:?} {key}"),
        };
        if let Some(reason) = change.reason {
            let _ = write!(res, " ({})", reason.name());
        }
        for path in &change.replace_paths {
            let _ = write!(res, " {path}");
        }
        res += "\n";
    }
    for (index, step) in plan.steps.iter().enumerate() {
        let op = match &step.op {
            Op::Create { addr, retire } => {
                format!("create {addr}{}", if retire.is_some() { " retiring" } else { "" })
            }
            Op::Update { addr } => format!("update {addr}"),
            Op::Delete { key } if key.deposed.is_some() => format!("delete old {}", key.addr),
            Op::Delete { key } => format!("delete {key}"),
            Op::Read { addr } => format!("read {addr}"),
            Op::Forget { key } => format!("forget {key}"),
            Op::Rebind { addr } => format!("rebind {addr}"),
            Op::Evaluate => "evaluate".to_owned(),
            Op::Join => "join".to_owned(),
        };
        let after: Vec<u32> = step.after.iter().map(|it| it.0).collect();
        let _ = writeln!(res, "{index}: {op} after {after:?}");
    }
    for event in &plan.refresh {
        let _ = match event {
            Event::Moved { from, to } => writeln!(res, "moved {from} to {to}"),
            Event::Drifted { key, .. } => writeln!(res, "drifted {key}"),
            Event::Vanished { key } => writeln!(res, "vanished {key}"),
            Event::Seen { key, .. } => writeln!(res, "seen aside {key}"),
            Event::Settled { token, left } => writeln!(res, "settled {token}: {left:?}"),
            Event::Recorded { key, .. } => writeln!(res, "recorded {key}"),
            Event::Forgotten { key } => writeln!(res, "forgotten {key}"),
            _ => Ok(()),
        };
    }
    res
}
