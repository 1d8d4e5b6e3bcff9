//! What a client and the holder say to each other over a Unix socket: one message is a length
//! (32 bits, little endian) and JSON. A client may send many requests before it reads; replies come
//! in the order of the requests. The holder serves many clients; requests are done one after another.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::net::Ipv4Addr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::spec::{Kind, Spec};

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Who are you?
    Hello,
    /// Make it. `token` names the call; a second one with the same token finds what the first made.
    Create {
        /// Names the call.
        token: String,
        /// What to make.
        spec: Spec,
    },
    /// Make the object of the same kind and name so, in place.
    Update {
        /// What it is to be.
        spec: Spec,
    },
    /// Take it away. One that is not there is gone.
    Delete {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// What objects are now, as the kernel has it.
    Read {
        /// Kind and name.
        objects: Vec<(Kind, String)>,
    },
    /// What a call made.
    Find {
        /// Names the call.
        token: String,
    },
    /// What there is of a kind: names.
    List {
        /// The kind.
        kind: Kind,
    },
    /// A host's namespaces, to enter them: the reply carries a pidfd of its init (and for a network
    /// or router a file of its network namespace) as ancillary data.
    Enter {
        /// `Host`, `Router` or `Network`.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// What there is besides these objects, where it stands beside one of them.
    Beside {
        /// Kind and name.
        ours: Vec<(Kind, String)>,
    },
    /// What happens from now on: one [`Reply::Following`], then a [`Reply::Touched`] whenever
    /// something happened. A holder does not stay for those who follow, and leaves one that does
    /// not listen.
    Follow,
    /// What a host's command wrote: the last bytes of it.
    Logs {
        /// The host.
        host: String,
        /// At most so many bytes, from the end.
        limit: u64,
    },
}

/// What the holder says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// This is us.
    Hello {
        /// Of the holder, as it sees itself.
        pid: u32,
        /// Plumb's.
        version: String,
        /// What this machine does not allow, and what would.
        missing: Vec<String>,
    },
    /// It is so.
    Done(Box<Object>),
    /// It is gone.
    Gone,
    /// In the order of the request; none: not there.
    Objects(Vec<Option<Object>>),
    /// By name.
    Names(Vec<String>),
    /// By kind and name.
    Beside(Vec<Stands>),
    /// It is heard what happens.
    Following,
    /// Something happened.
    Touched(Touched),
    /// The file that was asked for comes with this.
    Entered,
    /// Bytes of a log, as text.
    Text(String),
    /// It cannot be done; nothing was changed unless `left` says what is there now.
    Refused {
        /// Why.
        refusal: Refusal,
        /// What it left.
        left: Option<Box<Object>>,
    },
}

/// Something that stands beside other objects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stands {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What it stands beside; none: nothing but the cloud.
    pub beside: Option<(Kind, String)>,
    /// How, as the end of a sentence that begins with its name.
    pub how: String,
}

/// What may be otherwise than it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touched {
    /// Kind and name of objects, whether they are there (still) or not.
    pub objects: BTreeSet<(Kind, String)>,
    /// Anything: more happened than could be heard.
    pub all: bool,
}

/// An object and what is known of it besides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// As the kernel has it: what was drifted by hand is drifted here.
    pub spec: Spec,
    /// What it got.
    pub given: Given,
}

/// What the cloud chose for an object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Given {
    /// A network's gateway; an address of a router (external), a router interface, a port, a
    /// floating IP; a host's first.
    pub address: Option<Ipv4Addr>,
    /// Of a port.
    pub mac: Option<String>,
    /// A host's, in the order of its interfaces.
    pub addresses: Vec<Ipv4Addr>,
    /// A host's hardware addresses, in the order of its interfaces.
    pub macs: Vec<String>,
    /// The process of a host, as the machine numbers it, while it runs.
    pub pid: Option<u32>,
    /// A host's: `running`, `exited`, `healthy`, `unhealthy`, `starting`.
    pub status: Option<String>,
    /// What a host's command ended with.
    pub exit_code: Option<i32>,
    /// What the kernel has otherwise than it was made, in words: changed by hand. Making the object so
    /// once more repairs it.
    pub drift: Vec<String>,
}

/// Why something cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{summary}")]
pub struct Refusal {
    /// One line.
    pub summary: String,
    /// Sentences: what is so, what to do.
    pub detail: String,
    /// The argument at fault, as a resource names it.
    pub argument: Option<String>,
}

impl Refusal {
    /// Because of no argument.
    pub fn new(summary: impl Into<String>, detail: impl Into<String>) -> Refusal {
        Refusal { summary: summary.into(), detail: detail.into(), argument: None }
    }

    /// Because of an argument.
    #[must_use]
    pub fn at(self, argument: &str) -> Refusal {
        Refusal { argument: Some(argument.to_owned()), ..self }
    }
}

/// No message is longer, in bytes.
const LENGTH_MAX: usize = 64 << 20;

/// A message as bytes.
///
/// # Errors
/// If it is too long.
pub(crate) fn message<T: Serialize>(it: &T) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, it)?;
    let length = bytes.len() - 4;
    if length > LENGTH_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the message is too long"));
    }
    bytes[..4].copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    Ok(bytes)
}

/// The next message.
///
/// # Errors
/// If it ends, or is none.
pub(crate) fn receive<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    let mut head = [0; 4];
    from.read_exact(&mut head)?;
    let mut bytes = vec![0; length(head)?];
    from.read_exact(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// The first message in some bytes, if it is there whole, and how many bytes it took.
///
/// # Errors
/// If it is none.
pub(crate) fn first<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<Option<(T, usize)>> {
    let Some(head) = bytes.first_chunk() else { return Ok(None) };
    let end = 4 + length(*head)?;
    match bytes.get(4..end) {
        Some(body) => Ok(Some((serde_json::from_slice(body)?, end))),
        None => Ok(None),
    }
}

fn length(head: [u8; 4]) -> io::Result<usize> {
    match usize::try_from(u32::from_le_bytes(head)) {
        Ok(length) if length <= LENGTH_MAX => Ok(length),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "the message is too long")),
    }
}
