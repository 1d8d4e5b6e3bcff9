//! `drift`: every class is found and told, what is accepted does not count, and nothing is written.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::drifting::{Drift, finding};
use crate::world::{USERS, World, all, another, program};

const CONFIG: &str = r#"
resource "netns_network" "lan" {
  name   = "lan"
  subnet = "10.0.0.0/24"
}

resource "netns_router" "r" {
  name = "r"
}

resource "netns_router_interface" "lan" {
  router  = netns_router.r.name
  network = netns_network.lan.name
}

resource "netns_host" "web" {
  name    = "web"
  command = ["sleep", "100000"]
  interface { network = netns_network.lan.name }
}

output "network" {
  value = netns_network.lan.id
}
"#;

/// Another configuration in the same cloud.
const OTHERS: &str = r#"
resource "netns_host" "stray" {
  name = "stray"
  interface { network = "lan" }
}
"#;

fn drift(world: &World, args: &[&str]) -> Drift {
    Drift::of(&mut world.command(&[&["drift", "-json"], args].concat()))
}

#[test]
fn each_class_is_told() {
    for user in USERS {
        let world = World::new(user, CONFIG);
        world.apply();
        let clean = drift(&world, &[]);
        assert_eq!((clean.code, clean.found()), (0, BTreeMap::new()), "{}", clean.report);
        // Changed: by hand, in the kernel. Deleted: by another state that had taken it over.
        assert!(world.exec("netns_network.lan", "ip link set dev br down").status.success());
        let other = another(&world, OTHERS);
        other.apply();
        let found = drift(&world, &[]);
        let expected = [
            finding("netns_network.lan", "changed", "counts"),
            finding("netns_host:stray", "foreign", "counts"),
        ];
        assert_eq!((found.code, found.found()), (2, expected.into()), "{}", found.report);
        // With -detailed, what the configuration asks for is told apart.
        let more = CONFIG.replace("100000", "100001");
        world.write(&more);
        assert_eq!(drift(&world, &["-detailed"]).code, 6);
        assert_eq!(drift(&world, &[]).code, 2);
        // Only the drift is repaired; the other stays to be applied.
        world.ok(&["apply", "-auto-approve", "-drift-only", "-no-color"]);
        let found = drift(&world, &["-detailed", "-foreign=false"]);
        assert_eq!((found.code, found.found()), (4, BTreeMap::new()), "{}", found.report);
        world.write(CONFIG);
        world.at_rest();
        other.ok(&["destroy", "-auto-approve"]);
        // Deleted, by a configuration that took it over.
        let import = "import {\n  to = netns_router_interface.lan\n  id = \"r/lan\"\n}\n\
                      resource \"netns_router_interface\" \"lan\" {\n  router = \"r\"\n  \
                      network = \"lan\"\n}\n";
        let other = another(&world, import);
        other.apply();
        other.ok(&["destroy", "-auto-approve"]);
        let found = drift(&world, &[]);
        let expected = [finding("netns_router_interface.lan", "deleted", "counts")];
        assert_eq!((found.code, found.found()), (2, expected.into()), "{}", found.report);
        assert_eq!(drift(&world, &["-exclude=netns_router_interface.lan"]).code, 0);
        assert_eq!(drift(&world, &["-target=netns_host.web"]).code, 0);
        world.ok(&["apply", "-auto-approve", "-drift-only", "-no-color"]);
        assert_eq!(drift(&world, &["-detailed"]).code, 0);
        world.end();
    }
}

