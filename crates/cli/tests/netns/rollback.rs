//! `rollback` in a real network: what was changed, made and removed since goes back.

use crate::world::{USERS, World, all};

const FIRST: &str = r#"
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

resource "netns_network" "gone" {
  name   = "gone"
  subnet = "10.0.9.0/24"
}

resource "netns_host" "web" {
  name    = "web"
  command = ["sleep", "100000"]
  interface { network = netns_network.lan.name }
}
"#;

#[test]
fn a_network_goes_back_to_what_it_was() {
    for user in USERS {
        let world = World::new(user, FIRST);
        world.apply();
        let first = serial(&world);
        let lan = world.attribute("netns_network.lan", "id");
        let second = FIRST
            .replace(
                "\"gone\" {\n  name   = \"gone\"\n  subnet = \"10.0.9.0/24\"",
                "\"made\" {\n  name   = \"made\"\n  subnet = \"10.0.7.0/24\"",
            )
            .replace("\"sleep\", \"100000\"", "\"sleep\", \"200000\"");
        world.write(&second);
        world.apply();
        let done = world.run(&["rollback", &format!("-to={first}"), "-auto-approve"]);
        let text = all(&done);
        assert!(done.status.success(), "{text}");
        let (_, costs) = text.split_once("What the way back costs:").unwrap();
        let (costs, _) = costs.split_once("Rollback: ").unwrap();
        let label = |of: &str| {
            let words =
                |it: &str| it.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>();
            let line = costs.lines().map(words).find(|it| it.get(1).is_some_and(|it| it == of));
            line.map(|it| it[0].clone())
        };
        assert_eq!(label("netns_network.gone").as_deref(), Some("lossy"), "{text}");
        assert_eq!(label("netns_network.made").as_deref(), Some("lossy"), "{text}");
        assert!(label("netns_host.web").is_some(), "{text}");
        assert_eq!(label("netns_network.lan"), None, "{text}");
        assert_eq!(label("netns_router_interface.lan"), None, "{text}");
        assert!(text.contains("The configuration still says the newer things"), "{text}");
        let listed = all(&world.run(&["state", "list"]));
        assert!(
            listed.contains("netns_network.gone") && !listed.contains("netns_network.made"),
            "{listed}"
        );
        assert_eq!(world.attribute("netns_network.lan", "id"), lan);
        // Reality and the old files agree.
        world.write(FIRST);
        let plan = world.run(&["plan", "-detailed-exitcode"]);
        assert_eq!(plan.status.code(), Some(0), "{}", all(&plan));
        world.end();
    }
}

fn serial(world: &World) -> u64 {
    let state = std::fs::read(world.path().join("terraform.tfstate")).unwrap();
    let state: serde_json::Value = serde_json::from_slice(&state).unwrap();
    state["serial"].as_u64().unwrap()
}
