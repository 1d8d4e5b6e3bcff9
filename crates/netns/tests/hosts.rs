//! Hosts, in the real kernel: as root and as an ordinary user.
#![expect(clippy::unwrap_used, reason = "a test says what it was by failing")]

mod archives;
mod common;

use std::collections::BTreeMap;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::process::{Command, ExitCode, Output};

use archives::{base, oci, saved, tar, zip};
use common::*;
use plumb_netns::client::Client;
use plumb_netns::enter::ENTER;
use plumb_netns::spec::*;
use plumb_netns::wire::{Given, Reply, Request};

const CASES: [Case; 12] = [
    ("a command runs among its own processes, under its own name", alone),
    ("its files are its own", files),
    ("a command that ends is told, and started again if so wished", ends),
    ("health is checked", health),
    ("a command that does not exist makes no host", no_command),
    ("a command runs as who it is to run as", users),
    ("what was killed is told and repaired", killed),
    ("nothing is left of a host that is gone", gone),
    ("a snapshot is cloned and restored", snapshots),
    ("an image is a host's files", images),
    ("a torn image is refused", torn_images),
    ("a host does not get out", escapes),
];

fn main() -> ExitCode {
    run(&CASES)
}

fn host(name: &str, command: &[&str]) -> Host {
    Host {
        name: name.into(),
        interfaces: Vec::new(),
        root: Root::Machine,
        command: command.iter().map(|it| (*it).to_owned()).collect(),
        user: None,
        env: BTreeMap::new(),
        files: BTreeMap::new(),
        restart: Restart::No,
        health: None,
        limits: Limits::default(),
    }
}

fn shell(name: &str, script: &str) -> Host {
    host(name, &["sh", "-c", script])
}

fn given(client: &mut Client, name: &str) -> Given {
    read(client, Kind::Host, name).unwrap().given
}

fn log(client: &mut Client, name: &str) -> String {
    match client.call(&Request::Logs { host: name.into(), limit: 4096 }).unwrap() {
        Reply::Text(text) => text,
        other => panic!("{other:?}"),
    }
}

fn exec(client: &mut Client, name: &str, script: &str) -> Output {
    let file = client.enter(Kind::Host, name).unwrap();
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap();
    let number = file.as_raw_fd().to_string();
    Command::new("/proc/self/exe")
        .args([ENTER, &number, "--", "sh", "-c", script])
        .output()
        .unwrap()
}

