#!/usr/bin/env bash
# Searches our C for bugs with cppcheck and clang-tidy. Slower than `make check`, and no part of it: what
# they say is to be looked at, not obeyed.
#   usage: tools/lint.sh [FILE.c…]   (all of src/ without arguments)
set -uo pipefail
cd "$(dirname "$0")/.." || exit
files=("$@")
[ ${#files[@]} -gt 0 ] || mapfile -t files < <(git ls-files -co --exclude-standard -- 'src/*.c')
status=0
cppcheck --enable=warning,performance,portability --std=c11 -Isrc -D_GNU_SOURCE --quiet --inline-suppr \
  --suppress=missingIncludeSystem --suppress=varFuncNullUB --suppress=internalAstError --suppress=unknownMacro --error-exitcode=1 -j "$(nproc)" \
  --template='{file}:{line}: {severity}: {message} [{id}]' "${files[@]}" || status=1
# The path that clang-tidy thought through is long; run it on one file by hand to see it.
tidy=$(printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$(nproc)" sh -c \
  'clang-tidy --quiet "$0" -- -std=gnu17 -D_GNU_SOURCE -Isrc -isystem /usr/include/libnl3 2>/dev/null | grep -E "(warning|error):"')
if [ -n "$tidy" ]; then
  echo "$tidy" | sort -u | sed "s|^$PWD/||"
  status=1
fi
exit $status
