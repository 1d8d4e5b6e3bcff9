//! What names mean where an expression stands: a module instance, perhaps an instance of a block.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_diag::{Diagnostic, Span};
use plumb_model::addr::Kind;
use plumb_model::question::{Answer, FileQuestion, Observations, Question, QuestionKey};
use plumb_model::state::{CheckResult, CheckStatus};
use plumb_model::value::Value;

use crate::compile::call_output;
use crate::eval::Names;
use crate::inputs::Inputs;
use crate::known::{Each, Known};
use crate::nodes::Judged;
use crate::program::{ModuleId, Name, NodeId, NodeKind, Program};
use crate::syntax::Traversal;

/// Everything that evaluation looks at.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// The configuration.
    pub program: &'a Program,
    /// What comes from outside.
    pub inputs: &'a Inputs,
    /// What was seen outside.
    pub seen: &'a Observations,
    /// What everything is.
    pub known: &'a Known,
    /// Takes the questions that came up. Where one did, the value is unknown for now.
    pub asked: &'a Asked,
}

/// Questions that came up.
#[derive(Debug, Default)]
pub struct Asked {
    questions: RefCell<BTreeMap<QuestionKey, Question>>,
    drawn: Cell<u64>,
    said: RefCell<Said>,
}

/// What conditions said: by kind and block, then by object and phase.
type Said = BTreeMap<(&'static str, Arc<str>), BTreeMap<(Arc<str>, Phase), Verdict>>;
type Verdict = (CheckStatus, Vec<Arc<str>>);

/// When the conditions of an object are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Before,
    After,
}