/// What a script in a host prints; it has to succeed.
fn says(client: &mut Client, name: &str, script: &str) -> String {
    let done = exec(client, name, script);
    assert!(done.status.success(), "{script}: {done:?}");
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

fn update(client: &mut Client, host: Host) {
    match client.call(&Request::Update { spec: Spec::Host(host) }).unwrap() {
        Reply::Done(_) => {}
        other => panic!("{other:?}"),
    }
}

fn alone(folder: &Path) {
    let mut client = Client::start(folder).unwrap();
    let env = BTreeMap::from([("COLOUR".to_owned(), "blue".to_owned())]);
    let script = "hostname; echo $COLOUR; echo pid $$; sleep 60";
    make(&mut client, Spec::Host(Host { env, ..shell("web", script) }));
    wait("it said all", || log(&mut client, "web").contains("pid"));
    assert_eq!(log(&mut client, "web"), "web\nblue\npid 2\n");
    // init, the shell, its sleep; and what looks.
    let all =
        says(&mut client, "web", "ls -d /proc/[0-9]* | wc -l; id -u; hostname; cat /etc/hostname");
    let lines: Vec<&str> = all.lines().collect();
    assert!(lines[0].parse::<u32>().unwrap() <= 8, "{all}");
    assert_eq!(lines[1..], ["0", "web", "web"]);
    assert_eq!(given(&mut client, "web").status.as_deref(), Some("running"));
    assert_eq!(exec(&mut client, "web", "exit 7").status.code(), Some(7));
}

fn files(folder: &Path) {
    let mut client = Client::start(folder).unwrap();
    let mut web = host("web", &[]);
    web.files = BTreeMap::from([
        ("/etc/motd".to_owned(), "hello\n".to_owned()),
        ("/opt/a/b/run".to_owned(), "#!/bin/sh\necho ran\n".to_owned()),
    ]);
    make(&mut client, Spec::Host(web));
    assert_eq!(says(&mut client, "web", "cat /etc/motd; /opt/a/b/run"), "hello\nran");
    let stamp = format!("plumb-test-{}", std::process::id());
    for at in ["/etc", "/tmp", "/var", "/root", "/run", ""] {
        says(&mut client, "web", &format!("echo x > {at}/{stamp} && cat {at}/{stamp}"));
        assert!(!Path::new(&format!("{at}/{stamp}")).exists(), "{at}");
    }
}

fn ends(folder: &Path) {
    let mut client = Client::start(folder).unwrap();
    make(&mut client, Spec::Host(shell("a", "exit 3")));
    wait("it ended", || given(&mut client, "a").status.as_deref() == Some("exited"));
    let told = given(&mut client, "a");
    assert_eq!((told.exit_code, told.drift.len()), (Some(3), 0));
    let again = Host { restart: Restart::OnFailure, ..shell("b", "echo on; exit 1") };
    make(&mut client, Spec::Host(again));
    wait("it was started again", || log(&mut client, "b").lines().count() >= 3);
    let once = Host { restart: Restart::OnFailure, ..shell("c", "echo on") };
    make(&mut client, Spec::Host(once));
    wait("it ended", || given(&mut client, "c").exit_code == Some(0));
    assert_eq!(log(&mut client, "c"), "on\n");
}

fn health(folder: &Path) {
    let mut client = Client::start(folder).unwrap();
    let check = |file: &str| {
        let command = vec!["test".into(), "-e".into(), file.into()];
        Some(Health { command, interval: 1, retries: 1 })
    };
    let web = Host { health: check("/etc/passwd"), ..host("web", &["sleep", "60"]) };
    make(&mut client, Spec::Host(web));
    wait("it is well", || given(&mut client, "web").status.as_deref() == Some("healthy"));
    let ill = Host { health: check("/nowhere"), ..host("ill", &["sleep", "60"]) };
    make(&mut client, Spec::Host(ill));
    wait("it is not", || given(&mut client, "ill").status.as_deref() == Some("unhealthy"));
}

fn no_command(folder: &Path) {
    let mut client = Client::start(folder).unwrap();
    match create(&mut client, "t", Spec::Host(host("web", &["no-such-program"]))) {
        Reply::Refused { refusal, left: None } => {
            assert_eq!(refusal.argument.as_deref(), Some("command"));
            assert!(refusal.detail.contains("no-such-program"), "{refusal:?}");
        }
        other => panic!("{other:?}"),
    }
    assert!(read(&mut client, Kind::Host, "web").is_none());
    assert!(!folder.join("hosts").exists());
    let folder = Host { root: Root::Folder("/no/such/folder".into()), ..host("web", &[]) };
    match create(&mut client, "t", Spec::Host(folder)) {
        Reply::Refused { refusal, .. } => assert_eq!(refusal.argument.as_deref(), Some("folder")),
        other => panic!("{other:?}"),
    }
}

fn users(folder: &Path) {
    let mut client = Client::start(folder).unwrap();
    let as_who = |user: &str| {
        let script = "echo $(id -u):$(id -g) $HOME; exec sleep 60";
        Host { user: Some(user.into()), ..shell("web", script) }
    };
    let refused =
        |client: &mut Client, user: &str| match create(client, "t", Spec::Host(as_who(user))) {
            Reply::Refused { refusal, left: None } => {
                assert_eq!(refusal.argument.as_deref(), Some("user"), "{refusal:?}");
                refusal.detail
            }
            other => panic!("{other:?}"),
        };
    let nobody = refused(&mut client, "nobody-of-that-name");
    assert!(nobody.contains("here is no user"), "{nobody}");
    if rustix::process::getuid().is_root() {
        make(&mut client, Spec::Host(as_who("daemon:4242")));
        wait("it says who it is", || log(&mut client, "web") == "1:4242 /usr/sbin\n");
        // Another user starts it anew.
        update(&mut client, as_who("12345"));
        wait("it is somebody else", || log(&mut client, "web").ends_with("12345:12345 /\n"));
    } else {
        assert!(refused(&mut client, "daemon").contains("root"));
        make(&mut client, Spec::Host(as_who("root")));
        wait("it is root there", || log(&mut client, "web") == "0:0 /root\n");
    }
}

fn killed(folder: &Path) {
    let mut client = Client::start(folder).unwrap();
    let web = shell("web", "date > /root/made; exec sleep 60");
    make(&mut client, Spec::Host(web.clone()));
    wait("it ran", || exec(&mut client, "web", "test -e /root/made").status.success());
    says(&mut client, "web", "echo kept > /root/kept; kill -9 2");
    wait("it is told", || !given(&mut client, "web").drift.is_empty());
    assert_eq!(given(&mut client, "web").drift, ["its command was killed by signal 9"]);
    update(&mut client, web.clone());
    assert_eq!(given(&mut client, "web").drift, Vec::<String>::new());
    assert_eq!(says(&mut client, "web", "cat /root/kept"), "kept");
    let pid = given(&mut client, "web").pid.unwrap();
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
    wait("it is told", || !given(&mut client, "web").drift.is_empty());
    update(&mut client, web);
    assert_eq!(says(&mut client, "web", "cat /root/kept"), "kept");
    assert_eq!(given(&mut client, "web").status.as_deref(), Some("running"));
}

fn gone(folder: &Path) {
    let mut client = Client::start(folder).unwrap();
    make(&mut client, Spec::Host(shell("web", "sleep 77777 & sleep 77777")));
    let pids = |folder: &Path| {
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        let of = |it: &std::fs::DirEntry| {
            std::fs::read(it.path().join("cmdline"))
                .is_ok_and(|it| it.starts_with(b"sleep\x0077777"))
                && std::fs::read_link(it.path().join("root")).is_ok()
        };
        let _ = folder;
        all.filter(of).count()
    };
    wait("they run", || pids(folder) >= 2);
    let reply = client.call(&Request::Delete { kind: Kind::Host, name: "web".into() }).unwrap();
    assert_eq!(reply, Reply::Gone);
    assert_eq!(pids(folder), 0);
    assert!(!folder.join("hosts").exists());
    assert!(read(&mut client, Kind::Host, "web").is_none());
}

fn snapshots(folder: &Path) {
    let mut client = Client::start(folder).unwrap();
    make(&mut client, Spec::Host(host("vm", &["sleep", "60"])));
    says(
        &mut client,
        "vm",
        "echo one > /root/one; rm /etc/motd /etc/issue; mkdir /etc/new; echo v > /etc/new/v",
    );
    let snapshot =
        |name: &str, host: &str| Spec::Snapshot(Snapshot { name: name.into(), host: host.into() });
    make(&mut client, snapshot("s", "vm"));
    says(&mut client, "vm", "echo two > /root/two; rm /root/one");
    let from =
        |name: &str| Host { root: Root::Snapshot("s".into()), ..host(name, &["sleep", "60"]) };
    make(&mut client, Spec::Host(from("clone")));
    let look = "ls /root/one /root/two /etc/issue /etc/new/v 2>/dev/null; cat /root/one; hostname";
    assert_eq!(
        says(&mut client, "clone", &look.replace("2>/dev/null", "2>&1 | grep -v cannot")),
        "/etc/new/v\n/root/one\none\nclone"
    );
    // A snapshot of a clone has what is below it, too; and all go on without the first.
    says(&mut client, "clone", "echo three > /root/three");
    make(&mut client, snapshot("t", "clone"));
    client.call(&Request::Delete { kind: Kind::Snapshot, name: "s".into() }).unwrap();
    let second = Host { root: Root::Snapshot("t".into()), ..host("second", &["sleep", "60"]) };
    make(&mut client, Spec::Host(second));
    assert_eq!(says(&mut client, "second", "cat /root/one /root/three"), "one\nthree");
    assert_eq!(says(&mut client, "clone", "cat /root/one"), "one");
    // Restored: what came after is gone.
    let restored = Host { root: Root::Snapshot("t".into()), ..host("vm", &["sleep", "60"]) };
    update(&mut client, restored);
    assert_eq!(says(&mut client, "vm", "cat /root/one; ls /root/two 2>&1 | wc -l"), "one\n1");
    // Snapshots outlive the holder, and are read without one.
    let holder = pid(&mut client);
    assert!(Command::new("kill").args(["-9", &holder.to_string()]).status().unwrap().success());
    wait("it is dead", || !runs(holder));
    let names = |all: Vec<(Spec, String)>| {
        all.into_iter().map(|it| (it.0.name().to_owned(), it.1)).collect::<Vec<_>>()
    };
    let t = [("t".to_owned(), "Snapshot/t".to_owned())];
    assert_eq!(names(plumb_netns::client::kept(folder).unwrap()), t);
    assert!(Client::open(folder).unwrap().is_none(), "nobody starts a holder to look");
    // To change one, there has to be a holder.
    let mut client = Client::open_to_change(folder).unwrap().unwrap();
    assert!(read(&mut client, Kind::Host, "vm").is_none());
    assert!(read(&mut client, Kind::Snapshot, "t").is_some());
    let again = Host { root: Root::Snapshot("t".into()), ..host("vm", &["sleep", "60"]) };
    make(&mut client, Spec::Host(again));
    assert_eq!(says(&mut client, "vm", "cat /root/three"), "three");
}

fn images(folder: &Path) {
    let mut client = Client::start(folder).unwrap();
    let upper = tar(&[
        ("etc/.wh.old", b""),
        ("data/", b""),
        ("data/above", b"above\n"),
        ("data/.wh..wh..opq", b""),
        // Through a link that the layer below made: within the image, wherever it leads.
        ("link/through", b"through\n"),
    ]);
    for (name, archive) in
        [("saved", saved(&[base(), upper.clone()])), ("oci", oci(&[zip(&base()), zip(&upper)]))]
    {
        let path = folder.join(format!("{name}.tar"));
        std::fs::write(&path, archive).unwrap();
        let root = Root::Image(path.to_str().unwrap().to_owned());
        make(&mut client, Spec::Host(Host { root, ..host(name, &[]) }));
        let said = says(&mut client, name, "cat /etc/kept /var/through; ls /etc; ls /data; ls /");
        let wanted = "kept\nthrough\nhostname\nhosts\nkept\nresolv.conf\nabove\n\
                      bin\ndata\ndev\netc\nlink\nproc\nrun\nsys\ntmp\nvar";
        assert_eq!(said, wanted);
    }
    assert!(!Path::new("/var/through").exists());
}

fn torn_images(folder: &Path) {
    let mut client = Client::start(folder).unwrap();
    let whole = saved(&[base()]);
    let path = folder.join("image.tar");
    let mut flipped = oci(&[zip(&base())]);
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let zipped = zip(&base());
    for (what, bytes) in [
        ("short", whole[..whole.len() / 2].to_vec()),
        ("empty", vec![]),
        ("no tar", b"hello".repeat(500)),
        ("short gzip", saved(&[zipped[..zipped.len() / 2].to_vec()])),
        ("another digest", flipped),
        ("no manifest", tar(&[("x", b"y")])),
        ("leads out", saved(&[base(), tar(&[("../../escaped", b"x")])])),
        ("leads out within", saved(&[base(), tar(&[("bin/../../../escaped", b"x")])])),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let root = Root::Image(path.to_str().unwrap().to_owned());
        match create(&mut client, "t", Spec::Host(Host { root, ..host("a", &[]) })) {
            Reply::Refused { refusal, left: None } => {
                let said = (refusal.summary.as_str(), refusal.argument.as_deref());
                assert_eq!(said, ("Image cannot be used", Some("image")), "{what}");
            }
            other => panic!("{what}: {other:?}"),
        }
    }
    assert_eq!(std::fs::read_dir(folder.join("images")).unwrap().count(), 0);
}

fn escapes(folder: &Path) {
    let mut client = Client::start(folder).unwrap();
    make(&mut client, Spec::Host(host("jail", &["sleep", "60"])));
    let holder = pid(&mut client);
    let at = folder.display();
    for script in [
        "mount -t tmpfs none /mnt".to_owned(),
        "unshare -U true".to_owned(),
        "unshare -Ur true".to_owned(),
        "unshare -n true".to_owned(),
        "nsenter -t 1 -n true".to_owned(),
        format!("kill -0 {holder}"),
        format!("test -e /proc/{holder}"),
        "echo b > /proc/sysrq-trigger && test -s /proc/sysrq-trigger".to_owned(),
        "echo 1 > /proc/sys/net/ipv4/ip_forward".to_owned(),
        "echo x > /proc/sys/kernel/hostname".to_owned(),
        format!("ls {at}"),
        format!("cat {at}/socket"),
        "mknod /root/disk b 8 0".to_owned(),
        "ip link add x type bridge".to_owned(),
        "nft add table inet x".to_owned(),
        "perl -MSocket -e 'socket(S, PF_INET, SOCK_RAW, 1) or exit 1'".to_owned(),
        "perl -MSocket -e 'socket(S, 17, SOCK_RAW, 0x0300) or exit 1'".to_owned(),
        "chroot / true".to_owned(),
        "ls /sys/fs/cgroup/*/* && mkdir /sys/fs/cgroup/x".to_owned(),
        "dmesg".to_owned(),
        "readlink /proc/1/exe".to_owned(),
        "chmod 4755 /proc/1/exe".to_owned(),
        "cat /proc/1/environ".to_owned(),
        "true </proc/1/fd/3".to_owned(),
        "reboot -f".to_owned(),
    ] {
        let done = exec(&mut client, "jail", &script);
        assert!(!done.status.success(), "{script}: {done:?}");
    }
    says(&mut client, "jail", "test -z \"$(cat /proc/kmsg /proc/kcore | head -c1)\"");
    let known =
        says(&mut client, "jail", "grep -E 'NoNewPrivs|Seccomp:' /proc/self/status | tr -d '\\t'");
    assert_eq!(known, "NoNewPrivs:1\nSeccomp:2");
}
