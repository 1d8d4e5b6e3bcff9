//! Every resource type at once: what was made is left alone.

use std::collections::BTreeSet;

use crate::proxy::{Fate, Proxy, address, through};
use crate::world::{World, root};

const ALL: &str = r#"
    data "openstack_networking_network_v2" "outside" { name = "public" }

    resource "openstack_networking_network_v2" "it" {
      name        = "PREFIX"
      description = "a network"
      tags        = ["t"]
    }
    resource "openstack_networking_subnetpool_v2" "it" {
      name     = "PREFIX"
      prefixes = ["10.21.0.0/16"]
      tags     = ["t"]
    }
    resource "openstack_networking_subnet_v2" "it" {
      name            = "PREFIX"
      network_id      = openstack_networking_network_v2.it.id
      subnetpool_id   = openstack_networking_subnetpool_v2.it.id
      cidr            = "10.21.1.0/24"
      dns_nameservers = ["10.21.1.2"]
      tags            = ["t"]
      allocation_pool {
        start = "10.21.1.10"
        end   = "10.21.1.99"
      }
    }
    resource "openstack_networking_subnet_route_v2" "it" {
      subnet_id        = openstack_networking_subnet_v2.it.id
      destination_cidr = "10.70.0.0/16"
      next_hop         = "10.21.1.9"
    }
    resource "openstack_networking_router_v2" "it" {
      name                = "PREFIX"
      external_network_id = data.openstack_networking_network_v2.outside.id
      tags                = ["t"]
    }
    resource "openstack_networking_router_interface_v2" "it" {
      router_id = openstack_networking_router_v2.it.id
      subnet_id = openstack_networking_subnet_v2.it.id
    }
    resource "openstack_networking_router_route_v2" "it" {
      router_id        = openstack_networking_router_interface_v2.it.router_id
      destination_cidr = "10.60.0.0/16"
      next_hop         = "10.21.1.9"
    }
    resource "openstack_networking_address_group_v2" "it" {
      name      = "PREFIX"
      addresses = ["10.0.0.1", "10.1.0.0/16"]
    }
    resource "openstack_networking_secgroup_v2" "it" {
      name        = "PREFIX"
      description = "a group"
    }
    resource "openstack_networking_secgroup_rule_v2" "it" {
      security_group_id = openstack_networking_secgroup_v2.it.id
      direction         = "ingress"
      ethertype         = "IPv4"
      protocol          = "tcp"
      port_range_min    = 22
      port_range_max    = 22
      remote_ip_prefix  = "10.0.0.9/8"
    }
    resource "openstack_networking_port_v2" "it" {
      for_each           = toset(["server", "trunk", "inside", "further", "forwarded"])
      name               = "PREFIX-${each.key}"
      network_id         = openstack_networking_network_v2.it.id
      security_group_ids = [openstack_networking_secgroup_v2.it.id]
      tags               = ["t"]
      fixed_ip { subnet_id = openstack_networking_subnet_v2.it.id }
    }
    resource "openstack_networking_trunk_v2" "it" {
      name    = "PREFIX"
      port_id = openstack_networking_port_v2.it["trunk"].id
      sub_port {
        port_id           = openstack_networking_port_v2.it["inside"].id
        segmentation_type = "vlan"
        segmentation_id   = 101
      }
    }
    resource "openstack_networking_floatingip_v2" "it" {
      count       = 2
      pool        = "public"
      description = "PREFIX"
    }
    resource "openstack_networking_floatingip_associate_v2" "it" {
      floating_ip = openstack_networking_floatingip_v2.it[0].address
      port_id     = openstack_networking_port_v2.it["server"].id
    }
    resource "openstack_networking_portforwarding_v2" "it" {
      floatingip_id       = openstack_networking_floatingip_v2.it[1].id
      internal_port_id    = openstack_networking_port_v2.it["forwarded"].id
      internal_ip_address = openstack_networking_port_v2.it["forwarded"].all_fixed_ips[0]
      internal_port       = 22
      external_port       = 2222
      protocol            = "tcp"
    }

    resource "openstack_images_image_v2" "it" {
      name             = "PREFIX"
      container_format = "bare"
      disk_format      = "raw"
      local_file_path  = "disk.raw"
      tags             = ["t"]
      properties       = { a = "1" }
    }
    resource "openstack_compute_keypair_v2" "it" { name = "PREFIX" }
    resource "openstack_compute_servergroup_v2" "it" {
      name     = "PREFIX"
      policies = ["soft-anti-affinity"]
    }
    resource "openstack_compute_instance_v2" "it" {
      name         = "PREFIX"
      image_id     = openstack_images_image_v2.it.id
      flavor_name  = "m1.tiny"
      key_pair     = openstack_compute_keypair_v2.it.name
      metadata     = { a = "1" }
      tags         = ["t"]
      user_data    = "a line\n"
      config_drive = true
      network {
        port           = openstack_networking_port_v2.it["server"].id
        access_network = true
      }
      scheduler_hints { group = openstack_compute_servergroup_v2.it.id }
    }
    resource "openstack_compute_interface_attach_v2" "it" {
      instance_id = openstack_compute_instance_v2.it.id
      port_id     = openstack_networking_port_v2.it["further"].id
    }
    resource "openstack_compute_snapshot_v2" "it" {
      name        = "PREFIX-snapshot"
      instance_id = openstack_compute_instance_v2.it.id
      tags        = ["t"]
      metadata    = { a = "2" }
    }
    resource "openstack_blockstorage_volume_v3" "it" {
      name        = "PREFIX"
      description = "a volume"
      size        = 1
      metadata    = { a = "1" }
    }
    resource "openstack_compute_volume_attach_v2" "it" {
      instance_id = openstack_compute_instance_v2.it.id
      volume_id   = openstack_blockstorage_volume_v3.it.id
    }
    resource "openstack_identity_application_credential_v3" "it" {
      name  = "PREFIX"
      roles = ["reader"]
    }
