# shellcheck shell=bash disable=SC2034
# Shared by this rig's scripts: where things live, which ports are its own, how its services start and end.

name=openstack
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
rigs=${PLUMB_RIGS:-$HOME/.cache/plumb-rigs}
export PLUMB_RIGS=$rigs      # for the scripts that these call, whatever HOME is by then
rig=$rigs/$name
run=$rig/run               # pid files, sockets, logs
etc=$rig/etc               # every service's configuration, written anew by `configure`
data=$rig/data             # databases, images, servers' disks
marker=$rig/.made-by-plumb-rig
clouds=$rig/clouds.yaml

# Not the usual numbers: the machine's own services, and other rigs, may have those.
keystone_port=15000 glance_port=19292 placement_port=18778 nova_port=18774 neutron_port=19696 cinder_port=18776
rabbit_port=15673 rabbit_dist_port=15674 epmd_port=14369
auth_url=http://127.0.0.1:$keystone_port/v3
password="rig-secret"        # of everyone: loopback only, thrown away

int_bridge=plumb-int       # OVN's integration bridge
ext_bridge=plumb-ext       # the provider network `public`; the host has its gateway's address
public_cidr=198.51.100.0/24 public_gateway=198.51.100.1 public_first=198.51.100.10 public_last=198.51.100.250
netns_prefix=plumb-vm-     # a server's namespace: this and its id

mysql_sock=$run/mysql.sock memcached_sock=$run/memcached.sock
ovsdb=unix:$run/ovsdb.sock nbdb=unix:$run/nb.sock sbdb=unix:$run/sb.sock

nova_services=(nova-conductor nova-api nova-scheduler nova-compute)
infrastructure=(memcached epmd rabbit mariadb ovsdb nb sb vswitchd northd ovn-controller)
cinder_services=(cinder-api cinder-scheduler cinder-volume)
services=("${infrastructure[@]}" keystone placement glance neutron "${nova_services[@]}" "${cinder_services[@]}")

# Neither the caller's cloud, nor its proxy or python, may reach a service or a client.
export PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
while read -r variable; do unset "$variable"; done < <(compgen -e | grep -iE '^(OS_|PYTHON|.*_PROXY$)')

. "$here/../processes.sh"

take_lock() {
  mkdir -p "$rigs"
  exec 9>"$rigs/.$name.lock"
  flock -w 900 9 || die "another up or down holds $rigs/.$name.lock"
}

# launch SERVICE COMMAND…: in a session of its own, unless it runs already.
launch() {
  local service=$1
  shift
  if alive "$run/$service.pid"; then return 0; fi
  end "$service" # what outlived its parent may still hold the port
  (cd "$data" && exec setsid "$@" >>"$run/log/$service.log" 2>&1 </dev/null 9>&-) &
  # For an instant, while the shell becomes the service, it has no command line.
  until remember "$run/$service.pid" $!; do kill -0 $! 2>/dev/null || die "$service ends at once, see $run/log/$service.log"; done
}

# end SERVICE [SECONDS]: the process that we noted; then, by force, whatever is left of its session.
end() {
  local pidfile=$run/$1.pid pid left
  [ -s "$pidfile" ] || return 0
  pid=$(pid_of "$pidfile")
  left=$(session_of "$pidfile")
  if alive "$pidfile"; then
    kill -TERM "$pid"
    for _ in $(seq $((${2:-10} * 20))); do
      alive "$pidfile" || break
      sleep 0.05
    done
    left=$(session_of "$pidfile")
  fi
  # shellcheck disable=SC2086
  if [ -n "$left" ]; then kill -KILL $left 2>/dev/null || true; fi
  rm -f "$pidfile"
}

# The processes of the session that the noted one leads, or led. A session keeps its number for as long as it has
# members, so none are ours when somebody else has that number now, or the machine was started anew.
session_of() {
  local noted pid
  noted=$(cat "$1")
  pid=${noted%% *}
  [ "${noted##* }" = "$(cat /proc/sys/kernel/random/boot_id)" ] || return 0
  if [ -n "$(birth "$pid")" ] && ! alive "$1"; then return 0; fi
  ps -e -o pid=,sid=,stat= | awk -v sid="$pid" '$2 == sid && $3 !~ /^Z/ { print $1 }'
}

# Ends every service, the ones that need others first.
stop_everything() {
  local service
  for service in "${nova_services[@]}" "${cinder_services[@]}" neutron glance placement keystone; do end "$service" 5 & done
  wait
  for service in ovn-controller northd; do end "$service" & done
  wait
  end vswitchd
  clear_data_plane
  for service in ovsdb nb sb memcached; do end "$service" & done
  end rabbit 30 &
  end mariadb 30 &
  wait
  end epmd
  rm -f "$run"/*.sock "$run"/*.ctl
}

# Servers' namespaces with what runs in them, and the bridges: without Open vSwitch, which leaves its devices behind,
# they are of no use. The next nova-compute makes them again for the servers that should run.
clear_data_plane() {
  local folder namespace device
  for folder in "$data"/nova/instances/*/; do
    [ -d "$folder" ] || continue
    stop "$folder/guest.pid" 2>/dev/null
    namespace=$netns_prefix$(basename "$folder")
    if [ -e "/run/netns/$namespace" ]; then ip netns del "$namespace"; fi
  done
  for device in $ext_bridge $int_bridge; do
    ip link del "$device" 2>/dev/null || true
  done
  # This one has the same name in every Open vSwitch with a user-space datapath.
  pgrep -r RSD -x ovs-vswitchd >/dev/null || ip link del ovs-netdev 2>/dev/null || true
}

http_ok() { # PORT: anything but a server's error
  case $(curl -s -o /dev/null -m 5 -w '%{http_code}' "http://127.0.0.1:$1/") in [234]*) ;; *) return 1 ;; esac
}

running() {
  local service port
  [ -e "$data/.seeded" ] && [ -e "$clouds" ] || return 1
  for service in "${services[@]}"; do alive "$run/$service.pid" || return 1; done
  for port in $keystone_port $glance_port $placement_port $nova_port $neutron_port $cinder_port; do http_ok "$port" || return 1; done
}

# The cloud of this rig, as the tests and the examples want to find it.
print_env() {
  cat <<ENV
export OS_CLIENT_CONFIG_FILE=$clouds
export PLUMB_OPENSTACK_RIG=$rig
ENV
}