#[test]
fn accepted_drift_does_not_count_until_it_expires() {
    let world = World::new(0, CONFIG);
    world.apply();
    assert!(world.exec("netns_network.lan", "ip link set dev br down").status.success());
    assert_eq!(drift(&world, &["-ignore=netns_network.*"]).code, 0);
    assert_eq!(drift(&world, &[]).code, 2);
    let refused = world.run(&["drift", "-accept=netns_network.lan"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(all(&refused).contains("-reason"), "{}", all(&refused));
    let refused = world.run(&["drift", "-accept=netns_network.lam", "-reason=x"]);
    assert!(all(&refused).contains("There is no drift at netns_network.lam"), "{}", all(&refused));
    let file = world.path().join("drift.plumb.hcl");
    fs::write(&file, "# Known drift.\n").unwrap();
    let first = drift(&world, &[]).report["findings"][0]["first_seen"].clone();
    world.ok(&["drift", "-accept=netns_network.lan", "-reason=Being moved, \"ticket\" 7"]);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("# Known drift.\n\naccept \"netns_network.lan\" {\n"), "{text}");
    world.ok(&["fmt", "-check"]);
    let accepted = drift(&world, &[]);
    let expected = [finding("netns_network.lan", "changed", "accepted")];
    assert_eq!((accepted.code, accepted.found()), (0, expected.into()));
    let over = text.lines().map(|it| match it.contains("expires") {
        true => "  expires = \"2020-02-02\"\n".to_owned(),
        false => format!("{it}\n"),
    });
    fs::write(&file, over.collect::<String>()).unwrap();
    let expired = drift(&world, &[]);
    let expected = [finding("netns_network.lan", "changed", "expired")];
    assert_eq!((expired.code, expired.found()), (2, expected.into()));
    assert!(first.is_string());
    // Terraform does not read the file, and a .tf file may not hold such blocks.
    fs::write(world.path().join("wrong.tf"), text).unwrap();
    let refused = world.run(&["drift"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(all(&refused).contains("Unsupported block type"), "{}", all(&refused));
    fs::remove_file(world.path().join("wrong.tf")).unwrap();
    world.end();
}

#[test]
fn what_was_found_keeps_its_time() {
    let world = World::new(0, CONFIG);
    world.apply();
    assert!(world.exec("netns_network.lan", "ip link set dev br down").status.success());
    let args = ["-previous=drift.json", "-json-into=drift.json"];
    let first = drift(&world, &args).report;
    assert_eq!(first["findings"][0]["first_seen"], first["when"]);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let again = drift(&world, &args).report;
    assert_ne!(again["when"], first["when"]);
    assert_eq!(again["findings"][0]["first_seen"], first["when"]);
    fs::write(world.path().join("drift.json"), "{ \"no\": ").unwrap();
    let refused = world.run(&["drift", "-previous=drift.json"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(all(&refused).contains("Cannot use the report drift.json"), "{}", all(&refused));
    world.end();
}

/// System calls that change something, as far as their arguments say so.
fn writes(line: &str) -> bool {
    let call = line.split_once(' ').map_or(line, |it| it.1).trim_start();
    let name = call.split('(').next().unwrap_or_default();
    match name {
        "open" | "openat" | "openat2" => {
            ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND"]
                .iter()
                .any(|it| call.contains(it))
                && !["\"/dev/null\"", "\"/dev/tty\""].iter().any(|it| call.contains(it))
        }
        "fcntl" => call.contains("F_SETLK") || call.contains("F_OFD_SETLK"),
        _ => true,
    }
}

#[test]
fn looking_writes_nothing() {
    let world = World::new(0, CONFIG);
    world.apply();
    assert!(world.exec("netns_network.lan", "ip link set dev br down").status.success());
    let trace = tempfile::NamedTempFile::new().unwrap();
    let calls = "trace=open,openat,openat2,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,\
                 unlinkat,rmdir,link,linkat,symlink,symlinkat,truncate,ftruncate,chmod,fchmod,\
                 fchmodat,chown,fchown,fchownat,mknod,mknodat,mount,umount2,execve,fork,vfork,\
                 flock,fcntl,fallocate,utimensat,setxattr,sethostname,unshare";
    let state = fs::read(world.path().join("terraform.tfstate")).unwrap();
    let before = listing(world.path());
    let look = |program: &str, args: &[&str]| {
        let mut traced = vec!["-f", "-qq", "-e", calls, "-o", trace.path().to_str().unwrap()];
        traced.push(program);
        traced.extend(args);
        let done = world.by_user(Path::new("strace"), &traced).output().expect("strace");
        let told = fs::read_to_string(trace.path()).unwrap();
        // The first is the program itself.
        let own = |it: &&str| !(it.contains("execve(") && it.contains(program));
        let written: Vec<String> = (told.lines().filter(own))
            .filter(|it| !it.contains(" +++ ") && !it.contains(" --- ") && writes(it))
            .map(str::to_owned)
            .collect();
        (done, written)
    };
    let (done, written) = look(&program(), &["drift", "-no-color"]);
    assert_eq!(done.status.code(), Some(2), "{}", all(&done));
    assert!(written.is_empty(), "{written:#?}");
    assert_eq!(fs::read(world.path().join("terraform.tfstate")).unwrap(), state);
    assert_eq!(listing(world.path()), before);
    let (done, written) = look(&program(), &["plan", "-no-color"]);
    assert!(done.status.success(), "{}", all(&done));
    assert!(!written.is_empty(), "the proof can fail: a plan takes the lock");
    world.end();
}

fn listing(folder: &Path) -> Vec<(String, std::time::SystemTime)> {
    let mut res: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|it| it.unwrap())
        .map(|it| {
            (
                it.file_name().to_string_lossy().into_owned(),
                it.metadata().unwrap().modified().unwrap(),
            )
        })
        .collect();
    res.sort();
    res
}

#[test]
fn somebody_elses_lock_does_not_matter() {
    let world = World::new(0, CONFIG);
    world.apply();
    let slow = CONFIG.replace("\"sleep\", \"100000\"", "\"sleep\", \"100002\"");
    world.write(&slow);
    // An apply that waits for an answer holds the lock.
    let mut waiting = world
        .command(&["apply", "-no-color"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let lock = world.path().join(".terraform.tfstate.lock.info");
    crate::world::eventually("the lock is taken", || lock.exists());
    assert_eq!(drift(&world, &["-detailed"]).code, 4);
    drop(waiting.stdin.take());
    waiting.wait().unwrap();
    world.end();
}
