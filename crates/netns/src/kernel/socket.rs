//! A netlink socket in one network namespace: changes in batches, and lists.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr};

use super::route::Request;

/// The kernel refused something.
#[derive(Debug)]
pub(super) struct Refused {
    /// What was to be done.
    pub(super) what: String,
    pub(super) source: io::Error,
}

impl Refused {
    pub(super) fn new(what: impl Into<String>, source: io::Error) -> Refused {
        Refused { what: what.into(), source }
    }
}

const ERROR: u16 = 2;
const DONE: u16 = 3;
const HEADER: usize = 16;

/// The parts of a list are smaller, in bytes: the kernel makes none above 32 KiB.
const PART_MAX: usize = 64 << 10;

/// `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR` and `RTMGRP_IPV4_ROUTE`.
const CHANGES: u32 = 0x1 | 0x10 | 0x40;

/// So many errors in a row are no longer that too much happened.
const ERRORS_MAX: u32 = 16;

/// Changes that are sent at once: so many that their answers fit the socket's buffer.
const AT_ONCE: usize = 64;

/// A connection to the kernel's part for links, addresses and routes, or to that for filters.
pub(super) struct Netlink(Socket);

impl Netlink {
    /// In the namespace of the calling thread. `protocol` is one of `netlink_sys::protocols`.
    pub(super) fn new(protocol: isize) -> io::Result<Netlink> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        // Errors without the message that caused them: we know what we asked.
        socket.set_cap_ack(true)?;
        Ok(Netlink(socket))
    }

    /// One that hears of changes to links, addresses and routes of the calling thread's namespace.
    pub(super) fn listener() -> io::Result<Netlink> {
        Netlink::ear(netlink_sys::protocols::NETLINK_ROUTE, CHANGES)
    }

    /// One that hears of changes to what groups are about, in the calling thread's namespace. A
    /// group's number is that of its bit.
    pub(super) fn ear(protocol: isize, groups: u32) -> io::Result<Netlink> {
        let mut socket = Socket::new(protocol)?;
        socket.bind(&SocketAddr::new(0, groups))?;
        socket.set_non_blocking(true)?;
        Ok(Netlink(socket))
    }

    /// Whether nothing was heard since this was last asked.
    pub(super) fn quiet(&self) -> bool {
        let mut quiet = true;
        // Too much at once is told by an error.
        let whole = self.heard(|_, _| quiet = false);
        quiet && whole
    }

    /// What was heard: kind and payload of its messages. Whether it is all that there was.
    pub(super) fn heard(&self, mut take: impl FnMut(u16, &[u8])) -> bool {
        let mut whole = true;
        let mut buffer = Vec::with_capacity(PART_MAX);
        // A socket that is broken says so for ever.
        let mut errors = 0;
        while errors < ERRORS_MAX {
            buffer.clear();
            match self.0.recv(&mut buffer, 0) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => (whole, errors) = (false, errors + 1),
                Ok(_) => messages(&buffer).into_iter().for_each(|(kind, it)| take(kind, it)),
            }
        }
        whole
    }

    /// Does them in order, up to the first that the kernel refuses.
    pub(super) fn change(&self, requests: Vec<Request>) -> Result<(), Refused> {
        for batch in requests.chunks(AT_ONCE) {
            let bytes: Vec<u8> = batch.iter().flat_map(|it| it.bytes.iter().copied()).collect();
            let failed = |error| Refused::new(batch[0].what.clone(), error);
            self.0.send(&bytes, 0).map_err(failed)?;
            let mut answers = 0;
            let mut refused = None;
            while answers < batch.len() {
                let (bytes, _) = self.0.recv_from_full().map_err(failed)?;
                for (kind, payload) in messages(&bytes) {
                    if kind != ERROR {
                        continue;
                    }
                    let Some(request) = batch.get(answers) else { break };
                    answers += 1;
                    let code = error_code(payload);
                    if code != 0 && !request.fine.contains(&code) && refused.is_none() {
                        let error = io::Error::from_raw_os_error(code);
                        refused = Some(Refused::new(request.what.clone(), error));
                    }
                }
            }
            if let Some(refused) = refused {
                return Err(refused);
            }
        }
        Ok(())
    }

    /// Sends a transaction; its last message is acknowledged.
    pub(super) fn transact(&self, bytes: &[u8]) -> io::Result<()> {
        let fd = &self.0;
        // A large table is one message of the socket.
        let _ = set_send_buffer(fd, bytes.len().saturating_mul(2));
        fd.send(bytes, 0)?;
        let (answer, _) = fd.recv_from_full()?;
        let mut code = 0;
        for (kind, payload) in messages(&answer) {
            if kind == ERROR && code == 0 {
                code = error_code(payload);
            }
        }
        // After an error, others may follow.
        fd.set_non_blocking(true)?;
        while fd.recv_from_full().is_ok() {}
        fd.set_non_blocking(false)?;
        if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
    }

    /// The answer to a question that has one: its payload.
    pub(super) fn one(&self, question: &[u8]) -> io::Result<Vec<u8>> {
        self.0.send(question, 0)?;
        let (bytes, _) = self.0.recv_from_full()?;
        match messages(&bytes)[..] {
            [(ERROR, payload), ..] => Err(io::Error::from_raw_os_error(error_code(payload))),
            [(_, payload), ..] => Ok(payload.to_vec()),
            [] => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// The answers to a question: the payloads of their messages.
    pub(super) fn list(&self, question: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        let mut all = Vec::new();
        self.each(question, |_, payload| all.push(payload.to_vec()))?;
        Ok(all)
    }

    /// The same, of links, addresses and routes.
    pub(super) fn list_routes(&self, question: &[u8]) -> io::Result<Vec<RouteNetlinkMessage>> {
        let mut all = Vec::new();
        self.each(question, |whole, _| {
            if let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(whole)
                && let NetlinkPayload::InnerMessage(message) = message.payload
            {
                all.push(message);
            }
        })?;
        Ok(all)
    }

    fn each(&self, question: &[u8], mut take: impl FnMut(&[u8], &[u8])) -> io::Result<()> {
        self.0.send(question, 0)?;
        let mut buffer = Vec::with_capacity(PART_MAX);
        loop {
            buffer.clear();
            self.0.recv(&mut buffer, 0)?;
            let bytes = &buffer;
            for (kind, payload) in messages(bytes) {
                match kind {
                    DONE => return Ok(()),
                    ERROR => match error_code(payload) {
                        0 => {}
                        code => return Err(io::Error::from_raw_os_error(code)),
                    },
                    _ => {
                        let at = payload.as_ptr() as usize - bytes.as_ptr() as usize;
                        take(&bytes[at - HEADER..at + payload.len()], payload);
                    }
                }
            }
        }
    }
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn set_send_buffer(socket: &Socket, bytes: usize) -> io::Result<()> {
    let now = rustix::net::sockopt::socket_send_buffer_size(socket)?;
    if now < bytes {
        let forced = rustix::net::sockopt::set_socket_send_buffer_size_force(socket, bytes);
        forced.or_else(|_| rustix::net::sockopt::set_socket_send_buffer_size(socket, bytes))?;
    }
    Ok(())
}

/// Kind and payload of the messages in some bytes.
fn messages(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut all = Vec::new();
    while let [a, b, c, d, e, f, ..] = *bytes {
        let len = u32::from_ne_bytes([a, b, c, d]) as usize;
        if len < HEADER || len > bytes.len() {
            break;
        }
        all.push((u16::from_ne_bytes([e, f]), &bytes[HEADER..len]));
        bytes = &bytes[len.next_multiple_of(4).min(bytes.len())..];
    }
    all
}

/// 0: it went well.
fn error_code(payload: &[u8]) -> i32 {
    match *payload {
        [a, b, c, d, ..] => i32::from_ne_bytes([a, b, c, d]).wrapping_neg(),
        _ => 0,
    }
}
