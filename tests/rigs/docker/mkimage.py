#!/usr/bin/env python3
"""mkimage.py OUT IMAGE [ROOT.tar]: a docker-archive with one layer, for `docker load`.

Without ROOT.tar the layer is the machine's static busybox with a link for each of its applets. Nothing in
the archive depends on the clock, so the same input gives the same image id and, once pushed, the same digest.
"""
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile


def busybox_layer():
    out = io.BytesIO()
    tar = tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT)

    def add(name, data=None, mode=0o755, link=None):
        info = tarfile.TarInfo(name)
        info.mode = mode
        if link:
            info.type, info.linkname = tarfile.SYMTYPE, link
        elif data is None:
            info.type = tarfile.DIRTYPE
        else:
            info.size = len(data)
        tar.addfile(info, io.BytesIO(data) if data else None)

    for folder in ["bin", "dev", "etc", "proc", "root", "sys", "tmp", "www"]:
        add(folder, mode=0o1777 if folder == "tmp" else 0o755)
    with open("/bin/busybox", "rb") as binary:
        add("bin/busybox", binary.read())
    applets = subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True)
    for applet in sorted(applets.stdout.split()):
        if applet != "busybox":
            add("bin/" + applet, link="busybox")
    add("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n", 0o644)
    add("etc/group", b"root:x:0:\n", 0o644)
    tar.close()
    return out.getvalue()


def main():
    out, image = sys.argv[1], sys.argv[2]
    if len(sys.argv) > 3:
        with open(sys.argv[3], "rb") as root:
            layer = root.read()
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    else:
        layer, path = busybox_layer(), "/bin"
    epoch = "1970-01-01T00:00:00Z"
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": epoch,
            "config": {"Env": ["PATH=" + path], "Cmd": ["/bin/sh"]},
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
            "history": [{"created": epoch, "created_by": "mkimage"}],
        },
        sort_keys=True,
    ).encode()
    image_id = hashlib.sha256(config).hexdigest()
    manifest = json.dumps([{"Config": image_id + ".json", "RepoTags": [image], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(out + ".part", "w") as archive:
        for name, data in ((image_id + ".json", config), ("layer.tar", layer), ("manifest.json", manifest)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    os.replace(out + ".part", out)
    print(f"{image}: sha256:{image_id}")


main()
