//! A server that keeps a state as Terraform's backend `http` wants it.

use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine;
use md5::Digest;

use super::{Asked, Listening, Told, told};

/// What it keeps, and what it insists on.
#[derive(Default)]
pub struct World {
    pub state: Option<Vec<u8>>,
    /// The lock, as its holder sent it.
    pub lock: Option<Vec<u8>>,
    /// `Authorization` that a request must have.
    pub authorization: Option<String>,
    /// Of the holder it tells the identifier and little more, as GitLab does.
    pub terse: bool,
    pub lock_method: Option<&'static str>,
    pub unlock_method: Option<&'static str>,
}

pub struct StateServer {
    pub listening: Listening,
    world: Arc<Mutex<World>>,
}

impl StateServer {
    pub fn start() -> StateServer {
        StateServer::with(World::default(), None)
    }

    pub fn with(world: World, tls: Option<rustls::ServerConfig>) -> StateServer {
        let world = Arc::new(Mutex::new(world));
        let kept = world.clone();
        let listening = Listening::start(tls, move |it| kept.lock().unwrap().answer(it));
        StateServer { listening, world }
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/state", self.listening.port)
    }

    pub fn lock_url(&self) -> String {
        format!("{}/lock", self.url())
    }
}

impl World {
    fn answer(&mut self, asked: &Asked) -> Told {
        if self.authorization.as_deref() != asked.header("authorization") {
            return told(401, "who are you?");
        }
        if let Some(sum) = asked.header("content-md5") {
            let engine = base64::engine::general_purpose::STANDARD;
            if engine.encode(md5::Md5::digest(&asked.body)) != sum {
                return told(400, "garbled");
            }
        }
        let lock = self.lock_method.unwrap_or("LOCK");
        let unlock = self.unlock_method.unwrap_or("UNLOCK");
        match (asked.path.as_str(), asked.method.as_str()) {
            ("/state", "GET") => match &self.state {
                Some(state) => told(200, state.clone()),
                None => told(404, ""),
            },
            ("/state", "POST" | "PUT") => {
                let id = asked.query.split('&').find_map(|it| it.strip_prefix("ID="));
                match (id, self.holder()) {
                    (None, None) => {}
                    (Some(id), Some(holder)) if id == holder => {}
                    (Some(_), None) => return told(409, "not locked"),
                    _ => return self.locked(),
                }
                self.state = Some(asked.body.clone());
                told(200, "")
            }
            ("/state/lock", method) if method == lock => match &self.lock {
                None => {
                    self.lock = Some(asked.body.clone());
                    told(200, "")
                }
                Some(_) => self.locked(),
            },
            ("/state/lock", method) if method == unlock => match self.holder() {
                None => told(404, "not locked"),
                Some(holder) if id(&asked.body).as_deref() == Some(holder.as_str()) => {
                    self.lock = None;
                    told(200, "")
                }
                Some(_) => self.locked(),
            },
            _ => told(405, ""),
        }
    }

    pub fn holder(&self) -> Option<String> {
        id(self.lock.as_ref()?)
    }

    fn locked(&self) -> Told {
        let lock = self.lock.clone().unwrap_or_default();
        if !self.terse {
            return told(423, lock);
        }
        let id = self.holder().unwrap_or_default();
        let text = serde_json::json!({ "ID": id, "Who": "somebody", "Created": "" });
        told(409, text.to_string())
    }
}

fn id(lock: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(lock).ok()?;
    Some(value["ID"].as_str()?.to_owned())
}
