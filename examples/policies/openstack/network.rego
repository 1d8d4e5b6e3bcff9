# What a network may not let in. Written for version 0 of Rego, as many policies still are.
package main

import future.keywords.in

everywhere := {"0.0.0.0/0", "::/0"}

will_be(type) = changes {
	changes := [change |
		change := input.resource_changes[_]
		change.type == type
		change.change.after != null
	]
}

deny_ssh_from_everywhere[msg] {
	change := will_be("openstack_networking_secgroup_rule_v2")[_]
	rule := change.change.after
	rule.direction == "ingress"
	rule.remote_ip_prefix in everywhere
	reaches_ssh(rule)
	msg := sprintf("%s lets %s reach ssh. Name the networks that administrators come from.", [change.address, rule.remote_ip_prefix])
}

reaches_ssh(rule) {
	rule.protocol == "tcp"
	rule.port_range_min <= 22
	rule.port_range_max >= 22
}

# Without a port every port is meant, without a protocol every protocol.
reaches_ssh(rule) {
	rule.protocol == "tcp"
	has_no_port(rule)
}

reaches_ssh(rule) {
	object.get(rule, "protocol", null) in {null, "", "any"}
}

has_no_port(rule) {
	object.get(rule, "port_range_min", null) in {null, 0}
}

violation_port_security[{"msg": msg, "details": {"address": change.address, "id": "NET-2"}}] {
	change := will_be(["openstack_networking_network_v2", "openstack_networking_port_v2"][_])[_]
	change.change.after.port_security_enabled == false
	msg := "Without port security anybody in the network can pretend to be anybody else."
}
