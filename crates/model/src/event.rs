//! What happens to a state. The journal is a list of these.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::addr::{Addr, ConfigAddr, DeposedKey, ObjectKey, ProviderAddr};
use crate::state::{CheckResult, Object, State, Token};
use crate::value::Value;

/// One thing that happened, or is about to. Written before it is believed.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A run begins.
    RunStarted {
        /// Its number, unique among all runs.
        run: u64,
    },
    /// An object got another address.
    Moved {
        /// The old one.
        from: Addr,
        /// The new one.
        to: Addr,
    },
    /// An object was seen to have other attributes than stored.
    Drifted {
        /// Which.
        key: ObjectKey,
        /// What was seen.
        attrs: Value,
    },
    /// An object was seen to be gone.
    Vanished {
        /// Which.
        key: ObjectKey,
    },
    /// What the arguments of an object that the configuration leaves out are. See
    /// [`Object::unmanaged`].
    Seen {
        /// Which.
        key: ObjectKey,
        /// What was seen.
        unmanaged: Option<Value>,
    },
    /// A doubt was looked into.
    Settled {
        /// The call never heard back from.
        token: Token,
        /// What it left, as far as it creates.
        left: Effect,
    },
    /// A call is about to be made.
    Started {
        /// Its name.
        token: Token,
        /// What it is for.
        intent: Intent,
    },
    /// A call was heard back from, well or not.
    Finished {
        /// Its name.
        token: Token,
        /// What it left.
        left: Effect,
    },
    /// Written down without a call: an import, a data source's answer, an object whose record alone
    /// changes.
    Recorded {
        /// Which.
        key: ObjectKey,
        /// The record.
        object: Object,
    },
    /// No longer ours; still there.
    Forgotten {
        /// Which.
        key: ObjectKey,
    },
    /// An output of the root module has a new value, or none.
    Output {
        /// Its name.
        name: Arc<str>,
        /// Its value.
        value: Option<Value>,
    },
    /// What the checks said.
    Checked {
        /// All of them.
        results: Vec<CheckResult>,
    },
}

/// What a call is for: all that is needed to settle it if it is never heard back from.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    /// What it does.
    pub action: Intended,
    /// Whose it is.
    pub provider: Arc<ProviderAddr>,
    /// The object as planned; for a deletion null.
    pub planned: Value,
    /// See [`Object::schema_version`].
    pub schema_version: u64,
    /// See [`Object::needs`].
    pub needs: Arc<[ConfigAddr]>,
    /// See [`Object::create_before_destroy`].
    pub create_before_destroy: bool,
}

/// What a call does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intended {
    /// Makes the object at `addr`. What is there now is kept under `retire` once the new is made.
    Create {
        /// Where.
        addr: Addr,
        /// The name of the old one from then on.
        retire: Option<DeposedKey>,
    },
    /// Changes the object at `addr`.
    Update {
        /// Where.
        addr: Addr,
    },
    /// Deletes an object.
    Delete {
        /// Which.
        key: ObjectKey,
    },
}

/// What a call left behind. Failing does not hide it.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Nothing changed.
    Nothing,
    /// The object is now so.
    Made(Remote),
    /// The object is gone.
    Deleted,
}

/// An object as the provider sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Remote {
    /// All attributes, unmarked, wholly known.
    pub attrs: Value,
    /// The provider's own notes.
    pub private: Option<Arc<[u8]>>,
    /// Made to the end. One that is not is kept, tainted, and replaced by the next run.
    pub complete: bool,
}

/// An event that does not fit the state: a damaged journal, or a bug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IllegalEvent {
    /// A sentence.
    pub message: String,
}

impl Intended {
    /// The address it is about.
    pub fn addr(&self) -> &Addr {
        match self {
            Intended::Create { addr, .. } | Intended::Update { addr } => addr,
            Intended::Delete { key } => &key.addr,
        }
    }

    /// The object it is about.
    pub fn key(&self) -> ObjectKey {
        match self {
            Intended::Create { addr, .. } | Intended::Update { addr } => addr.current(),
            Intended::Delete { key } => key.clone(),
        }
    }
}

impl State {
    /// Takes in what happened. The only thing that changes a state.
    pub fn record(&mut self, event: &Event) -> Result<(), IllegalEvent> {
        match event {
            Event::RunStarted { .. } => {}
            Event::Moved { from, to } => {
                if self.objects.contains_key(&to.current()) {
                    return illegal(format!("{from} cannot move to {to}: it is taken"));
                }
                let keys: Vec<ObjectKey> = (self.objects.range(from.current()..))
                    .map(|(key, _)| key.clone())
                    .take_while(|it| it.addr == *from)
                    .collect();
                if keys.is_empty() {
                    return illegal(format!("{from} cannot move to {to}: there is none"));
                }
                for key in keys {
                    let object = self.objects.remove(&key).ok_or_else(|| unknown_object(&key))?;
                    self.objects
                        .insert(ObjectKey { addr: to.clone(), deposed: key.deposed }, object);
                }
            }
            Event::Drifted { key, attrs } => {
                let object = self.objects.get_mut(key).ok_or_else(|| unknown_object(key))?;
                object.attrs = attrs.clone();
            }
            Event::Seen { key, unmanaged } => {
                let object = self.objects.get_mut(key).ok_or_else(|| unknown_object(key))?;
                object.unmanaged.clone_from(unmanaged);
            }
            Event::Vanished { key } | Event::Forgotten { key } => {
                self.objects.remove(key).ok_or_else(|| unknown_object(key))?;
            }
            Event::Settled { token, left } => {
                let mut intent = self.started(token)?;
                // Nobody knows how far an update came: the object may lean on old and new.
                if let Intended::Update { addr } = &intent.action
                    && let Some(object) = self.current(addr)
                {
                    let both: BTreeSet<&ConfigAddr> =
                        intent.needs.iter().chain(object.needs.iter()).collect();
                    let both = both.into_iter().cloned().collect();
                    intent.needs = both;
                }
                self.conclude(intent, left)?;
            }
            Event::Finished { token, left } => {
                let intent = self.started(token)?;
                self.conclude(intent, left)?;
            }
            Event::Started { token, intent } => {
                if self.in_doubt.insert(*token, intent.clone()).is_some() {
                    return illegal(format!("call {token} was started twice"));
                }
            }
            Event::Recorded { key, object } => {
                self.objects.insert(key.clone(), object.clone());
            }
            Event::Output { name, value } => {
                match value {
                    Some(value) => self.outputs.insert(name.clone(), value.clone()),
                    None => self.outputs.remove(name),
                };
            }
            Event::Checked { results } => self.checks = results.clone(),
        }
        Ok(())
    }

