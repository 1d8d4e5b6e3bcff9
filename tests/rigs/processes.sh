# shellcheck shell=bash disable=SC2154
# Shared by the rigs' scripts: whose folder is it, and is a pid still ours? Wants $name, $rig, $run and $marker.

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

# install_packages LOG PACKAGE…: with apt, none of their services started.
install_packages() {
  local apt_log=$1 made=
  shift
  # Packages must not start daemons of their own: a policy that says no, for as long as we install.
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
    made=1
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get -o DPkg::Lock::Timeout=900 update -qq >"$apt_log" 2>&1 || log "apt-get update complained, see $apt_log"
  apt-get -o DPkg::Lock::Timeout=900 -o Dpkg::Options::=--force-unsafe-io install -y -qq --no-install-recommends "$@" >>"$apt_log" 2>&1 9>&- || {
    tail -20 "$apt_log" >&2
    die "cannot install: $*"
  }
  if [ -n "$made" ]; then rm -f /usr/sbin/policy-rc.d; fi
  log "installed $*"
}

# birth PID: what tells this process from any other that ever had its number. Nothing for a zombie or nobody.
birth() {
  local ticks
  [ -n "$(tr -d '\0' 2>/dev/null <"/proc/$1/cmdline")" ] || return 1
  # Fields after the command's closing parenthesis: the 20th is the start time in ticks since boot.
  ticks=$(sed 's/.*) //' "/proc/$1/stat" | cut -d' ' -f20)
  [ -n "$ticks" ] || return 1 # it ended meanwhile
  echo "$1 $ticks $(cat /proc/sys/kernel/random/boot_id)"
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
