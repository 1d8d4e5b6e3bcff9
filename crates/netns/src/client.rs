//! The way to a cloud's holder: find it, start it, ask it.

use std::fs::{self, DirBuilder, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use crate::spec::{Kind, Spec};
use crate::wire::{self, Refusal, Reply, Request, Touched};

/// The hidden verb of plumb that is the holder's process: followed by the cloud's folder.
pub const HOLDER: &str = "netns-holder";

/// The socket's name in the cloud's folder.
pub(crate) const SOCKET: &str = "socket";
/// What a holder says on its standard output when it can be asked.
pub(crate) const READY: &str = "ready";

/// How long a holder that ends, or one that starts, is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection to a holder. Blocking.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
}

/// A connection on which a holder tells what happens. Blocking.
#[derive(Debug)]
pub struct Follower {
    stream: UnixStream,
}

/// Ends a [`Follower`]'s waiting when it is dropped.
#[derive(Debug)]
pub struct Leave {
    stream: UnixStream,
}

impl Follower {
    /// What happened; waits until something does.
    ///
    /// # Errors
    /// If nothing will be told any more.
    pub fn hear(&mut self) -> Result<Touched, ClientError> {
        match wire::receive(&mut self.stream).map_err(ClientError::Lost)? {
            Reply::Touched(touched) => Ok(touched),
            _ => Err(ClientError::Lost(io::Error::other("news that are none"))),
        }
    }

