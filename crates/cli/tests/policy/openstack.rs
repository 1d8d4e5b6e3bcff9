//! The policies for OpenStack that come with the project.

use std::fmt::Write as _;

use crate::common::Lab;
use crate::world::{REFUSED, example, said};

const HEAD: &str = r#"terraform {
  required_providers { openstack = { source = "terraform-provider-openstack/openstack" } }
}
provider "openstack" {
  auth_url    = "http://127.0.0.1:1/v3"
  user_name   = "nobody"
  password    = "secret"
  tenant_name = "lab"
  domain_name = "Default"
  region      = "RegionOne"
}
"#;

/// A configuration, and networks of this many that exist already; the last one is protected.
fn lab(rest: &str, networks: usize) -> Lab {
    let lab = Lab::new(&format!("{HEAD}{rest}"));
    let mut resources = String::new();
    for number in 0..networks {
        let tags = if number + 1 == networks { r#"["protected"]"# } else { "[]" };
        let comma = if number > 0 { "," } else { "" };
        write!(
            resources,
            r#"{comma}{{"mode": "managed", "type": "openstack_networking_network_v2", "name": "n{number}",
               "provider": "provider[\"registry.terraform.io/terraform-provider-openstack/openstack\"]",
               "instances": [{{"schema_version": 0, "attributes": {{
                 "id": "0000000{number}-0000-4000-8000-000000000000", "name": "n{number}", "tags": {tags}}}}}]}}"#
        )
        .unwrap();
    }
    lab.file(
        "terraform.tfstate",
        &format!(
            r#"{{"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "a",
               "outputs": {{}}, "resources": [{resources}], "check_results": null}}"#
        ),
    );
    lab
}

#[test]
fn what_networks_may_not_let_in() {
    let lab = lab(
        r#"resource "openstack_networking_secgroup_v2" "g" { name = "g" }
resource "openstack_networking_secgroup_rule_v2" "ssh" {
  for_each = {
    everywhere = ["tcp", 20, 30, "0.0.0.0/0"]
    six        = ["tcp", 22, 22, "::/0"]
    lab        = ["tcp", 22, 22, "10.0.0.0/8"]
    web        = ["tcp", 443, 443, "0.0.0.0/0"]
    all        = [null, null, null, "0.0.0.0/0"]
    ports      = ["tcp", null, null, "0.0.0.0/0"]
  }
  direction         = "ingress"
  ethertype         = each.key == "six" ? "IPv6" : "IPv4"
  protocol          = each.value[0]
  port_range_min    = each.value[1]
  port_range_max    = each.value[2]
  remote_ip_prefix  = each.value[3]
  security_group_id = openstack_networking_secgroup_v2.g.id
}
resource "openstack_networking_network_v2" "open" {
  name                  = "open"
  port_security_enabled = false
}
resource "openstack_networking_network_v2" "closed" {
  name = "closed"
}
"#,
        0,
    );
    let (code, said) = said(&lab, &[&example("openstack")]);
    assert_eq!(code, REFUSED, "{said:#?}");
    let ssh = |key: &str, from: &str| {
        let address = format!("openstack_networking_secgroup_rule_v2.ssh[\"{key}\"]");
        format!(
            "error [Refused by policy main.deny_ssh_from_everywhere] {address}:13 {address} lets {from} \
             reach ssh. Name the networks that administrators come from."
        )
    };
    let port_security = "error [Refused by policy main.violation_port_security] \
                         openstack_networking_network_v2.open:30 Without port security anybody in the \
                         network can pretend to be anybody else.";
    assert_eq!(
        said,
        [
            ssh("all", "0.0.0.0/0"),
            ssh("everywhere", "0.0.0.0/0"),
            ssh("ports", "0.0.0.0/0"),
            ssh("six", "::/0"),
            port_security.to_owned(),
        ]
    );
}

#[test]
fn not_too_much_is_deleted_at_once() {
    let options = ["-destroy", "-refresh=false", &example("openstack")];
    let (code, few) = said(&lab("", 2), &options);
    assert_eq!((code, few), (0, Vec::new()));
    let (code, most) = said(&lab("", 3), &options);
    assert_eq!(code, 0);
    let want = "warning [Noticed by policy main.warn_many_deletions] -:null One more deletion, and this plan \
                would be refused.";
    assert_eq!(most, [want]);
    let (code, many) = said(&lab("", 4), &options);
    assert_eq!(code, REFUSED);
    let want = "error [Refused by policy main.deny_many_deletions] openstack_networking_network_v2.n0:null 4 \
                objects would be deleted; at most 3 may be at once: openstack_networking_network_v2.n0, \
                openstack_networking_network_v2.n1, openstack_networking_network_v2.n2, \
                openstack_networking_network_v2.n3";
    assert_eq!(many, [want]);
}

#[test]
fn what_is_protected_stays() {
    let stays = r#"resource "openstack_networking_network_v2" "n1" {
  name = "n1"
  tags = ["protected"]
}
"#;
    // The one that is not in the configuration any more is not protected.
    let options = ["-refresh=false", &example("generic")];
    let (code, found) = said(&lab(stays, 2), &options);
    assert_eq!((code, found), (0, Vec::new()));
    // Renamed in the configuration it would be deleted, and made again.
    let lab = lab(&stays.replace("\"n1\"", "\"other\""), 2);
    let (code, found) = said(&lab, &options);
    assert_eq!(code, REFUSED);
    let want = "error [Refused by policy main.deny_protected] openstack_networking_network_v2.n1:null \
                openstack_networking_network_v2.n1 is protected and would be deleted.";
    assert_eq!(found, [want]);
}
