//! Checks for those who write providers: what a schema and a connection promise to everyone else.
//!
//! Each returns sentences, one for each broken promise; a test asserts that there are none.

use std::sync::Arc;

use plumb_model::addr::Kind;
use plumb_model::event::{Effect, Remote};
use plumb_model::propose::{admits, mask, propose, replacing};
use plumb_model::schema::{
    Block, Nesting, OnChange, Presence, ProviderSchema, RefineInput, ResourceSchema,
};
use plumb_model::state::Token;
use plumb_model::value::{Path, Type, Value};

use crate::{CallContext, Connection, Failure, Outcome, ReadRequest};

/// What a person could not have written, or could not have meant.
pub fn schema(schema: &ProviderSchema) -> Vec<String> {
    let mut broken = Vec::new();
    if schema.source.split('/').count() != 3 {
        broken.push(format!("the source `{}` is not host/namespace/name", schema.source));
    }
    check_block(&schema.config, "provider", &mut broken);
    for (kind, resource) in &schema.resources {
        check_resource(&schema.name, kind, resource, &mut broken);
        let id = resource.block.attributes().get("id");
        if id.is_none_or(|id| id.ty != Type::String) {
            broken.push(format!("{}: has no `id`, a string to import it by", &**kind));
        }
    }
    for (kind, resource) in &schema.data {
        check_resource(&schema.name, kind, resource, &mut broken);
    }
    broken
}

/// One object's life: what to make and, if it can be changed in place, into what.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its type.
    pub kind: Kind,
    /// A whole configuration, see [`config`].
    pub config: Value,
    /// Another one that can be reached without a new object.
    pub changed: Option<Value>,
}

/// Leads an object through its life: it is made, found, read, planned again, imported, changed,
/// deleted, and deleted once more.
pub async fn connection(
    connection: &dyn Connection,
    schema: &ResourceSchema,
    case: &Case,
) -> Vec<String> {
    let mut life = Life { connection, schema, kind: &case.kind, broken: Vec::new() };
    life.live(case).await;
    let kind = &*case.kind;
    life.broken.into_iter().map(|it| format!("{kind}: {it}")).collect()
}

/// The planned object, as planning makes it, and what needs a new object.
pub fn plan(schema: &ResourceSchema, config: &Value, prior: Option<&Value>) -> (Value, Vec<Path>) {
    let proposed = propose(&schema.block, config, prior);
    let (planned, mut paths) = match schema.refine {
        None => (proposed, Vec::new()),
        Some(refine) => {
            let facts = &mut |_: &str, _: &Value| None;
            let refined = refine(RefineInput { config, prior, proposed, replaced: &[], facts });
            (refined.planned, refined.replace)
        }
    };
    if let Some(prior) = prior {
        paths.extend(replacing(&schema.block, prior, &planned));
    }
    (planned, paths)
}

/// A whole configuration of `block` from what is written; the rest is null.
pub fn config<K: Into<Arc<str>>>(
    block: &Block,
    written: impl IntoIterator<Item = (K, Value)>,
) -> Value {
    let nulls =
        block.attributes().iter().map(|(name, it)| (name.clone(), Value::null(it.ty.clone())));
    let none = block.blocks().iter().map(|(name, it)| (name.clone(), it.none()));
    let written = written.into_iter().map(|(name, it)| (name.into(), it));
    Value::object(nulls.chain(none).chain(written))
}

struct Life<'a> {
    connection: &'a dyn Connection,
    schema: &'a ResourceSchema,
    kind: &'a Kind,
    broken: Vec<String>,
}

type Seen = Result<Option<Remote>, Failure>;