    /// What ends the waiting from another thread.
    ///
    /// # Errors
    /// If there are too many files.
    pub fn leave(&self) -> io::Result<Leave> {
        Ok(Leave { stream: self.stream.try_clone()? })
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        // One that is closed already is left.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

/// The holder cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The folder cannot be used.
    #[error("cannot use the cloud's folder {}", folder.display())]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is none and none could be started.
    #[error("cannot start the process that holds the cloud: {said}")]
    Start {
        /// What it said.
        said: String,
    },
    /// The request did not go out whole: it was not done.
    #[error("cannot reach the process that holds the cloud")]
    Unsent(#[source] io::Error),
    /// The request went out; no answer came.
    #[error("the process that holds the cloud went away before it answered")]
    Lost(#[source] io::Error),
    /// It said no.
    #[error(transparent)]
    Refused(Refusal),
}

impl Client {
    /// The holder of the cloud in a folder, if one runs. None: nothing is there but what [`kept`]
    /// says. Nothing is started, and nothing is written.
    ///
    /// # Errors
    /// If the folder cannot be used.
    pub fn open(folder: &Path) -> Result<Option<Client>, ClientError> {
        Client::connect(folder)
    }

    /// The same, to change something that is there: where something is kept without a holder, one
    /// is started.
    ///
    /// # Errors
    /// If the folder cannot be used or the holder does not start.
    pub fn open_to_change(folder: &Path) -> Result<Option<Client>, ClientError> {
        match Client::connect(folder)? {
            Some(client) => Ok(Some(client)),
            None if kept(folder)?.is_empty() => Ok(None),
            None => Client::start(folder).map(Some),
        }
    }

    /// The holder of the cloud in a folder; started if none runs.
    ///
    /// # Errors
    /// If the folder cannot be made or used, or the holder does not start: it says why.
    pub fn start(folder: &Path) -> Result<Client, ClientError> {
        let failed = |source| ClientError::Folder { folder: folder.to_owned(), source };
        // Parents as usual; the folder itself is nobody else's.
        if let Some(parent) = folder.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed(error));
            }
            _ => {}
        }
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(client) = Client::connect(folder)? {
                return Ok(client);
            }
            let said = launch(folder)?;
            if said == READY {
                continue;
            }
            // Another one holds it: either it is about to listen, or it ends.
            if said != TAKEN || Instant::now() > until {
                return Err(ClientError::Start { said });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Asks one thing.
    ///
    /// # Errors
    /// If no answer comes. A refusal is an answer.
    pub fn call(&mut self, request: &Request) -> Result<Reply, ClientError> {
        self.send(request)?;
        wire::receive(&mut self.stream).map_err(ClientError::Lost)
    }

    /// A file by which a host (its init's pidfd), a network or a router (its network namespace) is
    /// entered.
    ///
    /// # Errors
    /// If it is not there or cannot be entered.
    pub fn enter(&mut self, kind: Kind, name: &str) -> Result<OwnedFd, ClientError> {
        self.send(&Request::Enter { kind, name: name.to_owned() })?;
        let mut head = [0; 4];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let lost = ClientError::Lost;
        let mut parts = [io::IoSliceMut::new(&mut head)];
        let got = recvmsg(&self.stream, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)
            .map_err(|it| lost(it.into()))?;
        let file = control.drain().find_map(|it| match it {
            RecvAncillaryMessage::ScmRights(mut files) => files.next(),
            _ => None,
        });
        let bytes = got.bytes;
        let mut rest = (&head[..bytes]).chain(&mut self.stream);
        match (wire::receive(&mut rest).map_err(lost)?, file) {
            (Reply::Entered, Some(file)) => Ok(file),
            (Reply::Refused { refusal, .. }, _) => Err(ClientError::Refused(refusal)),
            _ => Err(lost(io::Error::other("an answer to another question"))),
        }
    }

    /// Follows what happens from now on, with this connection.
    ///
    /// # Errors
    /// If the holder does not tell.
    pub fn follow(mut self) -> Result<Follower, ClientError> {
        match self.call(&Request::Follow)? {
            Reply::Following => Ok(Follower { stream: self.stream }),
            Reply::Refused { refusal, .. } => Err(ClientError::Refused(refusal)),
            _ => Err(ClientError::Lost(io::Error::other("an answer to another question"))),
        }
    }

    fn send(&mut self, request: &Request) -> Result<(), ClientError> {
        let bytes = wire::message(request).map_err(ClientError::Unsent)?;
        self.stream.write_all(&bytes).map_err(ClientError::Unsent)
    }

    fn connect(folder: &Path) -> Result<Option<Client>, ClientError> {
        let failed = |source| ClientError::Folder { folder: folder.to_owned(), source };
        let folder = match File::open(folder) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        match UnixStream::connect(short(&folder)) {
            Ok(stream) => Ok(Some(Client { stream })),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(failed(error)),
        }
    }
}

/// What a holder says that finds another one.
pub(crate) const TAKEN: &str = "taken";

/// A path of the socket that is short, however long the folder's is: it may have 107 bytes.
pub(crate) fn short(folder: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", folder.as_fd().as_raw_fd()))
}

/// What is there without a holder, snapshots, each with the call that made it. It is only read.
///
/// # Errors
/// If it cannot be read.
pub fn kept(folder: &Path) -> Result<Vec<(Spec, String)>, ClientError> {
    let failed = |source| ClientError::Folder { folder: folder.to_owned(), source };
    records(&folder.join("snapshots")).map_err(failed)
}

/// The records of snapshots in a folder.
pub(crate) fn records(folder: &Path) -> io::Result<Vec<(Spec, String)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut all = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "json") {
            all.push(serde_json::from_str(&fs::read_to_string(&path)?)?);
        }
    }
    Ok(all)
}

/// Starts a holder; what it says first.
fn launch(folder: &Path) -> Result<String, ClientError> {
    let failed = |source| ClientError::Folder { folder: folder.to_owned(), source };
    let folder = fs::canonicalize(folder).map_err(failed)?;
    let log = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(folder.join("holder.log"));
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0("plumb")
        .arg(HOLDER)
        .arg(&folder)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log.map_or_else(|_| Stdio::null(), Stdio::from))
        .process_group(0);
    let start = |it: io::Error| ClientError::Start { said: it.to_string() };
    let mut child = command.spawn().map_err(start)?;
    let mut said = String::new();
    if let Some(out) = child.stdout.take() {
        BufReader::new(out).read_line(&mut said).map_err(start)?;
    }
    // It is waited for when it ends at once; else it goes on without us.
    if said.trim() != READY {
        let _ = child.wait();
    }
    if said.is_empty() {
        said = format!("it ended at once; see {}", folder.join("holder.log").display());
    }
    Ok(said.trim().to_owned())
}
