//! What a program did to the files of its state, as `strace` tells it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::power::belongs;
use crate::tool::{JOURNAL, STATE, Site};

/// What a call did. Files go by their name in the one folder that is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "system calls, with their arguments")]
pub enum Call {
    /// Without a name it is the folder.
    Open {
        name: Option<String>,
        truncate: bool,
        create: bool,
        append: bool,
        fd: i64,
    },
    Write {
        fd: i64,
        at: Option<usize>,
        data: Vec<u8>,
    },
    Copy {
        from: i64,
        to: i64,
        length: usize,
    },
    Read {
        fd: i64,
        length: usize,
    },
    Seek {
        fd: i64,
        at: usize,
    },
    Truncate {
        fd: i64,
        length: usize,
    },
    Sync {
        fd: i64,
    },
    Duplicate {
        fd: i64,
        to: i64,
    },
    Close {
        fd: i64,
    },
    Rename {
        from: String,
        to: String,
    },
    Remove {
        name: String,
    },
}

/// Every file of a state, and the folder, as options for strace.
fn paths(site: &Site) -> Vec<String> {
    let names = [
        STATE.to_owned(),
        JOURNAL.to_owned(),
        format!("{JOURNAL}.next"),
        format!("{JOURNAL}.torn"),
        format!(".{STATE}.new"),
        format!(".{STATE}.history"),
        format!("{STATE}.backup"),
        format!("{STATE}.backup.new"),
        ".".to_owned(),
    ];
    let folder = site.folder.display();
    // A program may say either.
    let both = |name: String| [format!("-P{folder}/{name}"), format!("-P{name}")];
    names.into_iter().flat_map(both).chain([format!("-P{folder}")]).collect()
}

/// A command that runs another under strace and writes down what it does to the state's files. The
/// traced program is the child, strace its grandchild.
pub fn record(site: &Site, command: &Command, record: &Path) -> Command {
    let calls = "openat,open,creat,read,pread64,write,pwrite64,writev,pwritev,copy_file_range,\
                 sendfile,lseek,ftruncate,fsync,fdatasync,dup,dup2,dup3,fcntl,close,rename,renameat,\
                 renameat2,unlink,unlinkat";
    let mut strace = Command::new("strace");
    strace.args(["-D", "-f", "-qq", "--seccomp-bpf", "-xx", "-s67108864", "-o"]).arg(record);
    strace.arg(format!("-etrace={calls}")).args(paths(site)).arg("--");
    strace.arg(command.get_program()).args(command.get_args());
    site.dress(&mut strace);
    strace
}

/// A command that makes every write, sync, rename and truncation of the state's files by a running
/// program fail with `error`.
pub fn spoil(site: &Site, pid: nix::unistd::Pid, error: &str) -> Command {
    let calls = "write,pwrite64,writev,copy_file_range,fsync,fdatasync,ftruncate,rename,renameat,\
                 renameat2";
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-p", &pid.to_string()]);
    strace.arg(format!("-etrace={calls}")).arg(format!("-einject={calls}:error={error}"));
    strace.args(paths(site));
    site.dress(&mut strace);
    strace
}

/// Whether a record is complete: it tells of the end of the process that strace was given.
pub fn is_complete(record: &str, pid: nix::unistd::Pid) -> bool {
    let pid = pid.to_string();
    record.lines().rev().take(200).any(|line| {
        let (first, rest) = line.split_once(' ').unwrap_or_default();
        first == pid && rest.trim_start().starts_with("+++ ")
    })
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// What was done, in order.
    pub calls: Vec<Call>,
    /// What was under way when the program died: it may have been done, like all that was not
    /// synced. A sync that was not heard back from promises nothing and is not among them.
    pub under_way: Vec<Call>,
}

