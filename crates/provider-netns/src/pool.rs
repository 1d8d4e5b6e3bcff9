//! The way to a cloud's holder: a few lines to it, kept and shared by calls. Blocks.

use std::error::Error;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use plumb_netns::client::{self, Client, ClientError, Follower};
use plumb_netns::spec::{Kind, Spec};
use plumb_netns::wire::{Given, Object, Reply, Request, Stands};
use plumb_provider::Failure;

use crate::chosen::leave_chosen;

/// Something on the way broke.
pub(crate) type Broken = Box<dyn Error + Send + Sync>;

/// How a holder is reached.
pub(crate) trait Door: Send + Sync {
    /// A line to the holder; none if there is none, and then nothing exists but what is kept.
    /// Starts nothing.
    fn open(&self) -> Result<Option<Box<dyn Line>>, Broken>;

    /// The same, to change something that is there: a holder is started for what is kept.
    fn open_to_change(&self) -> Result<Option<Box<dyn Line>>, Broken>;

    /// What is there without a holder, each with the call that made it.
    fn kept(&self) -> Result<Vec<(Spec, String)>, Broken>;

    /// The holder's news; none if there is no holder.
    fn follow(&self) -> Result<Option<Follower>, Broken>;

    /// A line to the holder, which is started if there is none.
    fn start(&self) -> Result<Box<dyn Line>, Broken>;
}

/// A line to a holder.
pub(crate) trait Line: Send {
    fn call(&mut self, request: &Request) -> Result<Reply, Broken>;
    fn enter(&mut self, kind: Kind, name: &str) -> Result<OwnedFd, Broken>;
}

/// The folder of a cloud.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Door for Folder {
    fn open(&self) -> Result<Option<Box<dyn Line>>, Broken> {
        let client = Client::open(&self.0)?;
        Ok(client.map(|it| Box::new(it) as Box<dyn Line>))
    }

    fn open_to_change(&self) -> Result<Option<Box<dyn Line>>, Broken> {
        let client = Client::open_to_change(&self.0)?;
        Ok(client.map(|it| Box::new(it) as Box<dyn Line>))
    }

    fn kept(&self) -> Result<Vec<(Spec, String)>, Broken> {
        Ok(client::kept(&self.0)?)
    }

    fn follow(&self) -> Result<Option<Follower>, Broken> {
        Ok(Client::open(&self.0)?.map(Client::follow).transpose()?)
    }

    fn start(&self) -> Result<Box<dyn Line>, Broken> {
        Ok(Box::new(Client::start(&self.0)?))
    }
}

impl Line for Client {
    fn call(&mut self, request: &Request) -> Result<Reply, Broken> {
        Ok(Client::call(self, request)?)
    }

    fn enter(&mut self, kind: Kind, name: &str) -> Result<OwnedFd, Broken> {
        Ok(Client::enter(self, kind, name)?)
    }
}

/// Lines to one holder.
pub(crate) struct Pool {
    door: Box<dyn Door>,
    idle: Mutex<Vec<Box<dyn Line>>>,
    /// How many follow with this pool: then no line is kept, since a holder stays for every line.
    following: AtomicUsize,
}

/// How often, and after which pause, what may be sent twice is sent again.
const TRIES_MAX: u32 = 10;
const PAUSE: Duration = Duration::from_millis(50);

/// What came of a request that changes something.
pub(crate) enum Changed {
    Reply(Reply),
    /// It was not sent.
    Unsent(Failure),
    /// It was sent, and nobody knows what came of it.
    Lost(Failure),
}

impl Pool {
    pub(crate) fn new(door: Box<dyn Door>) -> Pool {
        Pool { door, idle: Mutex::new(Vec::new()), following: AtomicUsize::new(0) }
    }

    /// Sends what may be sent twice and changes nothing. None: there is no holder.
    pub(crate) fn ask(&self, request: &Request) -> Result<Option<Reply>, Failure> {
        self.ask_by(request, || self.door.open())
    }

    /// Takes an object away. None: there is no holder, and no object.
    pub(crate) fn delete(&self, kind: Kind, name: String) -> Result<Option<Reply>, Failure> {
        let request = Request::Delete { kind, name };
        self.ask_by(&request, || self.door.open_to_change())
    }

    fn ask_by(
        &self,
        request: &Request,
        open: impl Fn() -> Result<Option<Box<dyn Line>>, Broken>,
    ) -> Result<Option<Reply>, Failure> {
        if let Some(mut line) = self.kept()
            && let Ok(reply) = line.call(request)
        {
            self.keep(line);
            return Ok(Some(reply));
        }
        // A line that was kept may lead to a holder that has ended since.
        let mut tries = 0;
        loop {
            let Some(mut line) = open().map_err(unreachable)? else { return Ok(None) };
            match line.call(request) {
                Ok(reply) => {
                    self.keep(line);
                    return Ok(Some(reply));
                }
                // One that is being killed still takes calls for a moment, and answers none.
                Err(_) if tries < TRIES_MAX => {
                    tries += 1;
                    std::thread::sleep(PAUSE);
                }
                Err(error) => return Err(unreachable(error)),
            }
        }
    }

    /// Makes an object, and a holder if there is none.
    pub(crate) fn create(&self, request: &Request) -> Changed {
        // A line that was kept has to prove itself: only what was not sent can be sent again.
        let kept = self.kept().and_then(|mut line| {
            let alive = line.call(&Request::Hello).is_ok();
            alive.then_some(line)
        });
        match kept.map_or_else(|| self.door.start(), Ok) {
            Ok(line) => self.change(line, request),
            Err(error) => Changed::Unsent(unreachable(error)),
        }
    }

