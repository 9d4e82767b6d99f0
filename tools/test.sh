#!/usr/bin/env bash
# Runs the levels of tests in order and ends with one line `N passed, N failed, N skipped`.
#   usage: tools/test.sh [LEVEL…]
# Levels (docs: test/README.md); without arguments all of them but tsan:
#   native       unit, conformance, simulation and replayed fuzz corpora, from build/
#   asan, tsan   unit and conformance tests in a sanitizer build
#   tools        the checker's own tests
#   integration, integration-FOLDER, e2e   pytest, real daemons and real parts
# Fails when a test failed, when nothing ran, and with CI=true when a test was skipped that
# test/skips-not-allowed.txt lists. Results of each level lie in build/results/.
set -euo pipefail
cd "$(dirname "$0")/.."

PYTHON=/usr/bin/python3
RESULTS=build/results
export BERTH_BUILD="$PWD/build"
export PYTHONDONTWRITEBYTECODE=1
# A leak is a failure; so is everything that UBSan sees.
export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1:abort_on_error=0
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1

# Runs meson's tests of one build folder; more arguments go to `meson test`. Failing tests are told by
# the report, so the status says only whether the run itself worked. A person sees the progress.
run_meson() {
  local level=$1 folder=$2 log=$RESULTS/$1.log
  shift 2
  local command=(meson test -C "$folder" --no-rebuild --num-processes "$(nproc)" "$@")
  rm -f "$folder/meson-logs/testlog.json"
  if [ -t 1 ]; then "${command[@]}" || true; else "${command[@]}" >"$log" 2>&1 || true; fi
  if [ -e "$folder/meson-logs/testlog.json" ]; then
    cp "$folder/meson-logs/testlog.json" "$RESULTS/$level.json"
  elif [ -e "$log" ] && ! grep -q 'No tests defined\|No suitable tests' "$log"; then
    cat "$log" >&2
    return 1
  fi
}

run_pytest() {
  local level=$1 status=0
  shift
  "$PYTHON" -m pytest -q -rfE --tb=short --durations=5 --durations-min=2 -p no:cacheprovider --junitxml="$RESULTS/$level.xml" "$@" || status=$?
  # 1: tests failed (the report tells), 5: there are none yet.
  [ $status -le 1 ] || [ $status -eq 5 ]
}

run_level() {
  local level=$1
  case $level in
  native) tools/build.sh release && run_meson native build ;;
  asan) tools/build.sh asan && run_meson asan build-asan --suite unit --suite conform --timeout-multiplier 4 ;;
  tsan) tools/build.sh tsan && run_meson tsan build-tsan --suite unit --suite conform --timeout-multiplier 4 ;;
  tools) run_pytest tools tools ;;
  integration-*) run_pytest "$level" "test/integration/${level#integration-}" ;;
  e2e) run_pytest e2e test/e2e ;;
  *)
    echo "test: no level '$level'; see the first lines of tools/test.sh" >&2
    return 2
    ;;
  esac
}

levels=("$@")
[ ${#levels[@]} -gt 0 ] || levels=(tools native asan integration e2e)
# Each folder of integration tests runs by itself: its conftest.py is its own.
all=()
for level in "${levels[@]}"; do
  if [ "$level" = integration ]; then
    for folder in test/integration/*/; do all+=("integration-$(basename "$folder")"); done
  else
    all+=("$level")
  fi
done
levels=("${all[@]}")
mkdir -p build
rm -rf "$RESULTS"
mkdir -p "$RESULTS"
status=0
for level in "${levels[@]}"; do
  echo "== $level"
  started=$SECONDS
  broken=""
  run_level "$level" || broken="--broken"
  "$PYTHON" tools/report.py level "$RESULTS" "$level" $((SECONDS - started)) $broken || status=1
done
"$PYTHON" tools/report.py total "$RESULTS" "${levels[@]}" || status=1
exit $status
