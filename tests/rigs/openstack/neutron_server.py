#!/usr/bin/python3
"""neutron-server, changed in a way that alters no answer, only how soon it comes."""
import sys

import neutron.cmd.eventlet  # noqa: F401  patches the standard library: before anything else
from neutron.cmd.eventlet import server
from neutron.plugins.ml2 import plugin

# With OVN, Neutron Zed tries ten times, half a second apart and in its one thread, to find the binding of a router's
# port that came up. Such ports never bind, and every later "port is ACTIVE" waits behind that. Once is enough.
plugin.MAX_PROVISIONING_TRIES = 1

sys.argv[0] = "neutron-server"
sys.exit(server.main())
