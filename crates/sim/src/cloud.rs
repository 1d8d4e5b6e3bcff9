//! The world: objects that refer to each other, and everything that goes wrong with them.
//!
//! Each object has a number, and whatever it says of itself contains it as `#17#`. So whoever
//! looks at a text can tell which objects it came from, however often it was passed on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_executor::{Call, CallWork};
use plumb_model::addr::Kind;
use plumb_model::event::{Effect, Remote};
use plumb_model::question::{Answer, Question, QuestionKey};
use plumb_model::schema::{ProviderSchema, Schemas};
use plumb_model::state::Token;
use plumb_model::value::Value;
use plumb_provider::{Block, Resource, entry};

use crate::rng::Rng;

/// Full source address of the world's provider.
pub(crate) const SOURCE: &str = "sim.test/world/cloud";

/// A remote object.
#[derive(Resource, Clone, Debug, PartialEq)]
#[resource(kind = "cloud_disk")]
pub(crate) struct Thing {
    #[attr(computed)]
    id: Option<String>,
    /// Chosen by the cloud, and never changed.
    #[attr(computed)]
    serial: Option<String>,
    #[attr(replace)]
    name: String,
    /// The cloud has a default of its own.
    size: Option<i64>,
    /// What it names cannot be deleted as long as it is named.
    #[attr(replace)]
    link: Option<String>,
    note: Option<String>,
    /// The cloud chooses one.
    #[attr(optional_computed)]
    flavor: Option<String>,
    #[attr(sensitive)]
    secret: Option<String>,
    #[attr(default = 80)]
    port: i64,
    #[attr(optional)]
    tags: BTreeMap<String, Option<String>>,
    #[attr(block)]
    rule: Vec<Rule>,
}

/// A nested block.
#[derive(Block, Clone, Debug, PartialEq)]
struct Rule {
    port: i64,
    #[attr(computed)]
    cidr: Option<String>,
}

/// Lives in the state alone.
#[derive(Resource, Clone, Debug, PartialEq)]
#[resource(kind = "cloud_memo", local)]
struct Memo {
    #[attr(computed)]
    id: Option<String>,
    #[attr(optional)]
    value: Value,
    #[attr(optional, replace)]
    trigger: Value,
}

/// A data source.
#[derive(Resource, Clone, Debug, PartialEq)]
#[resource(kind = "cloud_info")]
struct Info {
    query: Option<String>,
    #[attr(computed)]
    result: Option<String>,
}

/// What a provider block takes.
#[derive(Block, Clone, Debug, PartialEq)]
struct Connection {
    region: Option<String>,
}

/// The world's provider, and no other.
pub(crate) fn schemas() -> Schemas {
    let thing = || Arc::new(Thing::resource_schema());
    let schema = ProviderSchema {
        source: SOURCE.into(),
        name: "cloud".into(),
        config: Connection::schema().clone(),
        resources: [
            (Kind::new("cloud_disk"), thing()),
            (Kind::new("cloud_node"), thing()),
            entry::<Memo>(),
        ]
        .into(),
        data: [entry::<Info>()].into(),
    };
    Schemas { providers: [(SOURCE.into(), Arc::new(schema))].into() }
}

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Refused; nothing happened.
    Refused,
    /// Half done, and it says so.
    Midway,
    /// Done, but the reply is lost.
    Silent,
    /// Never arrived, and no reply either.
    Deaf,
}

impl Fault {
    pub(crate) fn roll(rng: &mut Rng) -> Fault {
        match rng.below(16) {
            0 | 1 => Fault::Refused,
            2 => Fault::Midway,
            3 => Fault::Silent,
            4 => Fault::Deaf,
            _ => Fault::None,
        }
    }
}

/// Why a healthy cloud refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It was told to.
    Fault,
    /// There is a node of that name.
    NameTaken,
    /// It links to what is not there.
    LinkBroken,
    /// Something links to it.
    InUse,
    /// It is gone.
    Gone,
}

/// What came of a call.
pub(crate) struct Reply {
    pub(crate) left: Effect,
    pub(crate) refusal: Option<Refusal>,
}

#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) number: u64,
    pub(crate) kind: Kind,
    pub(crate) token: Token,
    pub(crate) attrs: Thing,
    pub(crate) complete: bool,
    /// No longer ours.
    pub(crate) released: bool,
}

