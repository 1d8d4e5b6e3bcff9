//! The examples: applied, proven with packets, unchanged by a second apply, destroyed without a trace.

use std::path::Path;

use crate::world::{USERS, World, all, eventually, machine, program, text};

#[test]
fn quickstart() {
    let before = machine();
    for user in USERS {
        let world = World::example(user, "quickstart");
        world.apply();
        world.at_rest();
        let floating = world.attribute("netns_floating_ip.web", "address");
        let web = world.attribute("netns_host.web", "address");
        for to in [&*floating, &*web, "192.88.99.1"] {
            let ping = world.exec("netns_host.db", &format!("ping -c1 -W2 {to}"));
            assert!(ping.status.success(), "{to}: {}", all(&ping));
        }
        world.end();
    }
    assert_eq!(machine(), before);
}

/// As in a container whose root is nobody outside it.
#[test]
fn quickstart_as_root_of_a_user_namespace() {
    let world = World::example(USERS[1], "quickstart");
    let script =
        "$0 apply -auto-approve -no-color && $0 exec netns_host.db -- ping -c1 -W2 198.51.100.1 &&
        $0 plan -detailed-exitcode && $0 destroy -auto-approve -no-color";
    let done = world.by_user(Path::new("unshare"), &["-Ur", "sh", "-c", script, &program()]);
    let done = { done }.output().unwrap();
    assert!(done.status.success(), "{}", all(&done));
    eventually("all processes are gone", || world.processes().is_empty());
}

#[test]
fn lab() {
    for user in USERS {
        let world = World::example(user, "lab");
        world.apply();
        world.at_rest();
        world.prove();
        let again = world.apply();
        assert!(again.contains("0 added, 0 changed, 0 destroyed"), "{again}");
        // Without the port forward nobody gets in.
        world.ok(&["apply", "-auto-approve", "-var=forward=false"]);
        world.prove();
        world.apply();
        // A resize is no new machine, and keeps what runs.
        let pid = world.attribute("netns_host.vm", "pid");
        world.ok(&["apply", "-auto-approve", "-var=vm_memory=128m"]);
        assert_eq!(world.attribute("netns_host.vm", "pid"), pid);
        world.apply();
        // What the VM writes after the snapshot is not in a clone of it.
        world.exec("netns_host.vm", "rm /etc/lab");
        let clone = world.exec("netns_host.clone", "cat /etc/lab");
        assert_eq!(text(&clone.stdout), "as it was\n");
        // The VM is put back to it, in place.
        assert!(world.exec("netns_host.vm", "touch /srv/later").status.success());
        world.ok(&["apply", "-auto-approve", "-var=restored=true"]);
        assert!(!world.exec("netns_host.vm", "test -e /srv/later").status.success());
        world.prove();
        world.apply();
        world.at_rest();
        world.prove();
        world.end();
    }
}

#[test]
fn commands_get_into_hosts() {
    let world = World::new(USERS[1], ONE);
    world.apply();
    let done = world.run(&["exec", "netns_host.web", "--", "sh", "-c", "echo $0 -l; exit 3"]);
    assert_eq!((done.status.code(), text(&done.stdout)), (Some(3), "sh -l\n".to_owned()));
    let done = world.exec("netns_host.web", "no-such-program");
    assert_eq!(done.status.code(), Some(127), "{}", all(&done));
    crate::world::eventually("it said so", || {
        world.ok(&["logs", "netns_host.web"]).contains("hello from web")
    });
    let addresses = world.exec("netns_network.lan", "ip -o link");
    assert!(text(&addresses.stdout).contains("br"), "{}", all(&addresses));
    for (words, told) in [
        (&["exec", "netns_host.other", "--", "true"][..], "The state has netns_host.web"),
        (&["exec", "netns_router.other", "--", "true"][..], "no object of this type"),
        (&["logs", "netns_network.lan"][..], "keeps no log"),
        (&["exec", "]", "--", "true"][..], "Invalid address"),
    ] {
        let done = world.run(words);
        let said = all(&done).replace("\n│ ", " ");
        assert!(done.status.code() == Some(1) && said.contains(told), "{words:?}: {said}");
    }
    let mut shell = world.command(&["shell", "netns_host.web"]);
    let shell = shell.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut shell = shell.spawn().unwrap();
    std::io::Write::write_all(&mut shell.stdin.take().unwrap(), b"hostname\n").unwrap();
    let done = shell.wait_with_output().unwrap();
    assert!(text(&done.stdout).contains("web"), "{}", all(&done));
    world.end();
}

const ONE: &str = r#"
resource "netns_network" "lan" {
  name   = "lan"
  subnet = "10.0.0.0/24"
}

resource "netns_host" "web" {
  name    = "web"
  command = ["sh", "-c", "echo hello from $HOSTNAME; exec sleep 1000"]
  interface { network = netns_network.lan.name }
}
"#;
