//! The holder's socket and its clients.

use std::fs::{self, File};
use std::io::{self, IoSlice, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use crate::client::{SOCKET, short};
use crate::wire::{self, Refusal, Reply, Request};

/// Who follows and leaves so many bytes unread is left.
const BACKLOG_MAX: usize = 1 << 20;

/// What is read at once.
const CHUNK: usize = 64 << 10;

pub(super) struct Server {
    folder: File,
    path: PathBuf,
    listener: UnixListener,
    /// In the order in which they came.
    clients: Vec<Client>,
}

struct Client {
    stream: UnixStream,
    input: Vec<u8>,
    output: Vec<u8>,
    open: bool,
    /// Whether it is told what happens.
    follows: bool,
}

impl Server {
    pub(super) fn listen(folder: &Path) -> io::Result<Server> {
        let path = folder.join(SOCKET);
        let folder = File::open(folder)?;
        let listener = bind(&folder, &path)?;
        Ok(Server { folder, path, listener, clients: Vec::new() })
    }

    /// Until somebody asks, one of `files` says something, or it is `until`. Whether one of
    /// them did.
    pub(super) fn wait(
        &self,
        files: &[BorrowedFd<'_>],
        until: Option<Instant>,
    ) -> io::Result<bool> {
        let mut all = vec![PollFd::new(&self.listener, PollFlags::IN)];
        all.extend(files.iter().map(|it| PollFd::from_borrowed_fd(*it, PollFlags::IN)));
        for client in &self.clients {
            let flags = match client.output.is_empty() {
                true => PollFlags::IN,
                false => PollFlags::IN | PollFlags::OUT,
            };
            all.push(PollFd::new(&client.stream, flags));
        }
        let timeout = until.map(|it| it.saturating_duration_since(Instant::now()));
        let timeout = timeout.and_then(|it| rustix::event::Timespec::try_from(it).ok());
        match poll(&mut all, timeout.as_ref()) {
            Ok(_) => Ok(all[1..=files.len()].iter().any(|it| !it.revents().is_empty())),
            Err(rustix::io::Errno::INTR) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Answers what was asked. Whoever came first is heard out first: a client that was killed may have
    /// asked for something, and who comes after it wants to know what became of that.
    pub(super) fn serve(&mut self, mut answer: impl FnMut(Request) -> (Reply, Option<OwnedFd>)) {
        self.accept();
        for client in &mut self.clients {
            client.hear();
            client.answer(&mut answer);
            client.speak();
        }
        self.clients.retain(|it| it.open);
    }

    /// Tells those who follow.
    pub(super) fn tell(&mut self, news: &Reply) {
        for client in self.clients.iter_mut().filter(|it| it.follows) {
            client.reply(news, None);
            client.speak();
            client.open &= client.output.len() <= BACKLOG_MAX;
        }
        self.clients.retain(|it| it.open);
    }

    /// Closes the connections of those who follow.
    pub(super) fn leave_followers(&mut self) {
        self.clients.retain(|it| !it.follows);
    }

    pub(super) fn is_followed(&self) -> bool {
        self.clients.iter().any(|it| it.follows)
    }

    /// Whether nobody is here who may ask for something: who follows does not.
    pub(super) fn is_idle(&self) -> bool {
        self.clients.iter().all(|it| it.follows)
    }

    /// Ends, unless somebody came at the last moment.
    pub(super) fn close(&mut self) -> io::Result<bool> {
        fs::remove_file(&self.path)?;
        self.accept();
        if self.is_idle() {
            return Ok(true);
        }
        self.listener = bind(&self.folder, &self.path)?;
        Ok(false)
    }

    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            if stream.set_nonblocking(true).is_ok() {
                let (input, output) = (Vec::new(), Vec::new());
                self.clients.push(Client { stream, input, output, open: true, follows: false });
            }
        }
    }
}

fn bind(folder: &File, path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(short(folder))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

impl Client {
    fn hear(&mut self) {
        let mut chunk = vec![0; CHUNK];
        loop {
            match self.stream.read(&mut chunk) {
                // What it asked for before it left is done; the answers go nowhere.
                Ok(0) => break self.open = false,
                Ok(count) => self.input.extend(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => break self.open = false,
            }
        }
    }

    fn answer(&mut self, answer: &mut impl FnMut(Request) -> (Reply, Option<OwnedFd>)) {
        let mut at = 0;
        loop {
            match wire::first(&self.input[at..]) {
                Ok(Some((request, length))) => {
                    at += length;
                    let (reply, file) = answer(request);
                    self.follows |= reply == Reply::Following;
                    self.reply(&reply, file);
                }
                Ok(None) => break,
                Err(error) => {
                    let refusal = Refusal::new("Not a request", error.to_string());
                    self.reply(&Reply::Refused { refusal, left: None }, None);
                    self.speak();
                    self.open = false;
                    break;
                }
            }
        }
        self.input.drain(..at);
    }

    fn reply(&mut self, reply: &Reply, file: Option<OwnedFd>) {
        let Ok(bytes) = wire::message(reply) else { return self.open = false };
        let Some(file) = file else { return self.output.extend(bytes) };
        // A file goes with the first bytes that follow what is waiting.
        self.speak();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let files = [file.as_fd()];
        control.push(SendAncillaryMessage::ScmRights(&files));
        let parts = [IoSlice::new(&bytes)];
        match sendmsg(&self.stream, &parts, &mut control, SendFlags::NOSIGNAL) {
            Ok(count) => self.output.extend(&bytes[count..]),
            Err(_) => self.open = false,
        }
    }

    fn speak(&mut self) {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(count) => drop(self.output.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.output.clear();
                    self.open = false;
                }
            }
        }
    }
}