/// The world.
#[derive(Debug, Default)]
pub(crate) struct Cloud {
    pub(crate) objects: BTreeMap<u64, Object>,
    created: u64,
    /// Every token that made something: none does twice.
    stamped: BTreeSet<Token>,
    /// Two nodes of one name can be.
    pub(crate) lenient: bool,
    /// What data sources say changes with it.
    season: u64,
    /// No question is answered.
    pub(crate) dark: bool,
}

/// The numbers of objects that a text came from.
pub(crate) fn numbers(text: &str) -> impl Iterator<Item = u64> {
    text.split('#').skip(1).step_by(2).filter_map(|it| it.parse().ok())
}

fn number_of(attrs: &Value) -> Option<u64> {
    numbers(attrs.get_attr("id")?.as_str()?).next()
}

impl Object {
    /// What it says of itself. The cloud has defaults for what it was not told.
    fn remote(&self) -> Remote {
        let number = self.number;
        let mut attrs = self.attrs.clone();
        attrs.id = Some(format!("{}#{number}#", &*self.kind));
        attrs.serial = Some(format!("serial#{number}#"));
        attrs.size.get_or_insert(10);
        attrs.note.get_or_insert_with(|| "none".into());
        attrs.flavor.get_or_insert_with(|| format!("plain{}", number % 3));
        for (index, rule) in attrs.rule.iter_mut().enumerate() {
            rule.cidr = Some(format!("10.{number}.{index}.0/24"));
        }
        Remote { attrs: Block::to_value(&attrs), private: None, complete: self.complete }
    }

    /// Everything it was told.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        let it = &self.attrs;
        [&it.link, &it.note, &it.secret, &it.flavor]
            .into_iter()
            .flatten()
            .chain(it.tags.values().flatten())
            .map(String::as_str)
    }

    /// Whether it was told a secret.
    pub(crate) fn has_secret(&self) -> bool {
        self.attrs.secret.is_some()
    }

    fn links_to(&self, number: u64) -> bool {
        !self.released
            && self.attrs.link.as_deref().is_some_and(|it| numbers(it).any(|it| it == number))
    }
}

impl Cloud {
    /// What a question is answered with.
    pub(crate) fn answer(&self, question: &Question) -> Answer {
        if self.dark {
            return Answer::Failed { summary: DARK.into(), detail: "Try again.".into() };
        }
        let object = |it: Option<&Object>| match it {
            Some(object) => Answer::Object(object.remote()),
            None => Answer::Gone,
        };
        match &question.key {
            QuestionKey::Current(_) => {
                object(number_of(&question.subject).and_then(|it| self.objects.get(&it)))
            }
            QuestionKey::Made(token) => object(self.objects.values().find(|it| it.token == *token)),
            QuestionKey::Data(..) => {
                assert!(question.subject.is_wholly_known(), "asked with {:?}", question.subject);
                let query = question.subject.get_attr("query").and_then(Value::as_str);
                let result = query.map(|it| format!("{it} in {}", self.season));
                Answer::Value(Block::to_value(&Info { query: query.map(str::to_owned), result }))
            }
            other => panic!("nobody asks that: {other:?}"),
        }
    }

    /// Refuses what real systems refuse. None: no reply comes.
    pub(crate) fn call(&mut self, work: &CallWork, fault: Fault) -> Option<Reply> {
        let refused = |refusal| Some(Reply { left: Effect::Nothing, refusal: Some(refusal) });
        match fault {
            Fault::Refused => return refused(Refusal::Fault),
            Fault::Deaf => return None,
            Fault::None | Fault::Midway | Fault::Silent => {}
        }
        let reply = match &work.call {
            Call::Create { planned } if &*work.kind == Memo::KIND => self.memo(work, planned),
            Call::Update { planned, .. } if &*work.kind == Memo::KIND => self.memo(work, planned),
            Call::Delete { .. } if &*work.kind == Memo::KIND => {
                Reply { left: Effect::Deleted, refusal: None }
            }
            Call::Create { planned } => self.create(work, planned, fault == Fault::Midway),
            Call::Update { prior, planned } => self.update(prior, planned, fault == Fault::Midway),
            Call::Delete { prior } => self.delete(prior),
        };
        (fault != Fault::Silent).then_some(reply)
    }

