# What containers and images may not be.
package main

will_be contains change if {
	some change in input.resource_changes
	change.mode == "managed"
	change.change.after != null
}

deny_privileged contains msg if {
	some change in will_be
	change.type == "docker_container"
	change.change.after.privileged == true
	msg := sprintf("%s would be privileged: whoever gets into it has the machine.", [change.address])
}

deny_latest contains msg if {
	some change in will_be
	name := image_name(change)
	not is_pinned(name)
	msg := sprintf("%s takes %q, which is another image tomorrow. Name a version or a digest.", [change.address, name])
}

warn_memory contains {"msg": msg, "address": change.address} if {
	some change in will_be
	change.type == "docker_container"
	object.get(change.change.after, "memory", null) == null
	msg := "Nothing bounds the memory of this container."
}

image_name(change) := change.change.after.name if change.type == "docker_image"

# An image that this configuration makes itself is known by an id, and only later.
image_name(change) := name if {
	change.type == "docker_container"
	name := change.change.after.image
	not startswith(name, "sha256:")
}

is_pinned(name) if contains(name, "@sha256:")

is_pinned(name) if {
	# A registry may have a port: only what follows the last slash is a tag.
	parts := split(name, "/")
	[_, tag] := split(parts[count(parts) - 1], ":")
	tag != "latest"
}
