# A change that deletes a lot is more often a mistake than a wish.
package main

deleted contains change.address if {
	some change in input.resource_changes
	startswith(change.type, "openstack_")
	"delete" in change.change.actions
}

deny_many_deletions contains msg if {
	count(deleted) > data.limits.deletions_max
	msg := sprintf(
		"%d objects would be deleted; at most %d may be at once: %s",
		[count(deleted), data.limits.deletions_max, concat(", ", sort(deleted))],
	)
}

warn_many_deletions contains msg if {
	count(deleted) == data.limits.deletions_max
	msg := "One more deletion, and this plan would be refused."
}
