# A private network behind a router, two machines in it, and an address outside for one of them. All of it is in the
# kernel of this machine: nothing to install, no root needed.

terraform {
  required_providers {
    netns = { source = "plumb/netns" }
  }
}

# The outside: whatever address is asked for, something answers.
resource "netns_network" "world" {
  name     = "world"
  subnet   = "198.51.100.0/24"
  external = "isolated"
}

resource "netns_network" "private" {
  name   = "private"
  subnet = "10.0.0.0/24"
}

resource "netns_router" "router" {
  name             = "router"
  external_network = netns_network.world.name
}

resource "netns_router_interface" "private" {
  router  = netns_router.router.name
  network = netns_network.private.name
}

resource "netns_host" "web" {
  name = "web"

  interface {
    network = netns_network.private.name
  }
}

resource "netns_host" "db" {
  name = "db"

  interface {
    network = netns_network.private.name
  }
}

resource "netns_floating_ip" "web" {
  name    = "web"
  network = netns_network.world.name
  port    = netns_host.web.name

  depends_on = [netns_router_interface.private]
}

output "addresses" {
  value = {
    web      = netns_host.web.address
    db       = netns_host.db.address
    floating = netns_floating_ip.web.address
  }
}

output "try" {
  value = "plumb exec netns_host.db -- ping -c1 ${netns_host.web.address}"
}
