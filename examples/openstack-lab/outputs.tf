output "address" {
  description = "The machine, from outside."
  value       = openstack_networking_floatingip_v2.vm.address
}

output "inside" {
  description = "The machine's address on its own network."
  value       = openstack_networking_port_v2.vm.all_fixed_ips[0]
}

output "machine" {
  description = "The machine's identifier."
  value       = openstack_compute_instance_v2.vm.id
}

output "second" {
  description = "The second machine, if there is one."
  value = var.second ? {
    machine = openstack_compute_instance_v2.second["second"].id
    inside  = openstack_networking_port_v2.second["second"].all_fixed_ips[0]
  } : null
}