/// Understands a record.
pub fn read(record: &str) -> Record {
    let mut begun: BTreeMap<&str, &str> = BTreeMap::new();
    let mut calls = Vec::new();
    for line in record.lines() {
        let Some((pid, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(head) = rest.strip_suffix("<unfinished ...>") {
            begun.insert(pid, head);
            continue;
        }
        let joined;
        let text = match rest.strip_prefix("<... ").and_then(|it| it.split_once(" resumed>")) {
            Some((_, tail)) => {
                joined = format!("{}{tail}", begun.remove(pid).unwrap_or_default());
                joined.as_str()
            }
            None => rest,
        };
        calls.extend(understand(text));
    }
    let mut under_way = Vec::new();
    for head in begun.into_values() {
        if !head.contains("sync(") {
            let length = head.split_once(", ").map_or(0, |it| hex(it.1).len());
            under_way.extend(understand(&format!("{}) = {length}", head.trim_end())));
        }
    }
    Record { calls, under_way }
}

/// One line: `name(arguments) = result`.
fn understand(line: &str) -> Option<Call> {
    let (name, rest) = line.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(" = ")?;
    let arguments = arguments.trim_end().strip_suffix(')')?;
    let result: i64 = result.split_whitespace().next()?.parse().ok()?;
    if result < 0 {
        return None;
    }
    // No comma is inside a string: those are written in hexadecimal.
    let arguments: Vec<&str> = arguments.split(", ").collect();
    let number = |index: usize| arguments.get(index)?.parse::<i64>().ok();
    let length = usize::try_from(result).ok()?;
    let done = match name {
        "openat" | "open" => {
            let (path, flags) = match name {
                "open" => (arguments.first()?, arguments.get(1)?),
                _ => (arguments.get(1)?, arguments.get(2)?),
            };
            let name = file_name(path);
            Call::Open {
                name: belongs(&name).then_some(name),
                truncate: flags.contains("O_TRUNC"),
                create: flags.contains("O_CREAT"),
                append: flags.contains("O_APPEND"),
                fd: result,
            }
        }
        "write" => Call::Write { fd: number(0)?, at: None, data: cut(arguments.get(1)?, length) },
        "pwrite64" => Call::Write {
            fd: number(0)?,
            at: Some(usize::try_from(number(3)?).ok()?),
            data: cut(arguments.get(1)?, length),
        },
        "writev" => {
            let data: Vec<u8> = (arguments[1..].iter())
                .filter_map(|it| it.split_once("iov_base="))
                .flat_map(|(_, it)| hex(it))
                .collect();
            Call::Write { fd: number(0)?, at: None, data: data[..length.min(data.len())].to_vec() }
        }
        "copy_file_range" => Call::Copy { from: number(0)?, to: number(2)?, length },
        "sendfile" => Call::Copy { from: number(1)?, to: number(0)?, length },
        "read" => Call::Read { fd: number(0)?, length },
        "lseek" => Call::Seek { fd: number(0)?, at: length },
        "ftruncate" => Call::Truncate { fd: number(0)?, length: usize::try_from(number(1)?).ok()? },
        "fsync" | "fdatasync" => Call::Sync { fd: number(0)? },
        "dup" | "dup2" | "dup3" => Call::Duplicate { fd: number(0)?, to: result },
        "fcntl" if arguments.get(1)?.starts_with("F_DUPFD") => {
            Call::Duplicate { fd: number(0)?, to: result }
        }
        "close" => Call::Close { fd: number(0)? },
        "rename" => {
            Call::Rename { from: file_name(arguments[0]), to: file_name(arguments.get(1)?) }
        }
        "renameat" | "renameat2" => {
            Call::Rename { from: file_name(arguments.get(1)?), to: file_name(arguments.get(3)?) }
        }
        "unlink" => Call::Remove { name: file_name(arguments[0]) },
        "unlinkat" => Call::Remove { name: file_name(arguments.get(1)?) },
        _ => return None,
    };
    Some(done)
}

fn cut(text: &str, length: usize) -> Vec<u8> {
    let mut data = hex(text);
    data.truncate(length);
    data
}

/// The last part of a path.
fn file_name(text: &str) -> String {
    let path = String::from_utf8_lossy(&hex(text)).into_owned();
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

/// The bytes of `"\x61\x62"`.
fn hex(text: &str) -> Vec<u8> {
    let inner = text.trim_start_matches('"').split('"').next().unwrap_or_default();
    let bytes = inner.split("\\x").skip(1);
    bytes.filter_map(|it| u8::from_str_radix(it, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_others_interrupted_are_put_together() {
        let record = r#"7  openat(AT_FDCWD, "\x2f\x74\x2f\x2e\x74\x65\x72\x72\x61\x66\x6f\x72\x6d\x2e\x74\x66\x73\x74\x61\x74\x65\x2e\x6e\x65\x77", O_RDWR|O_CREAT|O_TRUNC|O_CLOEXEC, 0666) = 5
7  write(5, "\x61\x2c\x20" <unfinished ...>
8  fsync(5)                   = 0
7  <... write resumed>, 3)           = 3
8  fdatasync(5) = -1 EIO (Input/output error)
7  write(5, "\x62" <unfinished ...>
7  +++ killed by SIGKILL +++
"#;
        let name = ".terraform.tfstate.new".to_owned();
        let write = |data: &[u8]| Call::Write { fd: 5, at: None, data: data.to_vec() };
        let read = read(record);
        let open =
            Call::Open { name: Some(name), truncate: true, create: true, append: false, fd: 5 };
        assert_eq!(read.calls, [open, Call::Sync { fd: 5 }, write(b"a, ")]);
        assert_eq!(read.under_way, [write(b"b")]);
        let pid = nix::unistd::Pid::from_raw;
        assert!(is_complete(record, pid(7)));
        assert!(!is_complete(record, pid(8)));
    }
}
