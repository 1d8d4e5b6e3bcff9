"""A volume driver for Cinder: a volume, or a snapshot, is a sparse file. Nothing carries it into a server."""
import os
import subprocess

from cinder.volume import driver
from oslo_config import cfg
from oslo_utils import units

CONF = cfg.CONF


def path(thing):
    return os.path.join(CONF.state_path, "volumes", thing.id)


def grow(thing, gigabytes):
    with open(path(thing), "ab") as file:
        file.truncate(gigabytes * units.Gi)


def copy(source, volume):
    subprocess.run(["cp", "--sparse=always", path(source), path(volume)], check=True)


class FileDriver(driver.VolumeDriver):
    VERSION = "1"

    def check_for_setup_error(self):
        os.makedirs(os.path.join(CONF.state_path, "volumes"), exist_ok=True)

    def _update_volume_stats(self):
        self._stats = {"volume_backend_name": "file", "vendor_name": "rig", "driver_version": self.VERSION,
                       "storage_protocol": "local", "total_capacity_gb": 1_000_000, "free_capacity_gb": 1_000_000,
                       "reserved_percentage": 0, "multiattach": True}

    def create_volume(self, volume):
        grow(volume, volume.size)

    def extend_volume(self, volume, new_size):
        grow(volume, new_size)

    def delete_volume(self, volume):
        if os.path.exists(path(volume)):
            os.unlink(path(volume))

    def create_snapshot(self, snapshot):
        copy(snapshot.volume, snapshot)

    delete_snapshot = delete_volume

    def create_volume_from_snapshot(self, volume, snapshot):
        copy(snapshot, volume)
        grow(volume, volume.size)

    def create_cloned_volume(self, volume, source):
        copy(source, volume)
        grow(volume, volume.size)

    def clone_image(self, context, volume, image_location, image_meta, image_service):
        # Cinder's own way would want qemu-img; the rig's images are raw.
        with open(path(volume), "wb") as file:
            image_service.download(context, image_meta["id"], file)
        grow(volume, volume.size)
        return {}, True

    def copy_volume_to_image(self, context, volume, image_service, image_meta):
        with open(path(volume), "rb") as file:
            image_service.update(context, image_meta["id"], {}, file)

    def initialize_connection(self, volume, connector):
        return {"driver_volume_type": "local", "data": {"device_path": path(volume)}}

    def terminate_connection(self, volume, connector, **options):
        pass

    def create_export(self, context, volume, connector):
        pass

    def ensure_export(self, context, volume):
        pass

    def remove_export(self, context, volume):
        pass
