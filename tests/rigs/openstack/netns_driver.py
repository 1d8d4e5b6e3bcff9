"""A compute driver: Nova's own fake one, plus what a client can observe.

A server is a network namespace plugged into OVN's integration bridge, with the MAC and the addresses that Neutron
gave its ports; so floating IPs, security groups and routers have an effect that a test on the host can see. Its disk
is a copy of the image; "create image" uploads it. Instead of a guest, guest.py answers with the server's name.
"""
import json
import os
import shutil
import signal
import subprocess

from nova import exception
from nova.compute import power_state, task_states
from nova.image import glance
from nova.virt import fake
from oslo_config import cfg

CONF = cfg.CONF
BRIDGE = os.environ["PLUMB_RIG_INT_BRIDGE"]
OVSDB = os.environ["PLUMB_RIG_OVSDB"]
PREFIX = os.environ["PLUMB_RIG_NETNS_PREFIX"]
GUEST = os.environ["PLUMB_RIG_GUEST"]
KEPT = "_before_resize"


def run(*command, check=True, stdin=None):
    done = subprocess.run(command, input=stdin, stdin=None if stdin else subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if check and done.returncode:
        raise exception.NovaException("%s: %s" % (" ".join(command), done.stdout.strip()))
    return done.stdout


def birth(pid):
    """As in processes.sh: what tells this process from any other that ever had its number."""
    with open("/proc/%d/stat" % pid) as stat, open("/proc/sys/kernel/random/boot_id") as boot:
        return "%d %s %s" % (pid, stat.read().rsplit(") ", 1)[1].split()[19], boot.read().strip())


def folder(instance):
    return os.path.join(CONF.instances_path, instance.uuid)


def namespace(instance):
    return PREFIX + instance.uuid


def has_namespace(uuid):
    return os.path.exists("/run/netns/" + PREFIX + uuid)


def device(port_id):
    return ("tap" + port_id)[:14]


class NetnsDriver(fake.FakeDriver):
    capabilities = dict(fake.FakeDriver.capabilities, supports_migrate_to_same_host=True,
                        supports_image_type_qcow2=True)

    def init_host(self, host):
        super().init_host(host)
        for uuid in os.listdir(CONF.instances_path):
            try:
                with open(os.path.join(CONF.instances_path, uuid, "server.json")) as file:
                    noted = json.load(file)
            except (OSError, ValueError):
                continue
            # Without its namespace a server is off, whatever it was: Nova then resumes those that should run.
            state = noted["state"] if has_namespace(uuid) else power_state.SHUTDOWN
            self.instances[uuid] = fake.FakeInstance(noted["name"], state, uuid)
            self.resources.claim(*noted["flavor"])

    def _note(self, instance):
        """What init_host reads."""
        flavor = instance.flavor
        noted = {"name": instance.name, "state": self.instances[instance.uuid].state,
                 "flavor": [flavor.vcpus, flavor.memory_mb, flavor.root_gb]}
        path = folder(instance) + "/server.json"
        with open(path + ".new", "w") as file:
            json.dump(noted, file)
        os.replace(path + ".new", path)

    # The namespace and what runs in it.

    def _make_namespace(self, instance):
        if not has_namespace(instance.uuid):
            run("ip", "netns", "add", namespace(instance))
            run("ip", "-n", namespace(instance), "link", "set", "lo", "up")

    def _plug(self, instance, vif):
        self._make_namespace(instance)
        self._interfaces[vif["id"]] = vif
        ns, dev = namespace(instance), device(vif["id"])
        run("ovs-vsctl", "--db=" + OVSDB, "--timeout=20", "--may-exist", "add-port", BRIDGE, dev, "--",
            "set", "Interface", dev, "type=internal", 'mac="%s"' % vif["address"],
            "external_ids:iface-id=" + vif["id"], 'external_ids:attached-mac="%s"' % vif["address"],
            "external_ids:iface-status=active", "external_ids:vm-uuid=" + instance.uuid)
        # It is ours already when the server is plugged again.
        run("ip", "link", "set", dev, "netns", ns, check=False)
        # The user-space datapath does not finish checksums that the kernel left to the "card".
        run("ip", "netns", "exec", ns, "ethtool", "-K", dev, "tx", "off", check=False)
        network = vif["network"]
        steps = ["link set %s address %s mtu %s up" % (dev, vif["address"], network.get_meta("mtu") or 1442)]
        gateways = []
        for subnet in network["subnets"]:
            bits = subnet["cidr"].split("/")[1]
            for ip in subnet["ips"]:
                nodad = " nodad" if ":" in ip["address"] else ""
                steps.append("addr replace %s/%s dev %s%s" % (ip["address"], bits, dev, nodad))
            gateway = (subnet.get("gateway") or {}).get("address")
            if gateway:
                gateways.append("route add default via %s dev %s" % (gateway, dev))
        run("ip", "-n", ns, "-batch", "-", stdin="\n".join(steps) + "\n")
        # With several networks the first one's gateway stays the default.
        for gateway in gateways:
            run("ip", "-n", ns, *gateway.split(), check=False)

    def _unplug(self, vif):
        self._interfaces.pop(vif["id"], None)
        run("ovs-vsctl", "--db=" + OVSDB, "--timeout=20", "--if-exists", "del-port", BRIDGE, device(vif["id"]))

    def _power(self, instance, on):
        if not has_namespace(instance.uuid):
            return
        links = json.loads(run("ip", "-n", namespace(instance), "-j", "link") or "[]")
        steps = ["link set %s %s" % (link["ifname"], "up" if on else "down")
                 for link in links if link["ifname"].startswith("tap")]
        if steps:
            run("ip", "-n", namespace(instance), "-batch", "-", stdin="\n".join(steps) + "\n")
        self._stop_guest(instance)
        if on:
            self._start_guest(instance)

    def _start_guest(self, instance):
        guest = subprocess.Popen(
            ["ip", "netns", "exec", namespace(instance), "/usr/bin/python3", "-IS", GUEST, instance.display_name],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        with open(folder(instance) + "/guest.pid", "w") as file:
            file.write(birth(guest.pid))

    def _stop_guest(self, instance):
        path = folder(instance) + "/guest.pid"
        try:
            with open(path) as file:
                noted = file.read()
            os.unlink(path)
            pid = int(noted.split()[0])
            if birth(pid) == noted:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
        except (OSError, ValueError, IndexError):
            pass  # it is gone, or was the child of an earlier nova-compute

    def _remove(self, instance, network_info, disks=True):
        self._stop_guest(instance)
        for vif in network_info or []:
            self._unplug(vif)
        if has_namespace(instance.uuid):
            run("ip", "netns", "del", namespace(instance), check=False)
        if disks:
            shutil.rmtree(folder(instance), ignore_errors=True)

    # What Nova calls.

    def plug_vifs(self, instance, network_info):
        for vif in network_info or []:
            self._plug(instance, vif)

    def unplug_vifs(self, instance, network_info):
        for vif in network_info or []:
            self._unplug(vif)

    def attach_interface(self, context, instance, image_meta, vif):
        super().attach_interface(context, instance, image_meta, vif)
        self._plug(instance, vif)

    def detach_interface(self, context, instance, vif):
        self._unplug(vif)

    def spawn(self, context, instance, image_meta, injected_files, admin_password, allocations,
              network_info=None, block_device_info=None, power_on=True, accel_info=None):
        os.makedirs(folder(instance), exist_ok=True)
        if instance.image_ref:
            glance.API().download(context, instance.image_ref, dest_path=folder(instance) + "/disk")
        super().spawn(context, instance, image_meta, injected_files, admin_password, allocations,
                      network_info, block_device_info, power_on)
        try:
            self._make_namespace(instance)
            self.plug_vifs(instance, network_info)
            self._power(instance, power_on)
        except Exception:
            self.destroy(context, instance, network_info)
            raise
        self._note(instance)

    def destroy(self, context, instance, network_info, block_device_info=None, destroy_disks=True,
                destroy_secrets=True):
        self._remove(instance, network_info, destroy_disks)
        super().destroy(context, instance, network_info, block_device_info, destroy_disks)

    def cleanup(self, context, instance, network_info, block_device_info=None, destroy_disks=True,
                migrate_data=None, destroy_vifs=True, destroy_secrets=True):
        self._remove(instance, network_info if destroy_vifs else None, destroy_disks)

    def snapshot(self, context, instance, image_id, update_task_state):
        if instance.uuid not in self.instances:
            raise exception.InstanceNotRunning(instance_id=instance.uuid)
        update_task_state(task_state=task_states.IMAGE_PENDING_UPLOAD)
        image = glance.API().get(context, image_id)
        meta = {"status": "active", "name": image["name"],
                "disk_format": getattr(instance.image_meta, "disk_format", None) or "raw",
                "container_format": getattr(instance.image_meta, "container_format", None) or "bare",
                "properties": {"image_location": "snapshot", "image_state": "available",
                               "owner_id": instance.project_id}}
        update_task_state(task_state=task_states.IMAGE_UPLOADING, expected_state=task_states.IMAGE_PENDING_UPLOAD)
        with open(folder(instance) + "/disk", "rb") as disk:
            glance.API().update(context, image_id, meta, disk)

    def power_off(self, instance, timeout=0, retry_interval=0):
        super().power_off(instance, timeout, retry_interval)
        self._power(instance, False)
        self._note(instance)

    def power_on(self, context, instance, network_info, block_device_info=None, accel_info=None):
        self._come_back(instance, network_info)

    def resume_state_on_host_boot(self, context, instance, network_info, block_device_info=None):
        self._come_back(instance, network_info)

    # A resize takes place on the one host there is. As real hypervisors do, it keeps the old disk until confirmed.

    def migrate_disk_and_power_off(self, context, instance, dest, flavor, network_info,
                                   block_device_info=None, timeout=0, retry_interval=0):
        self._power(instance, False)
        shutil.copytree(folder(instance), folder(instance) + KEPT, dirs_exist_ok=True)
        return "{}"

    def finish_migration(self, context, migration, instance, disk_info, network_info, image_meta, resize_instance,
                         allocations, block_device_info=None, power_on=True):
        self.resources.claim(instance.flavor.vcpus, instance.flavor.memory_mb, instance.flavor.root_gb)
        self._come_back(instance, network_info, power_on)

    def confirm_migration(self, context, migration, instance, network_info):
        super().confirm_migration(context, migration, instance, network_info)
        shutil.rmtree(folder(instance) + KEPT, ignore_errors=True)

    def finish_revert_migration(self, context, instance, network_info, migration, block_device_info=None,
                                power_on=True):
        if os.path.exists(folder(instance) + KEPT):
            shutil.rmtree(folder(instance), ignore_errors=True)
            os.rename(folder(instance) + KEPT, folder(instance))
        self._come_back(instance, network_info, power_on)

    def _come_back(self, instance, network_info, power_on=True):
        state = power_state.RUNNING if power_on else power_state.SHUTDOWN
        self.instances[instance.uuid] = fake.FakeInstance(instance.name, state, instance.uuid)
        self._make_namespace(instance)
        self.plug_vifs(instance, network_info)
        self._power(instance, power_on)
        self._note(instance)

    def get_console_output(self, context, instance):
        return "rig: %s is a network namespace, not a guest\n" % instance.display_name
