//! The way to a cloud's holder: a few lines to it, kept and shared by calls. Blocks.

use std::error::Error;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use plumb_netns::client::{Client, ClientError};
use plumb_netns::spec::{Kind, Spec};
use plumb_netns::wire::{Object, Reply, Request};
use plumb_provider::Failure;

use crate::chosen::leave_chosen;

/// Something on the way broke.
pub(crate) type Broken = Box<dyn Error + Send + Sync>;

/// How a holder is reached.
pub(crate) trait Door: Send + Sync {
    /// A line to the holder; none if there is none, and then nothing exists.
    fn open(&self) -> Result<Option<Box<dyn Line>>, Broken>;

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
        Pool { door, idle: Mutex::new(Vec::new()) }
    }

    /// Sends what may be sent twice. None: there is no holder.
    pub(crate) fn ask(&self, request: &Request) -> Result<Option<Reply>, Failure> {
        if let Some(mut line) = self.kept()
            && let Ok(reply) = line.call(request)
        {
            self.keep(line);
            return Ok(Some(reply));
        }
        // A line that was kept may lead to a holder that has ended since.
        let mut tries = 0;
        loop {
            let Some(mut line) = self.door.open().map_err(unreachable)? else { return Ok(None) };
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
        let objects = vec![(spec.kind(), spec.name().to_owned())];
        let read = match self.ask(&Request::Read { objects }) {
            Ok(Some(Reply::Objects(all))) => all.into_iter().next().flatten(),
            Ok(Some(other)) => return Changed::Unsent(unexpected(&other)),
            Ok(None) => None,
            Err(failure) => return Changed::Unsent(failure),
        };
        let Some(is) = read else { return gone(spec.name()) };
        leave_chosen(&mut spec, &is);
        let line = match self.kept() {
            Some(line) => line,
            None => match self.door.open() {
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

    /// Objects as they are now; none of them if there is no holder.
    pub(crate) fn read(
        &self,
        objects: Vec<(Kind, String)>,
    ) -> Result<Vec<Option<Object>>, Failure> {
        let wanted = objects.len();
        match self.ask(&Request::Read { objects })? {
            None => Ok(vec![None; wanted]),
            Some(Reply::Objects(all)) if all.len() == wanted => Ok(all),
            Some(other) => Err(unexpected(&other)),
        }
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
        self.idle().push(line);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Box<dyn Line>>> {
        // Nothing is half done while it is held.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The holder says what nobody asked.
pub(crate) fn unexpected(reply: &Reply) -> Failure {
    if let Reply::Refused { refusal, .. } = reply {
        return Failure::new(refusal.summary.clone(), refusal.detail.clone());
    }
    let detail = "The holder was started by another version, or this is a bug.";
    Failure::new("Unexpected answer from the holder of the cloud", detail)
}

fn unreachable(error: Broken) -> Failure {
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
