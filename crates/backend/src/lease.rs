//! What a lock says of its holder beyond what Terraform writes, so that one whose holder is dead can
//! be told from one that is in use.

use jiff::Timestamp;
use plumb_state::LockInfo;
use plumb_state::lock::Process;
use serde::{Deserialize, Serialize};

/// Which process holds a lock, and how long that can be relied upon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The process.
    #[serde(flatten)]
    pub process: Process,
    /// When it ends unless it is renewed, by the clock of where the lock is kept. None: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// How long it is renewed for.
    #[serde(default)]
    pub seconds: u64,
}

impl Lease {
    /// Whether the lock may be taken from its holder at `now`, by the clock of where it is kept: the
    /// lease ended, and as long again has passed since, in which a holder that was only slow would
    /// have renewed it.
    pub fn is_forfeit(&self, now: Timestamp) -> bool {
        let grace =
            jiff::SignedDuration::from_secs(i64::try_from(self.seconds).unwrap_or(i64::MAX));
        let end = self.expires.map(|it| it.checked_add(grace));
        matches!(end, Some(Ok(end)) if end < now)
    }
}

/// A lock as it is written down: what Terraform writes, and one object that it passes over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// What both understand.
    #[serde(flatten)]
    pub info: LockInfo,
    /// What only we do. A lock without it is never taken away from its holder.
    #[serde(rename = "Plumb", skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
}

impl Note {
    /// Understands what is written down. None if it is no lock.
    pub fn read(bytes: &[u8]) -> Option<Note> {
        let mut value: serde_json::Value = serde_json::from_slice(bytes).ok()?;
        // One that a later version wrote may not be understood: then nothing is known.
        let lease = value.get("Plumb").and_then(|it| Lease::deserialize(it).ok());
        if lease.is_none() {
            value.as_object_mut()?.remove("Plumb");
        }
        let info = LockInfo::deserialize(&value).ok()?;
        Some(Note { info, lease })
    }

    /// Writes it down.
    pub fn write(&self) -> Vec<u8> {
        // The lease says which process it is.
        let process = self.info.process.clone().filter(|_| self.lease.is_none());
        let info = LockInfo { process, ..self.info.clone() };
        // Text, numbers and nothing else: it cannot fail.
        serde_json::to_vec(&Note { info, lease: self.lease.clone() }).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process() -> Process {
        let (host, boot, space) = ("h".into(), "b".into(), "pid:[1]".into());
        Process { host, pid: 7, boot, space, started: 100 }
    }

    #[test]
    fn a_lease_is_forfeit_when_it_is_over_for_as_long_as_it_lasts() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let mut lease = Lease { process: process(), expires: Some(at(1000)), seconds: 60 };
        assert!(!lease.is_forfeit(at(1060)));
        assert!(lease.is_forfeit(at(1061)));
        lease.expires = None;
        assert!(!lease.is_forfeit(at(1_000_000_000)));
        lease = Lease { expires: Some(at(1000)), seconds: u64::MAX, ..lease };
        assert!(!lease.is_forfeit(at(1_000_000_000)));
    }

    #[test]
    fn a_lock_of_terraform_is_read_and_has_no_lease() {
        let json = br#"{"ID":"x","Operation":"OperationTypeApply","Info":"","Who":"root@vm","Version":"1.11.4","Created":"2026-11-23T22:34:34.098795867Z","Path":"p"}"#;
        let mut note = Note::read(json).expect("a lock");
        assert_eq!(note.write(), json);
        assert_eq!(note.lease, None);
        let expires = Some("2026-11-23T22:35:34Z".parse().expect("a time"));
        note.lease = Some(Lease { process: process(), expires, seconds: 60 });
        let text = String::from_utf8(note.write()).expect("text");
        let want = r#","Plumb":{"host":"h","pid":7,"boot":"b","space":"pid:[1]","started":100,"expires":"2026-11-23T22:35:34Z","seconds":60}}"#;
        assert!(text.ends_with(want), "{text}");
        note.info.process = Some(process());
        assert_eq!(Note::read(text.as_bytes()), Some(note));
        let later = text.replace("\"pid\":7", "\"pid\":[7]");
        assert_eq!(Note::read(later.as_bytes()).map(|it| it.lease), Some(None));
        assert_eq!(Note::read(b"<html>"), None);
    }
}
