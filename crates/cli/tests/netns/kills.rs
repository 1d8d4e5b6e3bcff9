//! Plumb killed at any moment of an apply: nothing is lost, nothing is made twice, the next apply finishes.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::world::{USERS, World};

const TRIALS: u32 = 30;

const MANY: &str = r#"
resource "netns_network" "net" {
  count  = 4
  name   = "net${count.index}"
  subnet = cidrsubnet("10.0.0.0/16", 8, count.index)
}

resource "netns_host" "host" {
  count   = 24
  name    = "host${count.index}"
  command = ["sleep", "100000"]
  interface { network = netns_network.net[count.index % 4].name }
}

resource "netns_security_group" "group" {
  name = "group"
}

resource "netns_security_group_rule" "rule" {
  count          = 8
  security_group = netns_security_group.group.name
  protocol       = "tcp"
  port_range_min = 1000 + count.index
}
"#;

#[test]
fn nothing_is_lost_and_nothing_is_made_twice() {
    let whole = {
        let world = World::new(USERS[1], MANY);
        let begun = Instant::now();
        world.apply();
        begun.elapsed()
    };
    let mut half = 0;
    for trial in 0..TRIALS {
        let world = World::new(USERS[(trial % 2) as usize], MANY);
        let mut child = world
            .command(&["apply", "-auto-approve"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole * trial / TRIALS);
        let _ = child.kill();
        child.wait().unwrap();
        std::thread::sleep(Duration::from_millis(5));
        let before = world.processes().len();
        if before > 1 && before < 25 {
            half += 1;
        }
        world.apply();
        world.at_rest();
        // The holder, and a first process for each host; what they run has a name of its own.
        assert_eq!(world.processes().len(), 25, "trial {trial}");
        let mut rules: Vec<String> = world
            .ok(&["state", "list"])
            .lines()
            .filter(|it| it.contains("netns_"))
            .map(str::to_owned)
            .collect();
        rules.dedup();
        assert_eq!(rules.len(), 4 + 24 + 1 + 8);
        world.end();
    }
    assert!(half > 3, "only {half} were killed half way");
}
