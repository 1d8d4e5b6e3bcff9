//! The process that holds a cloud: its namespaces, its hosts, and what is known of them. Without
//! threads, so that it may fork hosts off itself.

mod answer;
mod ground;
mod news;
mod server;

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Instant;

use crate::client::{READY, TAKEN};
use answer::Held;
pub(crate) use ground::clear;
use server::Server;

/// The cloud cannot be held.
#[derive(Debug, thiserror::Error)]
pub enum HolderError {
    /// The machine does not allow it.
    #[error("{0}")]
    Ground(String),
    /// Something in the folder or with the socket.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was to be done.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

fn io(what: &'static str) -> impl FnOnce(io::Error) -> HolderError {
    move |source| HolderError::Io { what, source }
}

/// Holds the cloud in `folder` until nothing is left of it and nobody asks. The first line on standard
/// output says whether it can be asked, or why not. To be called before the process has a thread.
///
/// # Errors
/// If it could not begin.
pub fn run(folder: &Path) -> Result<(), HolderError> {
    let begun = begin(folder);
    let said = match &begun {
        Ok(Some(_)) => READY.to_owned(),
        Ok(None) => TAKEN.to_owned(),
        Err(error) => error.to_string().replace('\n', " "),
    };
    let _ = writeln!(io::stdout(), "{said}");
    // Whoever started us reads that line and no more.
    let null = File::options().read(true).write(true).open("/dev/null");
    if let Ok(null) = null {
        let _ = rustix::stdio::dup2_stdout(&null);
    }
    let Some((mut server, mut held, _lock)) = begun? else { return Ok(()) };
    loop {
        let next = held.tick(Instant::now());
        if server.wait(&held.files(), next).map_err(io("wait for requests"))? {
            held.hear(Instant::now());
        }
        server.serve(|request| held.answer(request));
        match (server.is_followed(), held.is_followed()) {
            (false, true) => held.unfollow(),
            // Nothing can be heard any more.
            (true, false) => server.leave_followers(),
            _ => {}
        }
        if let Some(news) = held.news() {
            server.tell(&news);
        }
        if held.is_empty() && server.is_idle() && server.close().map_err(io("end"))? {
            // A snapshot may lie on an image.
            if !folder.join("snapshots").exists() {
                let _ = clear(&folder.join("images"));
            }
            return Ok(());
        }
    }
}

fn begin(folder: &Path) -> Result<Option<(Server, Held, File)>, HolderError> {
    let lock = File::options().create(true).append(true).mode(0o600).open(folder.join("lock"));
    let lock = lock.map_err(io("open the cloud's lock"))?;
    if rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(None);
    }
    let ground = ground::take(folder).map_err(HolderError::Ground)?;
    // What a holder that was killed left: its namespaces are gone with it.
    clear(&folder.join("hosts")).map_err(io("clear what the last holder left"))?;
    let held = Held::new(folder, &ground).map_err(io("read the snapshots"))?;
    let server = Server::listen(folder).map_err(io("listen on the cloud's socket"))?;
    Ok(Some((server, held, lock)))
}
