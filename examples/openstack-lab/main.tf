# A private network behind a router, a machine on it, and an address outside that leads to the machine.
#
#   outside ── router ── net 10.77.1.0/24
#                          vm   floating IP; ping and ssh are let in, nothing else
#
# The cloud is the one that OS_CLOUD or the other OS_ variables name.

terraform {
  required_providers {
    openstack = {
      source = "terraform-provider-openstack/openstack"
    }
  }
}

provider "openstack" {}

data "openstack_networking_network_v2" "outside" {
  name     = var.outside
  external = true
}

resource "openstack_networking_network_v2" "net" {
  name = "${var.prefix}-net"
}

resource "openstack_networking_subnet_v2" "net" {
  name       = "${var.prefix}-net"
  network_id = openstack_networking_network_v2.net.id
  cidr       = var.subnet
}

resource "openstack_networking_router_v2" "router" {
  name                = "${var.prefix}-router"
  external_network_id = data.openstack_networking_network_v2.outside.id
}

resource "openstack_networking_router_interface_v2" "router" {
  router_id = openstack_networking_router_v2.router.id
  subnet_id = openstack_networking_subnet_v2.net.id
}

resource "openstack_networking_secgroup_v2" "lab" {
  name        = "${var.prefix}-lab"
  description = "Ping and ssh from anywhere, the web from the second network only"
}

locals {
  rules = {
    ping = { protocol = "icmp", port = null, from = "0.0.0.0/0" }
    ssh  = { protocol = "tcp", port = 22, from = "0.0.0.0/0" }
    web  = { protocol = "tcp", port = 80, from = var.second_subnet }
  }
}

resource "openstack_networking_secgroup_rule_v2" "lab" {
  for_each = local.rules

  security_group_id = openstack_networking_secgroup_v2.lab.id
  direction         = "ingress"
  ethertype         = "IPv4"
  protocol          = each.value.protocol
  port_range_min    = each.value.port
  port_range_max    = each.value.port
  remote_ip_prefix  = each.value.from
}

resource "openstack_compute_keypair_v2" "lab" {
  name       = "${var.prefix}-key"
  public_key = var.public_key
}

resource "openstack_networking_port_v2" "vm" {
  name               = "${var.prefix}-vm"
  network_id         = openstack_networking_network_v2.net.id
  security_group_ids = [openstack_networking_secgroup_v2.lab.id]

  fixed_ip {
    subnet_id = openstack_networking_subnet_v2.net.id
  }
}

resource "openstack_compute_instance_v2" "vm" {
  name        = "${var.prefix}-vm"
  flavor_name = var.flavor
  # Another image rebuilds the machine where it is: its addresses stay.
  image_id = coalesce(var.restore_from, data.openstack_images_image_v2.base.id)
  key_pair = openstack_compute_keypair_v2.lab.name

  network {
    port = openstack_networking_port_v2.vm.id
  }
}

data "openstack_images_image_v2" "base" {
  name        = var.image
  most_recent = true
}

# Leads to the machine as soon as the router does.
resource "openstack_networking_floatingip_v2" "vm" {
  pool    = var.outside
  port_id = openstack_networking_port_v2.vm.id
}
