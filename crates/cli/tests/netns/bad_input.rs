//! What cannot be is said with the argument at fault: in the plan where the configuration alone tells.

use crate::world::{USERS, World, all};

/// `refused_by` is `plan` or `apply`.
fn refused(refused_by: &str, main: &str, told: &[&str]) {
    let world = World::new(USERS[1], main);
    let words: &[&str] = match refused_by {
        "plan" => &["plan", "-no-color"],
        _ => &["apply", "-auto-approve", "-no-color"],
    };
    let done = world.run(words);
    let said = all(&done);
    assert_eq!(done.status.code(), Some(1), "{main}\n{said}");
    let flat = said.replace("\n│", " ").split_whitespace().collect::<Vec<_>>().join(" ");
    for it in told {
        assert!(flat.contains(it), "{it:?} is not in\n{said}");
    }
    if refused_by == "plan" {
        assert!(!world.path().join(".plumb").exists(), "nothing was begun");
    } else {
        world.end();
    }
}

fn network(more: &str) -> String {
    format!("resource \"netns_network\" \"a\" {{\n  name = \"a\"\n  {more}\n}}\n")
}

#[test]
fn in_the_plan() {
    let lan = network("subnet = \"10.0.0.0/24\"");
    for (main, told) in [
        (network("subnet = \"10.0.0.0\""), &["Invalid CIDR", "subnet"][..]),
        (network("subnet = \"10.0.0.1/24\""), &["Not a subnet", "10.0.0.0/24"]),
        (network("subnet = \"10.0.0.0/31\""), &["Subnet too small"]),
        (network("subnet = \"10.0.0.0/24\"\n  gateway = \"10.0.1.1\""), &["Invalid gateway"]),
        (network("subnet = \"10.0.0.0/24\"\n  mtu = 100"), &["Invalid mtu", "576"]),
        (network("subnet = \"10.0.0.0/24\"\n  external = \"yes\""), &["none of \"isolated\", \"nat\""]),
        (network("subnet = \"10.0.0.0/24\"\n  name = \"../a\"").replacen("  name = \"a\"\n", "", 1), &["Invalid name"]),
        (format!("{lan}resource \"netns_host\" \"h\" {{\n name = \"h\"\n interface {{}}\n}}"), &["Interface needs a port or a network"]),
        (format!("{lan}resource \"netns_host\" \"h\" {{\n name = \"h\"\n interface {{\n network = \"a\"\n mac = \"01:00:00:00:00:01\"\n}}\n}}"), &["Invalid hardware address"]),
        ("resource \"netns_host\" \"h\" {\n name = \"h\"\n files = { \"/a/../b\" = \"\" }\n}".into(), &["Invalid path"]),
        ("resource \"netns_host\" \"h\" {\n name = \"h\"\n folder = \"/\"\n image = \"x\"\n}".into(), &["More than one root"]),
        ("resource \"netns_security_group_rule\" \"r\" {\n security_group = \"g\"\n port_range_min = 22\n}".into(), &["Ports without a protocol"]),
    ] {
        refused("plan", &main, told);
    }
}

#[test]
fn in_the_cloud() {
    let host = |name: &str, more: &str| {
        format!("resource \"netns_host\" \"{name}\" {{\n name = \"{name}\"\n {more}\n}}\n")
    };
    let lan = network("subnet = \"10.0.0.0/24\"");
    let on = |more: &str| format!("interface {{\n network = netns_network.a.name\n {more}\n }}");
    let twice = "address = \"10.0.0.5\"";
    let mac = "mac = \"02:00:00:00:00:05\"";
    let other = lan.replace("\"a\"", "\"b\"").replace("10.0.0.0/24", "10.0.0.128/25");
    let router = "resource \"netns_router\" \"r\" {\n name = \"r\"\n}\n";
    let foot = |network: &str| {
        format!(
            "resource \"netns_router_interface\" \"{network}\" {{\n router = netns_router.r.name\n network = netns_network.{network}.name\n}}\n"
        )
    };
    for (main, told) in [
        (
            format!("{lan}{}", host("h", &on("address = \"10.0.1.5\""))),
            &["Address outside its subnet", "address"][..],
        ),
        (
            format!("{lan}{}", host("h", &on("address = \"10.0.0.1\""))),
            &["Address in use", "gateway"],
        ),
        (format!("{lan}{}{}", host("h", &on(twice)), host("i", &on(twice))), &["Address in use"]),
        (
            format!("{lan}{}{}", host("h", &on(mac)), host("i", &on(mac))),
            &["Duplicate hardware address"],
        ),
        (format!("{lan}{other}{router}{}{}", foot("a"), foot("b")), &["Subnets overlap"]),
        (
            host("h", "command = [\"no-such-program\"]"),
            &["Command not found", "no-such-program", "command"],
        ),
        (host("h", "folder = \"no-such-folder\""), &["Unknown folder", "folder"]),
        (host("h", "image = \"main.tf\""), &["image"]),
        (host("h", "interface { network = \"nowhere\" }"), &["Unknown network", "nowhere"]),
        (
            format!(
                "{lan}{router}resource \"netns_floating_ip\" \"f\" {{\n network = netns_network.a.name\n}}"
            ),
            &["Network is not external"],
        ),
        (
            format!(
                "{router}resource \"netns_port_forward\" \"f\" {{\n router = netns_router.r.name\n external_port = 1\n internal_port = 1\n internal_address = \"10.0.0.9\"\n}}"
            ),
            &["Router leads nowhere"],
        ),
        (network("subnet = \"198.51.100.0/24\"\n external = \"nat\""), &["No way out", "external"]),
    ] {
        refused("apply", &main, told);
    }
}