    /// Makes an object otherwise. It must be there.
    pub(crate) fn update(&self, mut spec: Spec) -> Changed {
        let gone = |name: &str| {
            let detail = format!("{name:?} was there when the plan was made. Plan again.");
            Changed::Unsent(Failure::new("The object is gone", detail))
        };
        let read = match self.read(vec![(spec.kind(), spec.name().to_owned())]) {
            Ok(all) => all.into_iter().next().flatten(),
            Err(failure) => return Changed::Unsent(failure),
        };
        let Some(is) = read else { return gone(spec.name()) };
        leave_chosen(&mut spec, &is);
        let line = match self.kept() {
            Some(line) => line,
            None => match self.door.open_to_change() {
                Ok(Some(line)) => line,
                Ok(None) => return gone(spec.name()),
                Err(error) => return Changed::Unsent(unreachable(error)),
            },
        };
        self.change(line, &Request::Update { spec })
    }

    fn change(&self, mut line: Box<dyn Line>, request: &Request) -> Changed {
        match line.call(request) {
            Ok(reply) => {
                self.keep(line);
                Changed::Reply(reply)
            }
            Err(error) => Changed::Lost(unreachable(error)),
        }
    }

    /// Objects as they are now; if there is no holder, only what is kept without one.
    pub(crate) fn read(
        &self,
        objects: Vec<(Kind, String)>,
    ) -> Result<Vec<Option<Object>>, Failure> {
        let request = Request::Read { objects };
        let reply = self.ask(&request)?;
        let Request::Read { objects } = request else { return Ok(Vec::new()) };
        match reply {
            None => {
                let kept = self.door.kept().map_err(unreachable)?;
                let find = |(kind, name): &(Kind, String)| {
                    kept.iter().find(|(it, _)| (it.kind(), it.name()) == (*kind, name))
                };
                Ok(objects.iter().map(|it| find(it).map(|it| at_rest(&it.0))).collect())
            }
            Some(Reply::Objects(all)) if all.len() == objects.len() => Ok(all),
            Some(other) => Err(unexpected(&other)),
        }
    }

    /// What a call made.
    pub(crate) fn find(&self, token: String) -> Result<Option<Object>, Failure> {
        match self.ask(&Request::Find { token: token.clone() })? {
            None => {
                let kept = self.door.kept().map_err(unreachable)?;
                Ok(kept.iter().find(|it| it.1 == token).map(|it| at_rest(&it.0)))
            }
            Some(Reply::Objects(all)) => Ok(all.into_iter().flatten().next()),
            Some(other) => Err(unexpected(&other)),
        }
    }

    /// What stands beside objects; nothing if there is no holder.
    pub(crate) fn beside(&self, ours: Vec<(Kind, String)>) -> Result<Vec<Stands>, Failure> {
        match self.ask(&Request::Beside { ours })? {
            None => Ok(Vec::new()),
            Some(Reply::Beside(all)) => Ok(all),
            Some(other) => Err(unexpected(&other)),
        }
    }

    /// The holder's news; none if there is no holder.
    pub(crate) fn follow(&self) -> Result<Option<Follower>, Failure> {
        self.door.follow().map_err(|it| match it.downcast_ref::<ClientError>() {
            Some(ClientError::Refused(refusal)) => {
                Failure::new(refusal.summary.clone(), refusal.detail.clone())
            }
            _ => unreachable(it),
        })
    }

    /// Until the end of what is given, no line is kept.
    pub(crate) fn following(self: &Arc<Pool>) -> Following {
        self.following.fetch_add(1, Ordering::SeqCst);
        self.idle().clear();
        Following(self.clone())
    }

    /// A file that leads into an object.
    pub(crate) fn enter(&self, kind: Kind, name: &str) -> Result<OwnedFd, Failure> {
        let line = self.door.open().map_err(unreachable)?;
        let Some(mut line) = line else {
            let detail = format!("Nothing of this cloud is there, {name:?} neither.");
            return Err(Failure::new("The object is gone", detail));
        };
        let file = line.enter(kind, name);
        file.map_err(|it| {
            // Its words are the reason; its summary alone is none.
            let why = match it.downcast_ref::<ClientError>() {
                Some(ClientError::Refused(refusal)) => {
                    format!("{}: {}", refusal.summary, refusal.detail)
                }
                _ => causes(&*it),
            };
            Failure::new(format!("Cannot enter {name:?}"), why)
        })
    }

    fn kept(&self) -> Option<Box<dyn Line>> {
        self.idle().pop()
    }

    fn keep(&self, line: Box<dyn Line>) {
        // Looked at with the lock held: whoever begins to follow clears what was kept before.
        let mut idle = self.idle();
        if self.following.load(Ordering::SeqCst) == 0 {
            idle.push(line);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Box<dyn Line>>> {
        // Nothing is half done while it is held.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody follows.
pub(crate) struct Following(Arc<Pool>);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.following.fetch_sub(1, Ordering::SeqCst);
    }
}

/// An object that is kept without a holder.
fn at_rest(spec: &Spec) -> Object {
    Object { spec: spec.clone(), given: Given::default() }
}

/// The holder says what nobody asked.
pub(crate) fn unexpected(reply: &Reply) -> Failure {
    if let Reply::Refused { refusal, .. } = reply {
        return Failure::new(refusal.summary.clone(), refusal.detail.clone());
    }
    let detail = "The holder was started by another version, or this is a bug.";
    Failure::new("Unexpected answer from the holder of the cloud", detail)
}

pub(crate) fn unreachable(error: Broken) -> Failure {
    Failure::new("Cannot talk to the holder of the cloud", causes(&*error))
}

/// A message and its causes, as a sentence.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    if text.ends_with('.') { text } else { format!("{text}.") }
}
