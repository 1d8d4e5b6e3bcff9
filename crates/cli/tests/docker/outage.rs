//! The engine is down, goes down on the way, or its replies are lost.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::topology;
use crate::world::{World, docker, env, eventually};

/// Between the command and the engine.
struct Proxy {
    state: Arc<Shared>,
    path: PathBuf,
}

#[derive(Default)]
struct Shared {
    down: AtomicBool,
    /// Requests seen so far that make or change something.
    posts: AtomicUsize,
    /// Goes down when that many were seen; they reach the engine, their replies nobody.
    posts_max: AtomicUsize,
    /// The reply to a request with this in its first line is lost; once.
    lose: Mutex<Option<&'static str>>,
    open: Mutex<Vec<UnixStream>>,
}

impl Proxy {
    fn start(world: &mut World) -> Proxy {
        let path = world.path().join("engine.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let state = Arc::new(Shared::default());
        state.posts_max.store(usize::MAX, Ordering::SeqCst);
        let engine = env("DOCKER_HOST").trim_start_matches("unix://").to_owned();
        let shared = state.clone();
        // Ends with the process.
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                if shared.down.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(server) = UnixStream::connect(&engine) else { continue };
                shared.carry(client, server);
            }
        });
        world.host = format!("unix://{}", path.display());
        Proxy { state, path }
    }

    /// Back, once it has been down.
    fn up(&self) {
        eventually("the engine is down", || self.state.down.load(Ordering::SeqCst));
        self.state.posts_max.store(usize::MAX, Ordering::SeqCst);
        self.state.down.store(false, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.cut();
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Shared {
    /// All connections end, and no other begins.
    fn cut(&self) {
        self.down.store(true, Ordering::SeqCst);
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn carry(self: &Arc<Self>, client: UnixStream, server: UnixStream) {
        let mut open = self.open.lock().unwrap();
        open.extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
        drop(open);
        let lost = Arc::new(AtomicBool::new(false));
        let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let (shared, loses) = (self.clone(), lost.clone());
        thread::spawn(move || {
            let mut piece = vec![0; 1 << 16];
            while let Ok(length @ 1..) = from.read(&mut piece) {
                let last = shared.look(&piece[..length], &loses);
                if to.write_all(&piece[..length]).is_err() {
                    break;
                }
                if last {
                    // Time for the engine to act on it.
                    thread::sleep(std::time::Duration::from_millis(300));
                    shared.cut();
                }
            }
            let _ = to.shutdown(Shutdown::Write);
        });
        let (mut from, mut to) = (server, client);
        thread::spawn(move || {
            let mut piece = vec![0; 1 << 16];
            while let Ok(length @ 1..) = from.read(&mut piece) {
                if lost.load(Ordering::SeqCst) || to.write_all(&piece[..length]).is_err() {
                    break;
                }
            }
            let _ = to.shutdown(Shutdown::Both);
            let _ = from.shutdown(Shutdown::Both);
        });
    }

    /// Whether the engine goes down with this request.
    fn look(&self, piece: &[u8], loses: &AtomicBool) -> bool {
        let text = String::from_utf8_lossy(piece);
        let line = text.lines().next().unwrap_or_default();
        if !line.starts_with("POST ") && !line.starts_with("DELETE ") {
            return false;
        }
        let mut lose = self.lose.lock().unwrap();
        if lose.is_some_and(|it| line.contains(it)) {
            *lose = None;
            loses.store(true, Ordering::SeqCst);
        }
        let seen = self.posts.fetch_add(1, Ordering::SeqCst) + 1;
        let last = seen == self.posts_max.load(Ordering::SeqCst);
        if last {
            loses.store(true, Ordering::SeqCst);
        }
        last
    }
}

#[test]
fn an_engine_that_is_down_is_an_error_and_the_state_stays_as_it_was() {
    let config = r#"resource "docker_network" "n" { name = "PREFIX-n" }"#;
    let mut world = World::new("down", config);
    world.settle();
    let before = std::fs::read(world.path().join("terraform.tfstate")).unwrap();
    let engine = std::mem::replace(&mut world.host, "unix:///nowhere/docker.sock".to_owned());
    for verb in ["plan", "apply", "destroy"] {
        let approve = (verb != "plan").then_some("-auto-approve");
        let args: Vec<_> = [Some(verb), approve, Some("-no-color")].into_iter().flatten().collect();
        let ran = world.run(&args);
        assert_eq!(ran.code, Some(1), "{}", ran.all());
        let said = ran.all();
        assert!(said.contains("Error: "), "{said}");
        assert!(said.contains("/nowhere/docker.sock"), "{said}");
        assert_eq!(std::fs::read(world.path().join("terraform.tfstate")).unwrap(), before);
        world.at_rest();
    }
    world.host = engine;
    world.nothing_to_do();
    world.end();
}

/// At the first, the fourth, the eighth … request that makes something.
#[test]
fn an_engine_that_goes_down_on_the_way_is_an_error_and_the_next_apply_finishes() {
    let mut world = topology::world("outage");
    let proxy = Proxy::start(&mut world);
    for posts in [1, 4, 8, 11] {
        proxy.state.posts.store(0, Ordering::SeqCst);
        proxy.state.posts_max.store(posts, Ordering::SeqCst);
        let ran = world.run(&["apply", "-auto-approve", "-no-color"]);
        assert_eq!(ran.code, Some(1), "after {posts} requests: {}", ran.all());
        assert!(ran.all().contains("Error: "), "{}", ran.all());
        proxy.up();
        world.apply();
        world.nothing_to_do();
        topology::whole(&world);

        proxy.state.posts.store(0, Ordering::SeqCst);
        proxy.state.posts_max.store(posts.min(5), Ordering::SeqCst);
        let ran = world.run(&["destroy", "-auto-approve", "-no-color"]);
        assert_eq!(ran.code, Some(1), "after {posts} requests: {}", ran.all());
        proxy.up();
        world.destroy();
        topology::nothing(&world);
    }
}

/// The engine has done it, but nobody was told.
#[test]
fn a_lost_reply_is_looked_into() {
    let mut world = topology::world("lost");
    let proxy = Proxy::start(&mut world);
    for request in
        ["/containers/create", "/networks/create", "/volumes/create", "/build", "/commit", "/start"]
    {
        *proxy.state.lose.lock().unwrap() = Some(request);
        let ran = world.run(&["apply", "-auto-approve", "-no-color"]);
        assert!(proxy.state.lose.lock().unwrap().is_none(), "{request} was never made");
        // It may have been found out at once.
        assert!(matches!(ran.code, Some(0 | 1)), "{}", ran.all());
        world.apply();
        world.nothing_to_do();
        topology::whole(&world);
        world.destroy();
        topology::nothing(&world);
    }
    let prefix = format!("name={}-", world.prefix);
    assert_eq!(docker(&["ps", "-aq", "--filter", &prefix]), "");
}
