//! A runner of cases, each in a process of its own, as root and as an ordinary user; and what cases do.
//! The program is the holder as well: a client starts the program that it is part of.
#![allow(dead_code, reason = "each program uses a part of it")]

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use plumb_netns::client::{Client, HOLDER};
use plumb_netns::enter::ENTER;
use plumb_netns::spec::*;
use plumb_netns::wire::{Object, Reply, Request};

/// The ordinary user.
pub(crate) const USER: u32 = 12345;

/// What it shows, and what it does in the folder of a cloud.
pub(crate) type Case = (&'static str, fn(&Path));

/// Runs all cases.
pub(crate) fn run(cases: &[Case]) -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match &words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [HOLDER, folder] => match plumb_netns::holder::run(Path::new(folder)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        ["case", at, folder] => {
            cases[at.parse::<usize>().unwrap()].1(Path::new(folder));
            ExitCode::SUCCESS
        }
        [ENTER, file, "--", ..] => {
            let error = plumb_netns::enter::exec(&inherited(file), &words[3..]);
            eprintln!("{error}");
            ExitCode::from(125)
        }
        _ => all(cases),
    }
}

/// Every case in a process of its own, for both users.
fn all(cases: &[Case]) -> ExitCode {
    let (mut passed, mut failed) = (0, 0);
    let program = tempfile::Builder::new().permissions(open()).tempdir().unwrap();
    let copy = program.path().join("holder");
    std::fs::copy("/proc/self/exe", &copy).unwrap();
    for user in [0, USER] {
        for (at, (name, _)) in cases.iter().enumerate() {
            let folder = tempfile::tempdir().unwrap();
            std::os::unix::fs::chown(folder.path(), Some(user), Some(user)).unwrap();
            let mut case = Command::new(&copy);
            case.args(["case", &at.to_string()]).arg(folder.path().join("cloud"));
            if user != 0 {
                case.uid(user).gid(user);
            }
            let done = case.output().unwrap();
            // What it left is not to outlive it.
            if let Ok(Some(mut client)) = Client::open(&folder.path().join("cloud")) {
                let holder = pid(&mut client).to_string();
                Command::new("kill").args(["-9", &holder]).status().unwrap();
            }
            let ok = done.status.success();
            println!("{} {name} (user {user})", if ok { "ok    " } else { "FAILED" });
            if ok {
                passed += 1;
            } else {
                failed += 1;
                println!("{}", String::from_utf8_lossy(&done.stderr));
                let log = std::fs::read_to_string(folder.path().join("cloud/holder.log"));
                println!("{}", log.unwrap_or_default());
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn open() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o755)
}

#[expect(unsafe_code, reason = "a file that was inherited is known by its number only")]
fn inherited(number: &str) -> std::os::fd::OwnedFd {
    // SAFETY: whoever started this process opened it for us, and nobody else here uses it.
    unsafe { std::os::fd::FromRawFd::from_raw_fd(number.parse().unwrap()) }
}

pub(crate) fn network(name: &str, subnet: &str) -> Spec {
    Spec::Network(Network {
        name: name.into(),
        subnet: subnet.parse().unwrap(),
        gateway: None,
        mtu: 1500,
        external: None,
    })
}

pub(crate) fn router(name: &str) -> Spec {
    Spec::Router(Router {
        name: name.into(),
        external_network: None,
        external_address: None,
        snat: true,
        routes: Vec::new(),
    })
}

pub(crate) fn foot(router: &str, network: &str) -> Spec {
    Spec::RouterInterface(RouterInterface {
        name: format!("{router}/{network}"),
        router: router.into(),
        network: network.into(),
        address: None,
    })
}

pub(crate) fn create(client: &mut Client, token: &str, spec: Spec) -> Reply {
    client.call(&Request::Create { token: token.into(), spec }).unwrap()
}

pub(crate) fn make(client: &mut Client, spec: Spec) -> Object {
    let token = format!("{:?}/{}", spec.kind(), spec.name());
    match create(client, &token, spec) {
        Reply::Done(object) => *object,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn read(client: &mut Client, kind: Kind, name: &str) -> Option<Object> {
    match client.call(&Request::Read { objects: vec![(kind, name.into())] }).unwrap() {
        Reply::Objects(mut all) => all.remove(0),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn pid(client: &mut Client) -> u32 {
    match client.call(&Request::Hello).unwrap() {
        Reply::Hello { pid, .. } => pid,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

pub(crate) fn wait(what: &str, mut until: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !until() {
        assert!(begun.elapsed() < Duration::from_secs(5), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Runs words in a network namespace of a cloud.
pub(crate) fn in_space(holder: u32, file: &std::os::fd::OwnedFd, words: &str) {
    use std::os::fd::AsRawFd as _;
    rustix::io::fcntl_setfd(file, rustix::io::FdFlags::empty()).unwrap();
    let mut enter = Command::new("nsenter");
    if !rustix::process::getuid().is_root() {
        enter.args([format!("--user=/proc/{holder}/ns/user"), "--preserve-credentials".into()]);
    }
    enter.arg(format!("--net=/proc/self/fd/{}", file.as_raw_fd()));
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
    let done = enter.args(words.split(' ')).env("PATH", path).output().unwrap();
    assert!(done.status.success(), "{words}: {done:?}");
}
