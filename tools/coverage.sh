#!/usr/bin/env bash
# Line coverage of meson's tests: a summary a folder, and build-coverage/coverage/index.html.
set -euo pipefail
cd "$(dirname "$0")/.."
tools/build.sh coverage
find build-coverage -name '*.gcda' -delete
meson test -C build-coverage --no-rebuild --num-processes "$(nproc)" >build-coverage/test.log 2>&1 ||
  echo "coverage: some tests failed (build-coverage/test.log); counting all the same"
mkdir -p build-coverage/coverage
gcovr --root . --filter src/ --print-summary --html-details build-coverage/coverage/index.html \
  --csv build-coverage/coverage/lines.csv build-coverage >build-coverage/summary.txt 2>build-coverage/gcovr.log ||
  { cat build-coverage/gcovr.log; exit 1; }
/usr/bin/python3 - build-coverage/coverage/lines.csv <<'EOF'
import collections, csv, sys
total = collections.Counter()
hit = collections.Counter()
for row in csv.DictReader(open(sys.argv[1])):
    folder = row["filename"].split("/")[1]
    total[folder] += int(row["line_total"])
    hit[folder] += int(row["line_covered"])
for folder in sorted(total):
    print(f"{folder:10} {100 * hit[folder] / max(1, total[folder]):5.1f} % of {total[folder]} lines")
EOF
grep '^lines' build-coverage/summary.txt
