# What is tagged "protected" is not deleted, whatever it is: take the tag away first, in a change of its own.
package main

deny_protected contains {"msg": msg, "address": change.address, "severity": "high"} if {
	some change in input.resource_changes
	"delete" in change.change.actions
	is_protected(change.change.before)
	msg := sprintf("%s is protected and would be %s.", [change.address, happens(change.change.actions)])
}

# OpenStack: a list of words.
is_protected(object) if "protected" in object.tags

# Docker: blocks with a label and its value.
is_protected(object) if {
	some label in object.labels
	label.label == "protected"
	label.value != "false"
}

happens(actions) := "replaced" if "create" in actions

happens(actions) := "deleted" if not "create" in actions
