# The lab: a machine that runs virtual machines, one of them behind NAT; a private network with a router, security
# rules and a floating IP; a second topology beside it; a snapshot and a clone.

terraform {
  required_providers {
    netns = { source = "plumb/netns" }
  }
}

locals {
  # Something to connect to, made of what every Debian has.
  server = {
    "/opt/server" = <<-PERL
      #!/usr/bin/perl
      use Socket;
      my ($port, $banner) = @ARGV;
      socket(S, PF_INET, SOCK_STREAM, 0) or die $!;
      setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1);
      bind(S, sockaddr_in($port, INADDR_ANY)) or die $!;
      listen(S, 5) or die $!;
      while (my $who = accept(C, S)) {
        my (undef, $address) = sockaddr_in($who);
        syswrite(C, "$banner from " . inet_ntoa($address) . "\n");
        close(C);
      }
    PERL
  }
}

# The world outside. Its gateway answers for every address that is not in it.
resource "netns_network" "world" {
  name     = "world"
  subnet   = "198.51.100.0/24"
  external = "isolated"
}

# ---- A VM behind NAT ------------------------------------------------------------------------------------------------

# The machine on which the VM runs: it is in the world, not in the VM's network.
resource "netns_host" "machine" {
  name    = "machine"
  command = ["/opt/server", "22", "machine"]
  files   = local.server

  interface {
    network = netns_network.world.name
    address = "198.51.100.10"
  }
}

resource "netns_network" "nat" {
  name   = "nat"
  subnet = "10.0.2.0/24"
}

resource "netns_router" "nat" {
  name             = "nat"
  external_network = netns_network.world.name
  external_address = "198.51.100.2"
}

resource "netns_router_interface" "nat" {
  router  = netns_router.nat.name
  network = netns_network.nat.name
}

resource "netns_host" "vm" {
  name    = "vm"
  command = ["/opt/server", "22", "vm"]
  files   = merge(local.server, { "/etc/lab" = "as it was\n" })

  # By its name alone: the snapshot is made of this host, so it cannot come first.
  snapshot = var.restored ? "vm" : null

  interface {
    network = netns_network.nat.name
    address = "10.0.2.15"
  }

  limits {
    memory = var.vm_memory
    pids   = 100
  }
}

# Without this nobody outside reaches the VM.
resource "netns_port_forward" "ssh" {
  count = var.forward ? 1 : 0

  name             = "ssh"
  router           = netns_router.nat.name
  external_port    = 1234
  internal_address = netns_host.vm.address
  internal_port    = 22

  depends_on = [netns_router_interface.nat]
}

# ---- A private network, as in a cloud -------------------------------------------------------------------------------

resource "netns_network" "private" {
  name   = "private"
  subnet = "192.168.10.0/24"
}

resource "netns_router" "private" {
  name             = "private"
  external_network = netns_network.world.name
}

resource "netns_router_interface" "private" {
  router  = netns_router.private.name
  network = netns_network.private.name
}

resource "netns_security_group" "lab" {
  name        = "lab"
  description = "ping and ssh from everywhere; out to everywhere"
}

resource "netns_security_group_rule" "ping" {
  name           = "ping"
  security_group = netns_security_group.lab.name
  protocol       = "icmp"
}

resource "netns_security_group_rule" "ssh" {
  name           = "ssh"
  security_group = netns_security_group.lab.name
  protocol       = "tcp"
  port_range_min = 22
}

resource "netns_security_group_rule" "out" {
  name           = "out"
  security_group = netns_security_group.lab.name
  direction      = "egress"
}

resource "netns_port" "instance" {
  name            = "instance"
  network         = netns_network.private.name
  security_groups = [netns_security_group.lab.name]
}

resource "netns_host" "instance" {
  name    = "instance"
  command = ["sh", "-c", "/opt/server 80 web & exec /opt/server 22 instance"]
  files   = local.server

  interface {
    port = netns_port.instance.name
  }
}

resource "netns_floating_ip" "instance" {
  name    = "instance"
  network = netns_network.world.name
  port    = netns_port.instance.name

  depends_on = [netns_router_interface.private]
}

# ---- A second topology beside it ------------------------------------------------------------------------------------

resource "netns_network" "second" {
  name   = "second"
  subnet = "192.168.20.0/24"
}

resource "netns_router" "second" {
  name             = "second"
  external_network = netns_network.world.name
}

resource "netns_router_interface" "second" {
  router  = netns_router.second.name
  network = netns_network.second.name
}

resource "netns_host" "second" {
  name    = "second"
  command = ["/opt/server", "22", "second"]
  files   = local.server

  interface {
    network = netns_network.second.name
  }
}

# ---- Snapshot and clone ---------------------------------------------------------------------------------------------

resource "netns_snapshot" "vm" {
  name = "vm"
  host = netns_host.vm.name
}

resource "netns_host" "clone" {
  name     = "clone"
  snapshot = netns_snapshot.vm.name
  command  = ["/opt/server", "22", "clone"]

  interface {
    network = netns_network.nat.name
  }
}
