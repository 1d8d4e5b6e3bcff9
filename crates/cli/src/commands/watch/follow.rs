//! Listens to the systems that tell what happens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use plumb_engine::{Engine, Providers};
use plumb_model::addr::{Kind, Mode, ProviderAddr};
use plumb_model::state::State;
use plumb_model::value::Value;
use plumb_provider::{Failure, Touched};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

/// After how long it is tried again to listen.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Something heard, or not.
#[derive(Debug)]
pub(crate) enum Heard {
    /// The system told of something.
    Touched(Touched),
    /// It tells nothing: there are only regular looks.
    Silent,
    /// Nothing can be heard for now.
    Lost(Failure),
}

/// How it is listened to a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ear {
    /// Not yet.
    Connecting,
    /// It tells what happens.
    Following,
    /// It tells nothing.
    Silent,
    /// It cannot be heard.
    Lost,
}

/// Those who listen, one for each system.
pub(crate) struct Followers {
    heard: UnboundedSender<(Arc<ProviderAddr>, Heard)>,
    them: BTreeMap<Arc<ProviderAddr>, Follower>,
}

struct Follower {
    task: JoinHandle<()>,
    about: About,
}

/// What a system was asked to tell about; another one needs another follower.
#[derive(PartialEq)]
struct About {
    config: Value,
    ours: Vec<(Kind, Value)>,
}

impl Followers {
    pub(crate) fn new(heard: UnboundedSender<(Arc<ProviderAddr>, Heard)>) -> Followers {
        Followers { heard, them: BTreeMap::new() }
    }

    /// Listens to what concerns the objects of this state. The systems that are listened to anew.
    pub(crate) fn follow(
        &mut self,
        engine: &Arc<Engine>,
        providers: &Providers,
        state: &State,
    ) -> Vec<Arc<ProviderAddr>> {
        let mut wanted: BTreeMap<Arc<ProviderAddr>, About> = BTreeMap::new();
        for (key, object) in &state.objects {
            if key.addr.resource.mode != Mode::Managed {
                continue;
            }
            let config = || providers.get(&object.provider).cloned().unwrap_or(Value::NULL);
            let about = wanted
                .entry(object.provider.clone())
                .or_insert_with(|| About { config: config(), ours: Vec::new() });
            let id = object.attrs.get_attr("id").map_or(Value::NULL, |it| it.unmark_deep());
            about.ours.push((key.addr.resource.kind.clone(), id));
        }
        self.them.retain(|addr, it| {
            let stays = wanted.contains_key(addr);
            if !stays {
                it.task.abort();
            }
            stays
        });
        let mut anew = Vec::new();
        let mut shared: Option<Arc<State>> = None;
        for (addr, about) in wanted {
            if self.them.get(&addr).is_some_and(|it| it.about == about) {
                continue;
            }
            let state = shared.get_or_insert_with(|| Arc::new(state.clone())).clone();
            let (engine, heard) = (engine.clone(), self.heard.clone());
            let config = about.config.clone();
            let task = tokio::spawn(listen(engine, addr.clone(), config, state, heard));
            if let Some(old) = self.them.insert(addr.clone(), Follower { task, about }) {
                old.task.abort();
            }
            anew.push(addr);
        }
        anew
    }

    /// The systems that are listened to.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        self.them.keys().map(ToString::to_string)
    }
}

impl Drop for Followers {
    fn drop(&mut self) {
        self.them.values().for_each(|it| it.task.abort());
    }
}

/// Listens until there is nothing to hear.
async fn listen(
    engine: Arc<Engine>,
    addr: Arc<ProviderAddr>,
    config: Value,
    state: Arc<State>,
    heard: UnboundedSender<(Arc<ProviderAddr>, Heard)>,
) {
    let mut pause = PAUSE;
    loop {
        let since = Instant::now();
        let tell = |what| {
            let _ = heard.send((addr.clone(), Heard::Touched(what)));
        };
        match engine.follow(&addr, &config, &state, &tell).await {
            Ok(()) => {
                let _ = heard.send((addr.clone(), Heard::Silent));
                return;
            }
            Err(failure) => {
                let _ = heard.send((addr.clone(), Heard::Lost(failure)));
            }
        }
        engine.reconnect();
        if since.elapsed() > PAUSE_MAX {
            pause = PAUSE;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}
