#!/usr/bin/env bash
# Runs libFuzzer on each target of test/fuzz/, or on FUZZ alone, for FUZZ_SECONDS (60) each. New inputs
# stay in build-fuzz/found/NAME; an input that crashes a target lies in build-fuzz/crashes/NAME-… and
# belongs, made small, into test/fuzz/corpus/NAME/.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${FUZZ_SECONDS:-60}
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

tools/build.sh fuzz
mkdir -p build-fuzz/crashes
ran=0 crashed=()
for program in build-fuzz/test/fuzz/fuzz_*; do
  name=${program##*/fuzz_}
  if [ ! -x "$program" ] || [ -d "$program" ] || [ "${FUZZ:-$name}" != "$name" ]; then continue; fi
  ran=$((ran + 1))
  mkdir -p "build-fuzz/found/$name" "test/fuzz/corpus/$name"
  echo "fuzz: $name for $seconds s"
  # The first folder takes what is new.
  if ! "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="build-fuzz/crashes/$name-" "build-fuzz/found/$name" "test/fuzz/corpus/$name" \
    >"build-fuzz/$name.log" 2>&1; then
    tail -n 40 "build-fuzz/$name.log"
    crashed+=("$name")
  else
    grep -E 'stat::(number_of_executed_units|new_units_added)' "build-fuzz/$name.log" || true
  fi
done
if [ $ran -eq 0 ]; then echo "fuzz: no target${FUZZ:+ named '$FUZZ'}"; exit 1; fi
if [ ${#crashed[@]} -gt 0 ]; then echo "fuzz: crashed: ${crashed[*]}"; exit 1; fi
echo "fuzz: $ran targets, no crash"