impl Life<'_> {
    async fn live(&mut self, case: &Case) {
        let (token, other) = (Token { run: 7_000_001, step: 1 }, Token { run: 7_000_001, step: 2 });
        let (planned, _) = plan(self.schema, &case.config, None);
        let found = self.find(token, &planned).await;
        self.expect_none("nothing was made yet, but `find`", found);

        let outcome = self.connection.create(&call(token), self.kind, &planned).await;
        let Some(made) = self.made("create", outcome, &planned) else { return };
        if !self.schema.local {
            match self.find(token, &planned).await {
                Ok(Some(found)) => self.same("found after create", &planned, &made, &found),
                other => self.broken.push(format!("what was made is not found: {other:?}")),
            }
        }
        self.same_when_read("create", &planned, &made).await;
        let kept = mask(&self.schema.block, &planned, &made.attrs);
        let (again, paths) = plan(self.schema, &case.config, Some(&kept));
        if again != kept || !paths.is_empty() {
            self.broken.push(format!(
                "planned again, it changes:\n  from {kept:?}\n  to   {again:?}\n  replace {paths:?}"
            ));
        }
        if let Some(id) = made.attrs.get_attr("id").and_then(Value::as_str) {
            match self.connection.import(self.kind, id).await {
                Ok(Some(_)) => {}
                other => self.broken.push(format!("`import` of {id:?}: {other:?}")),
            }
        }
        let mut last = made;
        if let Some(changed) = &case.changed
            && let Some(updated) = self.update(other, changed, &kept, &last).await
        {
            last = updated;
        }
        for time in ["delete", "delete of what is gone"] {
            let outcome = self.connection.delete(&call(other), self.kind, &last).await;
            if outcome.failure.is_some() || outcome.left != Effect::Deleted {
                self.broken.push(format!("{time}: {outcome:?}"));
            }
        }
        if !self.schema.local {
            let request = ReadRequest { kind: self.kind.clone(), prior: last, whole: true };
            for answer in self.connection.read(&[request]).await {
                self.expect_none("it is gone, but `read`", answer);
            }
        }
        let found = self.find(token, &planned).await;
        self.expect_none("it is gone, but `find`", found);
    }

    async fn update(
        &mut self,
        token: Token,
        config: &Value,
        kept: &Value,
        last: &Remote,
    ) -> Option<Remote> {
        let (planned, paths) = plan(self.schema, config, Some(kept));
        if !paths.is_empty() {
            self.broken.push(format!("the change of the case needs a new object: {paths:?}"));
            return None;
        }
        let prior = Remote { attrs: kept.clone(), ..last.clone() };
        let outcome = self.connection.update(&call(token), self.kind, &prior, &planned).await;
        let updated = self.made("update", outcome, &planned)?;
        self.same_when_read("update", &planned, &updated).await;
        Some(updated)
    }

    async fn find(&self, token: Token, planned: &Value) -> Seen {
        self.connection.find(self.kind, token, planned).await
    }

    fn expect_none(&mut self, but: &str, answer: Seen) {
        if !matches!(answer, Ok(None)) {
            self.broken.push(format!("{but} says {answer:?}"));
        }
    }

    /// What the call made, if it kept its word.
    fn made(&mut self, call: &str, outcome: Outcome, planned: &Value) -> Option<Remote> {
        let Outcome { left: Effect::Made(remote), failure: None, lost: false } = outcome else {
            self.broken.push(format!("{call}: {outcome:?}"));
            return None;
        };
        if !remote.complete {
            self.broken.push(format!("{call}: went well, but is not complete"));
        }
        check_shape(call, &self.schema.block, &remote.attrs, &mut self.broken);
        let kept = mask(&self.schema.block, planned, &remote.attrs);
        if !admits(planned, &kept) {
            self.broken.push(format!(
                "{call}: promised and made differ:\n  promised {planned:?}\n  made     {kept:?}"
            ));
        }
        Some(remote)
    }

    async fn same_when_read(&mut self, call: &str, planned: &Value, made: &Remote) {
        if self.schema.local {
            return;
        }
        let request = ReadRequest { kind: self.kind.clone(), prior: made.clone(), whole: true };
        let mut answers = self.connection.read(&[request.clone(), request]).await;
        if answers.len() != 2 {
            self.broken.push(format!("`read` answers 2 requests with {}", answers.len()));
        }
        match answers.pop() {
            Some(Ok(Some(read))) => {
                check_shape("read", &self.schema.block, &read.attrs, &mut self.broken);
                self.same(&format!("read after {call}"), planned, made, &read);
            }
            other => self.broken.push(format!("read after {call}: {other:?}")),
        }
    }

    fn same(&mut self, what: &str, planned: &Value, made: &Remote, seen: &Remote) {
        let kept = |it: &Remote| mask(&self.schema.block, planned, &it.attrs);
        let (made, seen) = (kept(made), kept(seen));
        if made != seen {
            self.broken.push(format!("{what} it differs:\n  made {made:?}\n  seen {seen:?}"));
        }
    }
}

fn call(token: Token) -> CallContext {
    CallContext { token, address: "conformance.test".into(), progress: Arc::new(|_| {}) }
}

