//! What goes wrong says what, where and what to do; nothing is lost and nothing made twice.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::proxy::{Fate, Proxy, address, through};
use crate::world::World;

const NETWORK: &str = r#"resource "openstack_networking_network_v2" "n" { name = "PREFIX" }"#;
const APPLY: [&str; 3] = ["apply", "-auto-approve", "-no-color"];

/// What is said must hold these words.
fn has(said: &str, words: &[&str]) {
    // The plan is not what went wrong.
    let said = said.split("Error:").skip(1).collect::<Vec<_>>().join("Error:");
    for it in words {
        assert!(said.contains(it), "{it:?} is not in {said}");
    }
}

#[test]
fn wrong_password() {
    let mut world = World::new("password", NETWORK);
    world.env.insert("OS_PASSWORD".to_owned(), "wrong".to_owned());
    let said = world.fails(&APPLY);
    has(&said, &["main.tf line", "provider \"openstack\""]);
    assert!(!said.contains("wrong\""), "{said}");
    world.end_empty();
}

#[test]
fn nobody_says_where_the_cloud_is() {
    let mut world = World::new("nowhere", NETWORK);
    for name in ["OS_AUTH_URL", "OS_USERNAME", "OS_PASSWORD", "OS_PROJECT_NAME"] {
        world.env.insert(name.to_owned(), String::new());
    }
    has(&world.fails(&APPLY), &["main.tf line", "OS_USERNAME", "clouds.yaml"]);
    world.env.insert("OS_CLOUD".to_owned(), "nebula".to_owned());
    has(&world.fails(&APPLY), &["nebula", "clouds.yaml"]);
    world.end_empty();
}

/// The service is there, then is not: what was made is known, and the next apply goes on.
#[test]
fn endpoint_down_in_mid_apply() {
    let count = AtomicUsize::new(0);
    let proxy = Proxy::before(&address("network"), move |asked| {
        let posts = asked.starts_with("POST") && count.fetch_add(1, Ordering::SeqCst) >= 2;
        if posts { Fate::Answer(500) } else { Fate::Pass }
    });
    let config = |proxies: &[(&str, &Proxy)]| {
        let five = r#"
            resource "openstack_networking_network_v2" "n" {
              count = 5
              name  = "PREFIX-${count.index}"
            }"#;
        through(proxies, "max_retries = 1") + five
    };
    let world = World::new("down", &config(&[("network", &proxy)]));
    let said = world.fails(&APPLY);
    has(&said, &["Cannot create the network", "Said by the test", "main.tf line"]);
    assert_eq!(world.there()["networks"].len(), 2);
    world.config(&config(&[]));
    world.settle();
    assert_eq!(world.there()["networks"].len(), 5);
    world.end();
}

/// The cloud did it, but nobody heard: it is found by its stamp, and not made again.
#[test]
fn an_answer_that_is_lost() {
    let once = AtomicUsize::new(0);
    let proxy = Proxy::before(&address("network"), move |asked| {
        let first = asked.starts_with("POST") && once.fetch_add(1, Ordering::SeqCst) == 0;
        if first { Fate::Mute } else { Fate::Pass }
    });
    let only = r#"
        resource "openstack_networking_network_v2" "n" {
          name        = "PREFIX"
          description = "Only one"
          tags        = ["t"]
        }"#;
    let config = through(&[("network", &proxy)], "") + only;
    let world = World::new("lost", &config);
    world.run(&APPLY);
    world.settle();
    assert_eq!(world.there()["networks"], ["plumb-e2e-lost"]);
    let id = world.id("openstack_networking_network_v2.n");
    let seen = world.api.get("network", &format!("/networks/{id}"))["network"].clone();
    assert_eq!(seen["tags"], json!(["t"]), "what was left to do was done");
    world.end();
}

#[test]
fn quota_of_zero() {
    let world = World::new("quota", NETWORK);
    world.admin_quota(&json!({ "network": 0 }));
    let said = world.fails(&APPLY);
    has(&said, &["Cannot create the network", "uota", "main.tf line"]);
    world.admin_quota(&json!({ "network": 100 }));
    world.settle();
    world.end();
}

