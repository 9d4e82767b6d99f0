#!/usr/bin/env bash
# The static checks of `make check`: layout, the checker, scripts, and a build in which each warning is an
# error (with CI=true by clang as well). All of them run; the status tells whether any failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
export PYTHONDONTWRITEBYTECODE=1

# Layout depends on clang-format's version; Debian 12's is the one that counts.
CLANG_FORMAT=14

failed=()
step() {
  local name=$1 started=$SECONDS
  shift
  if "$@"; then
    echo "check: $name ok ($((SECONDS - started)) s)"
  else
    echo "check: $name FAILED" >&2
    failed+=("$name")
  fi
}

layout() {
  local version
  version=$(clang-format --version | grep -o 'version [0-9]*' | cut -d' ' -f2)
  if [ "$version" != "$CLANG_FORMAT" ]; then
    echo "check: layout not checked: clang-format $version differs from $CLANG_FORMAT"
    return 0
  fi
  local log status=0
  log=$(mktemp)
  tools/fmt.sh --check 2>"$log" || status=$?
  if [ $status -ne 0 ]; then
    grep ': error: ' "$log" | cut -d: -f1 | sort | uniq -c | sed 's/^ *\([0-9]*\) \(.*\)/  \2: \1 places/'
    grep -q ': error: ' "$log" || cat "$log"
    echo "  make fmt mends them"
  fi
  rm -f "$log"
  return $status
}

files_with() { git ls-files -co --exclude-standard -- "$@" | while IFS= read -r f; do if [ -e "$f" ]; then echo "$f"; fi; done; }

scripts() {
  local file status=0 scripts
  scripts=$(files_with '*.sh' '.ci/run')
  for file in $scripts; do bash -n "$file" || status=1; done
  if command -v shellcheck >/dev/null; then
    # shellcheck disable=SC2086  # one word a file
    shellcheck -x --severity=warning $scripts || status=1
  fi
  files_with '*.py' | /usr/bin/python3 -c '
import sys
bad = 0
for path in sys.stdin.read().split("\n"):
    if path:
        try:
            compile(open(path, encoding="utf-8").read(), path, "exec")
        except (SyntaxError, ValueError) as error:
            print(f"{path}: {error}")
            bad = 1
sys.exit(bad)' || status=1
  return $status
}

step "layout" layout
step "checker" /usr/bin/python3 -m tools.check
step "scripts" scripts
step "reference pages" /usr/bin/python3 tools/docs/generate.py --check
step "gcc -Werror" tools/build.sh strict
step "links" /usr/bin/python3 -m tools.check.links build-strict
if [ "${CI:-}" = true ] && command -v clang >/dev/null; then step "clang -Werror" tools/build.sh clang; fi

if [ ${#failed[@]} -gt 0 ]; then
  printf 'check: failed:'
  printf ' [%s]' "${failed[@]}"
  echo
  exit 1
fi
echo "check: all fine"
