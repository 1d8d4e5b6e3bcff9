# shellcheck shell=bash
# Shared by up, down and env: where things live.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
rigs=${PLUMB_RIGS:-$HOME/.cache/plumb-rigs}
name=s3
rig=$rigs/$name
run=$rig/run               # pid file, log, keys
data=$rig/data             # the objects
version=4.48
weed=$rig/seaweedfs-$version/weed
port=15910                 # and the seven after it
endpoint=http://127.0.0.1:$((port + 6))
access_key=rigkey
secret_key=rig-secret-of-the-store
bucket=plumb
marker=$rig/.made-by-plumb-rig

. "$here/../processes.sh"

# A request in the rig's name: its status.
ask() {
  curl -s -m 5 -o /dev/null -w '%{http_code}' --aws-sigv4 aws:amz:us-east-1:s3 --user "$access_key:$secret_key" "$@"
}
ping_store() { [ "$(ask -I "$endpoint/$bucket")" = 200 ]; }

# The store, as the tests want to find it.
print_env() {
  cat <<ENV
export PLUMB_S3_ENDPOINT=$endpoint
export PLUMB_S3_REGION=us-east-1
export PLUMB_S3_BUCKET=$bucket
export PLUMB_S3_ACCESS_KEY=$access_key
export PLUMB_S3_SECRET_KEY=$secret_key
ENV
}