/// Whether `value` is a wholly known object of the block's type.
fn check_shape(call: &str, block: &Block, value: &Value, broken: &mut Vec<String>) {
    let (Some(attrs), Type::Object(ty)) = (value.as_map(), block.ty()) else {
        broken.push(format!("{call}: {value:?} is not an object"));
        return;
    };
    if !value.is_wholly_known() {
        broken.push(format!("{call}: {value:?} is not wholly known"));
    }
    if !value.marks_deep().is_empty() {
        broken.push(format!("{call}: {value:?} is marked"));
    }
    for (name, ty) in &ty.attrs {
        match attrs.get(name) {
            None => broken.push(format!("{call}: `{name}` is missing")),
            Some(value) if !ty.has_dynamic() && value.ty() != *ty => {
                broken.push(format!("{call}: `{name}` is {} and not {ty}", value.ty()));
            }
            Some(_) => {}
        }
    }
    for name in attrs.keys().filter(|name| !ty.attrs.contains_key(*name)) {
        broken.push(format!("{call}: the schema knows no `{name}`"));
    }
}

/// Words that a resource block has for itself.
const RESERVED: [&str; 7] =
    ["connection", "count", "depends_on", "for_each", "lifecycle", "provider", "provisioner"];

fn check_resource(provider: &str, kind: &Kind, schema: &ResourceSchema, broken: &mut Vec<String>) {
    let at = &**kind;
    if kind.provider_name() != provider {
        broken.push(format!("{at}: does not start with `{provider}_`"));
    }
    let names = schema.block.attributes().keys().chain(schema.block.blocks().keys());
    for name in names.filter(|name| RESERVED.contains(&&***name)) {
        broken.push(format!("{at}: `{name}` is a word of the language"));
    }
    check_block(&schema.block, at, broken);
    check_rules(at, schema, broken);
}

fn check_block(block: &Block, at: &str, broken: &mut Vec<String>) {
    for (name, attribute) in block.attributes() {
        let mut say = |what: &str| broken.push(format!("{at}.{name}: {what}"));
        if !is_name(name) {
            say("is not a name");
        }
        if attribute.ty.has_optional() {
            say("its type has optional attributes, which are for constraints");
        }
        if let Some(default) = &attribute.default {
            if attribute.presence != Presence::Optional {
                say("only what is optional has a default");
            }
            if default.ty() != attribute.ty && attribute.ty != Type::Dynamic {
                say(&format!("its default is {} and not {}", default.ty(), attribute.ty));
            }
            if !default.is_wholly_known() || default.is_null() {
                say("its default says nothing");
            }
        }
        if attribute.write_only && attribute.presence.is_computed() {
            say("is never stored, but computed");
        }
        if attribute.on_change == OnChange::Replace && !attribute.presence.is_configurable() {
            say("nobody can change it, so its change replaces nothing");
        }
    }
    for (name, nested) in block.blocks() {
        let at = format!("{at}.{name}");
        if !is_name(name) {
            broken.push(format!("{at}: is not a name"));
        }
        if block.attributes().contains_key(name) {
            broken.push(format!("{at}: is an attribute and a block"));
        }
        let counted = matches!(nested.nesting, Nesting::List | Nesting::Set);
        if nested.max != 0 && (nested.max < nested.min || !counted) {
            broken.push(format!("{at}: at least {}, at most {}", nested.min, nested.max));
        }
        check_block(&nested.block, &at, broken);
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && name.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_')
}

/// The rules bear a configuration that says nothing, and one that is not known at all.
fn check_rules(at: &str, schema: &ResourceSchema, broken: &mut Vec<String>) {
    let (block, Type::Object(ty)) = (&schema.block, schema.block.ty()) else { return };
    let nothing = config(block, [] as [(&str, Value); 0]);
    let configurable = block.attributes().iter().filter(|(_, it)| it.presence.is_configurable());
    let unknown =
        configurable.map(|(name, it)| (name.clone(), Value::unknown(it.ty.clone()))).collect();
    let unknown = config::<Arc<str>>(block, Vec::into_iter(unknown));
    for config in [nothing, unknown] {
        if let Some(validate) = schema.validate {
            validate(&config);
        }
        let (planned, _) = plan(schema, &config, None);
        if !planned.as_map().is_some_and(|it| it.keys().eq(ty.attrs.keys())) {
            broken.push(format!("{at}: its rule plans {planned:?}, which is not of its type"));
        }
    }
}
