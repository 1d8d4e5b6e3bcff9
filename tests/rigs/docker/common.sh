# shellcheck shell=bash
# Shared by up, down, env and images: where things live, and how to tell whether a pid is still ours.
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

started_ns=$(date +%s%N)
log() { printf '[%s %6d ms] %s\n' "$name" $((($(date +%s%N) - started_ns) / 1000000)) "$*" >&2; }
die() { log "error: $*"; exit 1; }

# Another program's rig may lie where ours would; its processes and files are not ours to touch.
claim_folder() {
  if [ ! -e "$marker" ]; then
    if [ -n "$(ls -A "$rig" 2>/dev/null)" ]; then die "$rig holds something else; set PLUMB_RIGS to another folder"; fi
    mkdir -p "$rig"
    touch "$marker"
  fi
  mkdir -p "$run"
}

# birth PID: what tells this process from any other that ever had its number. Nothing for a zombie or nobody.
birth() {
  [ -n "$(tr -d '\0' 2>/dev/null <"/proc/$1/cmdline")" ] || return 1
  # Fields after the command's closing parenthesis: the 20th is the start time in ticks since boot.
  echo "$1 $(sed 's/.*) //' "/proc/$1/stat" | cut -d' ' -f20) $(cat /proc/sys/kernel/random/boot_id)"
} 2>/dev/null

# remember PIDFILE PID: notes a process that we started.
remember() { birth "$2" >"$1"; }
pid_of() { cut -d' ' -f1 "$1"; }

# alive PIDFILE: the very process that we noted still runs.
alive() {
  local noted
  noted=$(cat "$1" 2>/dev/null) && [ -n "$noted" ] && [ "$(birth "${noted%% *}")" = "$noted" ]
}

# stop PIDFILE: ends the process that we noted, if it still runs.
stop() {
  if alive "$1"; then
    kill -TERM "$(pid_of "$1")"
    for _ in $(seq 600); do
      alive "$1" || break
      sleep 0.05
    done
    if alive "$1"; then log "pid $(pid_of "$1") ($1) does not stop"; return 1; fi
    log "stopped pid $(pid_of "$1")"
  fi
  rm -f "$1"
}

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