impl Asked {
    /// Adds a question.
    pub fn ask(&self, question: Question) {
        self.questions.borrow_mut().insert(question.key.clone(), question);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.questions.borrow().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Notes what the conditions of one object said; what they said earlier no longer counts.
    pub(crate) fn judged(
        &self,
        kind: &'static str,
        block: &str,
        object: &str,
        phase: Phase,
        judged: &[Judged],
    ) {
        let verdict =
            judged.iter().fold((CheckStatus::Pass, Vec::new()), |(worst, mut why), it| {
                let status = match it {
                    Judged::Holds => CheckStatus::Pass,
                    Judged::Unknown => CheckStatus::Unknown,
                    Judged::Broken => CheckStatus::Error,
                    Judged::Fails(message) => {
                        why.push(message.clone());
                        CheckStatus::Fail
                    }
                };
                (worse(worst, status), why)
            });
        let mut said = self.said.borrow_mut();
        said.entry((kind, block.into())).or_default().insert((object.into(), phase), verdict);
    }

    /// Whether what came before the conditions of an object failed already.
    pub(crate) fn has_failed(&self, kind: &'static str, block: &str, object: &str) -> bool {
        let said = self.said.borrow();
        let before = (object.into(), Phase::Before);
        let verdict = said.get(&(kind, block.into())).and_then(|it| it.get(&before));
        verdict.is_some_and(|it| it.0 == CheckStatus::Fail)
    }

    /// What the conditions said so far; `earlier` stands where they said nothing since.
    pub fn checks(&self, earlier: &[CheckResult]) -> Vec<CheckResult> {
        let said = self.said.borrow();
        let mut all: BTreeMap<(&'static str, Arc<str>), BTreeMap<Arc<str>, Verdict>> =
            BTreeMap::new();
        for it in earlier {
            let objects = it
                .objects
                .iter()
                .map(|(object, status, why)| (object.clone(), (*status, why.clone())));
            all.insert((it.object_kind, it.config_addr.clone()), objects.collect());
        }
        for (block, objects) in said.iter() {
            let here = all.entry(block.clone()).or_default();
            objects.keys().for_each(|(object, _)| _ = here.remove(object));
            for ((object, _), (status, why)) in objects {
                let entry = here.entry(object.clone()).or_insert((CheckStatus::Pass, Vec::new()));
                entry.0 = worse(entry.0, *status);
                entry.1.extend(why.iter().cloned());
            }
        }
        let result = all.into_iter().map(|((object_kind, config_addr), objects)| CheckResult {
            object_kind,
            config_addr,
            status: objects.values().fold(CheckStatus::Pass, |worst, it| worse(worst, it.0)),
            objects: objects
                .into_iter()
                .map(|(object, (status, why))| (object, status, why))
                .collect(),
        });
        result.collect()
    }

    /// The questions.
    pub fn take(&self) -> BTreeMap<QuestionKey, Question> {
        self.questions.take()
    }
}

/// An error hides a failure, and both hide what is not known.
fn worse(a: CheckStatus, b: CheckStatus) -> CheckStatus {
    let rank = |it: CheckStatus| match it {
        CheckStatus::Pass => 0,
        CheckStatus::Unknown => 1,
        CheckStatus::Fail => 2,
        CheckStatus::Error => 3,
    };
    if rank(b) > rank(a) { b } else { a }
}

/// What names mean in one place.
pub(crate) struct Scope<'a> {
    pub(crate) world: World<'a>,
    pub(crate) module: ModuleId,
    pub(crate) instance: u32,
    pub(crate) each: Each,
    pub(crate) itself: Option<Value>,
    /// A variable that its own validations may look at.
    pub(crate) variable: Option<(NodeId, Value)>,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(world: World<'a>, module: ModuleId, instance: u32) -> Scope<'a> {
        Scope { world, module, instance, each: Each::None, itself: None, variable: None }
    }

    fn node(&self, id: NodeId) -> Value {
        if let Some((variable, value)) = &self.variable
            && *variable == id
        {
            return value.clone();
        }
        let known = self.world.known;
        match &self.world.program.node(id).kind {
            NodeKind::Resource(_) => known.resource(id, self.instance).map(|it| it.whole()),
            _ => known.value(id, self.instance).cloned(),
        }
        .unwrap_or_else(Value::dynamic)
    }

    /// `module.x.out` without making the object of all outputs.
    fn call(&self, id: NodeId, child: ModuleId, traversal: &Traversal) -> (Value, usize) {
        use crate::known::Instances;
        let World { program, known, .. } = self.world;
        let output =
            call_output(traversal).and_then(|name| program.module(child).names.outputs.get(name));
        if let (Some(output), Some((Instances::One, first))) =
            (output, known.call(id, self.instance))
            && matches!(traversal.steps[1].kind, crate::syntax::StepKind::Attr(_))
        {
            let value = known.value(*output, first).cloned();
            return (value.unwrap_or_else(Value::dynamic), 2);
        }
        (known.call_value(program, id, child, self.instance), 1)
    }
}

impl Names for Scope<'_> {
    fn resolve(&self, traversal: &Traversal) -> Result<(Value, usize), Box<Diagnostic>> {
        let program = self.world.program;
        let (name, steps) = program.module(self.module).lookup(traversal)?;
        let value = match name {
            Name::Node(id) => self.node(id),
            Name::Call(id, child) => return Ok(self.call(id, child, traversal)),
            Name::EachKey | Name::EachValue => match &self.each {
                Each::Each(key, value) => match name {
                    Name::EachKey => Value::shared_string(key),
                    _ => value.clone(),
                },
                _ => return Err(no_each(name, traversal.span())),
            },
            Name::CountIndex => match self.each {
                Each::Count(index) => Value::number(index),
                _ => return Err(no_count(traversal.span())),
            },
            Name::SelfObject => match &self.itself {
                Some(value) => value.clone(),
                None => return Err(no_self(traversal.span())),
            },
            Name::PathModule => path(&program.module(self.module).dir),
            Name::PathRoot => path(program.modules.first().map_or(".", |it| &it.dir)),
            Name::PathCwd => Value::string(&*self.world.inputs.working_dir),
            Name::Workspace => Value::string(&*self.world.inputs.workspace),
        };
        Ok((value, steps))
    }

    fn file(&self, question: &FileQuestion) -> Option<Answer> {
        let key = QuestionKey::File(question.clone());
        match self.world.seen.get(&key) {
            Some(answer) => Some(answer.clone()),
            None => {
                self.world.asked.ask(Question {
                    key,
                    provider: None,
                    kind: Kind::new(""),
                    subject: Value::NULL,
                    private: None,
                });
                None
            }
        }
    }

    fn working_dir(&self) -> Option<Arc<str>> {
        Some(self.world.inputs.working_dir.clone())
    }

    fn home_dir(&self) -> Option<Arc<str>> {
        self.world.inputs.home_dir.clone()
    }

    fn now(&self) -> Option<Arc<str>> {
        self.world.inputs.apply_time.clone()
    }

    fn plan_time(&self) -> Option<Arc<str>> {
        Some(self.world.inputs.plan_time.clone())
    }

    fn random(&self) -> Option<[u8; 16]> {
        self.world.inputs.apply_time.as_ref()?;
        // SplitMix64: enough to be unique; the seed is random.
        let asked = self.world.asked;
        let next = || {
            asked.drawn.set(asked.drawn.get() + 1);
            let mut z = (self.world.inputs.seed)
                .wrapping_add(asked.drawn.get().wrapping_mul(0x9E37_79B9_7F4A_7C15));
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^ (z >> 31)
        };
        let (high, low) = (next(), next());
        Some(((u128::from(high) << 64) | u128::from(low)).to_be_bytes())
    }
}

pub(crate) fn no_each(name: Name, span: Span) -> Box<Diagnostic> {
    let (summary, detail) = match name {
        Name::EachValue => (
            "each.value cannot be used in this context",
            "A reference to \"each.value\" stands where it has no value: this block has no \
             \"for_each\" argument.",
        ),
        _ => (
            "Reference to \"each\" in context without for_each",
            "The \"each\" object can be used only in \"module\" or \"resource\" blocks, and only when \
             the \"for_each\" argument is set.",
        ),
    };
    Box::new(Diagnostic::error(summary, detail).at(span))
}

pub(crate) fn no_count(span: Span) -> Box<Diagnostic> {
    let detail = "The \"count\" object can only be used in \"module\", \"resource\", and \"data\" \
                  blocks, and only when the \"count\" argument is set.";
    Box::new(Diagnostic::error("Reference to \"count\" in non-counted context", detail).at(span))
}

pub(crate) fn no_self(span: Span) -> Box<Diagnostic> {
    let detail = "The \"self\" object is not available in this context. This object can be used \
                  only in resource provisioner, connection, and postcondition blocks.";
    Box::new(Diagnostic::error("Invalid \"self\" reference", detail).at(span))
}

fn path(dir: &str) -> Value {
    Value::string(dir)
}
