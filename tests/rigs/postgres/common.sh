# shellcheck shell=bash disable=SC2034
# Shared by this rig's scripts: where things live and how the server is reached.

name=postgres
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
rigs=${PLUMB_RIGS:-$HOME/.cache/plumb-rigs}
rig=$rigs/$name
run=$rig/run               # pid file, socket, log
data=$rig/data             # the cluster: never the machine's own
tls=$rig/tls               # an authority of its own, and the server's certificate
marker=$rig/.made-by-plumb-rig
version=15
bin=/usr/lib/postgresql/$version/bin
port=15432                 # not the usual one: the machine's own server may have that
password=rig-secret        # of everyone: loopback only, thrown away
inner=/mnt                 # what the rig's folder is called where the server lives, see `as_server`

# Neither the caller's settings nor its services may reach a client or the server.
export PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
while read -r variable; do unset "$variable"; done < <(compgen -e | grep '^PG' || true)

. "$here/../processes.sh"

take_lock() {
  mkdir -p "$rigs"
  exec 9>"$rigs/.$name.lock"
  flock -w 600 9 || die "another up or down holds $rigs/.$name.lock"
}

# as_server COMMAND…: as the user `postgres`, since the server refuses root. That user may not enter the home of the
# one who calls: in a mount namespace of the command's own, the rig's folder is at $inner, too. Replaces this shell.
as_server() {
  exec unshare --mount --propagation private sh -c \
    'mount --bind "$1" "$2" && cd "$2" && shift 2 && exec setpriv --reuid=postgres --regid=postgres --clear-groups "$@"' \
    sh "$rig" "$inner" "$@"
}

# A statement, as the superuser, on the socket.
sql() { "$bin/psql" -X -q -v ON_ERROR_STOP=1 -h "$run" -p "$port" -U postgres -d "${database:-postgres}" -tA "$@"; }

running() { alive "$run/postgres.pid" && sql -c 'select 1' >/dev/null 2>&1; }

# As the tests want to find it.
print_env() {
  cat <<ENV
export PLUMB_PG_CONN_STR='postgres://plumb:$password@localhost:$port/plumb?sslmode=disable'
export PLUMB_PG_ADMIN='host=$run port=$port user=postgres dbname=postgres'
export PLUMB_PG_RIG=$rig
export PLUMB_PG_BIN=$bin
ENV
}