#[test]
fn names_that_mean_none_or_two() {
    let world = World::new("names", NETWORK);
    let look = |name: &str| {
        format!("data \"openstack_networking_network_v2\" \"d\" {{\n  name = \"{name}\"\n}}\n")
    };
    world.config(&look("PREFIX-none"));
    has(&world.fails(&["plan", "-no-color"]), &["returned no network", "main.tf line"]);
    let two = r#"
        resource "openstack_networking_network_v2" "n" {
          count = 2
          name  = "PREFIX-twin"
        }"#;
    world.config(two);
    world.settle();
    world.config(&format!("{two}\n{}", look("PREFIX-twin")));
    let said = world.fails(&["plan", "-no-color"]);
    has(&said, &["returned more than one network", "plumb-e2e-names-twin"]);
    let pool = format!(
        "{two}\nresource \"openstack_networking_floatingip_v2\" \"f\" {{\n  pool = \"PREFIX-twin\"\n}}\n"
    );
    world.config(&pool);
    has(&world.fails(&APPLY), &["More than one network", "identifier"]);
    world.config(two);
    world.end();
}

#[test]
fn what_cannot_be_is_told_before_anything_is_made() {
    let world = World::empty("cannot");
    let rule = |rest: &str| {
        format!(
            "resource \"openstack_networking_secgroup_v2\" \"g\" {{\n  name = \"PREFIX\"\n}}\n\
             resource \"openstack_networking_secgroup_rule_v2\" \"r\" {{\n  \
             security_group_id = openstack_networking_secgroup_v2.g.id\n{rest}\n}}\n"
        )
    };
    let subnet = |rest: &str| {
        format!(
            "resource \"openstack_networking_subnet_v2\" \"s\" {{\n  network_id = \"x\"\n{rest}\n}}\n"
        )
    };
    let cases = [
        (rule("direction = \"in\"\nethertype = \"IPv4\""), "expected direction to be one of"),
        (
            rule("direction = \"ingress\"\nethertype = \"IPv4\"\nprotocol = \"tpc\""),
            "\"tpc\" is not a valid protocol",
        ),
        (
            rule(
                "direction = \"ingress\"\nethertype = \"IPv4\"\nprotocol = \"tcp\"\nport_range_min = 22",
            ),
            "port_range_max",
        ),
        (
            rule(
                "direction = \"ingress\"\nethertype = \"IPv4\"\nprotocol = \"tcp\"\nport_range_min = 23\nport_range_max = 22",
            ),
            "Invalid port range",
        ),
        (
            rule(
                "direction = \"ingress\"\nethertype = \"IPv4\"\nremote_ip_prefix = \"0.0.0.0/0\"\nremote_group_id = \"x\"",
            ),
            "conflicts with",
        ),
        (subnet("cidr = \"10.0.0.0\""), "Invalid CIDR"),
        (
            subnet(
                "cidr = \"10.0.0.0/24\"\nallocation_pool {\n  start = \"10.0.0.5\"\n  end = \"10.0.1.9\"\n}",
            ),
            "Allocation pool outside the subnet",
        ),
        (
            subnet("cidr = \"10.0.0.0/24\"\ngateway_ip = \"10.0.0.1\"\nno_gateway = true"),
            "conflicts with",
        ),
        (subnet("cidr = \"10.0.0.0/24\"\nip_version = 5"), "ip_version"),
    ];
    for (config, words) in cases {
        world.config(&config);
        println!("{config}");
        let said = world.fails(&["validate", "-no-color"]);
        has(&said, &[words, "main.tf line"]);
    }
    world.end_empty();
}

/// Before Neutron; the answer to the request of this number is something else.
fn once(number: usize, fates: &'static [Fate]) -> Proxy {
    let count = AtomicUsize::new(0);
    Proxy::before(&address("network"), move |_| {
        let now = count.fetch_add(1, Ordering::SeqCst) + 1;
        now.checked_sub(number).and_then(|it| fates.get(it)).copied().unwrap_or(Fate::Pass)
    })
}

const SIX: &str = r#"
    resource "openstack_networking_network_v2" "n" {
      count = 6
      name  = "PREFIX-${count.index}"
    }
"#;

