//! Real drift in the forms of pipelines: what moved, what stands beside, inside a runner.

use std::fs;

use serde_json::Value;

use crate::world::{World, all, another};

const CONFIG: &str = "resource \"netns_network\" \"lan\" {\n  name   = \"lan\"\n  subnet = \"10.0.0.0/24\"\n}\n\
     resource \"netns_host\" \"web\" {\n  name = \"web\"\n  interface { network = netns_network.lan.name }\n}\n";

#[test]
fn every_report_tells_of_it() {
    let world = World::new(0, CONFIG);
    world.apply();
    assert!(world.exec("netns_network.lan", "ip link set dev br down").status.success());
    let stray = "resource \"netns_host\" \"stray\" {\n  name = \"stray\"\n  interface { network = \"lan\" }\n}\n";
    let other = another(&world, stray);
    other.apply();
    let args = ["drift", "-no-color", "-sarif=d.sarif", "-junit-xml=d.xml", "-prometheus=d.prom"];
    let done = world
        .command(&[&args[..], &["-markdown=d.md", "-json-into=d.json"]].concat())
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_OUTPUT", world.path().join("outputs"))
        .env("GITHUB_STEP_SUMMARY", world.path().join("summary"))
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(2), "{}", all(&done));
    let read = |name: &str| fs::read_to_string(world.path().join(name)).unwrap();
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        text.contains("# netns_network.lan has changed\n  # (main.tf line 1, id lan,"),
        "{text}"
    );
    assert!(text.contains("Drift: 1 changed, 0 deleted, 1 foreign, 0 undeclared."), "{text}");
    let commands = String::from_utf8_lossy(&done.stderr).into_owned();
    let command = "::warning file=main.tf,line=1,endLine=1,";
    assert!(commands.lines().any(|it| it.starts_with(command)), "{commands}");
    assert!(commands.contains("title=netns_host%3Astray stands there undeclared::"), "{commands}");
    assert!(read("outputs").contains("drift<<plumb_end\ntrue\n"), "{}", read("outputs"));
    for name in ["summary", "d.md"] {
        let text = read(name);
        assert!(text.starts_with("### Drift: 1 changed, 0 deleted, 1 foreign"), "{name}: {text}");
        assert_eq!(text.matches("\n<details>").count(), 2, "{name}: {text}");
    }
    let xml = read("d.xml");
    assert!(xml.contains("tests=\"3\" failures=\"2\" errors=\"0\""), "{xml}");
    assert!(xml.contains("name=\"the 1 other object\""), "{xml}");
    let sarif: Value = serde_json::from_str(&read("d.sarif")).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let rules: Vec<&str> = results.iter().map(|it| it["ruleId"].as_str().unwrap()).collect();
    assert_eq!(rules, ["drift/changed", "drift/foreign"]);
    let metrics = read("d.prom");
    let counted =
        "plumb_drift_findings{workspace=\"default\",class=\"foreign\",standing=\"counts\"} 1\n";
    assert!(metrics.contains(counted), "{metrics}");
    assert!(metrics.contains("plumb_drift_detected{workspace=\"default\"} 1\n"), "{metrics}");
    let document: Value = serde_json::from_str(&read("d.json")).unwrap();
    assert_eq!(document["drift"], true);
    other.ok(&["destroy", "-auto-approve"]);
    world.end();
}