    /// Replays a journal onto an empty state.
    pub fn replay<'a>(events: impl IntoIterator<Item = &'a Event>) -> Result<State, IllegalEvent> {
        let mut state = State::default();
        events.into_iter().try_for_each(|it| state.record(it))?;
        Ok(state)
    }

    /// Events that make this state, but for its lineage and serial, from an empty one.
    pub fn events(&self) -> Vec<Event> {
        let objects = self
            .objects
            .iter()
            .map(|(key, object)| Event::Recorded { key: key.clone(), object: object.clone() });
        let doubts = self
            .in_doubt
            .iter()
            .map(|(token, intent)| Event::Started { token: *token, intent: intent.clone() });
        let outputs = self
            .outputs
            .iter()
            .map(|(name, value)| Event::Output { name: name.clone(), value: Some(value.clone()) });
        let checks =
            (!self.checks.is_empty()).then(|| Event::Checked { results: self.checks.clone() });
        objects.chain(doubts).chain(outputs).chain(checks).collect()
    }

    fn started(&mut self, token: &Token) -> Result<Intent, IllegalEvent> {
        self.in_doubt
            .remove(token)
            .ok_or_else(|| IllegalEvent { message: format!("call {token} was never started") })
    }

    fn conclude(&mut self, intent: Intent, left: &Effect) -> Result<(), IllegalEvent> {
        match (intent.action, left) {
            (_, Effect::Nothing) => {}
            (Intended::Create { addr, retire }, Effect::Made(remote)) => {
                let current = addr.current();
                if let Some(old) = self.objects.remove(&current) {
                    let Some(deposed) = retire else {
                        self.objects.insert(current, old);
                        return illegal(format!("{addr} was created but is already there"));
                    };
                    let key = ObjectKey { addr, deposed: Some(deposed) };
                    if self.objects.contains_key(&key) {
                        return illegal(format!("{key} is already there"));
                    }
                    self.objects.insert(key, old);
                }
                let object = Object {
                    attrs: marked_like(&remote.attrs, &intent.planned),
                    private: remote.private.clone(),
                    schema_version: intent.schema_version,
                    provider: intent.provider,
                    needs: intent.needs,
                    tainted: !remote.complete,
                    create_before_destroy: intent.create_before_destroy,
                    unmanaged: None,
                };
                self.objects.insert(current, object);
            }
            (Intended::Update { addr }, Effect::Made(remote)) => {
                let key = addr.current();
                let object = self.objects.get_mut(&key).ok_or_else(|| unknown_object(&key))?;
                object.attrs = marked_like(&remote.attrs, &intent.planned);
                object.private.clone_from(&remote.private);
                object.schema_version = intent.schema_version;
                object.provider = intent.provider;
                // Where not all is as planned it may still lean on what it leant on before.
                object.needs = match object.attrs == intent.planned {
                    true => intent.needs,
                    false => either(&object.needs, intent.needs),
                };
                object.tainted = !remote.complete;
                object.create_before_destroy = intent.create_before_destroy;
            }
            (Intended::Update { addr }, Effect::Deleted) => {
                let key = addr.current();
                self.objects.remove(&key).ok_or_else(|| unknown_object(&key))?;
            }
            (Intended::Delete { key }, Effect::Deleted) => {
                self.objects.remove(&key).ok_or_else(|| unknown_object(&key))?;
            }
            (Intended::Delete { key }, Effect::Made(remote)) => {
                let object = self.objects.get_mut(&key).ok_or_else(|| unknown_object(&key))?;
                object.attrs = marked_like(&remote.attrs, &object.attrs);
                object.private.clone_from(&remote.private);
                object.tainted |= !remote.complete;
            }
            // Made and gone again before we heard of it.
            (Intended::Create { .. }, Effect::Deleted) => {}
        }
        Ok(())
    }
}

/// The addresses in any of the two; the second one itself where it has them all.
fn either(old: &[ConfigAddr], new: Arc<[ConfigAddr]>) -> Arc<[ConfigAddr]> {
    let all: BTreeSet<&ConfigAddr> = old.iter().chain(new.iter()).collect();
    if all.len() == new.len() { new } else { all.into_iter().cloned().collect() }
}

/// `actual` with the marks of `planned`.
pub fn marked_like(actual: &Value, planned: &Value) -> Value {
    if planned.marks_deep().is_empty() {
        return actual.clone();
    }
    let (_, marks) = planned.unmark_deep_with_paths();
    actual.mark_with_paths(marks.iter().map(|(path, marks)| (path, *marks)))
}

fn unknown_object(key: &ObjectKey) -> IllegalEvent {
    IllegalEvent { message: format!("{key} is not in the state") }
}

fn illegal<T>(message: String) -> Result<T, IllegalEvent> {
    Err(IllegalEvent { message })
}

impl std::fmt::Display for IllegalEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for IllegalEvent {}
