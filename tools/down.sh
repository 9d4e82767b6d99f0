#!/usr/bin/env bash
# Stops what `make demo` started and removes what it made, but for the cache of downloads.
set -euo pipefail
cd "$(dirname "$0")/.."
DATA=${BERTH_DATA:-/var/lib/berth}
CACHE=${BERTH_CACHE:-$HOME/.cache/berth}
if [ "$(id -u)" -ne 0 ]; then
    exec sudo --preserve-env=BERTH_DATA,BERTH_CACHE "$0" "$@"
fi
if [ -x build/berth ] && [ -e "$DATA/instance.json" ]; then
    build/berth down --data "$DATA" "$@"
fi
rm -rf "$CACHE/demo"