"#;

/// What it takes an administrator to make.
const ADMIN: &str = r#"
    resource "openstack_compute_flavor_v2" "it" {
      name        = "PREFIX"
      ram         = 64
      vcpus       = 1
      disk        = 1
      extra_specs = { "hw:cpu_policy" = "shared" }
    }
    resource "openstack_identity_project_v3" "it" {
      name        = "PREFIX-made"
      description = "a project"
      tags        = ["t"]
    }
"#;

/// A new resource type is in one of the two, too.
#[test]
fn no_resource_type_is_forgotten() {
    let manual = std::fs::read_to_string(root().join("docs/providers/openstack.md")).unwrap();
    let named = |text: &str, before: &str, after: char| -> BTreeSet<String> {
        let names =
            text.lines().filter_map(|it| it.trim().strip_prefix(before)?.split(after).next());
        names.map(str::to_owned).collect()
    };
    let mut here = named(ALL, "resource \"", '"');
    here.extend(named(ADMIN, "resource \"", '"'));
    assert_eq!(here, named(&manual, "## Resource `", '`'));
}

/// Applied, it needs nothing more, and nothing but questions are asked of any service.
fn left_alone(world: &World, config: &str) {
    world.config(config);
    world.write("disk.raw", "a disk\n");
    world.apply();
    let services = ["network", "compute", "image", "volume", "identity"];
    let proxies = services.map(|it| Proxy::before(&address(it), |_| Fate::Pass));
    let pairs: Vec<_> = services.into_iter().zip(&proxies).collect();
    world.config(&(through(&pairs, "") + config));
    world.nothing_to_do();
    let seen = || -> Vec<String> { proxies.iter().flat_map(Proxy::seen).collect() };
    let asked = seen();
    assert!(asked.iter().all(|it| it.starts_with("GET ")), "{asked:#?}");
    println!("{asked:#?}");
    world.apply();
    let asked = seen();
    assert!(!asked.is_empty() && asked.iter().all(|it| it.starts_with("GET ")), "{asked:#?}");
    world.at_rest();
}

#[test]
fn everything_at_once() {
    let world = World::empty("every");
    left_alone(&world, ALL);
    world.end();
}

#[test]
fn everything_of_administrators() {
    let mut world = World::empty("everyadmin");
    for name in ["OS_USERNAME", "OS_PROJECT_NAME"] {
        world.env.insert(name.to_owned(), "admin".to_owned());
    }
    let projects = || {
        let path = format!("/projects?name={}-made", world.name);
        world.admin().list("identity", &path, "projects")
    };
    world.clear_flavors();
    for it in projects() {
        world.admin().delete("identity", &format!("/projects/{}", it["id"].as_str().unwrap()));
    }
    left_alone(&world, ADMIN);
    world.end();
    let left = world.clear_flavors();
    assert!(left.is_empty() && projects().is_empty(), "{left:?} {:?}", projects());
}
