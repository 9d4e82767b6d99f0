"""Counts the tests of each level and tells what failed.

    report.py level FOLDER LEVEL SECONDS [--broken]   one level: prints it, keeps FOLDER/LEVEL.sum
    report.py total FOLDER LEVEL…                     sums up, ends with `N passed, N failed, N skipped`

A level's results are FOLDER/LEVEL.json (meson's log, one JSON object a line) or FOLDER/LEVEL.xml (pytest's
JUnit file). A test program of cmocka counts as the cases that it says it ran. --broken: the level itself
could not run, which counts as one failure.
"""

import fnmatch
import json
import os
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

NOT_ALLOWED = "test/skips-not-allowed.txt"
_CMOCKA = re.compile(r"^\[  (PASSED |FAILED |SKIPPED) \] (\d+) test\(s\)", re.M)
_CMOCKA_NAME = re.compile(r"^\[  (FAILED |SKIPPED) \] (\w+)$", re.M)
OUTPUT_LINES = 60


@dataclass
class Result:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failures: list = field(default_factory=list)  # (name, output)
    skips: list = field(default_factory=list)  # names, "level:file::test" or "level:folder/x::case"

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures += other.failures
        self.skips += other.skips

    def counts(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def read_meson(text, level):
    result = Result()
    for line in text.splitlines():
        test = json.loads(line)
        # "berth:unit / http/parse" → "http/parse"
        name = test["name"].split(" / ")[-1]
        output = (test.get("stdout") or "") + (test.get("stderr") or "")
        cases = Counter()  # a program may run several groups
        for kind, count in _CMOCKA.findall(output):
            cases[kind.strip()] += int(count)
        named = {(kind.strip(), case) for kind, case in _CMOCKA_NAME.findall(output)}
        passed, failed, skipped = cases["PASSED"], cases["FAILED"], cases["SKIPPED"]
        outcome = test["result"]
        if outcome == "SKIP":
            passed, failed, skipped = 0, 0, max(skipped, 1)
        elif outcome in ("OK", "EXPECTEDFAIL"):
            passed = passed if cases else 1
        else:
            # It crashed, ran out of time or failed outside any case.
            failed = max(failed, 1)
            result.failures.append((f"{level}:{name} ({outcome.lower()})", output))
        names = sorted(case for kind, case in named if kind == "SKIPPED")
        result.skips += [f"{level}:{name}::{case}" for case in names] or [f"{level}:{name}"] * (skipped > 0)
        result.passed += passed
        result.failed += failed
        result.skipped += skipped
    return result


def read_junit(text, level):
    result = Result()
    for case in ElementTree.fromstring(text).iter("testcase"):
        name = f"{level}:{case.get('classname', '').replace('.', '/')}::{case.get('name')}"
        kinds = {child.tag: child for child in case}
        if "failure" in kinds or "error" in kinds:
            result.failed += 1
            # pytest has shown the output itself.
            result.failures.append((name, ""))
        elif "skipped" in kinds:
            result.skipped += 1
            result.skips.append(name)
        else:
            result.passed += 1
    return result


def not_allowed(skips, patterns_text):
    """Skips that a pattern matches and no later one that starts with `!`."""
    wrong = []
    for skip in skips:
        is_wrong = False
        for line in patterns_text.splitlines():
            allows = line.startswith("!")
            pattern = line.lstrip("!").strip()
            if pattern and not pattern.startswith("#") and fnmatch.fnmatchcase(skip, pattern):
                is_wrong = not allows
        if is_wrong:
            wrong.append(skip)
    return wrong


def tail(output, lines=OUTPUT_LINES):
    """The end of a test's output, without the lines of cases that were fine."""
    kept = [l for l in output.splitlines() if not re.match(r"\[( RUN      |       OK )\]", l)]
    cut = len(kept) - lines
    return ([f"… {cut} lines more in the log"] if cut > 0 else []) + kept[-lines:]


def level(folder, name, seconds, broken):
    result = Result()
    for path, reader in ((folder / f"{name}.json", read_meson), (folder / f"{name}.xml", read_junit)):
        if path.exists():
            result.add(reader(path.read_text(), name))
    if broken:
        result.failed += 1
        result.failures.append((f"{name}: the level could not run to its end", ""))
    for test, output in result.failures:
        print(f"FAILED {test}")
        for line in tail(output):
            print(f"    {line}")
    print(f"{name}: {result.counts()}, {seconds} s")
    result.failures = []
    (folder / f"{name}.sum").write_text(json.dumps(asdict(result)))
    return 1 if result.failed else 0


def total(folder, levels, is_ci, patterns_text):
    result = Result()
    for name in levels:
        path = folder / f"{name}.sum"
        if path.exists():
            result.add(Result(**json.loads(path.read_text())))
        else:
            print(f"level {name} left no result")
            result.failed += 1
    wrong_skips = not_allowed(result.skips, patterns_text) if is_ci else []
    for skip in wrong_skips:
        print(f"skipped, but {NOT_ALLOWED} does not allow that in CI: {skip}")
    if result.passed + result.failed == 0:
        print("no test ran, which is no success")
    print(result.counts())
    return 1 if result.failed or wrong_skips or result.passed == 0 else 0


def main(arguments):
    if arguments[:1] == ["level"]:
        return level(Path(arguments[1]), arguments[2], int(arguments[3]), "--broken" in arguments)
    if arguments[:1] == ["total"]:
        patterns = Path(NOT_ALLOWED)
        return total(Path(arguments[1]), arguments[2:], os.environ.get("CI") == "true",
                     patterns.read_text() if patterns.exists() else "")
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
