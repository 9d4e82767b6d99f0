#!/usr/bin/env bash
# clang-format in place over all of our C; with --check only tells which files differ.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=(-i)
if [ "${1:-}" = --check ]; then mode=(--dry-run -Werror); fi
command -v clang-format >/dev/null || { echo "fmt: clang-format is missing; run tools/setup.sh check" >&2; exit 1; }
# Tracked and new files, not ignored ones, so that build folders never count.
git ls-files -co --exclude-standard -- 'src/*.[ch]' 'test/*.[ch]' |
  while IFS= read -r file; do if [ -e "$file" ]; then printf '%s\0' "$file"; fi; done |
  xargs -0 -r -n 20 -P "$(nproc)" clang-format --style=file "${mode[@]}"
