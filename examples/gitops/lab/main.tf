# A network in the kernel of this machine, with two machines on it.

terraform {
  required_providers {
    netns = { source = "plumb/netns" }
  }
}

resource "netns_network" "lan" {
  name   = "lan"
  subnet = "10.0.0.0/24"
}

resource "netns_host" "web" {
  name = "web"
  interface { network = netns_network.lan.name }
}

resource "netns_host" "db" {
  name = "db"
  interface {
    network = netns_network.lan.name
    address = "10.0.0.20"
  }
}
