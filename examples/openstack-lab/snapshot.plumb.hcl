# Only plumb reads this: Terraform has no word for it. An image of the machine as it is.
resource "openstack_compute_snapshot_v2" "vm" {
  for_each = toset(var.snapshots)

  name        = "${var.prefix}-${each.key}"
  instance_id = openstack_compute_instance_v2.vm.id
}

output "snapshots" {
  description = "Give one of these as restore_from, and the machine becomes what it was."
  value       = { for name, it in openstack_compute_snapshot_v2.vm : name => it.id }
}