    fn stamp(&mut self, token: Token) -> u64 {
        assert!(self.stamped.insert(token), "{token} makes a second object");
        self.created += 1;
        self.created
    }

    fn memo(&mut self, work: &CallWork, planned: &Value) -> Reply {
        let mut memo = <Memo as Block>::from_value(planned).expect("a memo is planned");
        if memo.id.is_none() {
            memo.id = Some(format!("memo{}", self.stamp(work.token)));
        }
        let remote = Remote { attrs: Block::to_value(&memo), private: None, complete: true };
        Reply { left: Effect::Made(remote), refusal: None }
    }

    fn create(&mut self, work: &CallWork, planned: &Value, midway: bool) -> Reply {
        let mut attrs = <Thing as Block>::from_value(planned).expect("a thing is planned");
        let refused = |refusal| Reply { left: Effect::Nothing, refusal: Some(refusal) };
        if let Some(link) = &attrs.link
            && numbers(link).any(|it| !self.objects.contains_key(&it))
        {
            return refused(Refusal::LinkBroken);
        }
        let taken =
            |it: &Object| it.kind == work.kind && it.attrs.name == attrs.name && !it.released;
        if !self.lenient && &*work.kind == "cloud_node" && self.objects.values().any(taken) {
            return refused(Refusal::NameTaken);
        }
        let number = self.stamp(work.token);
        if midway {
            attrs.note = None;
            attrs.rule.clear();
        }
        let kind = work.kind.clone();
        let object =
            Object { number, kind, token: work.token, attrs, complete: !midway, released: false };
        let left = Effect::Made(object.remote());
        self.objects.insert(number, object);
        Reply { left, refusal: midway.then_some(Refusal::Fault) }
    }

    fn update(&mut self, prior: &Remote, planned: &Value, midway: bool) -> Reply {
        let object = number_of(&prior.attrs).and_then(|it| self.objects.get_mut(&it));
        let Some(object) = object else {
            return Reply { left: Effect::Nothing, refusal: Some(Refusal::Gone) };
        };
        let attrs = <Thing as Block>::from_value(planned).expect("a thing is planned");
        if midway {
            object.attrs.size = attrs.size;
        } else {
            object.attrs = attrs;
        }
        Reply { left: Effect::Made(object.remote()), refusal: midway.then_some(Refusal::Fault) }
    }

    fn delete(&mut self, prior: &Remote) -> Reply {
        let number = number_of(&prior.attrs).expect("what is deleted has an id");
        if self.objects.values().any(|it| it.number != number && it.links_to(number)) {
            return Reply { left: Effect::Nothing, refusal: Some(Refusal::InUse) };
        }
        self.objects.remove(&number);
        Reply { left: Effect::Deleted, refusal: None }
    }

    /// Someone else changes or removes things.
    pub(crate) fn drift(&mut self, rng: &mut Rng) {
        if rng.one_in(6) {
            self.season += 1;
        }
        self.drift_only(rng);
    }

    /// The same, but what data sources say stays.
    pub(crate) fn drift_only(&mut self, rng: &mut Rng) {
        let numbers: Vec<u64> = self.objects.keys().copied().collect();
        for number in numbers {
            let linked = self.objects.values().any(|it| it.links_to(number));
            let Some(object) = self.objects.get_mut(&number) else { continue };
            match rng.below(40) {
                0 | 1 if !linked => {
                    self.objects.remove(&number);
                }
                2 => object.attrs.size = Some(99),
                3 => object.attrs.note = Some("drifted".into()),
                4 => object.attrs.tags = [("by".to_owned(), Some("them".to_owned()))].into(),
                5 => object.attrs.rule.clear(),
                _ => {}
            }
        }
    }

    /// The object with these attributes is someone else's now.
    pub(crate) fn release(&mut self, attrs: &Value) {
        if let Some(object) = number_of(attrs).and_then(|it| self.objects.get_mut(&it)) {
            object.released = true;
        }
    }

    /// The object that these attributes are of.
    pub(crate) fn object(&self, attrs: &Value) -> Option<&Object> {
        self.objects.get(&number_of(attrs)?)
    }
}

/// Said by a cloud that answers nothing.
pub(crate) const DARK: &str = "The cloud does not answer";
