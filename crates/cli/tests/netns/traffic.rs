//! What moves or is allowed meanwhile: packets before and after, and who answers them.

use std::process::Stdio;

use crate::world::{USERS, World, all, eventually, routed, text};

const PAIR: &str = routed!(
    r#"
locals {
  server = { "/opt/server" = <<-PERL
    #!/usr/bin/perl
    use Socket;
    socket(S, PF_INET, SOCK_STREAM, 0) or die;
    setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1);
    bind(S, sockaddr_in($ARGV[0], INADDR_ANY)) or die;
    listen(S, 5) or die;
    while (accept(C, S)) { syswrite(C, "$ENV{HOSTNAME}\n"); close(C) }
  PERL
  }
}

resource "netns_host" "one" {
  name    = "one"
  command = ["/opt/server", "80"]
  files   = local.server
  interface {
    network         = netns_network.lan.name
    security_groups = [netns_security_group.web.name]
  }
}

resource "netns_host" "two" {
  name    = "two"
  command = ["/opt/server", "80"]
  files   = local.server
  interface { network = netns_network.lan.name }
}

resource "netns_host" "laptop" {
  name = "laptop"
  interface { network = netns_network.world.name }
}

resource "netns_security_group" "web" {
  name = "web"
}

resource "netns_security_group_rule" "in" {
  name           = "in"
  security_group = netns_security_group.web.name
  protocol       = "tcp"
  port_range_min = 80
}

resource "netns_floating_ip" "web" {
  network    = netns_network.world.name
  port       = netns_host.one.name
  depends_on = [netns_router_interface.lan]
}
"#
);

/// Says who answers, or `nobody`.
const ASK: &str = r#"
    $SIG{ALRM} = sub { print "nobody"; exit };
    alarm 2;
    do {
      select undef, undef, undef, 0.05;
      socket(S, PF_INET, SOCK_STREAM, 0) or exit;
    } until connect(S, sockaddr_in($ARGV[1], inet_aton($ARGV[0])));
    print <S>;
"#;

fn asks(world: &World, from: &str, address: &str, port: &str) -> String {
    let done = world.run(&["exec", from, "--", "perl", "-MSocket", "-e", ASK, address, port]);
    assert!(done.status.success(), "{}", all(&done));
    text(&done.stdout).trim().to_owned()
}

fn change(world: &World, from: &str, to: &str) {
    let main = std::fs::read_to_string(world.path().join("main.tf")).unwrap();
    assert!(main.contains(from), "{from}");
    world.write(&main.replace(from, to));
    let (_, said) = world.plan();
    assert!(said.contains(", 0 to destroy"), "{said}");
    world.apply();
    world.at_rest();
}

#[test]
fn a_floating_ip_moves() {
    for user in USERS {
        let world = World::new(user, PAIR);
        world.apply();
        let floating = world.attribute("netns_floating_ip.web", "address");
        for (from, to) in [("one", "two"), ("two", "one")] {
            assert_eq!(asks(&world, "netns_host.laptop", &floating, "80"), from);
            let port = |it: &str| format!("port       = netns_host.{it}.name");
            change(&world, &port(from), &port(to));
            assert_eq!(world.attribute("netns_floating_ip.web", "address"), floating);
            assert_eq!(asks(&world, "netns_host.laptop", &floating, "80"), to);
        }
        change(&world, "  port       = netns_host.one.name\n", "");
        assert_eq!(asks(&world, "netns_host.laptop", &floating, "80"), "nobody");
        world.end();
    }
}

#[test]
fn a_rule_lets_in_what_it_says_and_nothing_when_it_is_gone() {
    for user in USERS {
        let world = World::new(user, PAIR);
        world.apply();
        let one = world.attribute("netns_host.one", "address");
        let two = world.attribute("netns_host.two", "address");
        let web = || asks(&world, "netns_host.two", &one, "80");
        assert_eq!(web(), "one");
        let ping = |from: &str, to: &str| {
            let words = ["exec", from, "--", "ping", "-c1", "-W1", to];
            world.run(&words).status.code()
        };
        assert_eq!(ping("netns_host.two", &one), Some(1), "only TCP is let in");
        // Nothing lets it out.
        assert_eq!(asks(&world, "netns_host.one", &two, "80"), "nobody");
        change(&world, "port_range_min = 80", "port_range_min = 81");
        assert_eq!(web(), "nobody");
        change(
            &world,
            "port_range_min = 81",
            "port_range_min = 80\n  remote_cidr = \"198.51.100.0/24\"",
        );
        assert_eq!(web(), "nobody");
        let floating = world.attribute("netns_floating_ip.web", "address");
        assert_eq!(asks(&world, "netns_host.laptop", &floating, "80"), "one");
        change(
            &world,
            "198.51.100.0/24\"\n}\n\nresource \"netns_floating",
            "10.0.0.0/24\"\n}\n\nresource \"netns_floating",
        );
        assert_eq!(web(), "one");
        change(&world, "security_groups = [netns_security_group.web.name]", "");
        assert_eq!(ping("netns_host.two", &one), Some(0), "without a group everything passes");
        world.end();
    }
}

#[test]
fn a_snapshot_is_what_was() {
    let main = |snapshot: &str| {
        format!(
            r#"
            resource "netns_host" "vm" {{
              name = "vm"
              {snapshot}
            }}
            resource "netns_snapshot" "vm" {{
              name = "then"
              host = netns_host.vm.name
            }}
            "#
        )
    };
    for user in USERS {
        let world = World::new(user, "resource \"netns_host\" \"vm\" {\n  name = \"vm\"\n}\n");
        world.apply();
        assert!(world.exec("netns_host.vm", "mkdir /srv/then").status.success());
        world.write(&main(""));
        world.apply();
        assert!(world.exec("netns_host.vm", "mv /srv/then /srv/now").status.success());
        world.at_rest();
        // Put back, in place.
        world.write(&main("snapshot = \"then\""));
        assert!(world.plan().1.contains("0 to add, 1 to change, 0 to destroy"));
        world.apply();
        world.at_rest();
        let there = world.exec("netns_host.vm", "ls /srv");
        assert_eq!(text(&there.stdout), "then\n");
        world.end();
    }
}

/// What `exec` runs gets what was meant for it, and does not stay behind.
#[test]
fn exec_passes_on_how_it_ends() {
    let world = World::new(USERS[1], "resource \"netns_host\" \"vm\" {\n  name = \"vm\"\n}\n");
    world.apply();
    let killed = world.run(&["exec", "netns_host.vm", "--", "sh", "-c", "kill -9 $$"]);
    assert_eq!(killed.status.code(), Some(128 + 9));
    for signal in ["-TERM", "-KILL"] {
        let mut words = world.command(&["exec", "netns_host.vm", "--", "sleep", "4711"]);
        let mut running = words.stdout(Stdio::null()).spawn().unwrap();
        let sleeps = || {
            let ps =
                world.run(&["exec", "netns_host.vm", "--", "sh", "-c", "cat /proc/[0-9]*/cmdline"]);
            text(&ps.stdout).contains("sleep\u{0}4711")
        };
        eventually("it runs", sleeps);
        let pid = running.id().to_string();
        assert!(
            std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success()
        );
        running.wait().unwrap();
        eventually("it is over", || !sleeps());
    }
    world.end();
}
