# shellcheck shell=bash
# Shared by up, down, env and images: where things live.
#
# A rig is one engine with its two registries in one network namespace. The engine's name is the
# scripts' first argument: none for Debian 12's docker.io (20.10), `28` for Debian unstable's.

engine=${1:-}
case $engine in
  '' | 20) engine=; name=engine-20 ;;
  28) name=engine-28 ;;
  *) echo "unknown engine \`$engine\`: leave it out for 20.10, or say 28" >&2; exit 2 ;;
esac

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
rigs=${PLUMB_RIGS:-$HOME/.cache/plumb-rigs}
rig=$rigs/$name            # registries' content, images' cache
run=$rig/run               # sockets, pid files, logs
data=$rig/data             # the engine's own storage
sock=$run/docker.sock
netns=plumb-$name
netns_path=/run/netns/$netns
registry=127.0.0.1:5000
registry_auth=127.0.0.1:5001
image_busybox=$registry/plumb-lab/busybox:1
image_debian=$registry/plumb-lab/debian:12
marker=$rig/.made-by-plumb-rig
inside=(nsenter "--net=$netns_path")

. "$here/../processes.sh"

ping_engine() { curl -sf -m 5 --unix-socket "$sock" http://docker/_ping >/dev/null 2>&1; }

# The engine of this rig, as the tests and the examples want to find it.
print_env() {
  cat <<ENV
export DOCKER_HOST=unix://$sock
export PLUMB_RIG_DIR=$rig
export PLUMB_RIG_NETNS=$netns_path
export PLUMB_RIG_DOCKER=${docker:-/usr/bin/docker}
export PLUMB_RIG_REGISTRY=$registry
export PLUMB_RIG_REGISTRY_AUTH=$registry_auth
export PLUMB_RIG_REGISTRY_USER=lab
export PLUMB_RIG_REGISTRY_PASSWORD=labpass
export PLUMB_RIG_IMAGE_BUSYBOX=$image_busybox
export PLUMB_RIG_IMAGE_DEBIAN=$image_debian
ENV
}
