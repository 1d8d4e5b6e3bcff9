//! What was changed by hand is found, named, and repaired.

use std::process::Command;

use crate::world::{USERS, World, all, eventually, routed};

const LAB: &str = routed!(
    r#"
resource "netns_security_group" "web" {
  name = "web"
}

resource "netns_security_group_rule" "ping" {
  security_group = netns_security_group.web.name
  protocol       = "icmp"
}

resource "netns_host" "web" {
  name    = "web"
  command = ["sleep", "100000"]
  interface {
    network         = netns_network.lan.name
    security_groups = [netns_security_group.web.name]
  }
}

resource "netns_host" "laptop" {
  name = "laptop"
  interface { network = netns_network.world.name }
}

resource "netns_floating_ip" "web" {
  network    = netns_network.world.name
  port       = netns_host.web.name
  depends_on = [netns_router_interface.lan]
}
"#
);

#[test]
fn by_hand() {
    for user in USERS {
        let world = World::new(user, LAB);
        world.apply();
        world.at_rest();
        let floating = world.attribute("netns_floating_ip.web", "address");
        let arrives = || {
            world.exec("netns_host.laptop", &format!("ping -c1 -W1 {floating}")).status.success()
        };
        assert!(arrives());
        for (at, by_hand, whose, told) in [
            (
                "netns_router.r",
                "nft flush chain inet plumb prerouting",
                "netns_floating_ip.web",
                "filter rule",
            ),
            ("netns_router.r", "ip link set dev ext down", "netns_router.r", "ext is down"),
            (
                "netns_router.r",
                "ip addr del FLOATING/32 dev ext",
                "netns_floating_ip.web",
                "lacks the address",
            ),
            (
                "netns_router.r",
                "ip addr flush dev int3",
                "netns_router_interface.lan",
                "lacks the address",
            ),
            ("netns_router.r", "ip route del default", "netns_router.r", "the route to 0.0.0.0/0"),
            ("netns_network.lan", "ip link set dev br down", "netns_network.lan", "br is down"),
            ("netns_router.r", "nft delete table inet plumb", "netns_router.r", "forward"),
            (
                "netns_router.r",
                "nft add table ip evil",
                "netns_router.r",
                "table ip evil was added",
            ),
            (
                "netns_router.r",
                "ip addr add 192.0.2.9/32 dev lo",
                "netns_router.r",
                "lo has the address 192.0.2.9/32",
            ),
        ] {
            let by_hand = by_hand.replace("FLOATING", &floating);
            let interface = world.exec("netns_router.r", "ip -o -br link");
            let interface = all(&interface);
            let inside = interface.split_whitespace().find(|it| it.starts_with("int")).unwrap();
            let by_hand = by_hand.replace("int3", inside.split('@').next().unwrap());
            let done = world.exec(at, &by_hand);
            assert!(done.status.success(), "{by_hand}: {}", all(&done));
            let (something, said) = world.plan();
            assert!(something && said.contains(told), "{by_hand} (user {user}): {said}");
            assert!(said.contains(&format!("# {whose} will be updated")), "{by_hand}: {said}");
            assert!(!said.contains("must be replaced"), "{said}");
            world.apply();
            world.at_rest();
            assert!(arrives(), "{by_hand}");
        }
        world.end();
    }
}

#[test]
fn a_killed_command_and_a_killed_host_come_back() {
    for user in USERS {
        let world = World::new(user, LAB);
        world.apply();
        world.exec("netns_host.web", "touch /root/mine");
        for how in ["command", "host"] {
            if how == "command" {
                assert!(world.exec("netns_host.web", "kill -9 2").status.success());
            } else {
                let pid = world.attribute("netns_host.web", "pid");
                assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
            }
            eventually("it is told", || world.plan().0);
            world.apply();
            world.at_rest();
            assert!(world.exec("netns_host.web", "test -e /root/mine").status.success(), "{how}");
        }
        world.end();
    }
}

#[test]
fn a_killed_holder_takes_everything_and_apply_rebuilds_it() {
    for user in USERS {
        let world = World::new(user, LAB);
        world.apply();
        for pid in world.processes() {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
        eventually("it is dead", || world.processes().is_empty());
        let (_, said) = world.plan();
        assert!(said.contains("9 to add, 0 to change, 0 to destroy"), "{said}");
        world.apply();
        world.at_rest();
        world.end();
    }
}

#[test]
fn what_can_change_in_place_does() {
    let world = World::new(USERS[1], LAB);
    world.apply();
    for (from, to) in [
        ("10.0.0.0/24", "10.7.0.0/24"),
        (
            "command = [\"sleep\", \"100000\"]",
            "command = [\"sleep\", \"200000\"]\n  env = { A = \"b\" }",
        ),
        ("protocol       = \"icmp\"", "protocol       = \"tcp\"\n  port_range_min = 22"),
        ("port       = netns_host.web.name", "port       = netns_host.laptop.name"),
        ("name = \"laptop\"\n", "name = \"laptop\"\n  limits { pids = 50 }\n"),
        ("external = \"isolated\"", "external = \"isolated\"\n  mtu = 1400"),
    ] {
        let main = std::fs::read_to_string(world.path().join("main.tf")).unwrap();
        assert!(main.contains(from), "{from}");
        world.write(&main.replace(from, to));
        let (something, said) = world.plan();
        assert!(something && said.contains(", 0 to destroy"), "{to}: {said}");
        world.apply();
        world.ok(&["apply", "-refresh-only", "-auto-approve"]);
        world.at_rest();
    }
    world.end();
}
