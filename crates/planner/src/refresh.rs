//! Lays what was seen over what is remembered, object by object.

use std::sync::Arc;

use plumb_diag::Diagnostic;
use plumb_model::addr::{Mode, ObjectKey};
use plumb_model::event::{Effect, Event, Intended, Intent, Remote, marked_like};
use plumb_model::propose::{managed_in_either, mask, propose, unmanaged};
use plumb_model::question::{Answer, Question, QuestionKey};
use plumb_model::state::{Object, Token};
use plumb_model::value::Value;

use crate::{Input, PlanMode};

/// What became of looking at one object.
pub(crate) enum Looked {
    /// The question is to be asked first.
    Ask(Box<Question>),
    /// It is as remembered.
    Same,
    /// It is not: the event that says so, and what was remembered before.
    Changed(Box<Event>),
    /// It could not be seen.
    Failed(Box<Diagnostic>),
}

/// Whether the object is looked at in a refresh.
pub(crate) fn is_seen(input: Input<'_>, key: &ObjectKey, object: &Object) -> bool {
    let schema = input.schemas.resource(
        &object.provider.source,
        key.addr.resource.mode,
        &key.addr.resource.kind,
    );
    key.addr.resource.mode == Mode::Managed
        && !input.options.skip_refresh
        && schema.is_some_and(|it| !it.local)
}

/// Compares one object with what was seen of it.
pub(crate) fn look(input: Input<'_>, key: &ObjectKey, object: &Object) -> Looked {
    let question = QuestionKey::Current(key.clone());
    let Some(answer) = input.seen.get(&question) else {
        return Looked::Ask(Box::new(Question {
            key: question,
            provider: Some(object.provider.clone()),
            kind: key.addr.resource.kind.clone(),
            subject: object.attrs.unmark_deep(),
            private: object.private.clone(),
        }));
    };
    match answer {
        Answer::Gone => Looked::Changed(Box::new(Event::Vanished { key: key.clone() })),
        Answer::Object(remote) => {
            let attrs = kept(input, key, object, remote);
            let attrs = marked_like(&attrs, &object.attrs);
            if attrs == object.attrs {
                return Looked::Same;
            }
            Looked::Changed(Box::new(Event::Drifted { key: key.clone(), attrs }))
        }
        Answer::Failed { summary, detail } => Looked::Failed(Box::new(
            Diagnostic::error(&**summary, &**detail).about(key.to_string()),
        )),
        _ => Looked::Failed(Box::new(unexpected(key))),
    }
}

/// What was seen of the arguments that are not managed, if that is news. Only a refresh by itself
/// takes it in: nobody would set it back, so an apply of something else must not let it pass unseen.
pub(crate) fn aside(input: Input<'_>, key: &ObjectKey, object: &Object) -> Option<Event> {
    if input.options.mode != PlanMode::RefreshOnly {
        return None;
    }
    let Some(Answer::Object(remote)) = input.seen.get(&QuestionKey::Current(key.clone())) else {
        return None;
    };
    let resource = &key.addr.resource;
    let schema = input.schemas.resource(&object.provider.source, resource.mode, &resource.kind)?;
    let seen = unmanaged(&schema.block, &object.attrs.unmark_deep(), &remote.attrs);
    (seen != object.unmanaged).then(|| Event::Seen { key: key.clone(), unmanaged: seen })
}

fn kept(input: Input<'_>, key: &ObjectKey, object: &Object, remote: &Remote) -> Value {
    let resource = &key.addr.resource;
    match input.schemas.resource(&object.provider.source, resource.mode, &resource.kind) {
        Some(schema) => mask(&schema.block, &object.attrs.unmark_deep(), &remote.attrs),
        None => remote.attrs.clone(),
    }
}

/// What became of looking into one doubt.
pub(crate) enum Settled {
    /// The question is to be asked first.
    Ask(Box<Question>),
    /// The event that ends it.
    Event(Box<Event>),
    /// It could not be looked into.
    Failed(Box<Diagnostic>),
}

/// Looks into a call that was never heard back from.
pub(crate) fn settle(input: Input<'_>, token: Token, intent: &Intent) -> Settled {
    let (key, about) = match &intent.action {
        Intended::Create { addr, .. } => (QuestionKey::Made(token), addr.current()),
        Intended::Update { addr } => (QuestionKey::Current(addr.current()), addr.current()),
        Intended::Delete { key } => (QuestionKey::Current(key.clone()), key.clone()),
    };
    let resource = &about.addr.resource;
    let schema = input.schemas.resource(&intent.provider.source, resource.mode, &resource.kind);
    let object = input.state.objects.get(&about);
    // What lives in the state alone is not there unless the state has it.
    if schema.is_some_and(|it| it.local) {
        let left = match &intent.action {
            Intended::Create { .. } | Intended::Update { .. } => Effect::Nothing,
            Intended::Delete { .. } => Effect::Deleted,
        };
        return Settled::Event(Box::new(Event::Settled { token, left }));
    }
    let Some(answer) = input.seen.get(&key) else {
        let (subject, private) = match (&intent.action, object) {
            (Intended::Update { .. } | Intended::Delete { .. }, Some(object)) => {
                (object.attrs.unmark_deep(), object.private.clone())
            }
            _ => (intent.planned.unmark_deep(), None),
        };
        return Settled::Ask(Box::new(Question {
            key,
            provider: Some(intent.provider.clone()),
            kind: resource.kind.clone(),
            subject,
            private,
        }));
    };
    let left = match (answer, &intent.action) {
        (Answer::Gone, Intended::Create { .. }) => Effect::Nothing,
        (Answer::Gone, _) => Effect::Deleted,
        (Answer::Object(_), Intended::Delete { .. }) => Effect::Nothing,
        (Answer::Object(remote), _) => {
            let attrs = match schema {
                Some(schema) => {
                    let mut managed = intent.planned.unmark_deep();
                    // An update may not have arrived: what it takes out may still be there.
                    if let (Intended::Update { .. }, Some(object)) = (&intent.action, object) {
                        managed = managed_in_either(&managed, &object.attrs.unmark_deep());
                    }
                    mask(&schema.block, &managed, &remote.attrs)
                }
                None => remote.attrs.clone(),
            };
            Effect::Made(Remote { attrs, ..remote.clone() })
        }
        (Answer::Failed { summary, detail }, _) => {
            let error = Diagnostic::error(&**summary, &**detail).about(about.to_string());
            return Settled::Failed(Box::new(error));
        }
        _ => return Settled::Failed(Box::new(unexpected(&about))),
    };
    Settled::Event(Box::new(Event::Settled { token, left }))
}

fn unexpected(key: &ObjectKey) -> Diagnostic {
    Diagnostic::error("Unexpected answer", "This is a bug in plumb.").about(key.to_string())
}

/// The record of an object that is brought in.
pub(crate) fn imported(
    schema: &plumb_model::schema::ResourceSchema,
    config: &Value,
    remote: &Remote,
    provider: &Arc<plumb_model::addr::ProviderAddr>,
) -> Object {
    // With defaults: an argument that has one is managed even when it is left out.
    let managed = propose(&schema.block, &config.unmark_deep(), Some(&remote.attrs));
    Object {
        attrs: mask(&schema.block, &managed, &remote.attrs),
        private: remote.private.clone(),
        schema_version: schema.version,
        provider: provider.clone(),
        needs: Arc::new([]),
        tainted: false,
        create_before_destroy: false,
        unmanaged: unmanaged(&schema.block, &managed, &remote.attrs),
    }
}
