output "addresses" {
  description = "Where each machine is; `nat` and `floating` are outside."
  value = {
    machine  = netns_host.machine.address
    vm       = netns_host.vm.address
    clone    = netns_host.clone.address
    nat      = netns_router.nat.external_address
    instance = netns_port.instance.address
    floating = netns_floating_ip.instance.address
    second   = netns_host.second.address
  }
}

# From whom, what, to where (port 0: ping), and the name that answers there; empty: nobody does.
output "checks" {
  description = "What the lab claims. `prove` sends each of these packets."
  value = [
    for it in [
      ["vm", "its machine", netns_host.machine.address, 0, "pong"],
      ["vm", "the outside", "192.88.99.1", 0, "pong"],
      ["machine", "the VM", netns_host.vm.address, 0, ""],
      ["machine", "the VM", netns_host.vm.address, 22, ""],
      ["machine", "the forwarded port", netns_router.nat.external_address, 1234, var.forward ? "vm" : ""],
      ["machine", "the NAT router's ssh", netns_router.nat.external_address, 22, ""],
      ["vm", "the clone", netns_host.clone.address, 0, "pong"],
      ["vm", "the clone", netns_host.clone.address, 22, "clone"],
      ["clone", "the VM", netns_host.vm.address, 22, "vm"],
      ["clone", "the outside", "192.88.99.1", 0, "pong"],
      ["instance", "the outside", "192.88.99.1", 0, "pong"],
      ["instance", "the VM's machine", netns_host.machine.address, 22, "machine"],
      ["machine", "the floating IP", netns_floating_ip.instance.address, 0, "pong"],
      ["machine", "the floating IP", netns_floating_ip.instance.address, 22, "instance"],
      ["machine", "the floating IP's web", netns_floating_ip.instance.address, 80, ""],
      ["machine", "the instance", netns_port.instance.address, 0, ""],
      ["machine", "the second host", netns_host.second.address, 0, ""],
      ["second", "the outside", "192.88.99.1", 0, "pong"],
      ["second", "the floating IP", netns_floating_ip.instance.address, 0, "pong"],
      ["second", "the floating IP", netns_floating_ip.instance.address, 22, "instance"],
      ["second", "the instance", netns_port.instance.address, 0, ""],
      ["instance", "the second host", netns_host.second.address, 0, ""],
    ] : join(";", it)
  ]
}
