# The second topology: another network, its own router, a second machine. The two networks reach each other by a
# network between their routers.
#
#   net ── router ──┐
#                   ├ between 10.77.9.0/24
#   net2 ─ router2 ─┘

locals {
  second = toset(var.second ? ["second"] : [])
}

resource "openstack_networking_network_v2" "second" {
  for_each = local.second
  name     = "${var.prefix}-net2"
}

resource "openstack_networking_subnet_v2" "second" {
  for_each   = local.second
  name       = "${var.prefix}-net2"
  network_id = openstack_networking_network_v2.second[each.key].id
  cidr       = var.second_subnet
}

resource "openstack_networking_router_v2" "second" {
  for_each            = local.second
  name                = "${var.prefix}-router2"
  external_network_id = data.openstack_networking_network_v2.outside.id
}

resource "openstack_networking_router_interface_v2" "second" {
  for_each  = local.second
  router_id = openstack_networking_router_v2.second[each.key].id
  subnet_id = openstack_networking_subnet_v2.second[each.key].id
}

resource "openstack_networking_port_v2" "second" {
  for_each           = local.second
  name               = "${var.prefix}-vm2"
  network_id         = openstack_networking_network_v2.second[each.key].id
  security_group_ids = [openstack_networking_secgroup_v2.lab.id]

  fixed_ip {
    subnet_id = openstack_networking_subnet_v2.second[each.key].id
  }
}

resource "openstack_compute_instance_v2" "second" {
  for_each    = local.second
  name        = "${var.prefix}-vm2"
  flavor_name = var.flavor
  image_id    = data.openstack_images_image_v2.base.id

  network {
    port = openstack_networking_port_v2.second[each.key].id
  }
}

resource "openstack_networking_network_v2" "between" {
  for_each = local.second
  name     = "${var.prefix}-between"
}

resource "openstack_networking_subnet_v2" "between" {
  for_each   = local.second
  name       = "${var.prefix}-between"
  network_id = openstack_networking_network_v2.between[each.key].id
  cidr       = var.between_subnet
  no_gateway = true
}

resource "openstack_networking_port_v2" "between" {
  for_each = { for it in ["router", "router2"] : it => it if var.second }

  name       = "${var.prefix}-between-${each.key}"
  network_id = openstack_networking_network_v2.between["second"].id

  fixed_ip {
    subnet_id  = openstack_networking_subnet_v2.between["second"].id
    ip_address = cidrhost(var.between_subnet, each.key == "router" ? 1 : 2)
  }
}

resource "openstack_networking_router_interface_v2" "between" {
  for_each  = local.second
  router_id = openstack_networking_router_v2.router.id
  port_id   = openstack_networking_port_v2.between["router"].id
}

resource "openstack_networking_router_interface_v2" "between2" {
  for_each  = local.second
  router_id = openstack_networking_router_v2.second[each.key].id
  port_id   = openstack_networking_port_v2.between["router2"].id
}

resource "openstack_networking_router_route_v2" "there" {
  for_each         = local.second
  router_id        = openstack_networking_router_interface_v2.between[each.key].router_id
  destination_cidr = var.second_subnet
  next_hop         = cidrhost(var.between_subnet, 2)
}

resource "openstack_networking_router_route_v2" "back" {
  for_each         = local.second
  router_id        = openstack_networking_router_interface_v2.between2[each.key].router_id
  destination_cidr = var.subnet
  next_hop         = cidrhost(var.between_subnet, 1)
}
