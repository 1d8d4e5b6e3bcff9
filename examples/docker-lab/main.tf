# A small laboratory: three machines on one bridge, the third made from a snapshot of the second.
#
#   bridge 172.31.77.0/24 (host side .1)
#     ct1   172.31.77.11
#     ct2   172.31.77.12   its ssh is published on the host's port 2233
#     ct3   172.31.77.13   runs the image that ct2 was committed to

terraform {
  required_providers {
    docker = {
      source = "kreuzwerker/docker"
    }
  }
}

# The engine is the one that DOCKER_HOST names.
provider "docker" {}

locals {
  # The host's side of the bridge is the subnet's first address.
  gateway = cidrhost(var.subnet, 1)
}

resource "docker_network" "lab" {
  name   = "${var.prefix}-net"
  driver = "bridge"

  ipam_config {
    subnet  = var.subnet
    gateway = local.gateway
  }

  labels {
    label = "lab"
    value = var.prefix
  }
}

# A machine with ping, ip and sshd. Built again when anything in its folder changes.
resource "docker_image" "node" {
  name = "${var.prefix}/node:1"

  build {
    context = "${path.module}/node"
    build_args = {
      BASE = var.base_image
    }
    label = {
      lab = var.prefix
    }
  }
}

resource "docker_container" "ct1" {
  name     = "${var.prefix}-ct1"
  hostname = "ct1"
  image    = docker_image.node.image_id

  networks_advanced {
    name         = docker_network.lab.name
    aliases      = ["ct1"]
    ipv4_address = cidrhost(var.subnet, 11)
  }
}

resource "docker_container" "ct2" {
  name     = "${var.prefix}-ct2"
  hostname = "ct2"
  image    = docker_image.node.image_id

  networks_advanced {
    name         = docker_network.lab.name
    aliases      = ["ct2"]
    ipv4_address = cidrhost(var.subnet, 12)
  }

  ports {
    internal = 22
    external = var.ssh_port
  }
}

# ct2's file system as it is now. Another `snapshot` takes it anew; so does another ct2.
resource "docker_commit" "ct2" {
  container  = docker_container.ct2.id
  repository = "${var.prefix}/ct2"
  tag        = "golden"
  author     = "plumb"
  message    = "snapshot ${var.snapshot} of ct2"
  changes    = ["LABEL lab.snapshot=${var.snapshot}"]

  triggers = {
    snapshot = var.snapshot
  }
}

resource "docker_container" "ct3" {
  name     = "${var.prefix}-ct3"
  hostname = "ct3"
  image    = docker_commit.ct2.image_id

  networks_advanced {
    name         = docker_network.lab.name
    aliases      = ["ct3"]
    ipv4_address = cidrhost(var.subnet, 13)
  }
}