/// A token that ends in the middle is replaced, unless that is forbidden or impossible.
#[test]
fn a_token_that_ends() {
    let proxy = once(3, &[Fate::Answer(401)]);
    let head = |proxy: &Proxy, more: &str| through(&[("network", proxy)], more) + SIX;
    let mut world = World::new("token", &head(&proxy, ""));
    world.settle();
    assert_eq!(world.there()["networks"].len(), 6);
    let posts = proxy.seen().iter().filter(|it| it.starts_with("POST")).count();
    assert_eq!(posts, 7, "one of them was sent again");
    world.destroy();

    let proxy = once(3, &[Fate::Answer(401); 20]);
    world.config(&head(&proxy, "allow_reauth = false"));
    let said = world.fails(&APPLY);
    has(&said, &["The token has expired or was revoked", "allow_reauth", "main.tf line"]);
    assert!(world.there()["networks"].len() < 6);
    world.config(&(through(&[], "") + SIX));
    world.settle();
    world.destroy();

    // A token of a real person, which nobody can renew.
    let proxy = once(3, &[Fate::Answer(401); 20]);
    world.config(&head(&proxy, ""));
    let names = ["OS_USERNAME", "OS_PASSWORD", "OS_USER_DOMAIN_ID"];
    let given: Vec<_> = names.map(|it| (it.to_owned(), String::new())).into();
    world.env.extend(given);
    world.env.insert("OS_TOKEN".to_owned(), world.api.token().to_owned());
    let said = world.fails(&APPLY);
    has(&said, &["The token has expired or was revoked", "openstack token issue", "main.tf line"]);
    assert!(!said.contains(world.api.token()), "{said}");
    world.config(&(through(&[], "") + SIX));
    world.settle();
    world.env.insert("OS_TOKEN".to_owned(), "gAAAAAnone".to_owned());
    let said = world.fails(&APPLY);
    has(&said, &["openstack token issue", "main.tf line"]);
    world.env.clear();
    world.end();
}

/// A service that asks for patience is given it.
#[test]
fn a_service_that_is_too_busy() {
    let proxy = once(1, &[Fate::Answer(503); 2]);
    let config = through(&[("network", &proxy)], "") + NETWORK;
    let world = World::new("busy", &config);
    let begun = std::time::Instant::now();
    world.apply();
    assert!(begun.elapsed().as_secs() >= 2, "it asked for two seconds");
    let seen = proxy.seen();
    assert_eq!(seen.len(), 3, "{seen:#?}");
    assert_eq!(world.there()["networks"], ["plumb-e2e-busy"]);
    world.settle();
    // A connection that is cut is another matter when something was to be made.
    let proxy = once(1, &[Fate::Cut; 2]);
    world.config(&(through(&[("network", &proxy)], "") + NETWORK));
    world.nothing_to_do();
    assert_eq!(proxy.seen().len(), 3, "reading is tried again");
    world.config(&(through(&[], "") + NETWORK));
    world.end();
}

/// The name is changed, the tags are not: the state says so, and nothing else is a difference.
#[test]
fn an_update_that_fails_halfway() {
    let proxy = Proxy::before(&address("network"), |asked| match asked.ends_with("/tags") {
        true => Fate::Answer(400),
        false => Fate::Pass,
    });
    let config = |proxies: &[(&str, &Proxy)], rest: &str| {
        let network = format!("resource \"openstack_networking_network_v2\" \"n\" {{\n{rest}\n}}");
        through(proxies, "") + &network
    };
    let world = World::new("half", &config(&[], "name = \"PREFIX-a\""));
    world.settle();
    let changed = "name = \"PREFIX-b\"\ntags = [\"t\"]";
    world.config(&config(&[("network", &proxy)], changed));
    has(&world.fails(&APPLY), &["Cannot tag the network", "main.tf line"]);
    assert_eq!(world.attrs("openstack_networking_network_v2.n")["name"], "plumb-e2e-half-b");
    let plan = world.plan();
    assert!(plan.contains("tags ") && plan.contains("+ \"t\""), "{plan}");
    assert!(!plan.contains("description"), "{plan}");
    world.config(&config(&[], changed));
    world.settle();
    world.end();
}
