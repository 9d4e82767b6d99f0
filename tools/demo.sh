#!/usr/bin/env bash
# The main job of berth on real data, from nothing to an open notebook, as an ordinary user of it.
# Every step is done with the command line that users have. A second run finds most of it done.
set -euo pipefail
cd "$(dirname "$0")/.."

BERTH=build/berth
DATA=${BERTH_DATA:-/var/lib/berth}
LISTEN=${BERTH_LISTEN:-127.0.0.1:8443}
CACHE=${BERTH_CACHE:-$HOME/.cache/berth}
DEMO_USER=ada
IMAGE=ml
PACKAGES=python3-numpy,python3-sklearn,jupyter-notebook

step() { printf '\n== %s\n' "$*"; }
as_admin() { XDG_CONFIG_HOME="$CACHE/demo/admin" "$BERTH" "$@"; }
as_user() { XDG_CONFIG_HOME="$CACHE/demo/$DEMO_USER" "$BERTH" "$@"; }
json() { /usr/bin/python3 -c 'import json,sys; d=json.load(sys.stdin)
for k in sys.argv[1].split("."): d=d[int(k)] if k.isdigit() else d[k]
print(d)' "$1"; }

if [ "$(id -u)" -ne 0 ]; then
    exec sudo --preserve-env=BERTH_DATA,BERTH_LISTEN,BERTH_CACHE "$0" "$@"
fi
umask 077
mkdir -p "$CACHE/demo"

step "Starting berth (data in $DATA)"
URL="https://localhost:${LISTEN##*:}"
CA="$DATA/tls/cert.pem"
as_admin up --data "$DATA" --listen "$LISTEN" -o json > "$CACHE/demo/up.json"
if token=$(json first_login.token < "$CACHE/demo/up.json" 2> /dev/null); then
    as_admin login "$URL" --ca "$CA" --token-stdin <<< "$token"
fi
rm "$CACHE/demo/up.json"
echo "berth answers at $URL"

step "An account for $DEMO_USER"
if ! as_admin user ls -o json | grep -q "\"$DEMO_USER\""; then
    head -c 12 /dev/urandom | base64 | tr '+/' 'xy' > "$CACHE/demo/password"
    as_admin user add "$DEMO_USER" --password-stdin < "$CACHE/demo/password"
    as_admin project member default "$DEMO_USER" editor
fi
as_user login "$URL" --ca "$CA" --name "$DEMO_USER" --password-stdin < "$CACHE/demo/password"
as_user whoami

step "An image with NumPy, scikit-learn and Jupyter, from Debian packages"
as_user image build "$IMAGE" --from debian:bookworm --packages "$PACKAGES"

step "Training on 1,797 images of handwritten digits"
as_user job submit conf/examples/digits/job.yaml --follow

step "What the job left in $DEMO_USER's home"
as_user run --image "$IMAGE" -- sh -c 'ls -l ~/models/digits && cat ~/models/digits/result.json'

step "A notebook"
ID=$(as_user notebook ls -o json | /usr/bin/python3 -c 'import json,sys
for n in json.load(sys.stdin)["items"]:
    if n["state"] == "RUNNING": print(n["id"]); break')
if [ -z "$ID" ]; then
    ID=$(as_user notebook start --image "$IMAGE" -o json | json id)
fi
NOTEBOOK="https://$ID.localhost:${LISTEN##*:}"
TOKEN=$(as_user token create demo --lifetime 10m -o json | json token)
visit() { # prints the status of the notebook's own answer; the token goes in by standard input
    printf 'header = "Authorization: Bearer %s"\n' "$TOKEN" |
        curl --silent --cacert "$CA" --config - --output /dev/null --write-out '%{http_code}' "$NOTEBOOK/api/status"
}
for _ in $(seq 120); do # the container, then Jupyter itself
    with=$(visit)
    [ "$with" != 200 ] || break
    sleep 0.5
done
without=$(curl --silent --cacert "$CA" --output /dev/null --write-out '%{http_code}' "$NOTEBOOK/api/status")
echo "with $DEMO_USER's login the notebook answers $with, without it $without"
if [ "$with" != 200 ] || [ "$without" != 401 ]; then
    echo "demo: expected 200 and 401" >&2
    exit 1
fi

step "What now"
cat <<EOF
page       $URL    name: $DEMO_USER    password: $(cat "$CACHE/demo/password")
notebook   $(as_user notebook open "$ID")
commands   export XDG_CONFIG_HOME=$CACHE/demo/$DEMO_USER
           $BERTH status
           $BERTH job submit conf/examples/digits/job.yaml --follow
           $BERTH notebook ls
stop       make down
EOF
