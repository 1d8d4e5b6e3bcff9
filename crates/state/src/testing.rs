//! Schemas that tests decode with, and lives of states.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_model::addr::{Addr, ConfigAddr, DeposedKey, Kind, ObjectKey, ProviderAddr};
use plumb_model::event::{Effect, Event, Intended, Intent, Remote};
use plumb_model::schema::{Attribute, Block, Presence, ProviderSchema, ResourceSchema, Schemas};
use plumb_model::state::{CheckResult, CheckStatus, Object, State, Token};
use plumb_model::value::{Marks, Type, Value};

pub(crate) const BUILTIN: &str = "terraform.io/builtin/terraform";

pub(crate) fn schemas() -> Schemas {
    let block = |attrs: &[(&str, Type)]| {
        let attrs = attrs.iter().map(|(name, ty)| {
            (Arc::from(*name), Attribute::new(ty.clone(), Presence::OptionalComputed))
        });
        Arc::new(ResourceSchema::new(Block::new(attrs.collect(), BTreeMap::new())))
    };
    let data = block(&[
        ("id", Type::String),
        ("input", Type::Dynamic),
        ("output", Type::Dynamic),
        ("triggers_replace", Type::Dynamic),
    ]);
    let remote = block(&[
        ("backend", Type::String),
        ("config", Type::Dynamic),
        ("defaults", Type::Dynamic),
        ("outputs", Type::Dynamic),
        ("workspace", Type::String),
    ]);
    let provider = ProviderSchema {
        source: BUILTIN.into(),
        name: "terraform".into(),
        config: Block::default(),
        resources: [(Kind::new("terraform_data"), data)].into(),
        data: [(Kind::new("terraform_remote_state"), remote)].into(),
    };
    Schemas { providers: [(BUILTIN.into(), Arc::new(provider))].into() }
}

/// A life of a state: legal events that a seed determines, every kind among them, and the state
/// that they lead to from `state`.
pub(crate) fn life(seed: u64, length: usize, state: &mut State) -> Vec<Event> {
    let mut seed = seed.wrapping_mul(2) | 1;
    let mut random = move |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 11) % below
    };
    let provider: Arc<ProviderAddr> =
        Arc::new(format!("provider[\"{BUILTIN}\"]").parse().expect("a provider"));
    let names = [
        "terraform_data.a",
        "terraform_data.b[0]",
        "terraform_data.b[1]",
        "module.m[\"k \\\"<é\"].terraform_data.c[\"x\"]",
    ];
    let needs: Arc<[ConfigAddr]> =
        Arc::from(["terraform_data.z".parse().expect("an address")].as_slice());
    let mut events = Vec::new();
    let run = random(u64::MAX);
    let mut step = 0;
    let mut tries = 0;
    while events.len() < length {
        tries += 1;
        let addr: Addr = names[random(4) as usize].parse().expect("an address");
        let attrs = |n: u64| {
            let input = match n % 4 {
                0 => Value::string("<text>\n"),
                1 => Value::number(1),
                2 => {
                    Value::list(Type::String, vec![Value::string("x").with_marks(Marks::SENSITIVE)])
                }
                _ => Value::null(Type::String),
            };
            let null = || Value::NULL;
            Value::object([
                ("id", Value::string(n.to_string())),
                ("input", input),
                ("output", null()),
                ("triggers_replace", null()),
            ])
        };
        let remote = Remote {
            attrs: attrs(random(99)).unmark_deep(),
            private: (random(2) == 0).then(|| Arc::from([1, 2, 255].as_slice())),
            complete: random(4) > 0,
        };
        let token = Token { run, step };
        let there = state.current(&addr).is_some();
        let doubt = state.in_doubt.iter().next().map(|(token, intent)| (*token, intent.clone()));
        let event = match random(12) {
            0 => Event::RunStarted { run },
            1..=3 => {
                step += 1;
                // Only one call for an address at a time.
                if state.in_doubt.values().any(|it| it.action.addr() == &addr) {
                    continue;
                }
                let action = match (there, random(3)) {
                    (false, _) => Intended::Create { addr, retire: None },
                    (true, 0) => Intended::Create { addr, retire: Some(DeposedKey::of(token)) },
                    (true, 1) => Intended::Update { addr },
                    (true, _) => Intended::Delete { key: addr.current() },
                };
                let mut planned = attrs(random(99));
                if matches!(action, Intended::Delete { .. }) {
                    planned = Value::NULL;
                }
                Event::Started {
                    token,
                    intent: Intent {
                        action,
                        provider: provider.clone(),
                        planned,
                        schema_version: random(3),
                        needs: needs.clone(),
                        create_before_destroy: random(2) == 0,
                    },
                }
            }
            4..=6 => {
                let Some((token, intent)) = doubt else { continue };
                let left = match (&intent.action, random(4)) {
                    (_, 0) => Effect::Nothing,
                    (Intended::Delete { .. }, _) => Effect::Deleted,
                    (Intended::Create { .. } | Intended::Update { .. }, _) => Effect::Made(remote),
                };
                if random(3) == 0 {
                    Event::Settled { token, left }
                } else {
                    Event::Finished { token, left }
                }
            }
            7 => Event::Drifted { key: addr.current(), attrs: attrs(random(99)) },
            8 => Event::Output {
                name: "o<".into(),
                value: (random(3) > 0).then(|| {
                    if random(2) == 0 { Value::NULL } else { attrs(random(99)).unmark_deep() }
                }),
            },
            9 => Event::Checked {
                results: vec![CheckResult {
                    object_kind: "check",
                    config_addr: "check.c".into(),
                    status: CheckStatus::Fail,
                    objects: vec![("check.c".into(), CheckStatus::Fail, vec!["no <".into()])],
                }],
            },
            10 => {
                let object = Object {
                    attrs: attrs(random(99)),
                    private: None,
                    schema_version: 1,
                    provider: provider.clone(),
                    needs: needs.clone(),
                    tainted: random(2) == 0,
                    create_before_destroy: random(2) == 0,
                    unmanaged: None,
                };
                let deposed = (random(3) == 0)
                    .then(|| DeposedKey(format!("{:08x}", random(u64::from(u32::MAX))).into()));
                Event::Recorded { key: ObjectKey { addr, deposed }, object }
            }
            _ => {
                // Nothing that a call is under way for.
                let busy = |addr: &Addr| state.in_doubt.values().any(|it| it.action.addr() == addr);
                let keys: Vec<&ObjectKey> =
                    state.objects.keys().filter(|it| !busy(&it.addr)).collect();
                if keys.is_empty() {
                    continue;
                }
                let key = keys[random(keys.len() as u64) as usize].clone();
                match random(4) {
                    3 => Event::Seen {
                        key,
                        unmanaged: (random(2) == 0).then(|| attrs(random(99)).unmark_deep()),
                    },
                    0 if !there && !busy(&addr) => Event::Moved { from: key.addr, to: addr },
                    1 => Event::Vanished { key },
                    _ => Event::Forgotten { key },
                }
            }
        };
        assert!(tries < 100 * length + 1000, "the generator is stuck");
        if state.clone().record(&event).is_ok() {
            state.record(&event).expect("just tried");
            events.push(event);
        }
    }
    events
}
