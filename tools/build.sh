#!/usr/bin/env bash
# Configures one build folder, the first time, and builds in it.
#   usage: tools/build.sh KIND [TARGET…]
# Kinds: release (build/), and in build-KIND/: strict (warnings are errors), clang (the same with
# clang), asan (with UBSan), tsan, coverage, fuzz (clang, libFuzzer).
set -euo pipefail
cd "$(dirname "$0")/.."

kind=${1:?which kind of build?}
shift
folder=build-$kind
compiler=gcc
options=()
sanitizers=""
case $kind in
release) folder=build compiler=${CC:-gcc} ;;
strict) options=(-Dwerror=true) ;;
clang) options=(-Dwerror=true) compiler=clang ;;
asan) options=('-Db_sanitize=address,undefined' -Doptimization=1) sanitizers=1 ;;
tsan) options=(-Db_sanitize=thread -Doptimization=1) sanitizers=1 ;;
coverage) options=(-Db_coverage=true -Doptimization=0) ;;
fuzz) options=('-Db_sanitize=address,undefined' -Doptimization=1 -Dfuzz=true) compiler=clang sanitizers=1 ;;
*)
  echo "build: no kind '$kind'; see the first lines of tools/build.sh" >&2
  exit 2
  ;;
esac
# clang's sanitizers leave symbols to the run-time library.
if [ -n "$sanitizers" ]; then options+=(-Db_lundef=false); fi

# ccache where it is installed; meson finds it by itself.
export CCACHE_DIR=${CCACHE_DIR:-${BERTH_CACHE:-$HOME/.cache/berth}/ccache}

# A folder whose first configuration broke off has no build.ninja and starts anew.
if [ ! -e "$folder/build.ninja" ]; then
  rm -rf "$folder/meson-private" "$folder/meson-info"
  log=$(mktemp)
  if ! CC="$(command -v ccache >/dev/null && echo "ccache ")$compiler" \
    meson setup "$folder" "${options[@]}" >"$log" 2>&1; then
    grep -A 3 'ERROR' "$log" | grep -v '^$\|full log can be found' >&2 || cat "$log" >&2
    rm -f "$log"
    echo "build: meson could not configure $folder" >&2
    exit 1
  fi
  rm -f "$log"
fi
# A check shows all that is wrong, not the first of it.
case $kind in strict | clang) set -- -k 0 "$@" ;; esac

# Progress for a person; for a log only what goes wrong, and one line.
if [ -t 1 ]; then
  ninja -C "$folder" "$@"
else
  SECONDS=0
  # A changed meson.build makes ninja configure anew, which is talkative.
  log=$(mktemp)
  ninja -C "$folder" build.ninja >"$log" 2>&1 || { tail -n 20 "$log" >&2; rm -f "$log"; exit 1; }
  rm -f "$log"
  ninja -C "$folder" --quiet "$@"
  echo "build: $folder is up to date (${SECONDS} s)"
fi
