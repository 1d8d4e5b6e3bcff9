output "addresses" {
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
